/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a coprocessor does between a user's input and a decryption, with public keys alone: take
 * values out of a CompactCiphertextList, squash the noise of ciphertexts, compress the result into
 * the ct128 that it stores (tfhe-rs 1.6 and 1.7: expand, squash_noise,
 * CompressedSquashedNoiseCiphertextList).
 */
#ifndef FHE_SERVER_SERVER_KEY_H
#define FHE_SERVER_SERVER_KEY_H

#include "fhe/compact_list.h"
#include "fhe/key_set.h"
#include "fhe/u128.h"

/* Loaded keys. Immutable; any thread may use one, calls may run at the same time. */
struct fhe_server_key;

/* What a key is to be good for. */
enum {
	FHE_SERVER_SQUASH = 1, /* fhe_server_squash, fhe_server_compress */
	FHE_SERVER_EXPAND = 2, /* fhe_server_expand */
};

struct fhe_server_options {
	unsigned uses;    /* of the two above */
	unsigned threads; /* for loading; 1 to FHE_TEAM_THREADS_MAX */
	bool portable;    /* without the instructions that only some CPUs have */
};

/*
 * From a CompressedXofKeySet or CompressedServerKey, whose bytes must live as long as the key: half
 * a gigabyte, map them. The key must be one for a set of fhe_param_sets (ERR_MISMATCH; the note
 * names what does not fit). For the default set loaded keys take 1.7 GB (squash) and 0.2 GB
 * (expand). Other errors are those of fhe_key_set_read, ERR_UNSUPPORTED, ERR_NOMEM, ERR_CRYPTO.
 */
enum err fhe_server_key_new(struct fhe_server_key **ret_key, enum fhe_key_object object,
			    struct bytes serialized, const struct fhe_server_options *options,
			    struct err_note *note) MUST_USE;
void fhe_server_key_free(struct fhe_server_key *k);

const struct fhe_params *fhe_server_key_params(const struct fhe_server_key *k);
struct bytes fhe_server_key_tag(const struct fhe_server_key *k);
/* "portable" or the CPU's instructions in use. */
const char *fhe_server_key_kernel(const struct fhe_server_key *k);
uint64_t fhe_server_key_memory(const struct fhe_server_key *k);

/*
 * Appends safe_serialize(FheBool or FheUint): item `index` of a list, each 2-bit block freshly
 * bootstrapped. ERR_RANGE past the end, ERR_UNSUPPORTED for signed integers, ERR_MISMATCH if the
 * list was made under another dimension.
 */
enum err fhe_server_expand(const struct fhe_server_key *k, const struct fhe_compact_list *list,
			   size_t index, unsigned threads, struct buf *out,
			   struct err_note *note) MUST_USE;

/* A value with squashed noise: LWE ciphertexts of 4 bits under the noise squashing key. */
struct fhe_squashed {
	struct fhe_item item;
	size_t blocks_n, dimension;
	fhe_u128 *words; /* blocks_n times dimension mask words and a body */
};

void fhe_squashed_free(struct fhe_squashed *s);

/*
 * From safe_serialize(FheBool or FheUint). ERR_UNSUPPORTED for blocks with carries or more noise
 * than a bootstrap takes; errors of fhe_small_expanded_read. The caller frees the result.
 */
enum err fhe_server_squash(const struct fhe_server_key *k, struct bytes ciphertext,
			   unsigned threads, struct fhe_squashed *ret_squashed,
			   struct err_note *note) MUST_USE;

/* Appends safe_serialize(SquashedNoiseFheBool or SquashedNoiseFheUint): "BigExpanded". */
enum err fhe_server_write_squashed(const struct fhe_server_key *k, const struct fhe_squashed *s,
				   struct buf *out) MUST_USE;

/* Appends safe_serialize(CompressedSquashedNoiseCiphertextList) of this one value: "BigCompressed".
 * ERR_UNSUPPORTED if the key has no part for that, ERR_TOO_BIG. */
enum err fhe_server_compress(const struct fhe_server_key *k, const struct fhe_squashed *s,
			     unsigned threads, struct buf *out, struct err_note *note) MUST_USE;

#endif

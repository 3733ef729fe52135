/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Key generation: all secret keys of a parameter set, and the CompressedXofKeySet and
 * CompactPublicKey that belong to them, as tfhe-rs 1.7 makes them, bit for bit (its
 * CompressedXofKeySet::generate with a 128-bit private seed; also what a threshold ceremony yields
 * in form and order).
 *
 * Everything follows from 16 bytes of `rng`, which must be rng_system() for a key that is to
 * protect something. They seed the secret stream: the public seed of all masks, the bits of the
 * secret keys, then the noise of every ciphertext. All places in both streams are known beforehand
 * (key_parts.h), so that ciphertexts are computed in the order of the file, by several threads, and
 * leave in pieces: the object (511 MB for the default set) is never in memory.
 */
#ifndef FHE_KEYGEN_KEYGEN_H
#define FHE_KEYGEN_KEYGEN_H

#include "fhe/client_key.h"
#include "fhe/key_set.h"
#include "fhe/keygen/sink.h"

struct rng;

/* The secrets of one key and where its streams are. Immutable; the writers below may run at the
 * same time. */
struct fhe_keygen;

enum {
	FHE_KEYGEN_THREADS_MAX = 64
};

/*
 * Draws a seed and the secret keys; `tag` (for the KMS the 32 bytes of the key id) is copied.
 * ERR_UNSUPPORTED if the parameters do not pass fhe_params_check, ERR_TOO_BIG for the tag,
 * ERR_NOMEM, ERR_CRYPTO.
 */
enum err fhe_keygen_new(struct fhe_keygen **ret_keygen, const struct fhe_params *params,
			struct bytes tag, struct rng *rng, struct err_note *note) MUST_USE;

/* Wipes. NULL is allowed. */
void fhe_keygen_free(struct fhe_keygen *g);

/* The secret keys; they belong to `g`. */
const struct fhe_client_key *fhe_keygen_client_key(const struct fhe_keygen *g);

/*
 * Writes the safe_serialize form of an object to `sink`, computed by `threads` threads (1 to
 * FHE_KEYGEN_THREADS_MAX, beside the caller's, which writes). The first error of the sink ends it
 * and is returned: that is also how to cancel. ERR_RANGE for a wrong number of threads,
 * ERR_UNSUPPORTED for an object that the parameters have no part for, ERR_NOMEM, ERR_CRYPTO.
 */
enum err fhe_keygen_write(const struct fhe_keygen *g, enum fhe_key_object object,
			  struct fhe_sink *sink, unsigned threads, struct err_note *note) MUST_USE;

/* Appends safe_serialize(high_level_api::CompactPublicKey): what users encrypt with. */
enum err fhe_keygen_write_public_key(const struct fhe_keygen *g, struct buf *out) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The public keys that coprocessors compute with, as tfhe-rs 1.7 stores them: the
 * CompressedXofKeySet, and the two objects that it is made of, which also occur alone
 * (CompressedCompactPublicKey, CompressedServerKey). All three are seeded: see key_parts.h.
 *
 * A struct fhe_key_set is a view; a key set has half a gigabyte, so that it is read from a mapped
 * file and written in pieces.
 */
#ifndef FHE_KEY_SET_H
#define FHE_KEY_SET_H

#include "fhe/key_parts.h"

/* One array of bodies and the numbers that stand beside it. */
struct fhe_seeded {
	struct bytes words;
	uint64_t size; /* GLWE dimension + 1, or LWE dimension + 1 */
	uint64_t polynomial_size, base_log, level;
	struct fhe_seed seed;
};

enum fhe_key_object {
	FHE_OBJECT_PUBLIC_KEY, /* CompressedCompactPublicKey */
	FHE_OBJECT_SERVER_KEY, /* CompressedServerKey */
	FHE_OBJECT_KEY_SET,    /* CompressedXofKeySet: both, after the seed of all masks */
};

struct fhe_key_set {
	struct bytes seed; /* domain separator and seed; of a KEY_SET only */
	struct fhe_seeded parts[FHE_PART_COUNT];
	struct fhe_pke_params pke, rerand_pke;
	struct bytes pke_tag, tag;
	struct fhe_mod_switch mod_switch, sns_mod_switch;
	uint64_t message_modulus, carry_modulus, max_degree, max_noise_level;
	bool has_pke_ks, has_compression, has_decompression, has_sns, has_sns_compression,
		has_rerand, has_oprf;
	uint32_t pke_ks_destination;
	uint64_t compression_lwe_per_glwe, storage_log_modulus, decompression_lwe_per_glwe;
	uint64_t sns_message_modulus, sns_carry_modulus, sns_compression_lwe_per_glwe;
};

/*
 * From safe_serialize. Views live as long as `serialized`; nothing is allocated. The note names the
 * field and its place. ERR_MISMATCH for another object, ERR_UNSUPPORTED, ERR_MALFORMED,
 * ERR_TRUNCATED, ERR_TOO_BIG.
 */
enum err fhe_key_set_read(struct fhe_key_set *ret_set, enum fhe_key_object object,
			  struct bytes serialized, struct err_note *note) MUST_USE;

/*
 * The same of an object that is not in memory: only what stands around the bodies is read, into
 * `frame` (maximum at least LAYOUT_FRAME_MAX), where the other views live. Bodies are views with
 * lengths and no pointers; a gap's `at` is the byte of the object that they begin at, its `words`
 * that of a part of *ret_set. ERR_NOMEM and errors of the source as well.
 */
enum err fhe_key_set_read_frame(struct fhe_key_set *ret_set, enum fhe_key_object object,
				const struct fhe_source *source, struct buf *frame,
				struct layout_gaps *ret_gaps, struct err_note *note) MUST_USE;

/*
 * Is this an object of that kind for these parameters: all parts, dimensions, lengths, and for a
 * KEY_SET the place of every mask in the one stream? ERR_MISMATCH; the note names what is not.
 */
enum err fhe_key_set_check(const struct fhe_key_set *set, enum fhe_key_object object,
			   const struct fhe_params *params, struct err_note *note) MUST_USE;

/*
 * What a key set for `params` looks like, without the bodies: their views have lengths and no
 * pointers. `seed` (domain separator and seed of the masks) and `tag` stay the caller's. `params`
 * must have passed fhe_params_check.
 */
void fhe_key_set_describe(struct fhe_key_set *ret_set, const struct fhe_params *params,
			  struct bytes seed, struct bytes tag);

/* Appends the safe_serialize form of an object with all its bodies. */
enum err fhe_key_set_write(const struct fhe_key_set *set, enum fhe_key_object object,
			   struct buf *out) MUST_USE;

/* Appends everything but the bodies; `gaps` says where each belongs. A gap's `words` is that of a
 * part of `set`. */
enum err fhe_key_set_write_frame(const struct fhe_key_set *set, enum fhe_key_object object,
				 struct buf *out, struct layout_gaps *ret_gaps) MUST_USE;

/*
 * The stream of a seed, at its place. The caller frees it. ERR_UNSUPPORTED for a domain separator
 * with a zero byte.
 */
struct aes_ctr;
enum err fhe_seed_open(struct aes_ctr **ret_stream, const struct fhe_seed *seed) MUST_USE;

/* Appends safe_serialize(high_level_api::CompactPublicKey), the mask back in its place, from a
 * PUBLIC_KEY or KEY_SET. ERR_MALFORMED if length and parameters do not agree. */
enum err fhe_compact_public_key_expand(const struct fhe_key_set *set, struct buf *out) MUST_USE;

#endif

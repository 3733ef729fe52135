/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * CompressedSquashedNoiseCiphertextList ("BigCompressed", ct128): 128-bit GLWE ciphertexts under
 * the noise-squashing-compression key. Each body coefficient is one packed block of 4 bits (two
 * 2-bit blocks, b0 + 4 b1; a Boolean stands alone). Coefficients are stored whole (log_modulus
 * 128).
 */
#ifndef FHE_SQUASHED_LIST_H
#define FHE_SQUASHED_LIST_H

#include "fhe/packed_list.h"

/*
 * Checks every size, the items against the number of bodies, and the dimensions against `p`
 * (ERR_MISMATCH: made under other parameters). Views into `serialized`.
 */
enum err fhe_squashed_list_read(struct fhe_packed_list *ret_list, const struct fhe_params *p,
				struct bytes serialized, struct err_note *note) MUST_USE;

/* Appends the safe_serialize form. */
enum err fhe_squashed_list_write(const struct fhe_packed_list *list, struct buf *out) MUST_USE;

/* Packed 4-bit blocks that an item takes. */
enum {
	FHE_SQUASHED_BLOCKS_PER_BODY = 2
};
static inline uint64_t fhe_squashed_blocks(struct fhe_item item)
{
	return fhe_packed_bodies(item, FHE_SQUASHED_BLOCKS_PER_BODY);
}

/* Layouts for the writer: of one GLWE, of what stands before and after the GLWEs. */
extern const struct layout fhe_squashed_head_layout; /* nothing stored: three versions */
extern const struct layout fhe_squashed_glwe_layout; /* struct fhe_packed_glwe */
extern const struct layout
	fhe_squashed_meta_layout; /* struct fhe_packed_list: the moduli and lwe_per_glwe */
#define FHE_SQUASHED_LIST_NAME "high_level_api::CompressedSquashedNoiseCiphertextList"

#endif

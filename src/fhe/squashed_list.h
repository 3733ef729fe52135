/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * CompressedSquashedNoiseCiphertextList ("BigCompressed", ct128): 128-bit GLWE ciphertexts under
 * the noise-squashing-compression key. Each body coefficient is one packed block of 4 bits (two
 * 2-bit blocks, b0 + 4 b1; a Boolean stands alone). Coefficients are stored whole (log_modulus
 * 128).
 */
#ifndef FHE_SQUASHED_LIST_H
#define FHE_SQUASHED_LIST_H

#include "fhe/items.h"
#include "fhe/params.h"

struct fhe_squashed_glwe {
	struct bytes words; /* glwe_dimension * polynomial_size mask words, then the bodies:
			       little-endian u128 */
	uint64_t log_modulus, initial_len;
	uint64_t glwe_dimension, polynomial_size, bodies;
};

struct fhe_squashed_list {
	struct fhe_squashed_glwe glwe[FHE_SQUASHED_GLWE_MAX];
	size_t glwe_n;
	uint64_t message_modulus, carry_modulus, lwe_per_glwe;
	struct fhe_items items;
	struct bytes tag;
};

/*
 * Checks every size, the items against the number of bodies, and the dimensions against `p`
 * (ERR_MISMATCH: made under other parameters). Views into `serialized`.
 */
enum err fhe_squashed_list_read(struct fhe_squashed_list *ret_list, const struct fhe_params *p,
				struct bytes serialized, struct err_note *note) MUST_USE;

/* Packed 4-bit blocks that an item takes. */
static inline uint64_t fhe_squashed_blocks(struct fhe_item item)
{
	return item.kind == FHE_ITEM_BOOLEAN ? 1 : (item.blocks + 1) / 2;
}

/* Layouts for the writer: of one GLWE, of what stands before and after the GLWEs. */
extern const struct layout fhe_squashed_head_layout; /* nothing stored: three versions */
extern const struct layout fhe_squashed_glwe_layout; /* struct fhe_squashed_glwe */
extern const struct layout
	fhe_squashed_meta_layout; /* struct fhe_squashed_list: the moduli and lwe_per_glwe */
#define FHE_SQUASHED_LIST_NAME "high_level_api::CompressedSquashedNoiseCiphertextList"

#endif

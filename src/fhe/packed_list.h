/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the two compressed lists have in common: GLWE ciphertexts whose body coefficients carry the
 * blocks of the items, one after another, each ciphertext full before the next begins. They differ
 * in the key, in how many bits a coefficient is stored with, and in how many blocks share one.
 */
#ifndef FHE_PACKED_LIST_H
#define FHE_PACKED_LIST_H

#include "fhe/items.h"
#include "fhe/params.h"

struct fhe_packed_glwe {
	struct bytes words; /* glwe_dimension * polynomial_size mask coefficients, then the bodies,
			       log_modulus bits each, least significant bit first, up to a whole
			       little-endian word */
	uint64_t log_modulus, initial_len; /* initial_len: mask and bodies together */
	uint64_t glwe_dimension, polynomial_size, bodies;
	size_t at; /* in the input */
};

struct fhe_packed_list {
	struct fhe_packed_glwe glwe[FHE_SQUASHED_GLWE_MAX];
	size_t glwe_n;
	uint64_t message_modulus, carry_modulus, lwe_per_glwe;
	struct fhe_items items;
	struct bytes tag;
	uint32_t version;            /* as read; of a small list */
	struct layout_list metadata; /* one for each item; of a small list */
	size_t lwe_per_glwe_at, metadata_at;
};

/* What a key demands of a list. */
struct fhe_packed_shape {
	uint64_t glwe_dimension, polynomial_size, log_modulus;
	uint64_t lwe_per_glwe;    /* bodies of a full GLWE */
	uint64_t blocks_per_body; /* an item begins with a body of its own */
};

/* Bodies that an item takes. */
static inline uint64_t fhe_packed_bodies(struct fhe_item item, uint64_t blocks_per_body)
{
	return (item.blocks + blocks_per_body - 1) / blocks_per_body;
}

/*
 * All sizes of a list whose numbers the layouts have let pass: ERR_MISMATCH when it was made under
 * another key, ERR_MALFORMED when sizes, bodies and items do not fit each other.
 */
enum err fhe_packed_list_check(const struct fhe_packed_list *list,
			       const struct fhe_packed_shape *shape,
			       struct err_note *note) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Ciphertexts with one LWE ciphertext for each block:
 *
 * - small: FheBool, FheUint, FheInt ("SmallExpanded"): 64-bit, one 2-bit block each, under the big
 *   compute key
 * - big: SquashedNoiseFheBool, …FheUint, …FheInt ("BigExpanded"): 128-bit, two 2-bit blocks each
 * (b0
 *   + 4 b1; a Boolean stands alone), under the noise-squashing key, or under that of its
 * compression once the ciphertext has been through a list
 *
 * The width of an integer shows in the number of its blocks only.
 */
#ifndef FHE_EXPANDED_H
#define FHE_EXPANDED_H

#include "fhe/items.h"
#include "fhe/params.h"

/* shortint Ciphertext, and SquashedNoiseCiphertext. */
struct fhe_block {
	struct bytes words; /* mask, then body: little-endian u64 or u128 */
	uint64_t degree, noise_level, message_modulus, carry_modulus;
	size_t at; /* of the words' count, in the input */
};

struct fhe_expanded {
	uint32_t kind;             /* enum fhe_item_kind */
	bool boolean;              /* kind is FHE_ITEM_BOOLEAN */
	uint64_t radix_blocks;     /* 2-bit blocks of the value; 1 for a Boolean */
	struct layout_list blocks; /* of struct fhe_block */
	enum fhe_key_id key;
	uint32_t version, state; /* as read; the state is a big one's: 1 after decompression */
	struct bytes tag, metadata;
	size_t radix_at; /* of radix_blocks in the input */
};

/*
 * Checks every size, and the dimension of each block against the key that it must be under
 * (ERR_MISMATCH: other parameters, or another object). ERR_UNSUPPORTED if
 * the key lacks that part. Views into `serialized`.
 */
enum err fhe_small_expanded_read(struct fhe_expanded *ret_value, const struct fhe_params *p,
				 struct bytes serialized, struct err_note *note) MUST_USE;
enum err fhe_big_expanded_read(struct fhe_expanded *ret_value, const struct fhe_params *p,
			       struct bytes serialized, struct err_note *note) MUST_USE;

/* The next block of a value that was read; false at the end. */
bool fhe_blocks_next(struct layout_list *blocks, struct fhe_block *ret_block);

/* Append the safe_serialize form of a value that was read, in the newest version. */
enum err fhe_small_expanded_rewrite(const struct fhe_expanded *v, struct buf *out) MUST_USE;
enum err fhe_big_expanded_rewrite(const struct fhe_expanded *v, struct buf *out) MUST_USE;

/* A value to be written: LWE ciphertexts one after the other, fresh from a bootstrap. */
struct fhe_blocks_words {
	struct fhe_item item;
	struct bytes words;
	size_t block_size; /* bytes of one: mask, then body, little-endian words */
};

/* Append safe_serialize(FheBool, FheUint or FheInt), and safe_serialize(SquashedNoiseFheBool,
 * SquashedNoiseFheUint or SquashedNoiseFheInt). */
enum err fhe_small_expanded_write(const struct fhe_blocks_words *v, struct bytes tag,
				  struct buf *out) MUST_USE;
enum err fhe_big_expanded_write(const struct fhe_blocks_words *v, struct bytes tag,
				struct buf *out) MUST_USE;

/* Layouts of one block. */
extern const struct layout fhe_block_64_layout;
extern const struct layout fhe_block_128_layout;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * CompactCiphertextList: what users send. Entries are LWE ciphertexts of 64 bits under the compact
 * private key; they come in bins that share one mask, rotated (negacyclically) by the entry's place
 * in its bin. In a packed list two consecutive 2-bit blocks share an entry (b0 + 4 b1), across the
 * borders of items.
 */
#ifndef FHE_COMPACT_LIST_H
#define FHE_COMPACT_LIST_H

#include "fhe/items.h"
#include "fhe/layout.h"

/* A CompactCiphertextList; views into what it was read from. */
struct fhe_compact_list {
	struct bytes words; /* one mask of `dimension` words per bin, then `count` bodies */
	uint64_t lwe_size, count, degree, message_modulus, carry_modulus;
	uint32_t expansion;
	struct fhe_items items;
	struct bytes tag;
	size_t at; /* of the words' count, in the input */
};

/* From safe_serialize("high_level_api::CompactCiphertextList"), packed or not. Sizes and items are
 * checked against it. */
enum err fhe_compact_list_read(struct fhe_compact_list *ret_list, struct bytes serialized,
			       struct err_note *note) MUST_USE;

/* Appends the safe_serialize form, in the newest version. */
enum err fhe_compact_list_write(const struct fhe_compact_list *l, struct buf *out) MUST_USE;

/* The same without items and tag, as proven lists carry it; what must hold of it. */
extern const struct layout fhe_compact_part_layout; /* struct fhe_compact_list */
enum err fhe_compact_part_check(const struct fhe_compact_list *l, struct err_note *note) MUST_USE;

bool fhe_compact_list_packed(const struct fhe_compact_list *l);

/* Item `index`, and which block of the list is its first. ERR_RANGE past the end. */
enum err fhe_compact_list_item(const struct fhe_compact_list *l, size_t index,
			       struct fhe_item *ret_item, uint64_t *ret_block,
			       struct err_note *note) MUST_USE;

/* Entry i < count as an LWE ciphertext: lwe_size words, mask and body. */
void fhe_compact_list_entry(const struct fhe_compact_list *l, uint64_t i, uint64_t *ret_lwe);

#endif

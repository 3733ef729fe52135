/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The item list (Vec<DataKind>) that every TFHE ciphertext list carries: what the values in it are.
 */
#ifndef FHE_ITEMS_H
#define FHE_ITEMS_H

#include "codec/bincode.h"
#include "fhe/types.h"

enum fhe_item_kind {
	FHE_ITEM_UNSIGNED = 0,
	FHE_ITEM_SIGNED = 1,
	FHE_ITEM_BOOLEAN = 2
};

struct fhe_item {
	uint32_t kind;   /* enum fhe_item_kind */
	uint64_t blocks; /* 2-bit blocks; 1 for a Boolean */
};

/* The items still to be visited, one by one, without allocation: of a list that was read, or an
 * array. */
struct fhe_items {
	uint64_t n;
	struct bytes encoded;
	const struct fhe_item *array;
	size_t at; /* byte of the input that the list begins at */
};

/* A list to be written; the array stays the caller's. */
static inline struct fhe_items fhe_items_of(const struct fhe_item *array, size_t n)
{
	return (struct fhe_items){.n = n, .array = array};
}

/* Steps over the whole list and checks it: at most COMPACT_LIST_ITEMS_MAX items
 * of 1..RADIX_BLOCKS_MAX blocks each. Strings are ERR_UNSUPPORTED. Latches. */
struct fhe_items fhe_items_read(struct reader *r, struct err_note *note);

/* The next item of a list that fhe_items_read accepted; false at the end. */
bool fhe_items_next(struct fhe_items *items, struct fhe_item *ret_item);

/* 2-bit blocks of all items together. */
uint64_t fhe_items_blocks(struct fhe_items items);

/* One item, in the newest form. */
void fhe_item_write(struct bincode_writer *w, struct fhe_item item);

void fhe_items_write(struct bincode_writer *w, const struct fhe_item *items, size_t n);

/* The type that such an item has in FHEVM; NULL for signed integers and widths that it does not
 * use. */
const struct fhe_type_row *fhe_item_type(struct fhe_item item);
struct fhe_item fhe_item_of(const struct fhe_type_row *type);

#endif

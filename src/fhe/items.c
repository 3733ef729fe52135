/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/items.h"

#include "base/limits.h"

enum {
	DATA_KIND_VERSION = 1,
	DATA_KIND_STRING = 3
};

/* DataKind V0 and V1 have the same form for the kinds that we read. */
static struct fhe_item item_read(struct reader *r, struct err_note *note)
{
	struct fhe_item item = {.blocks = 1};

	(void)bincode_tag(r, DATA_KIND_VERSION);
	item.kind = bincode_tag(r, DATA_KIND_STRING);
	if (item.kind == DATA_KIND_STRING)
		reader_fail(r, err_say(note, ERR_UNSUPPORTED, "a list that holds a string"));
	else if (item.kind != FHE_ITEM_BOOLEAN)
		item.blocks = reader_u64le(r);
	if (r->err == ERR_OK && (item.blocks == 0 || item.blocks > RADIX_BLOCKS_MAX))
		reader_fail(r, err_say(note, ERR_TOO_BIG, "a list item of %llu blocks",
				       (unsigned long long)item.blocks));
	return item;
}

struct fhe_items fhe_items_read(struct reader *r, struct err_note *note)
{
	uint64_t n = bincode_len(r, COMPACT_LIST_ITEMS_MAX);
	struct bytes start = r->in;

	for (uint64_t i = 0; i < n && r->err == ERR_OK; i++)
		(void)item_read(r, note);
	if (r->err != ERR_OK)
		return (struct fhe_items){0};
	return (struct fhe_items){.n = n, .encoded = bytes_sub(start, 0, start.n - r->in.n)};
}

bool fhe_items_next(struct fhe_items *items, struct fhe_item *ret_item)
{
	struct reader r = reader_of(items->encoded);

	if (items->n == 0)
		return false;
	*ret_item = item_read(&r, NULL);
	CHECK(r.err == ERR_OK);
	items->encoded = r.in;
	items->n--;
	return true;
}

void fhe_items_write(struct bincode_writer *w, const struct fhe_item *items, size_t n)
{
	bincode_put_u64(w, n);
	for (size_t i = 0; i < n; i++) {
		bincode_put_u32(w, DATA_KIND_VERSION);
		bincode_put_u32(w, items[i].kind);
		if (items[i].kind != FHE_ITEM_BOOLEAN)
			bincode_put_u64(w, items[i].blocks);
	}
}

const struct fhe_type_row *fhe_item_type(struct fhe_item item)
{
	if (item.kind == FHE_ITEM_BOOLEAN)
		return fhe_type_find(FHE_BOOL);
	if (item.kind != FHE_ITEM_UNSIGNED)
		return NULL;
	for (unsigned t = FHE_UINT4; fhe_type_find(t); t++)
		if (fhe_type_find(t)->blocks == item.blocks)
			return fhe_type_find(t);
	return NULL;
}

struct fhe_item fhe_item_of(const struct fhe_type_row *type)
{
	return (struct fhe_item){.kind = type->type == FHE_BOOL ? FHE_ITEM_BOOLEAN
								: FHE_ITEM_UNSIGNED,
				 .blocks = type->blocks};
}

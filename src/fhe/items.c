/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/items.h"

#include "base/limits.h"

enum {
	DATA_KIND_VERSION = 1,
	DATA_KIND_STRING = 3
};

static void item_fail(struct reader *r, enum err e, const char *what, size_t at, uint64_t found,
		      struct err_note *note)
{
	if (r->err == ERR_OK)
		reader_fail(r, err_say(note, e, "DataKind: %s at byte %zu is %llu", what, at,
				       (unsigned long long)found));
}

/* DataKind V0 and V1 have the same form for the kinds that we read. */
static struct fhe_item item_read(struct reader *r, struct err_note *note)
{
	struct fhe_item item = {.blocks = 1};
	size_t at = reader_offset(r);
	uint32_t version = reader_u32le(r);

	item.kind = reader_u32le(r);
	if (version > DATA_KIND_VERSION)
		item_fail(r, ERR_UNSUPPORTED, "version", at, version, note);
	if (item.kind == DATA_KIND_STRING)
		item_fail(r, ERR_UNSUPPORTED, "variant (a string)", at + 4, item.kind, note);
	else if (item.kind > DATA_KIND_STRING)
		item_fail(r, ERR_UNSUPPORTED, "variant", at + 4, item.kind, note);
	else if (item.kind != FHE_ITEM_BOOLEAN)
		item.blocks = reader_u64le(r);
	if (item.blocks == 0 || item.blocks > RADIX_BLOCKS_MAX)
		item_fail(r, ERR_TOO_BIG, "blocks", at + 8, item.blocks, note);
	return item;
}

struct fhe_items fhe_items_read(struct reader *r, struct err_note *note)
{
	size_t at = reader_offset(r);
	uint64_t n = reader_u64le(r);
	struct bytes start = r->in;

	if (n > COMPACT_LIST_ITEMS_MAX)
		item_fail(r, ERR_TOO_BIG, "items", at, n, note);
	for (uint64_t i = 0; i < n && r->err == ERR_OK; i++)
		(void)item_read(r, note);
	if (r->err != ERR_OK)
		return (struct fhe_items){0};
	return (struct fhe_items){
		.n = n, .encoded = bytes_sub(start, 0, start.n - r->in.n), .at = at};
}

bool fhe_items_next(struct fhe_items *items, struct fhe_item *ret_item)
{
	struct reader r = reader_of(items->encoded);

	if (items->n == 0)
		return false;
	items->n--;
	if (items->array) {
		*ret_item = *items->array++;
		return true;
	}
	*ret_item = item_read(&r, NULL);
	CHECK(r.err == ERR_OK);
	items->encoded = r.in;
	return true;
}

uint64_t fhe_items_blocks(struct fhe_items items)
{
	struct fhe_item item;
	uint64_t blocks = 0;

	while (fhe_items_next(&items, &item))
		blocks += item.blocks;
	return blocks;
}

void fhe_item_write(struct bincode_writer *w, struct fhe_item item)
{
	bincode_put_u32(w, DATA_KIND_VERSION);
	bincode_put_u32(w, item.kind);
	if (item.kind != FHE_ITEM_BOOLEAN)
		bincode_put_u64(w, item.blocks);
}

void fhe_items_write(struct bincode_writer *w, const struct fhe_item *items, size_t n)
{
	bincode_put_u64(w, n);
	for (size_t i = 0; i < n; i++)
		fhe_item_write(w, items[i]);
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

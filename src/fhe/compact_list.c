/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/compact_list.h"

#include "base/limits.h"
#include "codec/safe_serialize.h"
#include "fhe/u128.h"

enum {
	WORDS_MAX = 1 << 24,
	LWE_SIZE_MAX = 8193,
	DEGREE_UNPACKED = 3,
	DEGREE_PACKED = 15,
};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}
#define FIELD(f) .name = #f, .offset = offsetof(struct fhe_compact_list, f)
static const struct layout_row part_rows[] = {
	VERSION("CompactCiphertextList (shortint) version", 2),
	VERSION("LweCompactCiphertextList version", 0),
	{.kind = LAYOUT_AT, FIELD(at)},
	{.kind = LAYOUT_WORDS, FIELD(words), .min = 1, .max = WORDS_MAX, .width = 8},
	{.kind = LAYOUT_COUNT, FIELD(lwe_size), .min = 2, .max = LWE_SIZE_MAX},
	{.kind = LAYOUT_COUNT, FIELD(count), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_MODULUS, .name = "ciphertext_modulus", .max = 64},
	{.kind = LAYOUT_COUNT, FIELD(degree), .min = DEGREE_UNPACKED, .max = DEGREE_PACKED},
	{.kind = LAYOUT_COUNT, FIELD(message_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_COUNT, FIELD(carry_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_EXPANSION, FIELD(expansion), .max = 1},
};
const struct layout fhe_compact_part_layout =
	LAYOUT_OF("CompactCiphertextList (shortint)", part_rows);

static const struct layout_row list_rows[] = {
	VERSION("CompactCiphertextList version", 1),
	VERSION("CompactCiphertextList (integer) version", 1),
	{.kind = LAYOUT_SUB, .name = "ct_list", .sub = &fhe_compact_part_layout},
	{.kind = LAYOUT_ITEMS, FIELD(items)},
	{.kind = LAYOUT_TAG, FIELD(tag), .max = FHE_TAG_SIZE_MAX},
};
static const struct layout list_layout = LAYOUT_OF("CompactCiphertextList", list_rows);

bool fhe_compact_list_packed(const struct fhe_compact_list *l)
{
	return l->degree == DEGREE_PACKED;
}

enum err fhe_compact_part_check(const struct fhe_compact_list *l, struct err_note *note)
{
	uint64_t dimension = l->lwe_size - 1;
	uint64_t bins = (l->count + dimension - 1) / dimension;

	if (l->degree != DEGREE_PACKED && l->degree != DEGREE_UNPACKED)
		return err_say(note, ERR_UNSUPPORTED,
			       "CompactCiphertextList at byte %zu: degree %llu", l->at,
			       (unsigned long long)l->degree);
	if (l->words.n / 8 != bins * dimension + l->count)
		return err_say(note, ERR_MALFORMED,
			       "CompactCiphertextList at byte %zu: %zu words for %llu ciphertexts",
			       l->at, l->words.n / 8, (unsigned long long)l->count);
	return ERR_OK;
}

static enum err list_check(const struct fhe_compact_list *l, struct err_note *note)
{
	uint64_t blocks = fhe_items_blocks(l->items);

	TRY(fhe_compact_part_check(l, note));
	if (l->count != (fhe_compact_list_packed(l) ? (blocks + 1) / 2 : blocks))
		return err_say(
			note, ERR_MALFORMED,
			"CompactCiphertextList: %llu ciphertexts for %llu blocks in the items "
			"at byte %zu",
			(unsigned long long)l->count, (unsigned long long)blocks, l->items.at);
	return ERR_OK;
}

static const char list_name[] = "high_level_api::CompactCiphertextList";

enum err fhe_compact_list_read(struct fhe_compact_list *ret_list, struct bytes serialized,
			       struct err_note *note)
{
	static const char *const names[] = {list_name, NULL};
	struct fhe_compact_list l = {0};
	struct reader r = reader_of(serialized);
	size_t index;

	if (serialized.n > CIPHERTEXT_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "CompactCiphertextList: %zu bytes", serialized.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	layout_read(&r, &list_layout, &l, note);
	TRY(layout_end(&r, "CompactCiphertextList", note));
	TRY(list_check(&l, note));
	*ret_list = l;
	return ERR_OK;
}

enum err fhe_compact_list_write(const struct fhe_compact_list *l, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	safe_serialize_begin(&w, list_name);
	layout_write(&w, &list_layout, l);
	return bincode_end(&w);
}

enum err fhe_compact_list_item(const struct fhe_compact_list *l, size_t index,
			       struct fhe_item *ret_item, uint64_t *ret_block,
			       struct err_note *note)
{
	struct fhe_items items = l->items;
	struct fhe_item item = {0};
	uint64_t block = 0;

	for (size_t i = 0; i <= index; i++) {
		block += item.blocks;
		if (!fhe_items_next(&items, &item))
			return err_say(note, ERR_RANGE, "the list has no item %zu", index);
	}
	*ret_item = item;
	*ret_block = block;
	return ERR_OK;
}

void fhe_compact_list_entry(const struct fhe_compact_list *l, uint64_t i, uint64_t *ret_lwe)
{
	size_t n = (size_t)l->lwe_size - 1, bins = ((size_t)l->count + n - 1) / n;
	size_t bin = (size_t)i / n, shift = (size_t)i % n;

	for (size_t j = 0; j < shift; j++)
		ret_lwe[j] = 0 - fhe_word_u64(l->words.p, bin * n + n + j - shift);
	for (size_t j = shift; j < n; j++)
		ret_lwe[j] = fhe_word_u64(l->words.p, bin * n + j - shift);
	ret_lwe[n] = fhe_word_u64(l->words.p, bins * n + (size_t)i);
}

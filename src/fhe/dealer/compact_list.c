/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/limits.h"
#include "codec/safe_serialize.h"
#include "fhe/dealer/dealer.h"
#include "fhe/negacyclic.h"

enum {
	WORDS_MAX = 1 << 24,
	LWE_SIZE_MAX = 8193,
	DELTA_LOG = 64 - 1 - 2 * FHE_MESSAGE_BITS,
	DEGREE_UNPACKED = 3,
	DEGREE_PACKED = 15,
};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}
#define FIELD(f) .name = #f, .offset = offsetof(struct fhe_compact_list, f)
static const struct layout_row list_rows[] = {
	VERSION("CompactCiphertextList version", 1),
	VERSION("CompactCiphertextList (integer) version", 1),
	VERSION("CompactCiphertextList (shortint) version", 2),
	VERSION("LweCompactCiphertextList version", 0),
	{.kind = LAYOUT_WORDS, FIELD(words), .min = 1, .max = WORDS_MAX, .width = 8},
	{.kind = LAYOUT_COUNT, FIELD(lwe_size), .min = 2, .max = LWE_SIZE_MAX},
	{.kind = LAYOUT_COUNT, FIELD(count), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_MODULUS, .name = "ciphertext_modulus", .max = 64},
	{.kind = LAYOUT_COUNT, FIELD(degree), .min = DEGREE_UNPACKED, .max = DEGREE_PACKED},
	{.kind = LAYOUT_COUNT, FIELD(message_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_COUNT, FIELD(carry_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_EXPANSION, FIELD(expansion), .max = 1},
};
static const struct layout list_layout = LAYOUT_OF("CompactCiphertextList", list_rows);

static bool list_packed(const struct fhe_compact_list *l)
{
	return l->degree == DEGREE_PACKED;
}

static enum err list_check(const struct fhe_compact_list *l, struct err_note *note)
{
	uint64_t dimension = l->lwe_size - 1;
	uint64_t bins = (l->count + dimension - 1) / dimension;
	struct fhe_items items = l->items;
	struct fhe_item item;
	uint64_t blocks = 0;

	while (fhe_items_next(&items, &item))
		blocks += item.blocks;
	if (l->degree != DEGREE_PACKED && l->degree != DEGREE_UNPACKED)
		return err_say(note, ERR_UNSUPPORTED, "CompactCiphertextList: degree %llu",
			       (unsigned long long)l->degree);
	if (l->words.n / 8 != bins * dimension + l->count)
		return err_say(note, ERR_MALFORMED,
			       "CompactCiphertextList: %zu words for %llu ciphertexts",
			       l->words.n / 8, (unsigned long long)l->count);
	if (l->count != (list_packed(l) ? (blocks + 1) / 2 : blocks))
		return err_say(note, ERR_MALFORMED,
			       "CompactCiphertextList: %llu ciphertexts for %llu blocks",
			       (unsigned long long)l->count, (unsigned long long)blocks);
	return ERR_OK;
}

enum err fhe_compact_list_read(struct fhe_compact_list *ret_list, struct bytes serialized,
			       struct err_note *note)
{
	static const char *const names[] = {"high_level_api::CompactCiphertextList", NULL};
	struct fhe_compact_list l = {0};
	struct reader r = reader_of(serialized);
	size_t index;

	if (serialized.n > CIPHERTEXT_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "CompactCiphertextList: %zu bytes", serialized.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	layout_read(&r, &list_layout, &l, note);
	l.items = fhe_items_read(&r, note);
	bincode_expect_u32(&r, 0); /* Tag */
	l.tag = bincode_vec(&r, FHE_TAG_SIZE_MAX);
	TRY(layout_end(&r, "CompactCiphertextList", note));
	TRY(list_check(&l, note));
	*ret_list = l;
	return ERR_OK;
}

/*
 * Entry i: entries come in bins of `dimension` that share one mask, rotated (negacyclically) by the
 * entry's place in its bin. Four bits of message, or two in an unpacked list.
 */
static uint8_t entry_decrypt(const struct fhe_compact_list *l, struct bytes key, uint64_t i)
{
	size_t n = key.n;
	size_t bins = ((size_t)l->count + n - 1) / n;
	struct bytes mask = bytes_sub(l->words, 8 * n * ((size_t)i / n), 8 * n);
	uint64_t phase = fhe_word_u64(l->words.p, bins * n + (size_t)i);

	phase -= fhe_rotated_dot_u64(mask.p, key.p, n, (size_t)i % n);
	return (uint8_t)((phase + ((uint64_t)1 << (DELTA_LOG - 1))) >> DELTA_LOG) &
	       (uint8_t)l->degree;
}

/* The 2-bit block at place `at` of the whole list: pairs share an entry, across the borders of
 * items. */
static uint8_t list_block(const struct fhe_compact_list *l, struct bytes key, uint64_t at)
{
	if (!list_packed(l))
		return entry_decrypt(l, key, at);
	return entry_decrypt(l, key, at / 2) >> (FHE_MESSAGE_BITS * (at % 2)) & 3;
}

enum err fhe_compact_list_decrypt(const struct fhe_client_key *k,
				  const struct fhe_compact_list *list, size_t index,
				  const struct fhe_type_row **ret_type,
				  struct fhe_plaintext *ret_value, struct err_note *note)
{
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_PKE);
	struct fhe_items items = list->items;
	struct fhe_item item = {0};
	const struct fhe_type_row *type;
	uint64_t start = 0;

	if (key.n != list->lwe_size - 1)
		return err_say(note, ERR_MISMATCH, "list of dimension %llu, the key has %zu",
			       (unsigned long long)(list->lwe_size - 1), key.n);
	for (size_t i = 0; i <= index; i++) {
		start += item.blocks;
		if (!fhe_items_next(&items, &item))
			return err_say(note, ERR_RANGE, "the list has no item %zu", index);
	}
	type = fhe_item_type(item);
	if (!type || type->size > sizeof(ret_value->le))
		return err_say(note, ERR_UNSUPPORTED, "item %zu: kind %u with %llu blocks", index,
			       item.kind, (unsigned long long)item.blocks);
	*ret_value = (struct fhe_plaintext){.n = type->size};
	for (uint64_t b = 0; b < item.blocks; b++)
		ret_value->le[b / 4] |=
			(uint8_t)(list_block(list, key, start + b) << (2 * (b % 4)));
	*ret_type = type;
	return ERR_OK;
}

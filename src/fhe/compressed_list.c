/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/compressed_list.h"

#include "base/limits.h"
#include "codec/safe_serialize.h"
#include "fhe/u128.h"

enum {
	WORDS_MAX = 1 << 17
};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}

#define G(f) .name = #f, .offset = offsetof(struct fhe_packed_glwe, f)
static const struct layout_row glwe_rows[] = {
	VERSION("CompressedModulusSwitchedGlweCiphertext version", 0),
	VERSION("PackedIntegers version", 0),
	{.kind = LAYOUT_WORDS, G(words), .min = 1, .max = WORDS_MAX, .width = 8},
	/* padding, two bits of message, one of noise to round away */
	{.kind = LAYOUT_COUNT, G(log_modulus), .min = 4, .max = 64},
	{.kind = LAYOUT_U64, G(initial_len), .min = 2, .max = WORDS_MAX},
	{.kind = LAYOUT_COUNT, G(glwe_dimension), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_COUNT, G(polynomial_size), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_COUNT, G(bodies), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_MODULUS, .name = "uncompressed_ciphertext_modulus", .max = 64},
};
const struct layout fhe_packed_glwe_layout =
	LAYOUT_OF("CompressedModulusSwitchedGlweCiphertext", glwe_rows);

#define M(f) .name = #f, .offset = offsetof(struct fhe_packed_list, f)
static const struct layout_row meta_rows[] = {
	VERSION("CompressedCiphertextListMeta version", 0),
	{.kind = LAYOUT_MODULUS, .name = "ciphertext_modulus", .max = 64},
	{.kind = LAYOUT_COUNT, M(message_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_COUNT, M(carry_modulus), .min = 4, .max = 4},
	VERSION("AtomicPatternKind version", 0),
	VERSION("AtomicPatternKind variant (Standard)", 0),
	VERSION("PBSOrder version", 0),
	VERSION("PBSOrder variant (KeyswitchBootstrap)", 0),
	{.kind = LAYOUT_COUNT, M(lwe_per_glwe), .min = 1, .max = WORDS_MAX},
};
const struct layout fhe_compressed_meta_layout =
	LAYOUT_OF("CompressedCiphertextListMeta", meta_rows);

uint64_t fhe_packed_coefficient(const struct fhe_packed_glwe *g, size_t i)
{
	unsigned bits = (unsigned)g->log_modulus;
	size_t first = i * bits / 64;
	unsigned shift = (unsigned)(i * bits % 64);
	uint64_t v = fhe_word_u64(g->words.p, first) >> shift;

	if (shift + bits > 64)
		v |= fhe_word_u64(g->words.p, first + 1) << (64 - shift);
	return v & (UINT64_MAX >> (64 - bits));
}

/* One entry for each item, since version 3. */
static void metadata_skip(struct reader *r, uint64_t items_n)
{
	if (bincode_len(r, COMPACT_LIST_ITEMS_MAX) != items_n)
		reader_fail(r, ERR_MALFORMED);
	for (uint64_t i = 0; i < items_n && r->err == ERR_OK; i++) {
		bincode_expect_u32(r, 0);
		(void)bincode_vec(r, FHE_METADATA_SIZE_MAX);
	}
}

/* Version 3 of the outermost object; before it there was no re-randomisation metadata, and at first
 * no tag. */
static void list_read_body(struct reader *r, struct fhe_packed_list *list, struct err_note *note)
{
	uint32_t version = bincode_tag(r, 3);

	bincode_expect_u32(r, 0); /* CompressedCiphertextList (integer) */
	bincode_expect_u32(r, 2); /* CompressedCiphertextList (shortint) */
	list->glwe_n = (size_t)bincode_len(r, FHE_SQUASHED_GLWE_MAX);
	for (size_t i = 0; i < list->glwe_n && r->err == ERR_OK; i++)
		layout_read(r, &fhe_packed_glwe_layout, &list->glwe[i], note);
	/* Only an empty list has no meta data, and nobody asks for the decryption of nothing. */
	if (!bincode_option(r) && r->err == ERR_OK)
		reader_fail(r, err_say(note, ERR_MALFORMED, "an empty CompressedCiphertextList"));
	layout_read(r, &fhe_compressed_meta_layout, list, note);
	list->items = fhe_items_read(r, note);
	if (version >= 1) {
		bincode_expect_u32(r, 0);
		list->tag = bincode_vec(r, FHE_TAG_SIZE_MAX);
	}
	if (version >= 3)
		metadata_skip(r, list->items.n);
}

enum err fhe_compressed_list_read(struct fhe_packed_list *ret_list, const struct fhe_params *p,
				  struct bytes serialized, struct err_note *note)
{
	static const char *const names[] = {FHE_COMPRESSED_LIST_NAME, NULL};
	struct fhe_packed_list list = {0};
	const struct fhe_packed_shape shape = {
		.glwe_dimension = p->compression.glwe_dimension,
		.polynomial_size = p->compression.polynomial_size,
		.log_modulus = p->compression.storage_log_modulus,
		.lwe_per_glwe = p->compression.lwe_per_glwe,
		.blocks_per_body = 1,
	};
	struct reader r = reader_of(serialized);
	size_t index;

	if (serialized.n > CIPHERTEXT_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "ciphertext of %zu bytes", serialized.n);
	if (!p->has_compression)
		return err_say(note, ERR_UNSUPPORTED, "the key has no compression part");
	TRY(safe_serialize_open(&r, names, &index, note));
	list_read_body(&r, &list, note);
	TRY(layout_end(&r, "CompressedCiphertextList", note));
	TRY(fhe_packed_list_check(&list, &shape, note));
	*ret_list = list;
	return ERR_OK;
}

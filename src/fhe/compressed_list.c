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
	{.kind = LAYOUT_AT, G(at)},
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
	{.kind = LAYOUT_AT, M(lwe_per_glwe_at)},
	{.kind = LAYOUT_COUNT, M(lwe_per_glwe), .min = 1, .max = WORDS_MAX},
};
const struct layout fhe_compressed_meta_layout =
	LAYOUT_OF("CompressedCiphertextListMeta", meta_rows);

/* Version 3 of the outermost object has re-randomisation metadata for each item, versions 1 and 2 a
 * tag. */
static const struct layout_row tag_rows[] = {
	{.kind = LAYOUT_TAG, M(tag), .max = FHE_TAG_SIZE_MAX},
};
static const struct layout tag_layout = LAYOUT_OF("Tag", tag_rows);

static const struct layout_row one_rows[] = {
	{.kind = LAYOUT_TAG, .name = "inner", .max = FHE_METADATA_SIZE_MAX},
};
static const struct layout one_layout = LAYOUT_OF("ReRandomizationMetadata", one_rows);

static const struct layout_row metadata_rows[] = {
	{.kind = LAYOUT_AT, M(metadata_at)},
	{.kind = LAYOUT_LIST,
	 M(metadata),
	 .max = COMPACT_LIST_ITEMS_MAX,
	 .width = sizeof(struct bytes),
	 .sub = &one_layout},
};
static const struct layout metadata_layout = LAYOUT_OF("CompressedCiphertextList", metadata_rows);

static const struct layout_row list_rows[] = {
	{.kind = LAYOUT_READ, M(version), .max = 3},
	VERSION("CompressedCiphertextList (integer) version", 0),
	VERSION("CompressedCiphertextList (shortint) version", 2),
	{.kind = LAYOUT_ARRAY,
	 M(glwe),
	 .max = FHE_SQUASHED_GLWE_MAX,
	 .width = sizeof(struct fhe_packed_glwe),
	 .sub = &fhe_packed_glwe_layout,
	 .count = offsetof(struct fhe_packed_list, glwe_n)},
	/* Only an empty list has no meta data, and nobody asks for the decryption of nothing. */
	{.kind = LAYOUT_BYTE, .name = "meta", .min = 1, .max = 1},
	{.kind = LAYOUT_SUB, .name = "meta", .sub = &fhe_compressed_meta_layout},
	{.kind = LAYOUT_ITEMS, M(items)},
	{.kind = LAYOUT_SINCE, M(version), .min = 1, .sub = &tag_layout},
	{.kind = LAYOUT_SINCE, M(version), .min = 3, .sub = &metadata_layout},
};
static const struct layout list_layout = LAYOUT_OF("CompressedCiphertextList", list_rows);

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
	layout_read(&r, &list_layout, &list, note);
	TRY(layout_end(&r, "CompressedCiphertextList", note));
	TRY(fhe_packed_list_check(&list, &shape, note));
	if (list.version >= 3 && list.metadata.n != list.items.n)
		return err_say(
			note, ERR_MALFORMED,
			"CompressedCiphertextList: metadata at byte %zu of %llu items, there "
			"are %llu",
			list.metadata_at, (unsigned long long)list.metadata.n,
			(unsigned long long)list.items.n);
	*ret_list = list;
	return ERR_OK;
}

enum err fhe_compressed_list_write(const struct fhe_packed_list *list, struct buf *out)
{
	struct bincode_writer w = {.out = out};
	struct fhe_packed_list newest = *list;

	if (newest.metadata.n == 0)
		newest.metadata.n = newest.items.n;
	safe_serialize_begin(&w, FHE_COMPRESSED_LIST_NAME);
	layout_write(&w, &list_layout, &newest);
	return bincode_end(&w);
}

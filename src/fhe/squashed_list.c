/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/squashed_list.h"

#include "base/limits.h"
#include "codec/safe_serialize.h"

enum {
	WORDS_MAX = 1 << 18,
	LOG_MODULUS = 128 /* stored whole */
};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}

static const struct layout_row head_rows[] = {
	VERSION("CompressedSquashedNoiseCiphertextList version", 0),
	VERSION("CompressedSquashedNoiseCiphertextList (integer) version", 0),
	VERSION("CompressedSquashedNoiseCiphertextList (shortint) version", 0),
};
const struct layout fhe_squashed_head_layout =
	LAYOUT_OF("CompressedSquashedNoiseCiphertextList", head_rows);

#define G(f) .name = #f, .offset = offsetof(struct fhe_packed_glwe, f)
static const struct layout_row glwe_rows[] = {
	{.kind = LAYOUT_AT, G(at)},
	VERSION("CompressedModulusSwitchedGlweCiphertext version", 0),
	VERSION("PackedIntegers version", 0),
	{.kind = LAYOUT_WORDS, G(words), .min = 2, .max = WORDS_MAX, .width = 16},
	{.kind = LAYOUT_COUNT, G(log_modulus), .min = LOG_MODULUS, .max = LOG_MODULUS},
	{.kind = LAYOUT_U64, G(initial_len), .min = 2, .max = WORDS_MAX},
	{.kind = LAYOUT_COUNT, G(glwe_dimension), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_COUNT, G(polynomial_size), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_COUNT, G(bodies), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_MODULUS, .name = "uncompressed_ciphertext_modulus", .max = LOG_MODULUS},
};
const struct layout fhe_squashed_glwe_layout =
	LAYOUT_OF("CompressedModulusSwitchedGlweCiphertext", glwe_rows);

#define M(f) .name = #f, .offset = offsetof(struct fhe_packed_list, f)
static const struct layout_row meta_rows[] = {
	VERSION("CompressedSquashedNoiseCiphertextListMeta version", 0),
	{.kind = LAYOUT_COUNT, M(message_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_COUNT, M(carry_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_AT, M(lwe_per_glwe_at)},
	{.kind = LAYOUT_COUNT, M(lwe_per_glwe), .min = 1, .max = WORDS_MAX},
};
const struct layout fhe_squashed_meta_layout =
	LAYOUT_OF("CompressedSquashedNoiseCiphertextListMeta", meta_rows);

static const struct layout_row list_rows[] = {
	{.kind = LAYOUT_SUB, .name = "list", .sub = &fhe_squashed_head_layout},
	{.kind = LAYOUT_ARRAY,
	 M(glwe),
	 .max = FHE_SQUASHED_GLWE_MAX,
	 .width = sizeof(struct fhe_packed_glwe),
	 .sub = &fhe_squashed_glwe_layout,
	 .count = offsetof(struct fhe_packed_list, glwe_n)},
	/* Only an empty list has no meta data, and nobody asks for the decryption of nothing. */
	{.kind = LAYOUT_BYTE, .name = "meta", .min = 1, .max = 1},
	{.kind = LAYOUT_SUB, .name = "meta", .sub = &fhe_squashed_meta_layout},
	{.kind = LAYOUT_ITEMS, M(items)},
	{.kind = LAYOUT_TAG, M(tag), .max = FHE_TAG_SIZE_MAX},
};
static const struct layout list_layout =
	LAYOUT_OF("CompressedSquashedNoiseCiphertextList", list_rows);

enum err fhe_squashed_list_read(struct fhe_packed_list *ret_list, const struct fhe_params *p,
				struct bytes serialized, struct err_note *note)
{
	static const char *const names[] = {FHE_SQUASHED_LIST_NAME, NULL};
	struct fhe_packed_list list = {0};
	const struct fhe_packed_shape shape = {
		.glwe_dimension = p->sns_compression.glwe_dimension,
		.polynomial_size = p->sns_compression.polynomial_size,
		.log_modulus = LOG_MODULUS,
		.lwe_per_glwe = p->sns_compression.lwe_per_glwe,
		.blocks_per_body = FHE_SQUASHED_BLOCKS_PER_BODY,
	};
	struct reader r = reader_of(serialized);
	size_t index;

	if (serialized.n > CIPHERTEXT_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "ciphertext of %zu bytes", serialized.n);
	if (!p->has_sns_compression)
		return err_say(note, ERR_UNSUPPORTED,
			       "the key has no noise-squashing-compression part");
	TRY(safe_serialize_open(&r, names, &index, note));
	layout_read(&r, &list_layout, &list, note);
	TRY(layout_end(&r, "CompressedSquashedNoiseCiphertextList", note));
	TRY(fhe_packed_list_check(&list, &shape, note));
	*ret_list = list;
	return ERR_OK;
}

enum err fhe_squashed_list_write(const struct fhe_packed_list *list, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	safe_serialize_begin(&w, FHE_SQUASHED_LIST_NAME);
	layout_write(&w, &list_layout, list);
	return bincode_end(&w);
}

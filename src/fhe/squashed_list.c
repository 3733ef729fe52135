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
	{.kind = LAYOUT_COUNT, M(lwe_per_glwe), .min = 1, .max = WORDS_MAX},
};
const struct layout fhe_squashed_meta_layout =
	LAYOUT_OF("CompressedSquashedNoiseCiphertextListMeta", meta_rows);

static void list_read_body(struct reader *r, struct fhe_packed_list *list, struct err_note *note)
{
	layout_read(r, &fhe_squashed_head_layout, list, note);
	list->glwe_n = (size_t)bincode_len(r, FHE_SQUASHED_GLWE_MAX);
	for (size_t i = 0; i < list->glwe_n && r->err == ERR_OK; i++)
		layout_read(r, &fhe_squashed_glwe_layout, &list->glwe[i], note);
	/* Only an empty list has no meta data, and nobody asks for the decryption of nothing. */
	if (!bincode_option(r) && r->err == ERR_OK)
		reader_fail(r, err_say(note, ERR_MALFORMED,
				       "an empty CompressedSquashedNoiseCiphertextList"));
	layout_read(r, &fhe_squashed_meta_layout, list, note);
	list->items = fhe_items_read(r, note);
	bincode_expect_u32(r, 0); /* Tag */
	list->tag = bincode_vec(r, FHE_TAG_SIZE_MAX);
}

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
	list_read_body(&r, &list, note);
	TRY(layout_end(&r, "CompressedSquashedNoiseCiphertextList", note));
	TRY(fhe_packed_list_check(&list, &shape, note));
	*ret_list = list;
	return ERR_OK;
}

enum err fhe_squashed_list_write(const struct fhe_packed_list *list, struct fhe_item item,
				 struct buf *out)
{
	struct bincode_writer w = {.out = out};

	safe_serialize_begin(&w, FHE_SQUASHED_LIST_NAME);
	layout_write(&w, &fhe_squashed_head_layout, list);
	bincode_put_u64(&w, list->glwe_n);
	for (size_t i = 0; i < list->glwe_n; i++)
		layout_write(&w, &fhe_squashed_glwe_layout, &list->glwe[i]);
	bincode_put_u8(&w, 1);
	layout_write(&w, &fhe_squashed_meta_layout, list);
	fhe_items_write(&w, &item, 1);
	bincode_put_u32(&w, 0); /* Tag */
	bincode_put_vec(&w, list->tag);
	return bincode_end(&w);
}

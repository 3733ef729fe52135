/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/squashed_list.h"

#include "base/limits.h"
#include "codec/safe_serialize.h"

enum {
	WORDS_MAX = 1 << 18
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

#define G(f) .name = #f, .offset = offsetof(struct fhe_squashed_glwe, f)
static const struct layout_row glwe_rows[] = {
	VERSION("CompressedModulusSwitchedGlweCiphertext version", 0),
	VERSION("PackedIntegers version", 0),
	{.kind = LAYOUT_WORDS, G(words), .min = 2, .max = WORDS_MAX, .width = 16},
	{.kind = LAYOUT_COUNT, G(log_modulus), .min = 128, .max = 128},
	{.kind = LAYOUT_U64, G(initial_len), .min = 2, .max = WORDS_MAX},
	{.kind = LAYOUT_COUNT, G(glwe_dimension), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_COUNT, G(polynomial_size), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_COUNT, G(bodies), .min = 1, .max = WORDS_MAX},
	{.kind = LAYOUT_MODULUS, .name = "uncompressed_ciphertext_modulus", .max = 128},
};
const struct layout fhe_squashed_glwe_layout =
	LAYOUT_OF("CompressedModulusSwitchedGlweCiphertext", glwe_rows);

#define M(f) .name = #f, .offset = offsetof(struct fhe_squashed_list, f)
static const struct layout_row meta_rows[] = {
	VERSION("CompressedSquashedNoiseCiphertextListMeta version", 0),
	{.kind = LAYOUT_COUNT, M(message_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_COUNT, M(carry_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_COUNT, M(lwe_per_glwe), .min = 1, .max = WORDS_MAX},
};
const struct layout fhe_squashed_meta_layout =
	LAYOUT_OF("CompressedSquashedNoiseCiphertextListMeta", meta_rows);

static void list_read_body(struct reader *r, struct fhe_squashed_list *list, struct err_note *note)
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

static enum err glwe_check(const struct fhe_squashed_glwe *g,
			   const struct fhe_sns_compression_params *p, struct err_note *note)
{
	if (g->glwe_dimension != p->glwe_dimension || g->polynomial_size != p->polynomial_size)
		return err_say(note, ERR_MISMATCH,
			       "ciphertext of dimension %llu x %llu, the key has %llu x %llu",
			       (unsigned long long)g->glwe_dimension,
			       (unsigned long long)g->polynomial_size,
			       (unsigned long long)p->glwe_dimension,
			       (unsigned long long)p->polynomial_size);
	if (g->bodies > g->polynomial_size ||
	    g->initial_len != p->glwe_dimension * p->polynomial_size + g->bodies ||
	    g->words.n != 16 * g->initial_len)
		return err_say(note, ERR_MALFORMED, "GLWE ciphertext: %zu bytes for %llu bodies",
			       g->words.n, (unsigned long long)g->bodies);
	return ERR_OK;
}

/* All GLWEs but the last are full, and together they have exactly the blocks of the items. */
static enum err list_check(const struct fhe_squashed_list *list,
			   const struct fhe_sns_compression_params *p, struct err_note *note)
{
	struct fhe_items items = list->items;
	struct fhe_item item;
	uint64_t bodies = 0, blocks = 0;

	if (list->lwe_per_glwe != p->lwe_per_glwe)
		return err_say(note, ERR_MISMATCH, "ciphertext packs %llu blocks, the key %llu",
			       (unsigned long long)list->lwe_per_glwe,
			       (unsigned long long)p->lwe_per_glwe);
	for (size_t i = 0; i < list->glwe_n; i++) {
		TRY(glwe_check(&list->glwe[i], p, note));
		if (list->glwe[i].bodies > list->lwe_per_glwe ||
		    (i + 1 < list->glwe_n && list->glwe[i].bodies != list->lwe_per_glwe))
			return err_say(note, ERR_MALFORMED, "GLWE ciphertext %zu is not full", i);
		bodies += list->glwe[i].bodies;
	}
	while (fhe_items_next(&items, &item))
		blocks += fhe_squashed_blocks(item);
	if (blocks == 0 || blocks != bodies)
		return err_say(note, ERR_MALFORMED, "%llu bodies for %llu blocks",
			       (unsigned long long)bodies, (unsigned long long)blocks);
	return ERR_OK;
}

enum err fhe_squashed_list_read(struct fhe_squashed_list *ret_list, const struct fhe_params *p,
				struct bytes serialized, struct err_note *note)
{
	static const char *const names[] = {FHE_SQUASHED_LIST_NAME, NULL};
	struct fhe_squashed_list list = {0};
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
	TRY(list_check(&list, &p->sns_compression, note));
	*ret_list = list;
	return ERR_OK;
}

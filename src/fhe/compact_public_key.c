/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/compact_public_key.h"

#include "codec/safe_serialize.h"

static const char name[] = "high_level_api::CompactPublicKey";

enum {
	POLYNOMIAL_SIZE_MAX = 8192
};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}
#define FIELD(f) .name = #f, .offset = offsetof(struct fhe_compact_public_key, f)

static const struct layout_row key_rows[] = {
	VERSION("CompactPublicKey version", 1),
	VERSION("IntegerCompactPublicKey version", 0),
	VERSION("CompactPublicKey (integer) version", 0),
	VERSION("CompactPublicKey (shortint) version", 1),
	VERSION("LweCompactPublicKey version", 0),
	VERSION("GlweCiphertext version", 0),
	{.kind = LAYOUT_AT, FIELD(at)},
	{.kind = LAYOUT_WORDS, FIELD(words), .min = 2, .max = 2 * POLYNOMIAL_SIZE_MAX, .width = 8},
	{.kind = LAYOUT_COUNT, FIELD(polynomial_size), .min = 1, .max = POLYNOMIAL_SIZE_MAX},
	{.kind = LAYOUT_MODULUS, .name = "ciphertext_modulus", .max = 64},
	{.kind = LAYOUT_SUB, FIELD(params), .sub = &fhe_pke_layout},
	{.kind = LAYOUT_TAG, FIELD(tag), .max = FHE_TAG_SIZE_MAX},
};
static const struct layout key_layout = LAYOUT_OF("CompactPublicKey", key_rows);

enum err fhe_compact_public_key_read(struct fhe_compact_public_key *ret_key,
				     struct bytes serialized, struct err_note *note)
{
	static const char *const names[] = {name, NULL};
	struct fhe_compact_public_key k = {0};
	struct reader r = reader_of(serialized);
	size_t index;

	TRY(safe_serialize_open(&r, names, &index, note));
	layout_read(&r, &key_layout, &k, note);
	TRY(layout_end(&r, "CompactPublicKey", note));
	if (k.polynomial_size != k.params.dimension || k.words.n != 16 * k.polynomial_size)
		return err_say(note, ERR_MALFORMED,
			       "CompactPublicKey: %zu bytes of polynomials at byte %zu, dimension "
			       "%llu",
			       k.words.n, k.at, (unsigned long long)k.params.dimension);
	*ret_key = k;
	return ERR_OK;
}

enum err fhe_compact_public_key_write(const struct fhe_compact_public_key *k, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	safe_serialize_begin(&w, name);
	layout_write(&w, &key_layout, k);
	return bincode_end(&w);
}

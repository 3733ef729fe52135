/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/client_key.h"

#include <stdlib.h>

#include "base/limits.h"
#include "codec/safe_serialize.h"

/* ---- layout: tfhe-rs 1.6/1.7, IntegerClientKey V8 ---- */

enum {
	KEY_WORDS_MAX = 1 << 16
};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}
#define KEY(id, w)                                                                                 \
	{                                                                                          \
		.kind = LAYOUT_KEY, .name = #id,                                                   \
		.offset = offsetof(struct fhe_client_key, parts[id]), .min = 1,                    \
		.max = KEY_WORDS_MAX, .width = (w)                                                 \
	}
#define POLYNOMIAL(id)                                                                             \
	{                                                                                          \
		.kind = LAYOUT_COUNT, .name = #id " polynomial_size",                              \
		.offset = offsetof(struct fhe_client_key, polynomials[id]), .min = 1,              \
		.max = KEY_WORDS_MAX                                                               \
	}
#define PARAMS(field, layout)                                                                      \
	{                                                                                          \
		.kind = LAYOUT_SUB, .name = #field,                                                \
		.offset = offsetof(struct fhe_client_key, params.field), .sub = &(layout)          \
	}
#define OPTION(field, layout)                                                                      \
	{                                                                                          \
		.kind = LAYOUT_OPTION, .name = #field,                                             \
		.offset = offsetof(struct fhe_client_key, params.field), .sub = &(layout)          \
	}

static const struct layout_row pke_part_rows[] = {
	VERSION("CompactPrivateKey (integer) version", 0),
	VERSION("CompactPrivateKey (shortint) version", 0),
	VERSION("LweSecretKey version", 0),
	KEY(FHE_KEY_PKE, 8),
	PARAMS(pke, fhe_pke_layout),
	PARAMS(pke_ks, fhe_ks_layout),
};
static const struct layout pke_part = LAYOUT_OF("CompactPrivateKey", pke_part_rows);

static const struct layout_row compression_part_rows[] = {
	VERSION("CompressionPrivateKeys (integer) version", 0),
	VERSION("CompressionPrivateKeys (shortint) version", 0),
	VERSION("GlweSecretKey version", 0),
	KEY(FHE_KEY_COMPRESSION, 8),
	POLYNOMIAL(FHE_KEY_COMPRESSION),
	PARAMS(compression, fhe_compression_layout),
};
static const struct layout compression_part =
	LAYOUT_OF("CompressionPrivateKeys", compression_part_rows);

static const struct layout_row sns_part_rows[] = {
	VERSION("NoiseSquashingPrivateKey (integer) version", 0),
	VERSION("NoiseSquashingPrivateKey (shortint) version", 0),
	VERSION("GlweSecretKey version", 0),
	KEY(FHE_KEY_SNS, 16),
	POLYNOMIAL(FHE_KEY_SNS),
	PARAMS(sns, fhe_sns_layout),
};
static const struct layout sns_part = LAYOUT_OF("NoiseSquashingPrivateKey", sns_part_rows);

static const struct layout_row sns_compression_part_rows[] = {
	VERSION("NoiseSquashingCompressionPrivateKey (integer) version", 0),
	VERSION("NoiseSquashingCompressionPrivateKey (shortint) version", 0),
	VERSION("GlweSecretKey version", 0),
	KEY(FHE_KEY_SNS_COMPRESSION, 16),
	POLYNOMIAL(FHE_KEY_SNS_COMPRESSION),
	PARAMS(sns_compression, fhe_sns_compression_layout),
};
static const struct layout sns_compression_part =
	LAYOUT_OF("NoiseSquashingCompressionPrivateKey", sns_compression_part_rows);

static const struct layout_row rerand_part_rows[] = {
	{.kind = LAYOUT_VARIANT,
	 .name = "ReRandomizationParameters",
	 .offset = offsetof(struct fhe_client_key, params.rerand),
	 .min = 1,
	 .max = 1},
};
static const struct layout rerand_part = LAYOUT_OF("ReRandomizationParameters", rerand_part_rows);

static const struct layout_row oprf_part_rows[] = {
	VERSION("OprfPrivateKey (integer) version", 0),
	VERSION("OprfPrivateKey (shortint) version", 0),
	VERSION("AtomicPatternOprfPrivateKey version", 0),
	VERSION("AtomicPatternOprfPrivateKey variant (Standard)", 0),
	VERSION("LweSecretKey version", 0),
	KEY(FHE_KEY_OPRF, 8),
};
static const struct layout oprf_part = LAYOUT_OF("OprfPrivateKey", oprf_part_rows);

static const struct layout_row client_key_rows[] = {
	VERSION("ClientKey version", 1),
	VERSION("IntegerClientKey version", 8),
	VERSION("ClientKey (integer) version", 0),
	VERSION("GenericClientKey version", 1),
	VERSION("AtomicPatternClientKey version", 0),
	VERSION("AtomicPatternClientKey variant (Standard)", 0),
	VERSION("StandardAtomicPatternClientKey version", 0),
	VERSION("GlweSecretKey version", 0),
	KEY(FHE_KEY_GLWE, 8),
	POLYNOMIAL(FHE_KEY_GLWE),
	VERSION("LweSecretKey version", 0),
	KEY(FHE_KEY_LWE, 8),
	PARAMS(compute, fhe_compute_layout),
	{.kind = LAYOUT_OPTION, .name = "wopbs_parameters"},
	OPTION(has_pke, pke_part),
	OPTION(has_compression, compression_part),
	OPTION(has_sns, sns_part),
	OPTION(has_sns_compression, sns_compression_part),
	OPTION(has_rerand, rerand_part),
	OPTION(has_oprf, oprf_part),
	{.kind = LAYOUT_TAG,
	 .name = "tag",
	 .offset = offsetof(struct fhe_client_key, tag),
	 .max = FHE_TAG_SIZE_MAX},
};
const struct layout fhe_client_key_layout = LAYOUT_OF("ClientKey", client_key_rows);

/* ---- building ---- */

enum err fhe_client_key_alloc(struct fhe_client_key **ret_key, const struct fhe_params *params,
			      struct bytes tag)
{
	struct fhe_client_key *k;
	size_t total = 0, at = 0;

	if (tag.n > FHE_TAG_SIZE_MAX)
		return ERR_TOO_BIG;
	for (int id = 0; id < FHE_KEY_COUNT; id++)
		total += fhe_params_key_bits(params, (enum fhe_key_id)id);
	k = calloc(1, sizeof(*k));
	if (!k)
		return ERR_NOMEM;
	if (secret_alloc(&k->secret, total) != ERR_OK) {
		free(k);
		return ERR_NOMEM;
	}
	k->params = *params;
	for (int id = 0; id < FHE_KEY_COUNT; id++) {
		size_t n = fhe_params_key_bits(params, (enum fhe_key_id)id);

		k->parts[id].bits = bytes_sub(secret_view(&k->secret), at, n);
		k->polynomials[id] = fhe_params_key_polynomial(params, (enum fhe_key_id)id);
		at += n;
	}
	if (tag.n)
		memcpy(k->tag_bytes, tag.p, tag.n);
	k->tag = bytes_from(k->tag_bytes, tag.n);
	*ret_key = k;
	return ERR_OK;
}

void fhe_client_key_free(struct fhe_client_key *k)
{
	if (!k)
		return;
	secret_free(&k->secret);
	free(k);
}

struct bytes fhe_client_key_tag(const struct fhe_client_key *k)
{
	return k->tag;
}

/* Do the keys have the sizes that the parameters say? Before anything is allocated. */
static enum err tree_check(const struct fhe_client_key *tree, struct err_note *note)
{
	const struct fhe_params *p = &tree->params;

	for (int i = 0; i < FHE_KEY_COUNT; i++) {
		enum fhe_key_id id = (enum fhe_key_id)i;
		const struct fhe_key_part *part = &tree->parts[id];
		size_t n = part->width ? part->words.n / part->width : 0;
		size_t polynomial = fhe_params_key_polynomial(p, id);

		if (n != fhe_params_key_bits(p, id))
			return err_say(
				note, ERR_MALFORMED,
				"ClientKey: key %d at byte %zu has %zu words, its parameters "
				"say %zu",
				i, part->at, n, fhe_params_key_bits(p, id));
		if (n && tree->polynomials[id] != polynomial)
			return err_say(note, ERR_MALFORMED,
				       "ClientKey: key %d at byte %zu repeats another polynomial "
				       "size",
				       i, part->at);
	}
	if (p->has_sns_compression &&
	    p->sns_compression.lwe_per_glwe > p->sns_compression.polynomial_size)
		return err_say(note, ERR_MALFORMED,
			       "ClientKey: key %d at byte %zu: more LWE per GLWE than "
			       "coefficients",
			       FHE_KEY_SNS_COMPRESSION, tree->parts[FHE_KEY_SNS_COMPRESSION].at);
	return ERR_OK;
}

/* Words to bits without a branch on any of them; what comes back is nonzero if some word was
 * neither 0 nor 1. */
static uint8_t words_unpack(uint8_t *bits, struct bytes words, unsigned width)
{
	uint8_t bad = 0;

	for (size_t i = 0; i < words.n / width; i++) {
		bits[i] = words.p[i * width] & 1;
		bad |= (uint8_t)(words.p[i * width] >> 1);
		for (unsigned j = 1; j < width; j++)
			bad |= words.p[i * width + j];
	}
	return bad;
}

struct fhe_client_key *fhe_client_key_read_body(struct reader *r, struct err_note *note)
{
	struct fhe_client_key tree = {0};
	struct fhe_client_key *k = NULL;
	size_t at = 0;

	layout_read(r, &fhe_client_key_layout, &tree, note);
	if (r->err == ERR_OK)
		reader_fail(r, tree_check(&tree, note));
	if (r->err == ERR_OK)
		reader_fail(r, fhe_client_key_alloc(&k, &tree.params, tree.tag));
	if (r->err != ERR_OK)
		return NULL;
	for (int id = 0; id < FHE_KEY_COUNT; id++) {
		if (k->parts[id].bits.n == 0)
			continue;
		if (words_unpack(&k->secret.p[at], tree.parts[id].words, tree.parts[id].width))
			reader_fail(r, err_say(note, ERR_MALFORMED,
					       "ClientKey: a word of secret key %d at byte %zu is "
					       "neither 0 nor 1",
					       id, tree.parts[id].at));
		at += k->parts[id].bits.n;
	}
	if (r->err != ERR_OK) {
		fhe_client_key_free(k);
		return NULL;
	}
	return k;
}

enum err fhe_client_key_read(struct fhe_client_key **ret_key, struct bytes serialized,
			     struct err_note *note)
{
	static const char *const names[] = {"high_level_api::ClientKey", NULL};
	struct reader r = reader_of(serialized);
	struct fhe_client_key *k;
	size_t index;
	enum err e;

	if (serialized.n > CLIENT_KEY_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "ClientKey: %zu bytes", serialized.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	k = fhe_client_key_read_body(&r, note);
	e = layout_end(&r, "ClientKey", note);
	if (e != ERR_OK) {
		fhe_client_key_free(k);
		return e;
	}
	*ret_key = k;
	return ERR_OK;
}

enum err fhe_client_key_write(const struct fhe_client_key *k, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	/* At once, so that growing leaves no copies of the key behind. */
	TRY(buf_reserve(out, CLIENT_KEY_SIZE_MAX));
	safe_serialize_begin(&w, "high_level_api::ClientKey");
	layout_write(&w, &fhe_client_key_layout, k);
	return bincode_end(&w);
}

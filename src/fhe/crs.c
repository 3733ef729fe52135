/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/crs.h"

#include "codec/safe_serialize.h"
#include "fhe/crs_internal.h"
#include "fhe/u128.h"

static const char name[] = "zk::CompactPkeCrs";
static const char old_name[] = "zk::CompactPkePublicParams";

enum {
	DIMENSION_MAX = 8192,
	NOISE_MAX = 32, /* so that the bound fits its 128 bits */
	MESSAGE_BITS = 4,
	MESSAGES_MAX = FHE_CRS_BITS_MAX / MESSAGE_BITS,
	PLAINTEXT_MODULUS = 32, /* messages of 4 bits and one of padding */
	N_MAX = DIMENSION_MAX + 4 * MESSAGES_MAX + 128 * 65,
};

/* ---- the numbers ---- */

/* Smallest e with v <= 2^e. */
static unsigned log2_ceil(fhe_u128 v)
{
	unsigned e = 0;

	while (e < 127 && v > (fhe_u128)1 << e)
		e++;
	return e;
}

/* What follows from d, k and b_inf (tfhe-zk-pok: pke v2, bound of Cauchy and Schwarz): the bound,
 * how many bits prove it, and from that the length of the lists. */
static void numbers_derive(struct fhe_crs *c)
{
	fhe_u128 dk = c->d + c->k, b_inf = c->b_inf, d2 = c->d + 2;
	fhe_u128 b_squared = (2 * dk + 4) * (b_inf * b_inf * dk + d2 * d2 * dk / 4);
	unsigned bits = 1 + (log2_ceil(b_squared) + 1) / 2;

	c->witness = c->d + 4 * c->k;
	c->n = c->witness + (uint64_t)128 * bits;
	c->b_squared_low = (uint64_t)b_squared;
	c->b_squared_high = (uint64_t)(b_squared >> 64);
	c->g_count = 2 * c->n;
	c->g_hat_count = c->n;
}

enum err fhe_crs_describe(struct fhe_crs *ret_crs, const struct fhe_pke_params *pke, uint32_t bits,
			  struct err_note *note)
{
	/* hash, R, t, w, agg, lmap, phi, xi, z, chi, gamma, as the KMS sets them. */
	static const char separators[FHE_CRS_SEPARATORS][FHE_CRS_SEPARATOR_SIZE + 1] = {
		"ZKHASH__", "ZKHASH_R", "ZKHASH_T", "ZKHASH_W", "ZK_AGGRE", "ZKLINMAP",
		"ZKHA_PHI", "ZKHAS_XI", "ZKHASH_Z", "ZKHA_CHI", "VCProve2",
	};
	struct fhe_crs c = {.t = PLAINTEXT_MODULUS, .padding_bits = 1};

	if (pke->zk_scheme != 2 || pke->noise > NOISE_MAX || pke->dimension == 0 ||
	    pke->dimension > DIMENSION_MAX ||
	    pke->message_modulus * pke->carry_modulus != 1 << MESSAGE_BITS)
		return err_say(note, ERR_UNSUPPORTED, "no CRS for these parameters");
	if (bits == 0 || bits > FHE_CRS_BITS_MAX)
		return err_say(note, ERR_RANGE, "a CRS for %u bits; 1 to %d are possible",
			       (unsigned)bits, (int)FHE_CRS_BITS_MAX);
	c.d = pke->dimension;
	c.k = (bits + MESSAGE_BITS - 1) / MESSAGE_BITS;
	c.b_inf = UINT64_C(1) << pke->noise;
	numbers_derive(&c);
	for (size_t i = 0; i < FHE_CRS_SEPARATORS; i++)
		c.separators[i] = bytes_from(separators[i], FHE_CRS_SEPARATOR_SIZE);
	*ret_crs = c;
	return ERR_OK;
}

size_t fhe_crs_g_place(const struct fhe_crs *c, uint64_t i)
{
	size_t before = (size_t)i - 1;

	return i <= c->n ? before * CRS_G1_SIZE : (before - 1) * CRS_G1_SIZE + CRS_ELEMENT_HEAD;
}

size_t fhe_crs_g_hat_place(uint64_t i)
{
	return (size_t)(i - 1) * CRS_G2_SIZE;
}

size_t fhe_crs_g_size(const struct fhe_crs *c)
{
	return fhe_crs_g_place(c, c->g_count + 1);
}

size_t fhe_crs_g_hat_size(const struct fhe_crs *c)
{
	return fhe_crs_g_hat_place(c->g_hat_count + 1);
}

/* ---- layouts: before, between and behind the elements ---- */

#define FIXED(text, v)                                                                             \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}
#define FIELD(f) .name = #f, .offset = offsetof(struct fhe_crs, f)
#define U64(f, from, to)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_U64, FIELD(f), .min = (from), .max = (to)                           \
	}
#define SEPARATOR(i, text)                                                                         \
	{                                                                                          \
		.kind = LAYOUT_BYTES, .name = "domain separator " text,                            \
		.offset = offsetof(struct fhe_crs, separators) + (i) * sizeof(struct bytes),       \
		.min = FHE_CRS_SEPARATOR_SIZE, .max = FHE_CRS_SEPARATOR_SIZE                       \
	}

static const struct layout_row head_rows[] = {
	FIXED("CompactPkeCrs version", 1), FIXED("CompactPkeCrs variant", 1),
	FIXED("PublicParams version", 1),  FIXED("GroupElements version", 0),
	U64(g_count, 2, 2 * N_MAX),
};
static const struct layout head_layout = LAYOUT_OF("CompactPkeCrs", head_rows);

static const struct layout_row middle_rows[] = {U64(g_hat_count, 1, N_MAX)};
static const struct layout middle_layout = LAYOUT_OF("CompactPkeCrs", middle_rows);

static const struct layout_row sid_rows[] = {
	U64(sid_low, 0, UINT64_MAX),
	U64(sid_high, 0, UINT64_MAX),
};
static const struct layout sid_layout = LAYOUT_OF("CompactPkeCrs", sid_rows);

static const struct layout_row tail_rows[] = {
	{.kind = LAYOUT_AT, FIELD(numbers_at)},
	U64(witness, 0, UINT64_MAX),
	U64(n, 0, UINT64_MAX),
	U64(d, 1, DIMENSION_MAX),
	U64(k, 1, MESSAGES_MAX),
	U64(b_squared_low, 0, UINT64_MAX),
	U64(b_squared_high, 0, UINT64_MAX),
	U64(b_inf, 1, UINT64_C(1) << NOISE_MAX),
	U64(q, 0, 0),
	U64(t, PLAINTEXT_MODULUS, PLAINTEXT_MODULUS),
	U64(padding_bits, 1, 1),
	FIXED("Bound version", 0),
	FIXED("bound type", 1),
	{.kind = LAYOUT_OPTION, FIELD(has_sid), .sub = &sid_layout},
	FIXED("domain separators version", 1),
	SEPARATOR(0, "hash"),
	SEPARATOR(1, "R"),
	SEPARATOR(2, "t"),
	SEPARATOR(3, "w"),
	SEPARATOR(4, "agg"),
	SEPARATOR(5, "lmap"),
	SEPARATOR(6, "phi"),
	SEPARATOR(7, "xi"),
	SEPARATOR(8, "z"),
	SEPARATOR(9, "chi"),
	SEPARATOR(10, "gamma"),
};
static const struct layout tail_layout = LAYOUT_OF("CompactPkeCrs", tail_rows);

/* ---- one element ---- */

static void put_u32(uint8_t **at, uint32_t v)
{
	v = htole32(v);
	memcpy(*at, &v, sizeof(v));
	*at += sizeof(v);
}

static void put_field(uint8_t **at, const uint8_t *words)
{
	put_u32(at, 0);
	put_u32(at, CRS_FIELD_LIMBS); /* a u64 */
	put_u32(at, 0);
	memcpy(*at, words, BLS12_446_FIELD_SIZE);
	*at += BLS12_446_FIELD_SIZE;
}

void crs_element_put(enum bls12_446_group group, const uint8_t *coordinates, uint8_t *out)
{
	uint8_t *at = out;

	put_u32(&at, 0);
	put_u32(&at, CRS_VARIANT_UNCOMPRESSED);
	for (size_t i = 0; i < 2 * (size_t)group; i++) {
		if (group == BLS12_446_G2 && i % 2 == 0)
			put_u32(&at, 0);
		put_field(&at, &coordinates[i * BLS12_446_FIELD_SIZE]);
	}
}

void crs_element_take(struct reader *r, enum bls12_446_group group,
		      uint8_t ret_coordinates[BLS12_446_G2_SIZE])
{
	bincode_expect_u32(r, 0);
	bincode_expect_u32(r, CRS_VARIANT_UNCOMPRESSED);
	for (size_t i = 0; i < 2 * (size_t)group; i++) {
		struct bytes words;

		if (group == BLS12_446_G2 && i % 2 == 0)
			bincode_expect_u32(r, 0);
		bincode_expect_u32(r, 0);
		if (reader_u64le(r) != CRS_FIELD_LIMBS)
			reader_fail(r, ERR_UNSUPPORTED);
		words = reader_bytes(r, BLS12_446_FIELD_SIZE);
		if (r->err == ERR_OK)
			memcpy(&ret_coordinates[i * BLS12_446_FIELD_SIZE], words.p, words.n);
	}
}

/* ---- reading and writing ---- */

/* What is wrong with an element. */
static const char *fault_of(enum err e)
{
	switch (e) {
	case ERR_TRUNCATED:
		return "is cut off";
	case ERR_MALFORMED:
		return "has a coordinate that is not below the prime";
	case ERR_MISMATCH:
		return "is not on the curve";
	default:
		return "is not in the form that we read";
	}
}

/* The elements of one list, as a view; entry `infinity` (from 1; 0 for none) is at infinity. */
static struct bytes list_read(struct reader *r, enum bls12_446_group group, uint64_t count,
			      uint64_t infinity, struct err_note *note)
{
	uint8_t coordinates[BLS12_446_G2_SIZE];
	struct bytes rest = r->in;
	size_t begun = reader_offset(r);

	for (uint64_t i = 1; i <= count && r->err == ERR_OK; i++) {
		size_t at = reader_offset(r);

		if (i == infinity) {
			bincode_expect_u32(r, 0);
			bincode_expect_u32(r, CRS_VARIANT_INFINITY);
		} else {
			crs_element_take(r, group, coordinates);
			if (r->err == ERR_OK)
				reader_fail(r, bls12_446_point_check_curve_var(group, coordinates));
		}
		if (r->err != ERR_OK)
			(void)err_say(note, r->err,
				      "CompactPkeCrs: element %llu of G%d at byte %zu %s",
				      (unsigned long long)i, (int)group, at, fault_of(r->err));
	}
	return r->err == ERR_OK ? bytes_sub(rest, 0, reader_offset(r) - begun) : BYTES_NONE;
}

static enum err numbers_check(const struct fhe_crs *c, struct err_note *note)
{
	struct fhe_crs want = *c;

	numbers_derive(&want);
	if (c->witness != want.witness || c->n != want.n ||
	    c->b_squared_low != want.b_squared_low || c->b_squared_high != want.b_squared_high ||
	    c->g_count != want.g_count || c->g_hat_count != want.g_hat_count)
		return err_say(note, ERR_MALFORMED,
			       "CompactPkeCrs: its numbers at byte %zu do not follow from "
			       "dimension %llu, %llu messages and noise %llu",
			       c->numbers_at, (unsigned long long)c->d, (unsigned long long)c->k,
			       (unsigned long long)c->b_inf);
	return ERR_OK;
}

enum err fhe_crs_read(struct fhe_crs *ret_crs, struct bytes serialized, struct err_note *note)
{
	static const char *const names[] = {name, old_name, NULL};
	struct reader r = reader_of(serialized);
	struct fhe_crs c = {0};
	size_t index;

	if (serialized.n > FHE_CRS_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "CompactPkeCrs: %zu bytes", serialized.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	layout_read(&r, &head_layout, &c, note);
	c.g_list = list_read(&r, BLS12_446_G1, c.g_count, c.g_count / 2 + 1, note);
	layout_read(&r, &middle_layout, &c, note);
	c.g_hat_list = list_read(&r, BLS12_446_G2, c.g_hat_count, 0, note);
	layout_read(&r, &tail_layout, &c, note);
	TRY(layout_end(&r, "CompactPkeCrs", note));
	TRY(numbers_check(&c, note));
	*ret_crs = c;
	return ERR_OK;
}

enum err crs_frame_write(const struct fhe_crs *c, struct buf *out, struct crs_places *ret_places)
{
	struct bincode_writer w = {.out = out};
	struct crs_places places = {0};
	size_t before = out->n;
	uint8_t *place;

	safe_serialize_begin(&w, name);
	layout_write(&w, &head_layout, c);
	places.g = out->n;
	if (w.err == ERR_OK)
		w.err = buf_add_space(out, fhe_crs_g_size(c), &place);
	layout_write(&w, &middle_layout, c);
	places.g_hat = out->n;
	if (w.err == ERR_OK)
		w.err = buf_add_space(out, fhe_crs_g_hat_size(c), &place);
	layout_write(&w, &tail_layout, c);
	if (w.err != ERR_OK)
		out->n = before;
	else
		*ret_places = places;
	return bincode_end(&w);
}

enum err fhe_crs_write(const struct fhe_crs *c, struct buf *out)
{
	struct crs_places places;

	CHECK(c->g_list.n == fhe_crs_g_size(c) && c->g_hat_list.n == fhe_crs_g_hat_size(c));
	TRY(crs_frame_write(c, out, &places));
	memcpy(&out->p[places.g], c->g_list.p, c->g_list.n);
	memcpy(&out->p[places.g_hat], c->g_hat_list.p, c->g_hat_list.n);
	return ERR_OK;
}

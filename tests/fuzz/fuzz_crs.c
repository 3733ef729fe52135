/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A CRS, and single points of its curve. What is read is written again with the same bytes; a point
 * in its group lies on the curve. Input: u8 what, then for 0
 * and 1 edits of a small CRS (1: with a session), for 2 and 3 edits of the coordinates of an
 * element of G1 or G2.
 */
#include "base/rng.h"
#include "crypto/bls12_446.h"
#include "fhe/crs.h"
#include "fuzz.h"

enum {
	KINDS = 4,
	OBJECT_SIZE_MAX = 1 << 19,
	FIRST_ELEMENT = 75, /* in the CRS */
};

/* One message under a key of dimension 1. */
static struct bytes base_make(bool has_sid)
{
	struct fhe_pke_params pke = fhe_params_test.pke;
	struct buf out = buf_make(OBJECT_SIZE_MAX);
	struct rng_seeded rng;
	struct fhe_crs c;

	pke.dimension = 1;
	pke.noise = 0;
	FUZZ_OK(fhe_crs_describe(&c, &pke, 1, NULL));
	c.has_sid = has_sid;
	FUZZ_OK(fhe_crs_make(&c, rng_seeded_init(&rng, 1), 1, &out));
	return buf_view(&out); /* kept for ever */
}

static struct bytes base_of(bool has_sid)
{
	static struct bytes bases[2];

	if (!bases[has_sid].p)
		bases[has_sid] = base_make(has_sid);
	return bases[has_sid];
}

static void check_crs(struct bytes in)
{
	CLEANUP(buf_free) struct buf out = buf_make(2 * OBJECT_SIZE_MAX);
	struct err_note note = {0};
	struct fhe_crs c;

	if (fhe_crs_read(&c, in, &note) != ERR_OK) {
		CHECK(note.text[0]);
		return;
	}
	CHECK(c.g_count == 2 * c.n && c.g_hat_count == c.n && fhe_crs_bits(&c) == 4 * c.k);
	FUZZ_OK(fhe_crs_write(&c, &out));
	CHECK(bytes_eq_var(buf_view(&out), in));
}

/* An element's coordinates without the words between them. */
static size_t coordinates_of(enum bls12_446_group group, uint8_t out[BLS12_446_G2_SIZE])
{
	struct fhe_crs c;
	struct bytes crs = base_of(false);
	size_t place = FIRST_ELEMENT + 8, n = 0;

	FUZZ_OK(fhe_crs_read(&c, crs, NULL));
	if (group == BLS12_446_G2)
		place = FIRST_ELEMENT + fhe_crs_g_size(&c) + 8 + 8;
	for (size_t i = 0; i < 2 * (size_t)group; i++) {
		place += 12 + (group == BLS12_446_G2 && i % 2 == 0 ? 4 : 0);
		memcpy(&out[n], &crs.p[place], BLS12_446_FIELD_SIZE);
		place += BLS12_446_FIELD_SIZE;
		n += BLS12_446_FIELD_SIZE;
	}
	return n;
}

static void check_point(enum bls12_446_group group, struct bytes in)
{
	enum err curve, member;

	if (in.n != bls12_446_point_size(group))
		return;
	curve = bls12_446_point_check_curve_var(group, in.p);
	member = bls12_446_point_check_var(group, in.p);
	CHECK(curve == ERR_OK || curve == ERR_MALFORMED || curve == ERR_MISMATCH);
	CHECK(member == curve || (curve == ERR_OK && member == ERR_MISMATCH));
}

/* What libFuzzer calls once, before it looks at a clock: a CRS takes seconds to make here. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	(void)base_of(false);
	(void)base_of(true);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t elements[BLS12_446_G2 + 1][BLS12_446_G2_SIZE];
	static size_t sizes[BLS12_446_G2 + 1];
	struct bytes script = bytes_from(p, n), in;
	unsigned what;

	if (n > 4096)
		return 0;
	what = fuzz_u8(&script) % KINDS;
	if (what < 2) {
		in = fuzz_patch(base_of(what == 1), script);
		check_crs(in);
	} else {
		enum bls12_446_group group = what == 2 ? BLS12_446_G1 : BLS12_446_G2;

		if (sizes[group] == 0)
			sizes[group] = coordinates_of(group, elements[group]);
		in = fuzz_patch(bytes_from(elements[group], sizes[group]), script);
		check_point(group, in);
	}
	fuzz_free(in);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The CRS. Sizes and numbers are those of objects that node-tfhe 1.7.0 made; the points of the
 * curve have a test of their own, and node-tfhe proves and verifies under our CRS in
 * interop/crs.test.mjs.
 */
#include "crypto/bls12_446.h"
#include "fhe/crs.h"
#include "fhe/team.h"
#include "fhe_test.h"

enum {
	TINY_N = 517,
	HEAD_SIZE = 67, /* before the count of the list */
	G1_SIZE = 144,
	G2_SIZE = 288,
	TAIL_SIZE = 285, /* behind the elements */
	TINY_SIZE = 232 + 576 * TINY_N,
};

/* The smallest there is: one message under a key of dimension 1 without noise. */
static struct fhe_crs tiny(void)
{
	struct fhe_pke_params pke = fhe_params_test.pke;
	struct fhe_crs c;

	pke.dimension = 1;
	pke.noise = 0;
	assert_ok(fhe_crs_describe(&c, &pke, 1, NULL));
	return c;
}

static struct buf made(const struct fhe_crs *c, uint64_t seed, unsigned threads)
{
	struct buf out = buf_make(FHE_CRS_SIZE_MAX);
	struct rng_seeded rng;

	assert_ok(fhe_crs_make(c, rng_seeded_init(&rng, seed), threads, &out));
	return out;
}

static void numbers(void **state)
{
	static const struct {
		const struct fhe_params *params;
		uint32_t bits;
		uint64_t k, witness, n, b_squared;
		size_t size;
	} rows[] = {
		{&fhe_params_v1_7, 2048, 512, 4096, 7936, 0x320ac88c2082800, 4571368},
		{&fhe_params_v1_6, 2048, 512, 4096, 7936, 0x320ac88c2082800, 4571368},
		{&fhe_params_v1_7, 64, 16, 2112, 5952, 0, 3428584},
		{&fhe_params_v1_7, 61, 16, 2112, 5952, 0, 3428584},
		{&fhe_params_v1_7, 256, 64, 2304, 6144, 0, 232 + 576 * 6144},
		{&fhe_params_v1_7, 4096, 1024, 6144, 10112, 0, 232 + 576 * 10112},
		{&fhe_params_test, 2048, 512, 2560, 5120, 0, 2949352},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fhe_crs c;

		assert_ok(fhe_crs_describe(&c, &rows[i].params->pke, rows[i].bits, NULL));
		assert_int_equal(c.d, rows[i].params->pke.dimension);
		assert_int_equal(c.k, rows[i].k);
		assert_int_equal(c.witness, rows[i].witness);
		assert_int_equal(c.n, rows[i].n);
		assert_int_equal(c.b_squared_high, 0);
		if (rows[i].b_squared)
			assert_int_equal(c.b_squared_low, rows[i].b_squared);
		assert_int_equal(fhe_crs_bits(&c), 4 * rows[i].k);
		assert_int_equal(HEAD_SIZE + 8 + fhe_crs_g_size(&c) + 8 + fhe_crs_g_hat_size(&c) +
					 TAIL_SIZE,
				 rows[i].size);
	}
}

static void refused_parameters(void **state)
{
	struct fhe_pke_params pke = fhe_params_v1_7.pke;
	struct err_note note = {0};
	struct fhe_crs c = {.n = 7};

	(void)state;
	assert_int_equal(fhe_crs_describe(&c, &pke, 0, &note), ERR_RANGE);
	assert_int_equal(fhe_crs_describe(&c, &pke, FHE_CRS_BITS_MAX + 1, &note), ERR_RANGE);
	assert_non_null(strstr(note.text, "4097"));
	pke.zk_scheme = 1;
	assert_int_equal(fhe_crs_describe(&c, &pke, 64, &note), ERR_UNSUPPORTED);
	pke = fhe_params_v1_7.pke;
	pke.noise = 33;
	assert_int_equal(fhe_crs_describe(&c, &pke, 64, &note), ERR_UNSUPPORTED);
	pke = fhe_params_v1_7.pke;
	pke.carry_modulus = 8;
	assert_int_equal(fhe_crs_describe(&c, &pke, 64, &note), ERR_UNSUPPORTED);
	assert_int_equal(c.n, 7);
}

/* ---- generation ---- */

static void round_trip(void **state)
{
	struct fhe_crs c = tiny(), got;
	struct buf out, again = buf_make(FHE_CRS_SIZE_MAX);

	(void)state;
	c.has_sid = true;
	c.sid_low = 0x1122334455667788;
	c.sid_high = 0x99aabbccddeeff00;
	out = made(&c, 1, 1);
	assert_int_equal(out.n, TINY_SIZE);
	assert_ok(fhe_crs_read(&got, buf_view(&out), NULL));
	assert_ok(fhe_crs_check(&got, 2, NULL));
	assert_int_equal(got.n, TINY_N);
	assert_int_equal(got.g_count, 2 * TINY_N);
	assert_true(got.has_sid);
	assert_int_equal(got.sid_low, c.sid_low);
	assert_int_equal(got.sid_high, c.sid_high);
	assert_bytes_equal(got.separators[0], BYTES_LIT("ZKHASH__"));
	assert_bytes_equal(got.separators[FHE_CRS_SEPARATORS - 1], BYTES_LIT("VCProve2"));
	assert_ok(fhe_crs_write(&got, &again));
	assert_bytes_equal(buf_view(&again), buf_view(&out));
	buf_free(&out);
	buf_free(&again);
}

static void without_session(void **state)
{
	struct fhe_crs c = tiny(), got;
	struct buf out = made(&c, 1, 1), again = buf_make(FHE_CRS_SIZE_MAX);

	(void)state;
	assert_int_equal(out.n, TINY_SIZE - 16);
	assert_ok(fhe_crs_read(&got, buf_view(&out), NULL));
	assert_false(got.has_sid);
	assert_ok(fhe_crs_write(&got, &again));
	assert_bytes_equal(buf_view(&again), buf_view(&out));
	buf_free(&out);
	buf_free(&again);
}

static void threads_change_nothing(void **state)
{
	static const unsigned threads[] = {2, 3, 5, FHE_TEAM_THREADS_MAX};
	struct fhe_crs c = tiny();
	struct buf one = made(&c, 7, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		struct buf more = made(&c, 7, threads[i]);

		assert_bytes_equal(buf_view(&more), buf_view(&one));
		buf_free(&more);
	}
	buf_free(&one);
}

static void secrets_differ(void **state)
{
	struct fhe_crs c = tiny();
	struct buf a = made(&c, 1, 2), b = made(&c, 2, 2);

	(void)state;
	assert_int_equal(a.n, b.n);
	/* Every element: even the first words of it. */
	for (uint64_t i = 1; i <= TINY_N; i++) {
		size_t place = HEAD_SIZE + 8 + fhe_crs_g_place(&c, i) + 24;

		assert_memory_not_equal(&a.p[place], &b.p[place], 16);
	}
	buf_free(&a);
	buf_free(&b);
}

/* The list is what the powers of the number that was drawn say, and there is no power n + 1. */
static void elements(void **state)
{
	static const uint64_t places[] = {1, 2, TINY_N - 1, TINY_N, TINY_N + 2, 2 * TINY_N};
	struct fhe_crs c = tiny(), got;
	struct buf out = made(&c, 9, 2);
	struct bls12_446_scalar number;
	struct bls12_446_batch batch;
	struct bls12_446_base *base;
	struct rng_seeded rng;
	uint8_t want[BLS12_446_G1_SIZE];

	(void)state;
	bls12_446_scalar_draw(&number, rng_seeded_init(&rng, 9));
	assert_ok(bls12_446_batch_init(&batch));
	assert_ok(bls12_446_base_new(&base, BLS12_446_G1));
	assert_ok(fhe_crs_read(&got, buf_view(&out), NULL));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct bytes e = bytes_sub(got.g_list, fhe_crs_g_place(&c, places[i]), G1_SIZE);

		bls12_446_base_powers(base, &batch, &number, places[i], 1, want);
		assert_memory_equal(&e.p[20], want, BLS12_446_FIELD_SIZE);
		assert_memory_equal(&e.p[88], &want[BLS12_446_FIELD_SIZE], BLS12_446_FIELD_SIZE);
	}
	bls12_446_base_powers(base, &batch, &number, TINY_N + 1, 1, want);
	assert_null(memmem(out.p, out.n, want, BLS12_446_FIELD_SIZE));
	assert_bytes_equal(bytes_sub(got.g_list, TINY_N * G1_SIZE, 8),
			   BYTES_LIT("\0\0\0\0\0\0\0\0"));
	bls12_446_base_free(base);
	bls12_446_batch_clear(&batch);
	buf_free(&out);
}

static void no_room_no_threads(void **state)
{
	struct fhe_crs c = tiny();
	struct buf out = buf_make(TINY_SIZE - 17);
	struct rng_seeded rng;

	(void)state;
	rng_seeded_init(&rng, 1);
	assert_ok(buf_add_str(&out, "x"));
	assert_int_equal(fhe_crs_make(&c, &rng.base, 1, &out), ERR_TOO_BIG);
	assert_int_equal(fhe_crs_make(&c, &rng.base, 0, &out), ERR_RANGE);
	assert_int_equal(fhe_crs_make(&c, &rng.base, FHE_TEAM_THREADS_MAX + 1, &out), ERR_RANGE);
	assert_bytes_equal(buf_view(&out), BYTES_LIT("x"));
	assert_int_equal(fhe_crs_check(&c, 0, NULL), ERR_RANGE);
	buf_free(&out);
}

/* ---- what is wrong, and where ---- */

static enum err read_with(const struct buf *crs, size_t at, uint8_t value, struct err_note *note)
{
	struct bytes copy = exact_copy(buf_view(crs));
	struct fhe_crs c = {.n = 3};
	enum err e;

	((uint8_t *)copy.p)[at] = value;
	*note = (struct err_note){0};
	e = fhe_crs_read(&c, copy, note);
	if (e != ERR_OK)
		assert_int_equal(c.n, 3);
	free((void *)copy.p);
	return e;
}

static void wrong_bytes(void **state)
{
	enum {
		G_HAT = HEAD_SIZE + 8 + (2 * TINY_N - 1) * G1_SIZE + 8,
		TAIL = G_HAT + 8 + TINY_N * G2_SIZE,
	};
	static const struct {
		size_t at;
		uint8_t value;
		enum err err;
		const char *note;
	} rows[] = {
		{51, 2, ERR_UNSUPPORTED, "CompactPkeCrs version at byte 51 is 2"},
		{55, 0, ERR_UNSUPPORTED, "CompactPkeCrs variant at byte 55"},
		{59, 0, ERR_UNSUPPORTED, "PublicParams version at byte 59"},
		{63, 1, ERR_UNSUPPORTED, "GroupElements version at byte 63"},
		{67, 11, ERR_UNSUPPORTED, "element 1035 of G1"}, /* one more than there are */
		{70, 1, ERR_UNSUPPORTED, "g_count at byte 67"},
		{75, 1, ERR_UNSUPPORTED, "element 1 of G1 at byte 75"},
		{79, 1, ERR_UNSUPPORTED, "element 1 of G1 at byte 75"}, /* compressed */
		{79, 0, ERR_UNSUPPORTED, "element 1 of G1"},            /* at infinity */
		{87, 6, ERR_UNSUPPORTED, "element 1 of G1"},
		{95, 0, ERR_MISMATCH, "element 1 of G1"},
		{150, 0xff, ERR_MALFORMED, "element 1 of G1"},
		{75 + 3 * G1_SIZE + 100, 0, ERR_MISMATCH, "element 4 of G1 at byte 507"},
		{75 + TINY_N * G1_SIZE + 4, 2, ERR_UNSUPPORTED, "element 518 of G1"},
		{G_HAT, 6, ERR_UNSUPPORTED, "element 518 of G2"},
		{G_HAT + 8 + 4, 1, ERR_UNSUPPORTED, "element 1 of G2"},
		{G_HAT + 8 + 8, 1, ERR_UNSUPPORTED, "element 1 of G2"},
		{G_HAT + 8 + G2_SIZE + 283, 0xa5, ERR_MISMATCH, "element 2 of G2"},
		{TAIL, 4, ERR_MALFORMED, "do not follow"},      /* D */
		{TAIL + 8, 4, ERR_MALFORMED, "do not follow"},  /* n */
		{TAIL + 16, 2, ERR_MALFORMED, "do not follow"}, /* d */
		{TAIL + 16, 0, ERR_UNSUPPORTED, "d at byte"},
		{TAIL + 24, 2, ERR_MALFORMED, "do not follow"}, /* k */
		{TAIL + 27, 2, ERR_UNSUPPORTED, "k at byte"},
		{TAIL + 32, 1, ERR_MALFORMED, "do not follow"}, /* bound */
		{TAIL + 47, 1, ERR_MALFORMED, "do not follow"},
		{TAIL + 48, 8, ERR_MALFORMED, "do not follow"}, /* noise */
		{TAIL + 54, 8, ERR_UNSUPPORTED, "b_inf at byte"},
		{TAIL + 56, 1, ERR_UNSUPPORTED, "q at byte"},
		{TAIL + 64, 16, ERR_UNSUPPORTED, "t at byte"},
		{TAIL + 72, 0, ERR_UNSUPPORTED, "padding_bits at byte"},
		{TAIL + 84, 0, ERR_UNSUPPORTED, "bound type at byte"},
		{TAIL + 88, 2, ERR_MALFORMED, "has_sid at byte"},
		{TAIL + 105, 0, ERR_UNSUPPORTED, "domain separators version"},
		{TAIL + 109, 7, ERR_UNSUPPORTED, "domain separator hash"},
		{TAIL + 109 + 160, 9, ERR_TOO_BIG, "domain separator gamma"},
	};
	struct fhe_crs c = tiny();
	struct err_note note;
	struct buf out;

	(void)state;
	c.has_sid = true;
	out = made(&c, 3, 2);
	assert_int_equal(out.n, TAIL + TAIL_SIZE);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum err e = read_with(&out, rows[i].at, rows[i].value, &note);

		if (e != rows[i].err || !strstr(note.text, rows[i].note))
			fail_msg("byte %zu: %s, \"%s\"", rows[i].at, err_name(e), note.text);
	}
	buf_free(&out);
}

static void cut_off(void **state)
{
	struct fhe_crs c = tiny(), got = {.n = 3};
	struct buf out = made(&c, 3, 2);
	struct err_note note;

	(void)state;
	for (size_t n = 0; n < out.n; n += n < 1000 || n > out.n - 400 ? 1 : 9973) {
		struct bytes part = exact_copy(bytes_sub(buf_view(&out), 0, n));

		note = (struct err_note){0};
		assert_int_equal(fhe_crs_read(&got, part, &note), ERR_TRUNCATED);
		assert_true(note.text[0] != '\0');
		free((void *)part.p);
	}
	assert_ok(buf_add_u8(&out, 0));
	assert_int_equal(fhe_crs_read(&got, buf_view(&out), &note), ERR_MALFORMED);
	assert_int_equal(got.n, 3);
	buf_free(&out);
}

/* (0, 1) lies on the curve of G1 and has order three. */
static void outside_the_group(void **state)
{
	static const uint8_t one[BLS12_446_FIELD_SIZE] = {
		0x54, 0x55, 0x3d, 0x55, 0x65, 0xff, 0x8f, 0x3b, 0xcf, 0x28, 0x31, 0xea, 0x5c, 0xeb,
		0x46, 0xa4, 0x46, 0xc8, 0x14, 0x77, 0xf0, 0x48, 0xc6, 0xf6, 0xf5, 0xa7, 0xe3, 0x14,
		0xd1, 0x66, 0x29, 0xc2, 0x37, 0x07, 0xf4, 0xd7, 0x21, 0x6d, 0xa9, 0xfd, 0xff, 0xa6,
		0x54, 0x69, 0xda, 0xf2, 0xc0, 0x7f, 0x2b, 0x6b, 0xe8, 0x5c, 0x13, 0x7c, 0x84, 0x0c,
	};
	static const uint64_t places[] = {1, 100, TINY_N, TINY_N + 2, 2 * TINY_N};
	struct fhe_crs c = tiny(), got;
	struct buf out = made(&c, 3, 2);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct bytes copy = exact_copy(buf_view(&out));
		uint8_t *e = (uint8_t *)copy.p + HEAD_SIZE + 8 + fhe_crs_g_place(&c, places[i]);
		struct err_note note = {0};
		char want[64];

		memset(&e[20], 0, BLS12_446_FIELD_SIZE);
		memcpy(&e[88], one, sizeof(one));
		assert_ok(fhe_crs_read(&got, copy, &note));
		assert_int_equal(fhe_crs_check(&got, 1 + (unsigned)i, &note), ERR_MISMATCH);
		(void)snprintf(want, sizeof(want), "element %d of G1", (int)places[i]);
		assert_non_null(strstr(note.text, want));
		free((void *)copy.p);
	}
	buf_free(&out);
}

/* ---- the team ---- */

struct tally {
	unsigned done[100]; /* by job: its thread, from 1 */
	size_t fails_from;
};

static enum err tally_job(void *context, unsigned thread, size_t job)
{
	struct tally *t = context;

	t->done[job] = thread + 1;
	if (job < t->fails_from)
		return ERR_OK;
	return job % 2 ? ERR_MISMATCH : ERR_MALFORMED;
}

static void team(void **state)
{
	struct tally t = {.fails_from = 100};

	(void)state;
	assert_ok(fhe_team_run(7, 100, tally_job, &t));
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(t.done[i], i % 7 + 1);
	t = (struct tally){.fails_from = 51};
	assert_int_equal(fhe_team_run(4, 100, tally_job, &t), ERR_MISMATCH);
	assert_int_equal(t.done[54], 3);
	assert_int_equal(t.done[55], 0);
	assert_ok(fhe_team_run(64, 0, tally_job, &t));
	assert_int_equal(fhe_team_run(0, 1, tally_job, &t), ERR_RANGE);
	assert_int_equal(fhe_team_run(65, 1, tally_job, &t), ERR_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(refused_parameters),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(without_session),
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(secrets_differ),
		cmocka_unit_test(elements),
		cmocka_unit_test(no_room_no_threads),
		cmocka_unit_test(wrong_bytes),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(outside_the_group),
		cmocka_unit_test(team),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

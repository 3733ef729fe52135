/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The ring, the field under it, groups of parties, hashes. */
#include "base/hex.h"
#include "mpc/gf16.h"
#include "mpc/hash.h"
#include "mpc_test.h"

static void test_ring_laws(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct gr a = any_gr(rng), b = any_gr(rng), c = any_gr(rng);
		struct gr ab = gr_mul(&a, &b), ba = gr_mul(&b, &a), bc = gr_mul(&b, &c);
		struct gr left = gr_mul(&ab, &c), right = gr_mul(&a, &bc);
		struct gr sum = gr_add(b, c), ac = gr_mul(&a, &c);
		struct gr over = gr_mul(&a, &sum), apart = gr_add(ab, ac);
		struct gr x = {{0, 1}}, by_x = gr_mul(&a, &x), same = gr_mul_x(a);
		struct gr s = gr_scalar(b.c[0]), by_s = gr_mul(&a, &s);
		struct gr by_scalar = gr_mul_scalar(&a, b.c[0]), back = gr_sub(sum, c);

		assert_true(gr_eq_var(&ab, &ba) && gr_eq_var(&left, &right));
		assert_true(gr_eq_var(&over, &apart) && gr_eq_var(&by_x, &same));
		assert_true(gr_eq_var(&by_s, &by_scalar) && gr_eq_var(&back, &b));
	}
}

/* X^4 = -X - 1, and so on upwards. */
static void test_reduction(void **state)
{
	const u128 m = (u128)0 - 1;
	const struct gr want[] = {{{1}},    {{0, 1}},    {{0, 0, 1}},   {{0, 0, 0, 1}},
				  {{m, m}}, {{0, m, m}}, {{0, 0, m, m}}};
	struct gr a = gr_scalar(1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++, a = gr_mul_x(a))
		assert_true(gr_eq_var(&a, &want[i]));
}

static void test_inverse(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	const struct gr one = gr_scalar(1);
	struct gr inverse;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct gr a = any_gr(rng);

		if (gr_bits(&a, 0) == 0) {
			assert_int_equal(gr_inv(&inverse, &a), ERR_RANGE);
			continue;
		}
		assert_ok(gr_inv(&inverse, &a));
		inverse = gr_mul(&inverse, &a);
		assert_true(gr_eq_var(&inverse, &one));
	}
	/* Differences of points are units: all of the machinery stands on that. */
	for (unsigned i = 0; i <= MPC_PARTIES_MAX; i++)
		for (unsigned k = 0; k <= MPC_PARTIES_MAX; k++) {
			struct gr d = gr_sub(gr_point(i), gr_point(k));

			assert_int_equal(gr_inv(&inverse, &d), i == k ? ERR_RANGE : ERR_OK);
		}
}

static void test_encoding(void **state)
{
	uint8_t raw[GR_SIZE], again[GR_SIZE];

	(void)state;
	for (unsigned i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i + 1);

	struct gr a = gr_get(raw);
	assert_true(a.c[1] == ((u128)0x201f1e1d1c1b1a19 << 64 | 0x1817161514131211));
	gr_put(again, &a);
	assert_memory_equal(again, raw, sizeof(raw));
}

static void test_pack(void **state)
{
	const struct gr a = gr_scalar(3), b = gr_scalar(5), d = gr_scalar(7);
	const struct gr *const three[GR_DEGREE] = {&a, &b, NULL, &d};
	const struct gr want = {{3, 5, 0, 7}};
	struct gr packed = gr_pack(three);

	(void)state;
	assert_true(gr_eq_var(&packed, &want));
}

/* ---- the field ---- */

static uint8_t slow_mul(uint8_t a, uint8_t b)
{
	unsigned r = 0;

	for (unsigned i = 0; i < 4; i++)
		if (b >> i & 1)
			r ^= (unsigned)a << i;
	for (unsigned i = 7; i-- > 4;)
		if (r >> i & 1)
			r ^= 0x13u << (i - 4);
	return (uint8_t)r;
}

static void test_field(void **state)
{
	(void)state;
	for (uint8_t a = 0; a < GF16_SIZE; a++)
		for (uint8_t b = 0; b < GF16_SIZE; b++) {
			struct gr x = gr_point(a), y = gr_point(b), xy = gr_mul(&x, &y);

			assert_int_equal(gf16_mul_var(a, b), slow_mul(a, b));
			assert_int_equal(gr_bits(&xy, 0), slow_mul(a, b));
		}
	for (uint8_t a = 1; a < GF16_SIZE; a++)
		assert_int_equal(gf16_mul_var(a, gf16_inv_var(a)), 1);
	assert_int_equal(gf16_inv_var(0), 0);
}

/* Every number of errors that a code corrects, and one more, which never gives another word within
 * the radius unless there is one. */
static void test_gao(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);

	(void)state;
	for (unsigned run = 0; run < 20000; run++) {
		size_t n = 1 + rng_below(rng, GF16_WORD_MAX), dim = 1 + rng_below(rng, n);
		size_t radius = (n - dim) / 2, errors = rng_below(rng, radius + 2), wrong = 0;
		uint8_t x[GF16_WORD_MAX], y[GF16_WORD_MAX], f[GF16_WORD_MAX], got[GF16_WORD_MAX];
		mpc_set points = any_parties(rng, MPC_PARTIES_MAX, (unsigned)n);

		for (size_t i = 0; i < dim; i++)
			f[i] = (uint8_t)rng_below(rng, GF16_SIZE);
		for (size_t i = 0, p = 1; i < n; p++)
			if (mpc_set_has(points, (unsigned)p))
				x[i++] = (uint8_t)p;
		for (size_t i = 0; i < n; i++)
			y[i] = gf16_eval_var(f, dim, x[i]);
		for (size_t i = 0; i < errors && i < n; i++)
			y[i] ^= (uint8_t)(1 + rng_below(rng, GF16_SIZE - 1));

		enum err e = gf16_decode_var(got, dim, x, y, n, radius);

		if (errors <= radius) {
			assert_ok(e);
			assert_memory_equal(got, f, dim);
		} else if (e == ERR_OK) {
			for (size_t i = 0; i < n; i++)
				wrong += gf16_eval_var(got, dim, x[i]) != y[i];
			assert_true(wrong <= radius);
		} else {
			assert_int_equal(e, ERR_MISMATCH);
		}
	}
}

static void test_gao_refuses(void **state)
{
	const uint8_t x[] = {1, 2, 3}, y[] = {1, 2, 3};
	uint8_t f[GF16_WORD_MAX];

	(void)state;
	assert_int_equal(gf16_decode_var(f, 0, x, y, 3, 0), ERR_RANGE);
	assert_int_equal(gf16_decode_var(f, 2, x, y, 3, 1), ERR_RANGE);
	assert_int_equal(gf16_decode_var(f, 4, x, y, 3, 0), ERR_RANGE);
	assert_ok(gf16_decode_var(f, 1, (const uint8_t[]){1, 2, 3}, (const uint8_t[]){0, 0, 5}, 3,
				  1));
	assert_int_equal(f[0], 0);
}

/* ---- parties ---- */

static mpc_set set_of(const char *members)
{
	mpc_set s = 0;

	for (; *members; members++)
		s |= mpc_set_of((unsigned)(*members - '0'));
	return s;
}

static void test_sets(void **state)
{
	const struct mpc_group four = {4, 1, 1}, seven = {7, 2, 1}, thirteen = {13, 4, 1};
	mpc_set sets[MPC_SETS_MAX];

	(void)state;
	assert_int_equal(mpc_sets_n(&four), 4);
	mpc_sets(&four, sets);
	assert_int_equal(sets[0], set_of("123"));
	assert_int_equal(sets[1], set_of("124"));
	assert_int_equal(sets[2], set_of("134"));
	assert_int_equal(sets[3], set_of("234"));

	assert_int_equal(mpc_sets_n(&seven), 21);
	mpc_sets(&seven, sets);
	assert_int_equal(sets[2], set_of("12347"));
	assert_int_equal(sets[3], set_of("12356"));
	assert_int_equal(sets[20], set_of("34567"));

	unsigned mine = 0;
	assert_int_equal(mpc_sets_n(&thirteen), 715);
	mpc_sets(&thirteen, sets);
	assert_int_equal(sets[0], 0x1ff);
	assert_int_equal(sets[714], 0x1ff0);
	for (unsigned i = 0; i < 715; i++) {
		assert_int_equal(mpc_set_size(sets[i]), 9);
		mine += mpc_set_has(sets[i], 7);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(sets[i], sets[k]);
	}
	assert_int_equal(mine, 495);
}

static void test_groups(void **state)
{
	static const struct {
		struct mpc_group g;
		enum err want;
	} cases[] = {
		{{4, 1, 1}, ERR_OK},
		{{4, 1, 4}, ERR_OK},
		{{13, 4, 13}, ERR_OK},
		{{4, 1, 0}, ERR_RANGE},
		{{4, 1, 5}, ERR_RANGE},
		{{3, 1, 1}, ERR_RANGE},
		{{12, 4, 1}, ERR_RANGE},
		{{4, 0, 1}, ERR_RANGE},
		{{16, 5, 1}, ERR_RANGE},
		{{15, 4, 1}, ERR_OK},
		{{13, 0xffffffff, 1}, ERR_RANGE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err_note note = {0};

		assert_int_equal(mpc_group_check(&cases[i].g, &note), cases[i].want);
		assert_int_equal(note.text[0] != 0, cases[i].want != ERR_OK);
	}
}

/* ---- hashes: SHAKE256 of the same bytes by another implementation ---- */

static void test_hashes(void **state)
{
	static const struct {
		uint64_t index;
		const char *want;
	} cases[] = {{0, "d9549b94f186b14bf31d382ba235dc09"},
		     {1, "d622daa716ca5eee7bdc75aaf99395b5"},
		     {7, "47a733fbaad20037008286a4b7472fac"}};
	const struct bytes parts[] = {BYTES_LIT("abc"), BYTES_LIT("de")};
	uint8_t id[32], want[32];
	struct hash32 h;

	(void)state;
	for (uint8_t i = 0; i < sizeof(id); i++)
		id[i] = i;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mpc_session_id s;

		assert_ok(mpc_session_id_of(&s, id, cases[i].index));
		assert_ok(hex_decode_fixed(want, sizeof(s.le), bytes_str(cases[i].want)));
		assert_memory_equal(s.le, want, sizeof(s.le));
	}
	assert_ok(mpc_hash(&h, MPC_NAME_AGREE_RANDOM, parts, 2));
	assert_ok(hex_decode_fixed(
		want, sizeof(want),
		BYTES_LIT("c2edb041bf3a0c075be52a408790b413780ef485149577216a4131a9a1a2461d")));
	assert_memory_equal(h.b, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_laws), cmocka_unit_test(test_reduction),
		cmocka_unit_test(test_inverse),   cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_pack),      cmocka_unit_test(test_field),
		cmocka_unit_test(test_gao),       cmocka_unit_test(test_gao_refuses),
		cmocka_unit_test(test_sets),      cmocka_unit_test(test_groups),
		cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

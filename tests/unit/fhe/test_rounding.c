/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* How ciphertexts are rounded before a bootstrap: the three techniques, on numbers made by hand. */
#include "fhe/server/keyswitch.h"
#include "fhe_test.h"

enum {
	BITS = 2,
	LOG2 = 8,
};

static const uint64_t unit = UINT64_C(1) << (64 - LOG2);

static struct fhe_rounding rounding(enum fhe_mod_switch_kind kind, double bound)
{
	/* The first zero moves the mask by a quarter of a unit, the second by an eighth, which is
	 * what the example lacks, the third by nothing. */
	static uint64_t zeros[3 * (BITS + 1)];
	struct fhe_rounding r = {
		.technique = {.kind = kind, .bound = bound, .r_sigma = 1},
		.bits = BITS,
		.zeros_n = 3,
		.zeros = zeros,
	};

	zeros[0] = zeros[1] = unit / 4;
	zeros[3] = zeros[4] = 0 - unit / 8;
	return r;
}

/* Each mask word an eighth of a unit above a place, the body on one. */
static void example_fill(uint64_t lwe[BITS + 1])
{
	lwe[0] = 3 * unit + unit / 8;
	lwe[1] = 5 * unit + unit / 8;
	lwe[2] = 7 * unit;
}

static void assert_exponents(const uint32_t *e, uint32_t a, uint32_t b, uint32_t body)
{
	assert_int_equal(e[0], a);
	assert_int_equal(e[1], b);
	assert_int_equal(e[2], body);
}

static void standard(void **state)
{
	struct fhe_rounding r = rounding(FHE_MOD_SWITCH_STANDARD, 0);
	uint64_t lwe[BITS + 1] = {3 * unit + unit / 2, 5 * unit + unit / 2 - 1, 0 - unit / 2};
	uint32_t e[BITS + 1];

	(void)state;
	fhe_rounding_run(&r, lwe, LOG2, e);
	assert_exponents(e, 4, 5, 0);
}

/* Half the errors of the mask, and half a unit less: -1/8 - 1/2. */
static void centred_mean(void **state)
{
	struct fhe_rounding r = rounding(FHE_MOD_SWITCH_CENTERED_MEAN, 0);
	uint64_t lwe[BITS + 1];
	uint32_t e[BITS + 1];

	(void)state;
	example_fill(lwe);
	fhe_rounding_run(&r, lwe, LOG2, e);
	assert_true(lwe[2] == 7 * unit - unit / 8 - unit / 2);
	assert_exponents(e, 3, 5, 6);
}

/* The expected error of the example is 1/8 of a unit, deviation 0.088. */
static void drift(void **state)
{
	static const struct {
		double bound; /* in units */
		bool moved;
	} cases[] = {
		{0.25, false}, /* good enough as it is */
		{0.1, true},   /* the second zero takes all of it */
		{0, true},     /* nothing left to round */
		{-1, true},    /* never good enough: the best there is */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fhe_rounding r =
			rounding(FHE_MOD_SWITCH_DRIFT, cases[i].bound * (double)unit);
		uint64_t lwe[BITS + 1], moved = cases[i].moved ? unit / 8 : 0;
		uint32_t e[BITS + 1];

		example_fill(lwe);
		fhe_rounding_run(&r, lwe, LOG2, e);
		assert_true(lwe[0] == 3 * unit + unit / 8 - moved);
		assert_true(lwe[1] == 5 * unit + unit / 8 - moved);
		assert_true(lwe[2] == 7 * unit);
		assert_exponents(e, 3, 5, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standard),
		cmocka_unit_test(centred_mean),
		cmocka_unit_test(drift),
	};

	return cmocka_run_group_tests_name("fhe_rounding", tests, NULL, NULL);
}

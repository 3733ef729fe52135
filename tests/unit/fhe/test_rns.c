/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Sums of products by residues against the same by definition: sizes, widths, kernels, extremes. */
#include "fhe/server/rns.h"
#include "fhe_test.h"

struct example {
	size_t n, rows;
	unsigned width, digit_log;
	uint8_t *words;  /* [rows][n] */
	int64_t *digits; /* [rows][n] */
};

static struct example example_new(size_t n, size_t rows, unsigned width, unsigned digit_log)
{
	struct example e = {.n = n, .rows = rows, .width = width, .digit_log = digit_log};

	e.words = malloc(rows * n * width);
	e.digits = malloc(rows * n * sizeof(*e.digits));
	assert_true(e.words && e.digits);
	return e;
}

static void example_free(struct example *e)
{
	free(e->words);
	free(e->digits);
}

static void example_random(struct example *e, struct rng *rng)
{
	rng_fill(rng, e->words, e->rows * e->n * e->width);
	for (size_t i = 0; i < e->rows * e->n; i++)
		e->digits[i] = (int64_t)rng_below(rng, UINT64_C(1) << e->digit_log) -
			       (INT64_C(1) << (e->digit_log - 1));
}

/* All words and all digits as large as they may be, of one sign: the sum is, too. */
static void example_extreme(struct example *e, int64_t sign)
{
	memset(e->words, 0xff, e->rows * e->n * e->width);
	for (size_t i = 0; i < e->rows * e->n; i++)
		e->digits[i] = sign * (INT64_C(1) << (e->digit_log - 1)) - (sign > 0);
}

static fhe_u128 word(const struct example *e, size_t i)
{
	return e->width == 16 ? fhe_word_u128(e->words, i)
			      : (fhe_u128)fhe_word_u64(e->words, i) << 64;
}

static fhe_u128 by_definition(const struct example *e, size_t h)
{
	fhe_u128 sum = 0;

	for (size_t r = 0; r < e->rows; r++)
		for (size_t j = 0; j < e->n; j++) {
			fhe_u128 w = word(e, r * e->n + (h + e->n - j) % e->n);
			int64_t digit = e->digits[r * e->n + j];
			fhe_u128 product =
				digit < 0 ? 0 - w * (uint64_t)-digit : w * (uint64_t)digit;

			sum += j <= h ? product : 0 - product;
		}
	return sum;
}

static void assert_product(const struct example *e, bool portable)
{
	uint64_t *digits = fhe_rns_alloc(e->rows * e->n), *words = fhe_rns_alloc(e->rows * e->n);
	uint64_t *residues = fhe_rns_alloc(FHE_RNS_PRIMES_MAX * e->n);
	fhe_u128 *sum = calloc(e->n, sizeof(*sum));
	struct fhe_rns *t;

	assert_true(digits && words && residues && sum);
	assert_ok(fhe_rns_new(&t, e->n, e->width, portable));
	assert_true(fhe_rns_fits(t, e->rows, e->digit_log));
	for (unsigned i = 0; i < fhe_rns_primes(t); i++) {
		for (size_t r = 0; r < e->rows; r++) {
			fhe_rns_digits(t, i, &e->digits[r * e->n], &digits[r * e->n]);
			fhe_rns_words(t, i, &e->words[r * e->n * e->width], &words[r * e->n]);
		}
		fhe_rns_multiply(t, i, e->rows, digits, words, &residues[i * e->n]);
	}
	sum[0] = 5;
	fhe_rns_add(t, residues, e->n, sum);
	sum[0] -= 5;
	for (size_t h = 0; h<e->n; h += e->n> 256 ? 97 : 1) {
		fhe_u128 want = by_definition(e, h);

		assert_memory_equal(&sum[h], &want, sizeof(want));
	}
	fhe_rns_free(t);
	free(digits);
	free(words);
	free(residues);
	free(sum);
}

static void products(void **state)
{
	struct rng_seeded rng;

	(void)state;
	rng_seeded_init(&rng, 1);
	for (size_t n = FHE_RNS_SIZE_MIN; n <= FHE_RNS_SIZE_MAX; n *= 2)
		for (unsigned width = 8; width <= 16; width += 8) {
			struct example e = example_new(n, n < 1024 ? 5 : 2, width, 20);

			example_random(&e, &rng.base);
			assert_product(&e, true);
			assert_product(&e, false);
			example_free(&e);
		}
}

/* As long and as wide as the primes allow. */
static void extremes(void **state)
{
	static const struct {
		size_t n, rows;
		unsigned width, digit_log;
	} shapes[] = {
		{2048, 9, 16, 24},  {2048, 2, 8, 23}, {256, 4, 16, 33},
		{1024, 12, 16, 40}, {64, 12, 8, 25},  {2, 1, 16, 40},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		for (int64_t sign = -1; sign <= 1; sign += 2) {
			struct example e = example_new(shapes[i].n, shapes[i].rows, shapes[i].width,
						       shapes[i].digit_log);

			example_extreme(&e, sign);
			assert_product(&e, true);
			assert_product(&e, false);
			example_free(&e);
		}
}

static void limits(void **state)
{
	struct fhe_rns *t;

	(void)state;
	assert_int_equal(fhe_rns_new(&t, 1, 8, true), ERR_RANGE);
	assert_int_equal(fhe_rns_new(&t, 24, 8, true), ERR_RANGE);
	assert_int_equal(fhe_rns_new(&t, 2 * FHE_RNS_SIZE_MAX, 8, true), ERR_RANGE);
	assert_int_equal(fhe_rns_new(&t, 256, 4, true), ERR_RANGE);
	assert_ok(fhe_rns_new(&t, 2048, 8, true));
	assert_string_equal(fhe_rns_kernel(t), "portable");
	assert_true(fhe_rns_fits(t, 2, 23));
	assert_false(fhe_rns_fits(t, 2, 24));
	assert_false(fhe_rns_fits(t, 0, 8));
	assert_false(fhe_rns_fits(t, FHE_RNS_ROWS_MAX + 1, 8));
	assert_false(fhe_rns_fits(t, 1, FHE_RNS_DIGIT_LOG_MAX + 1));
	fhe_rns_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products),
		cmocka_unit_test(extremes),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests_name("fhe_rns", tests, NULL, NULL);
}

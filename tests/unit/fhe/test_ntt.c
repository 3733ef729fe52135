/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Products by transforms against products by definition, for every size and both widths. */
#include "fhe/negacyclic.h"
#include "fhe/ntt.h"
#include "fhe_test.h"

enum {
	K_MAX = 3
};

struct example {
	size_t n, k;
	uint8_t *words, *bits;
	fhe_u128 *sum;
	uint64_t *scratch;
};

static struct example example_new(size_t n, size_t k, struct rng *rng)
{
	struct example e = {.n = n,
			    .k = k,
			    .words = malloc(16 * n * k),
			    .bits = malloc(n * k),
			    .sum = malloc(n * sizeof(fhe_u128)),
			    .scratch = malloc(fhe_ntt_scratch_size(n))};

	assert_true(e.words && e.bits && e.sum && e.scratch);
	rng_fill(rng, e.words, 16 * n * k);
	rng_fill(rng, e.bits, n * k);
	for (size_t i = 0; i < n * k; i++)
		e.bits[i] &= 1;
	return e;
}

static void example_free(struct example *e)
{
	free(e->words);
	free(e->bits);
	free(e->sum);
	free(e->scratch);
}

static fhe_u128 product_128(const struct example *e, size_t h)
{
	fhe_u128 sum = 0;

	for (size_t j = 0; j < e->k; j++)
		sum += fhe_negacyclic_u128(&e->words[16 * j * e->n], &e->bits[j * e->n], e->n, h);
	return sum;
}

static uint64_t product_64(const struct example *e, size_t h, bool reversed)
{
	uint64_t sum = 0;
	uint8_t *bits = malloc(e->n);

	assert_non_null(bits);
	for (size_t j = 0; j < e->k; j++) {
		for (size_t i = 0; i < e->n; i++)
			bits[i] = e->bits[j * e->n + (reversed ? i : e->n - 1 - i)];
		sum += fhe_negacyclic_rev_u64(&e->words[8 * j * e->n], bits, e->n, h);
	}
	free(bits);
	return sum;
}

/* Every coefficient of small sizes, some of large ones. */
static void check(const struct example *e, const struct fhe_ntt *ntt)
{
	size_t step = e->n > 256 ? e->n / 37 : 1;
	struct fhe_ntt_key key;

	assert_ok(fhe_ntt_key_new(&key, ntt, bytes_from(e->bits, e->n * e->k), false));
	fhe_ntt_product(&key, e->words, 16, e->sum, e->scratch);
	for (size_t h = 0; h < e->n; h += step)
		assert_true(e->sum[h] == product_128(e, h));
	fhe_ntt_product(&key, e->words, 8, e->sum, e->scratch);
	for (size_t h = 0; h < e->n; h += step)
		assert_true((uint64_t)e->sum[h] == product_64(e, h, false));
	fhe_ntt_key_free(&key);

	assert_ok(fhe_ntt_key_new(&key, ntt, bytes_from(e->bits, e->n * e->k), true));
	fhe_ntt_product(&key, e->words, 8, e->sum, e->scratch);
	for (size_t h = 0; h < e->n; h += step)
		assert_true((uint64_t)e->sum[h] == product_64(e, h, true));
	fhe_ntt_key_free(&key);
}

static void products(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 11);

	(void)state;
	for (size_t n = FHE_NTT_SIZE_MIN; n <= FHE_NTT_SIZE_MAX; n *= 2) {
		struct fhe_ntt *ntt;

		assert_ok(fhe_ntt_new(&ntt, n));
		for (size_t k = 1; k <= K_MAX; k++) {
			struct example e = example_new(n, k, rng);

			check(&e, ntt);
			example_free(&e);
		}
		fhe_ntt_free(ntt);
	}
}

/* The largest sums that there are: all words and all bits are ones. */
static void extremes(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 12);
	struct fhe_ntt *ntt;

	(void)state;
	assert_ok(fhe_ntt_new(&ntt, FHE_NTT_SIZE_MAX));
	struct example e = example_new(FHE_NTT_SIZE_MAX, FHE_NTT_POLYNOMIALS_MAX, rng);

	memset(e.words, 0xff, 16 * e.n * e.k);
	memset(e.bits, 1, e.n * e.k);
	check(&e, ntt);
	example_free(&e);
	fhe_ntt_free(ntt);
}

static void refusals(void **state)
{
	static const size_t sizes[] = {0, 1, 3, 1000, 2 * FHE_NTT_SIZE_MAX};
	static const uint8_t bits[4 * (FHE_NTT_POLYNOMIALS_MAX + 1)];
	struct fhe_ntt *ntt = NULL;
	struct fhe_ntt_key key;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		assert_int_equal(fhe_ntt_new(&ntt, sizes[i]), ERR_RANGE);
	assert_ok(fhe_ntt_new(&ntt, 4));
	assert_int_equal(fhe_ntt_key_new(&key, ntt, BYTES_NONE, false), ERR_RANGE);
	assert_int_equal(fhe_ntt_key_new(&key, ntt, bytes_from(bits, 6), false), ERR_RANGE);
	assert_int_equal(fhe_ntt_key_new(&key, ntt, BYTES_OF(bits), false), ERR_RANGE);
	fhe_ntt_free(ntt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products),
		cmocka_unit_test(extremes),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

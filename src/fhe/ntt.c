/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/ntt.h"

#include <stdlib.h>

/*
 * PRIME = 4398046511083 * 2^20 + 1 < 2^62; ROOT has order 2^14 modulo it. Values are kept in [0,
 * 4 PRIME) or [0, 2 PRIME) between steps (D. Harvey, "Faster arithmetic for number-theoretic
 * transforms"), so that a step needs one conditional subtraction.
 *
 * A limb is below 2^43, a polynomial has at most 2^13 coefficients and there are at most 2^4 of
 * them: a sum is below 2^60 in absolute value, so that its residue determines it.
 */
#define PRIME UINT64_C(4611686018405367809)
#define ROOT  UINT64_C(0x38f8b2bb61b41841)

enum {
	ROOT_ORDER = 1 << 14,
	LIMB_BITS_64 = 32,  /* two limbs */
	LIMB_BITS_128 = 43, /* three limbs */
};

/* A constant factor w with its Shoup companion floor(w * 2^64 / PRIME). */
struct factor {
	uint64_t w, shoup;
};

struct fhe_ntt {
	size_t n;
	struct factor inverse_n;
	struct factor *forward; /* n powers of the 2n-th root, bit-reversed order */
	struct factor *inverse; /* of its inverse */
};

/* ---- arithmetic modulo PRIME ---- */

/* Set-up only, on public numbers. */
static uint64_t multiply_var(uint64_t a, uint64_t b)
{
	return (uint64_t)((fhe_u128)a * b % PRIME);
}

static uint64_t power_var(uint64_t a, uint64_t e)
{
	uint64_t result = 1;

	for (; e > 0; e >>= 1) {
		if (e & 1)
			result = multiply_var(result, a);
		a = multiply_var(a, a);
	}
	return result;
}

static struct factor factor_of_var(uint64_t w)
{
	return (struct factor){w, (uint64_t)(((fhe_u128)w << 64) / PRIME)};
}

/* a * w modulo PRIME in [0, 2 PRIME), for any a. */
static inline uint64_t times(uint64_t a, struct factor f)
{
	uint64_t quotient = (uint64_t)((fhe_u128)a * f.shoup >> 64);

	return a * f.w - quotient * PRIME;
}

/* All ones if the difference `d` is negative. The compiler must not learn that there are only two
 * results: clang makes a jump of them. */
static inline uint64_t negative_mask(uint64_t d)
{
	uint64_t mask = 0 - (d >> 63);

	__asm__("" : "+r"(mask));
	return mask;
}

/* v - bound if that is not negative, else v; both below 2^63 apart. */
static inline uint64_t reduce_once(uint64_t v, uint64_t bound)
{
	uint64_t d = v - bound;

	return d + (bound & negative_mask(d));
}

/* floor(w * 2^64 / PRIME) for a secret w < PRIME: long division bit by bit, since the time of a
 * division instruction may depend on its operands. */
static uint64_t shoup_of(uint64_t w)
{
	uint64_t quotient = 0, rest = w;

	for (int i = 0; i < 64; i++) {
		uint64_t d = 2 * rest - PRIME;
		uint64_t less = negative_mask(d);

		quotient = quotient << 1 | (1 & ~less);
		rest = d + (PRIME & less);
	}
	return quotient;
}

/* ---- transforms ---- */

/* Cooley-Tukey, natural to bit-reversed order, negacyclic: values below 4 PRIME in and out. */
static void transform(const struct fhe_ntt *t, uint64_t *a)
{
	const uint64_t two_p = 2 * PRIME;

	for (size_t m = 1, half = t->n / 2; half > 0; m *= 2, half /= 2) {
		for (size_t i = 0; i < m; i++) {
			const struct factor f = t->forward[m + i];
			uint64_t *x = &a[2 * i * half], *y = &x[half];

			for (size_t j = 0; j < half; j++) {
				uint64_t u = reduce_once(x[j], two_p), v = times(y[j], f);

				x[j] = u + v;
				y[j] = u - v + two_p;
			}
		}
	}
}

/* Gentleman-Sande, the way back but for the factor n: values below 2 PRIME in and out. */
static void transform_back(const struct fhe_ntt *t, uint64_t *a)
{
	const uint64_t two_p = 2 * PRIME;

	for (size_t m = t->n / 2, half = 1; m > 0; m /= 2, half *= 2) {
		for (size_t i = 0; i < m; i++) {
			const struct factor f = t->inverse[m + i];
			uint64_t *x = &a[2 * i * half], *y = &x[half];

			for (size_t j = 0; j < half; j++) {
				uint64_t u = x[j], v = y[j];

				x[j] = reduce_once(u + v, two_p);
				y[j] = times(u - v + two_p, f);
			}
		}
	}
}

/* ---- tables ---- */

static size_t bits_reversed(size_t i, size_t n)
{
	size_t result = 0;

	for (; n > 1; n >>= 1, i >>= 1)
		result = result << 1 | (i & 1);
	return result;
}

static void powers_fill(struct factor *table, size_t n, uint64_t root)
{
	uint64_t power = 1;

	for (size_t i = 0; i < n; i++) {
		table[bits_reversed(i, n)] = factor_of_var(power);
		power = multiply_var(power, root);
	}
}

enum err fhe_ntt_new(struct fhe_ntt **ret_ntt, size_t n)
{
	struct fhe_ntt *t;
	uint64_t root;

	if (n < FHE_NTT_SIZE_MIN || n > FHE_NTT_SIZE_MAX || (n & (n - 1)) != 0)
		return ERR_RANGE;
	t = calloc(1, sizeof(*t));
	if (!t)
		return ERR_NOMEM;
	t->n = n;
	t->forward = calloc(n, sizeof(*t->forward));
	t->inverse = calloc(n, sizeof(*t->inverse));
	if (!t->forward || !t->inverse) {
		fhe_ntt_free(t);
		return ERR_NOMEM;
	}
	root = power_var(ROOT, ROOT_ORDER / (2 * n));
	powers_fill(t->forward, n, root);
	powers_fill(t->inverse, n, power_var(root, 2 * n - 1));
	t->inverse_n = factor_of_var(power_var(n, PRIME - 2));
	*ret_ntt = t;
	return ERR_OK;
}

void fhe_ntt_free(struct fhe_ntt *t)
{
	if (!t)
		return;
	free(t->forward);
	free(t->inverse);
	free(t);
}

/* ---- secrets ---- */

static inline const struct factor *key_factors(const struct fhe_ntt_key *key, size_t j)
{
	/* Secrets are aligned for anything. */
	const struct factor *all = (const struct factor *)(const void *)key->values.p;

	return &all[j * key->ntt->n];
}

enum err fhe_ntt_key_new(struct fhe_ntt_key *ret_key, const struct fhe_ntt *ntt, struct bytes bits,
			 bool reversed)
{
	size_t n = ntt->n, k = bits.n / n;
	struct fhe_ntt_key key = {.ntt = ntt, .k = k};
	struct secret work;
	struct factor *factors;
	uint64_t *a;

	if (k == 0 || k > FHE_NTT_POLYNOMIALS_MAX || bits.n % n != 0)
		return ERR_RANGE;
	TRY(secret_alloc(&key.values, k * n * sizeof(struct factor)));
	if (secret_alloc(&work, n * sizeof(uint64_t)) != ERR_OK) {
		secret_free(&key.values);
		return ERR_NOMEM;
	}
	a = (uint64_t *)(void *)work.p;
	factors = (struct factor *)(void *)key.values.p;
	for (size_t j = 0; j < k; j++) {
		for (size_t i = 0; i < n; i++)
			a[i] = bits.p[j * n + (reversed ? n - 1 - i : i)];
		transform(ntt, a);
		/* The factor 1/n of the way back is put in here, once. */
		for (size_t i = 0; i < n; i++) {
			uint64_t w = reduce_once(times(a[i], ntt->inverse_n), PRIME);

			factors[j * n + i] = (struct factor){w, shoup_of(w)};
		}
	}
	secret_free(&work);
	*ret_key = key;
	return ERR_OK;
}

void fhe_ntt_key_free(struct fhe_ntt_key *key)
{
	secret_free(&key->values);
	*key = (struct fhe_ntt_key){0};
}

/* ---- products ---- */

size_t fhe_ntt_scratch_size(size_t n)
{
	return 2 * n * sizeof(uint64_t);
}

static void limb_take(uint64_t *a, const uint8_t *words, size_t n, unsigned width, unsigned shift)
{
	if (width == 8) {
		for (size_t i = 0; i < n; i++)
			a[i] = (fhe_word_u64(words, i) >> shift) &
			       ((UINT64_C(1) << LIMB_BITS_64) - 1);
		return;
	}
	for (size_t i = 0; i < n; i++)
		a[i] = (uint64_t)(fhe_word_u128(words, i) >> shift) &
		       ((UINT64_C(1) << LIMB_BITS_128) - 1);
}

/* Residues in [0, 2 PRIME) stand for integers around zero. */
static void limb_add(fhe_u128 *sum, const uint64_t *residues, size_t n, unsigned shift)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t r = reduce_once(residues[i], PRIME);
		uint64_t negative = negative_mask(PRIME / 2 - r);
		uint64_t low = r - (PRIME & negative);

		sum[i] += ((fhe_u128)negative << 64 | low) << shift;
	}
}

void fhe_ntt_product(const struct fhe_ntt_key *key, const uint8_t *words, unsigned width,
		     fhe_u128 *ret_sum, uint64_t *scratch)
{
	size_t n = key->ntt->n;
	unsigned step = width == 8 ? LIMB_BITS_64 : LIMB_BITS_128;
	uint64_t *a = scratch, *total = &scratch[n];

	memset(ret_sum, 0, n * sizeof(*ret_sum));
	for (unsigned shift = 0; shift < 8 * width; shift += step) {
		memset(total, 0, n * sizeof(*total));
		for (size_t j = 0; j < key->k; j++) {
			const struct factor *s = key_factors(key, j);

			limb_take(a, &words[j * n * width], n, width, shift);
			transform(key->ntt, a);
			for (size_t i = 0; i < n; i++)
				total[i] = reduce_once(total[i] + times(a[i], s[i]), 2 * PRIME);
		}
		transform_back(key->ntt, total);
		limb_add(ret_sum, total, n, shift);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/server/rns.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "fhe/server/rns_internal.h"

/*
 * The largest primes below 2^50 that are 1 modulo 2^14, with an element of order 2^14 each. 50
 * bits: CPUs with 52-bit multipliers keep two bits for sums, others fourteen, so that the portable
 * transforms need no conditional subtraction at all.
 */
enum {
	ROOT_ORDER_LOG = 14,
	PRIME_LOG = 50,
	BITS_LOST = 2,      /* sums stay below a quarter of the product of the primes */
	FRACTION_BITS = 46, /* of a prime's share of that product */
	ALIGNMENT = 64,
	HUGE_PAGE = 2 << 20,
};

static const struct {
	uint64_t p, root;
} primes[FHE_RNS_PRIMES_MAX] = {
	{UINT64_C(0x3ffffffffc001), UINT64_C(0x373c3c6538c08)},
	{UINT64_C(0x3fffffffcc001), UINT64_C(0x3e56dc60c9f3e)},
	{UINT64_C(0x3ffffffef4001), UINT64_C(0x135904dd33289)},
	{UINT64_C(0x3ffffffe94001), UINT64_C(0x26e45bee05924)},
};

/* ---- arithmetic ---- */

static uint64_t multiply(uint64_t a, uint64_t b, uint64_t p)
{
	return (uint64_t)((fhe_u128)a * b % p);
}

static uint64_t power(uint64_t a, uint64_t e, uint64_t p)
{
	uint64_t result = 1;

	for (; e > 0; e >>= 1) {
		if (e & 1)
			result = multiply(result, a, p);
		a = multiply(a, a, p);
	}
	return result;
}

static struct fhe_rns_factor factor_of(uint64_t w, uint64_t p)
{
	return (struct fhe_rns_factor){w, (uint64_t)(((fhe_u128)w << 64) / p)};
}

/* ---- transforms for any CPU ---- */

/* Cooley-Tukey, natural to bit-reversed order, negacyclic. A level adds at most 2 p, twelve of them
 * stay far below 2^64. */
static void portable_forward(const struct fhe_rns *t, const struct fhe_rns_prime *q, uint64_t *a)
{
	const uint64_t p = q->p;

	for (size_t m = 1, half = t->n / 2; half > 0; m *= 2, half /= 2) {
		for (size_t i = 0; i < m; i++) {
			const struct fhe_rns_factor f = q->forward[m + i];
			uint64_t *x = &a[2 * i * half], *y = &x[half];

			for (size_t j = 0; j < half; j++) {
				uint64_t u = x[j], v = fhe_rns_times(y[j], f, p);

				x[j] = u + v;
				y[j] = u - v + 2 * p;
			}
		}
	}
	for (size_t i = 0; i < t->n; i++)
		a[i] = fhe_rns_reduce(fhe_rns_times(a[i], q->one, p), p);
}

/* Gentleman-Sande, the way back. Values below 4 p in; each level doubles them, and before the last
 * of twelve they are below 2^63. */
static void portable_backward(const struct fhe_rns *t, const struct fhe_rns_prime *q, uint64_t *a)
{
	const uint64_t p = q->p;
	uint64_t bound = 4 * p;
	size_t half = 1;

	for (size_t m = t->n / 2; m > 1; m /= 2, half *= 2, bound *= 2) {
		for (size_t i = 0; i < m; i++) {
			const struct fhe_rns_factor f = q->inverse[m + i];
			uint64_t *x = &a[2 * i * half], *y = &x[half];

			for (size_t j = 0; j < half; j++) {
				uint64_t u = x[j], v = y[j];

				x[j] = u + v;
				y[j] = fhe_rns_times(u - v + bound, f, p);
			}
		}
	}
	for (size_t j = 0; j < half; j++) {
		uint64_t u = a[j], v = a[half + j];

		a[j] = fhe_rns_times(u + v, q->last_sum, p);
		a[half + j] = fhe_rns_times(u - v + bound, q->last_difference, p);
	}
}

static void portable_multiply(const struct fhe_rns *t, const struct fhe_rns_prime *q, size_t rows,
			      const uint64_t *digits, const uint64_t *words, uint64_t *ret_residues)
{
	for (size_t i = 0; i < t->n; i++) {
		fhe_u128 sum = 0;

		for (size_t r = 0; r < rows; r++)
			sum += (fhe_u128)digits[r * t->n + i] * words[r * t->n + i];
		ret_residues[i] = fhe_rns_times((uint64_t)(sum >> 64), q->two_64, q->p) +
				  fhe_rns_times((uint64_t)sum, q->one, q->p);
	}
	portable_backward(t, q, ret_residues);
}

static const struct fhe_rns_kernel portable_kernel = {
	.name = "portable",
	.size_min = FHE_RNS_SIZE_MIN,
	.forward = portable_forward,
	.multiply = portable_multiply,
};

/* ---- tables ---- */

static size_t bits_reversed(size_t i, size_t n)
{
	size_t result = 0;

	for (; n > 1; n >>= 1, i >>= 1)
		result = result << 1 | (i & 1);
	return result;
}

static void powers_fill(struct fhe_rns_factor *table, size_t n, uint64_t root, uint64_t p)
{
	uint64_t w = 1;

	for (size_t i = 0; i < n; i++) {
		table[bits_reversed(i, n)] = factor_of(w, p);
		w = multiply(w, root, p);
	}
}

static enum err prime_fill(struct fhe_rns *t, unsigned i)
{
	struct fhe_rns_prime *q = &t->primes[i];
	uint64_t p = primes[i].p, scale = t->n % p;
	uint64_t root = power(primes[i].root, (UINT64_C(1) << ROOT_ORDER_LOG) / (2 * t->n), p);

	*q = (struct fhe_rns_prime){
		.p = p,
		.forward = calloc(t->n, sizeof(*q->forward)),
		.inverse = calloc(t->n, sizeof(*q->inverse)),
		.one = factor_of(1, p),
		.two_64 = factor_of((uint64_t)(((fhe_u128)1 << 64) % p), p),
		.two_52 = factor_of((UINT64_C(1) << 52) % p, p),
		.others = 1,
		.fraction = (uint64_t)(((fhe_u128)1 << (64 + FRACTION_BITS)) / p),
	};
	if (!q->forward || !q->inverse)
		return ERR_NOMEM;
	powers_fill(q->forward, t->n, root, p);
	powers_fill(q->inverse, t->n, power(root, 2 * t->n - 1, p), p);
	for (unsigned j = 0; j < t->primes_n; j++) {
		if (j == i)
			continue;
		q->others *= primes[j].p;
		scale = multiply(scale, primes[j].p % p, p);
	}
	scale = power(scale, p - 2, p);
	q->last_sum = factor_of(scale, p);
	q->last_difference = factor_of(multiply(scale, q->inverse[1].w, p), p);
	return ERR_OK;
}

static enum err tables_fill(struct fhe_rns *t)
{
	t->product = 1;
	for (unsigned i = 0; i < t->primes_n; i++) {
		TRY(prime_fill(t, i));
		t->product *= primes[i].p;
	}
	return t->kernel->prepare ? t->kernel->prepare(t) : ERR_OK;
}

enum err fhe_rns_new(struct fhe_rns **ret_rns, size_t n, unsigned width, bool portable)
{
	const struct fhe_rns_kernel *fast = portable ? NULL : fhe_rns_kernel_ifma();
	struct fhe_rns *t;
	enum err e;

	if (n < FHE_RNS_SIZE_MIN || n > FHE_RNS_SIZE_MAX || (n & (n - 1)) != 0 ||
	    (width != 8 && width != 16))
		return ERR_RANGE;
	t = calloc(1, sizeof(*t));
	if (!t)
		return ERR_NOMEM;
	t->kernel = fast && n >= fast->size_min ? fast : &portable_kernel;
	t->n = n;
	t->width = width;
	t->primes_n = width == 16 ? 4 : 2;
	e = tables_fill(t);
	if (e != ERR_OK) {
		fhe_rns_free(t);
		return e;
	}
	*ret_rns = t;
	return ERR_OK;
}

void fhe_rns_free(struct fhe_rns *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->primes_n; i++) {
		free(t->primes[i].forward);
		free(t->primes[i].inverse);
		free(t->primes[i].lanes);
	}
	free(t);
}

unsigned fhe_rns_primes(const struct fhe_rns *t)
{
	return t->primes_n;
}

const char *fhe_rns_kernel(const struct fhe_rns *t)
{
	return t->kernel->name;
}

bool fhe_rns_fits(const struct fhe_rns *t, size_t rows, unsigned digit_log)
{
	unsigned bits = 8 * t->width + digit_log - 1;

	if (rows == 0 || rows > FHE_RNS_ROWS_MAX || digit_log == 0 ||
	    digit_log > FHE_RNS_DIGIT_LOG_MAX)
		return false;
	for (size_t terms = rows * t->n; terms > 1; terms = (terms + 1) / 2)
		bits++;
	return bits <= PRIME_LOG * t->primes_n - BITS_LOST;
}

uint64_t *fhe_rns_alloc(size_t n)
{
	if (n > SIZE_MAX / sizeof(uint64_t) - ALIGNMENT)
		return NULL;
	return aligned_alloc(ALIGNMENT,
			     (n * sizeof(uint64_t) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
}

/* ---- there and back ---- */

void fhe_rns_words(const struct fhe_rns *t, unsigned i, const uint8_t *words, uint64_t *ret_values)
{
	const struct fhe_rns_prime *q = &t->primes[i];
	const uint64_t p = q->p;

	for (size_t h = 0; h < t->n; h++) {
		uint64_t v;

		if (t->width == 8)
			v = fhe_rns_times(fhe_word_u64(words, h), q->one, p);
		else
			v = fhe_rns_times(fhe_word_u64(words, 2 * h + 1), q->two_64, p) +
			    fhe_rns_times(fhe_word_u64(words, 2 * h), q->one, p);
		ret_values[h] = fhe_rns_reduce(v, 2 * p);
	}
	t->kernel->forward(t, q, ret_values);
}

void fhe_rns_digits(const struct fhe_rns *t, unsigned i, const int64_t *digits,
		    uint64_t *ret_values)
{
	const struct fhe_rns_prime *q = &t->primes[i];

	for (size_t h = 0; h < t->n; h++)
		ret_values[h] = (uint64_t)(digits[h] + (int64_t)q->p);
	t->kernel->forward(t, q, ret_values);
}

void fhe_rns_multiply(const struct fhe_rns *t, unsigned i, size_t rows, const uint64_t *digits,
		      const uint64_t *words, uint64_t *ret_residues)
{
	t->kernel->multiply(t, &t->primes[i], rows, digits, words, ret_residues);
}

/*
 * With the factors of the last step in them, the residues y_i give x = sum of y_i * others_i - c *
 * product. As x is tiny beside the product, c is the sum of y_i / p_i, rounded; 46 bits of fraction
 * are plenty.
 */
void fhe_rns_add(const struct fhe_rns *t, const uint64_t *residues, size_t stride, fhe_u128 *sum)
{
	const unsigned shift = t->width == 8 ? 64 : 0;

	for (size_t h = 0; h < t->n; h++) {
		uint64_t share = UINT64_C(1) << (FRACTION_BITS - 1);
		fhe_u128 x = 0;

		for (unsigned i = 0; i < t->primes_n; i++) {
			uint64_t y = residues[i * stride + h];

			x += t->primes[i].others * y;
			share += (uint64_t)((fhe_u128)y * t->primes[i].fraction >> 64);
		}
		x -= t->product * (share >> FRACTION_BITS);
		sum[h] += x << shift;
	}
}

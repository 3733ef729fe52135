/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/gf16.h"

#include <string.h>

/* Powers of X, twice, and which power an element is. */
static const uint8_t power[2 * GF16_SIZE - 2] = {1, 2, 4, 8, 3, 6, 12, 11, 5, 10, 7, 14, 15, 13, 9,
						 1, 2, 4, 8, 3, 6, 12, 11, 5, 10, 7, 14, 15, 13, 9};
static const uint8_t logarithm[GF16_SIZE] = {0, 0, 1, 4, 2, 8, 5, 10, 3, 14, 9, 7, 6, 13, 11, 12};

uint8_t gf16_mul_var(uint8_t a, uint8_t b)
{
	return a && b ? power[logarithm[a] + logarithm[b]] : 0;
}

uint8_t gf16_inv_var(uint8_t a)
{
	return a ? power[GF16_SIZE - 1 - logarithm[a]] : 0;
}

uint8_t gf16_eval_var(const uint8_t *coefficients, size_t dim, uint8_t x)
{
	uint8_t sum = 0;

	while (dim-- > 0)
		sum = gf16_mul_var(sum, x) ^ coefficients[dim];
	return sum;
}

/* ---- polynomials: c[0 .. n - 1], c[n - 1] != 0; n = 0 is zero ---- */

enum {
	COEFFICIENTS_MAX = GF16_WORD_MAX + 1
};

struct poly {
	uint8_t c[COEFFICIENTS_MAX];
	size_t n;
};

static void trim(struct poly *p)
{
	while (p->n > 0 && p->c[p->n - 1] == 0)
		p->n--;
}

/* p := p * (Z + root) */
static void mul_root(struct poly *p, uint8_t root)
{
	p->c[p->n] = 0;
	for (size_t i = p->n++; i > 0; i--)
		p->c[i] = p->c[i - 1] ^ gf16_mul_var(p->c[i], root);
	p->c[0] = gf16_mul_var(p->c[0], root);
}

/* a := a + s Z^shift b */
static void add_shifted(struct poly *a, const struct poly *b, uint8_t s, size_t shift)
{
	if (a->n < b->n + shift) {
		memset(&a->c[a->n], 0, b->n + shift - a->n);
		a->n = b->n + shift;
	}
	for (size_t i = 0; i < b->n; i++)
		a->c[i + shift] ^= gf16_mul_var(b->c[i], s);
	trim(a);
}

/* What Newton's interpolation needs no division of polynomials for: f := f + correction * g0 for
 * each next place, g0 growing along. */
static void interpolate(struct poly *f, struct poly *g0, const uint8_t *x, const uint8_t *y,
			size_t n)
{
	*f = (struct poly){0};
	*g0 = (struct poly){{1}, 1};
	for (size_t i = 0; i < n; i++) {
		uint8_t miss = y[i] ^ gf16_eval_var(f->c, f->n, x[i]);
		uint8_t at = gf16_eval_var(g0->c, g0->n, x[i]);

		if (miss)
			add_shifted(f, g0, gf16_mul_var(miss, gf16_inv_var(at)), 0);
		mul_root(g0, x[i]);
	}
}

/* (a, ta) := (a mod b, ta + quotient * tb). b is not zero. */
static void reduce(struct poly *a, struct poly *ta, const struct poly *b, const struct poly *tb)
{
	uint8_t inverse = gf16_inv_var(b->c[b->n - 1]);

	while (a->n >= b->n) {
		uint8_t q = gf16_mul_var(a->c[a->n - 1], inverse);
		size_t shift = a->n - b->n;

		add_shifted(a, b, q, shift);
		add_shifted(ta, tb, q, shift);
	}
}

enum err gf16_decode_var(uint8_t *ret_coefficients, size_t dim, const uint8_t *x, const uint8_t *y,
			 size_t n, size_t radius)
{
	struct poly r[2], t[2] = {{.n = 0}, {{1}, 1}};
	unsigned low = 1;
	size_t wrong = 0;

	if (dim == 0 || n > GF16_WORD_MAX || n < dim + 2 * radius)
		return ERR_RANGE;
	interpolate(&r[1], &r[0], x, y, n);
	/* Until 2 deg r < n + dim. */
	while (r[low].n > 0 && 2 * (r[low].n - 1) >= n + dim) {
		reduce(&r[1 - low], &t[1 - low], &r[low], &t[low]);
		low = 1 - low;
	}

	/* The error locator divides what is left, or there are too many errors. */
	struct poly quotient = {0};
	struct poly *locator = &t[low], one = {{1}, 1};

	if (locator->n == 0 || locator->n - 1 > radius)
		return ERR_MISMATCH;
	if (r[low].n > 0) {
		if (r[low].n >= locator->n + dim)
			return ERR_MISMATCH;
		reduce(&r[low], &quotient, locator, &one);
		if (r[low].n > 0)
			return ERR_MISMATCH;
	}
	for (size_t i = 0; i < n; i++)
		wrong += gf16_eval_var(quotient.c, quotient.n, x[i]) != y[i];
	if (quotient.n > dim || wrong > radius)
		return ERR_MISMATCH;
	memset(ret_coefficients, 0, dim);
	memcpy(ret_coefficients, quotient.c, quotient.n);
	return ERR_OK;
}

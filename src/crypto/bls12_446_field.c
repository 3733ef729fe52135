/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The prime field of BLS12-446 and its extension by a root of -1. */
#include <endian.h>

#include "crypto/bls12_446_internal.h"

/* -1 / PRIME modulo 2^64. */
#define PRIME_FACTOR UINT64_C(0xcd63fd900035fffd)

static const struct bls_fp prime = {
	{0x311c0026aab0aaab, 0x56ee4528c573b5cc, 0x824e6dc3e23acdee, 0x0f75a64bbac71602,
	 0x0095a4b78a02fe32, 0x200fc34965aad640, 0x3cdee0fb28c5e535},
};
static const struct bls_fp twice_prime = {
	{0x6238004d55615556, 0xaddc8a518ae76b98, 0x049cdb87c4759bdc, 0x1eeb4c97758e2c05,
	 0x012b496f1405fc64, 0x401f8692cb55ac80, 0x79bdc1f6518bca6a},
};
const struct bls_coord bls_coord_one = {{
	{{0x3b8fff65553d5554, 0xa446eb5cea3128cf, 0xf6c648f07714c846, 0xc22966d114e3a7f5,
	  0xfda96d21d7f40737, 0x7fc0f2da6954a6ff, 0x0c847c135ce86b2b}},
}};

/* ---- the prime field ---- */

void bls_fp_add(struct bls_fp *r, const struct bls_fp *a, const struct bls_fp *b)
{
	uint64_t sum[BLS_FIELD_LIMBS], carry = 0;

	for (size_t i = 0; i < BLS_FIELD_LIMBS; i++) {
		bls_u128 t = (bls_u128)a->l[i] + b->l[i] + carry;

		sum[i] = (uint64_t)t;
		carry = (uint64_t)(t >> 64);
	}
	bls_reduce_once(r->l, sum, twice_prime.l, BLS_FIELD_LIMBS);
}

void bls_fp_subtract(struct bls_fp *r, const struct bls_fp *a, const struct bls_fp *b)
{
	uint64_t d[BLS_FIELD_LIMBS], borrow = 0, carry = 0, mask;

	for (size_t i = 0; i < BLS_FIELD_LIMBS; i++)
		d[i] = bls_subtract(a->l[i], b->l[i], &borrow);
	mask = bls_mask(borrow);
	for (size_t i = 0; i < BLS_FIELD_LIMBS; i++) {
		bls_u128 t = (bls_u128)d[i] + (twice_prime.l[i] & mask) + carry;

		r->l[i] = (uint64_t)t;
		carry = (uint64_t)(t >> 64);
	}
}

/*
 * P. Montgomery, "Modular multiplication without trial division", word by word. Since four times
 * the prime is below 2^448, factors below twice the prime give a product below it again, and no
 * intermediate sum has more than 8 limbs.
 */
void bls_fp_multiply(struct bls_fp *r, const struct bls_fp *a, const struct bls_fp *b)
{
	uint64_t t[BLS_FIELD_LIMBS] = {0};

#pragma GCC unroll 7
	for (size_t i = 0; i < BLS_FIELD_LIMBS; i++) {
		uint64_t carry = 0, fold_carry = 0, fold;

		t[0] = bls_multiply_add(a->l[0], b->l[i], t[0], &carry);
		fold = t[0] * PRIME_FACTOR;
		(void)bls_multiply_add(fold, prime.l[0], t[0], &fold_carry);
#pragma GCC unroll 7
		for (size_t j = 1; j < BLS_FIELD_LIMBS; j++) {
			uint64_t v = bls_multiply_add(a->l[j], b->l[i], t[j], &carry);

			t[j - 1] = bls_multiply_add(fold, prime.l[j], v, &fold_carry);
		}
		t[BLS_FIELD_LIMBS - 1] = carry + fold_carry;
	}
	memcpy(r->l, t, sizeof(t));
}

void bls_fp_normalize(struct bls_fp *r, const struct bls_fp *a)
{
	bls_reduce_once(r->l, a->l, prime.l, BLS_FIELD_LIMBS);
}

enum {
	WINDOW_BITS = 4,
	WINDOWS = BLS_FIELD_LIMBS * 64 / WINDOW_BITS,
};

/* Fermat: a^(prime - 2). The exponent is public. */
void bls_fp_invert(struct bls_fp *r, const struct bls_fp *a)
{
	struct bls_fp powers[1 << WINDOW_BITS], result = bls_coord_one.c[0];
	struct bls_fp exponent = prime;

	exponent.l[0] -= 2;
	powers[0] = bls_coord_one.c[0];
	for (size_t i = 1; i < ARRAY_LEN(powers); i++)
		bls_fp_multiply(&powers[i], &powers[i - 1], a);
	for (size_t i = WINDOWS; i-- > 0;) {
		size_t at = i * WINDOW_BITS;
		uint64_t digit = exponent.l[at / 64] >> at % 64 & (ARRAY_LEN(powers) - 1);

		for (int k = 0; k < WINDOW_BITS; k++)
			bls_fp_multiply(&result, &result, &result);
		bls_fp_multiply(&result, &result, &powers[digit]);
	}
	*r = result;
	secret_wipe(powers, sizeof(powers));
}

bool bls_fp_read_var(struct bls_fp *ret_fp, const uint8_t in[BLS12_446_FIELD_SIZE])
{
	struct bls_fp a;
	uint64_t borrow = 0;

	memcpy(a.l, in, sizeof(a.l));
	for (size_t i = 0; i < BLS_FIELD_LIMBS; i++) {
		a.l[i] = le64toh(a.l[i]);
		(void)bls_subtract(a.l[i], prime.l[i], &borrow);
	}
	if (!borrow)
		return false;
	*ret_fp = a;
	return true;
}

void bls_fp_write(const struct bls_fp *a, uint8_t out[BLS12_446_FIELD_SIZE])
{
	struct bls_fp v;

	bls_fp_normalize(&v, a);
	for (size_t i = 0; i < BLS_FIELD_LIMBS; i++)
		v.l[i] = htole64(v.l[i]);
	memcpy(out, v.l, sizeof(v.l));
}

/* ---- coordinates ---- */

void bls_coord_add(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a,
		   const struct bls_coord *b)
{
	bls_fp_add(&r->c[0], &a->c[0], &b->c[0]);
	if (g == BLS12_446_G2)
		bls_fp_add(&r->c[1], &a->c[1], &b->c[1]);
}

void bls_coord_subtract(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a,
			const struct bls_coord *b)
{
	bls_fp_subtract(&r->c[0], &a->c[0], &b->c[0]);
	if (g == BLS12_446_G2)
		bls_fp_subtract(&r->c[1], &a->c[1], &b->c[1]);
}

/* Karatsuba: a0 b0 - a1 b1 and (a0 + a1) (b0 + b1) - a0 b0 - a1 b1. */
void bls_coord_multiply(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a,
			const struct bls_coord *b)
{
	struct bls_fp low, high, sum_a, sum_b;

	if (g == BLS12_446_G1) {
		bls_fp_multiply(&r->c[0], &a->c[0], &b->c[0]);
		return;
	}
	bls_fp_add(&sum_a, &a->c[0], &a->c[1]);
	bls_fp_add(&sum_b, &b->c[0], &b->c[1]);
	bls_fp_multiply(&low, &a->c[0], &b->c[0]);
	bls_fp_multiply(&high, &a->c[1], &b->c[1]);
	bls_fp_multiply(&sum_a, &sum_a, &sum_b);
	bls_fp_subtract(&r->c[0], &low, &high);
	bls_fp_subtract(&sum_a, &sum_a, &low);
	bls_fp_subtract(&r->c[1], &sum_a, &high);
}

/* 1 / (a0 + a1 u) = (a0 - a1 u) / (a0^2 + a1^2) */
void bls_coord_invert(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a)
{
	static const struct bls_fp zero;
	struct bls_fp norm, square;

	if (g == BLS12_446_G1) {
		bls_fp_invert(&r->c[0], &a->c[0]);
		return;
	}
	bls_fp_multiply(&norm, &a->c[0], &a->c[0]);
	bls_fp_multiply(&square, &a->c[1], &a->c[1]);
	bls_fp_add(&norm, &norm, &square);
	bls_fp_invert(&norm, &norm);
	bls_fp_multiply(&r->c[0], &a->c[0], &norm);
	bls_fp_multiply(&r->c[1], &a->c[1], &norm);
	bls_fp_subtract(&r->c[1], &zero, &r->c[1]);
}

void bls_coord_normalize(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a)
{
	bls_fp_normalize(&r->c[0], &a->c[0]);
	if (g == BLS12_446_G2)
		bls_fp_normalize(&r->c[1], &a->c[1]);
}

void bls_coord_multiply_b(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a)
{
	struct bls_fp difference;

	if (g == BLS12_446_G1) {
		r->c[0] = a->c[0];
		return;
	}
	bls_fp_subtract(&difference, &a->c[0], &a->c[1]);
	bls_fp_add(&r->c[1], &a->c[0], &a->c[1]);
	r->c[0] = difference;
}

bool bls_coord_equal_var(enum bls12_446_group g, const struct bls_coord *a,
			 const struct bls_coord *b)
{
	struct bls_coord x, y;

	bls_coord_normalize(g, &x, a);
	bls_coord_normalize(g, &y, b);
	return memcmp(&x.c[0], &y.c[0], sizeof(x.c[0])) == 0 &&
	       (g == BLS12_446_G1 || memcmp(&x.c[1], &y.c[1], sizeof(x.c[1])) == 0);
}

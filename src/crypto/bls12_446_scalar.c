/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Numbers modulo the order of the groups of BLS12-446: Montgomery form with 2^320, below the order.
 */
#include <endian.h>

#include "base/rng.h"
#include "crypto/bls12_446_internal.h"

enum {
	LIMBS = BLS12_446_SCALAR_LIMBS,
	DRAW_LIMBS = 7,
	DRAW_LOW_LIMBS = 4, /* so that both halves are below 2^256 */
};

/* -1 / order modulo 2^64. */
#define ORDER_FACTOR UINT64_C(0x03c800040003ffff)

const struct bls12_446_scalar bls_order = {
	{0x0428001400040001, 0x7bb9b0e8d8ca3461, 0xd04c98ccc4c050bc, 0x7995b34995830fa4,
	 0x00000511b70539f2},
};
/* 2^320, 2^640 and 2^896 modulo the order. */
static const struct bls12_446_scalar one = {
	{0xd91df9bdfeb57fba, 0xc54adc7163925b94, 0xe6a96812463b8454, 0xe30cfb868826a1d2,
	 0x000002a0063d2baa},
};
static const struct bls12_446_scalar to_montgomery = {
	{0x26e56f2d4b7b0453, 0xddf4c3c1add8a85b, 0x2c37e21ccb7faf11, 0xb4d6c21b7813c436,
	 0x000001e4a5566ce6},
};
static const struct bls12_446_scalar to_montgomery_high = {
	{0x1fb72efef06e106e, 0xcfcfbf43d7181a6e, 0x867fc203384ac047, 0x54bf28054b5e9ccb,
	 0x00000175ddd01d67},
};

/* One factor below the order, the other below 2^299: the sums stay below 2^320. */
void bls12_446_scalar_multiply(struct bls12_446_scalar *r, const struct bls12_446_scalar *a,
			       const struct bls12_446_scalar *b)
{
	uint64_t t[LIMBS] = {0};

	for (size_t i = 0; i < LIMBS; i++) {
		uint64_t carry = 0, fold_carry = 0, fold;

		t[0] = bls_multiply_add(a->l[0], b->l[i], t[0], &carry);
		fold = t[0] * ORDER_FACTOR;
		(void)bls_multiply_add(fold, bls_order.l[0], t[0], &fold_carry);
		for (size_t j = 1; j < LIMBS; j++) {
			uint64_t v = bls_multiply_add(a->l[j], b->l[i], t[j], &carry);

			t[j - 1] = bls_multiply_add(fold, bls_order.l[j], v, &fold_carry);
		}
		t[LIMBS - 1] = carry + fold_carry;
	}
	bls_reduce_once(r->l, t, bls_order.l, LIMBS);
	secret_wipe(t, sizeof(t));
}

void bls12_446_scalar_power(struct bls12_446_scalar *r, const struct bls12_446_scalar *a,
			    uint64_t exponent)
{
	struct bls12_446_scalar square = *a, result = one;

	for (; exponent > 0; exponent >>= 1) {
		if (exponent & 1)
			bls12_446_scalar_multiply(&result, &result, &square);
		bls12_446_scalar_multiply(&square, &square, &square);
	}
	*r = result;
	secret_wipe(&square, sizeof(square));
	secret_wipe(&result, sizeof(result));
}

static void add(struct bls12_446_scalar *r, const struct bls12_446_scalar *a,
		const struct bls12_446_scalar *b)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < LIMBS; i++) {
		bls_u128 t = (bls_u128)a->l[i] + b->l[i] + carry;

		r->l[i] = (uint64_t)t;
		carry = (uint64_t)(t >> 64);
	}
	bls_reduce_once(r->l, r->l, bls_order.l, LIMBS);
}

void bls12_446_scalar_draw(struct bls12_446_scalar *ret_scalar, struct rng *rng)
{
	struct bls12_446_scalar low = {{0}}, high = {{0}};
	uint64_t drawn[DRAW_LIMBS], any = 0, zero;

	rng_fill(rng, (uint8_t *)drawn, sizeof(drawn));
	for (size_t i = 0; i < DRAW_LIMBS; i++) {
		struct bls12_446_scalar *half = i < DRAW_LOW_LIMBS ? &low : &high;

		half->l[i % DRAW_LOW_LIMBS] = le64toh(drawn[i]);
	}
	bls12_446_scalar_multiply(&low, &low, &to_montgomery);
	bls12_446_scalar_multiply(&high, &high, &to_montgomery_high);
	add(&low, &low, &high);
	for (size_t i = 0; i < LIMBS; i++)
		any |= low.l[i];
	/* The top bit of any | -any is 0 for 0 only. */
	zero = bls_mask(1 & ~((any | (0 - any)) >> 63));
	for (size_t i = 0; i < LIMBS; i++)
		ret_scalar->l[i] = low.l[i] | (one.l[i] & zero);
	secret_wipe(drawn, sizeof(drawn));
	secret_wipe(&low, sizeof(low));
	secret_wipe(&high, sizeof(high));
}

void bls_scalar_value(uint64_t value[LIMBS], const struct bls12_446_scalar *a)
{
	static const struct bls12_446_scalar raw_one = {{1}};
	struct bls12_446_scalar v;

	bls12_446_scalar_multiply(&v, a, &raw_one);
	memcpy(value, v.l, sizeof(v.l));
	secret_wipe(&v, sizeof(v));
}

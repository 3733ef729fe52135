/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside BLS12-446: the field, its quadratic extension, and points. All functions are constant time
 * but those with _var in their name.
 */
#ifndef CRYPTO_BLS12_446_INTERNAL_H
#define CRYPTO_BLS12_446_INTERNAL_H

#include "crypto/bls12_446.h"

/* ISO C has no 128-bit integer; gcc and clang do on every 64-bit target. */
__extension__ typedef unsigned __int128 bls_u128;

enum {
	BLS_FIELD_LIMBS = 7,
};

/* a * b + c + *carry, which has 128 bits; the high half is the new carry. */
static inline uint64_t bls_multiply_add(uint64_t a, uint64_t b, uint64_t c, uint64_t *carry)
{
	bls_u128 t = (bls_u128)a * b + c + *carry;

	*carry = (uint64_t)(t >> 64);
	return (uint64_t)t;
}

/* a - b - *borrow, where a borrow is 0 or 1. */
static inline uint64_t bls_subtract(uint64_t a, uint64_t b, uint64_t *borrow)
{
	bls_u128 t = (bls_u128)a - b - *borrow;

	*borrow = (uint64_t)(t >> 64) & 1;
	return (uint64_t)t;
}

/* All ones if `bit` is 1, else 0. The compiler must not learn that there are only two results: it
 * would make a jump of them. */
static inline uint64_t bls_mask(uint64_t bit)
{
	uint64_t mask = 0 - bit;

	__asm__("" : "+r"(mask));
	return mask;
}

/* r = limbs of a - b if that is not negative, else of a. */
static inline void bls_reduce_once(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t limbs)
{
	uint64_t d[BLS_FIELD_LIMBS], borrow = 0, keep;

	for (size_t i = 0; i < limbs; i++)
		d[i] = bls_subtract(a[i], b[i], &borrow);
	keep = bls_mask(borrow);
	for (size_t i = 0; i < limbs; i++)
		r[i] = (a[i] & keep) | (d[i] & ~keep);
}

/* ---- the order of the groups ---- */

extern const struct bls12_446_scalar bls_order;

/* Out of Montgomery form. */
void bls_scalar_value(uint64_t value[BLS12_446_SCALAR_LIMBS], const struct bls12_446_scalar *a);

/* ---- the prime field: Montgomery form with 2^448, values below twice the prime ---- */

struct bls_fp {
	uint64_t l[BLS_FIELD_LIMBS];
};

void bls_fp_add(struct bls_fp *r, const struct bls_fp *a, const struct bls_fp *b);
void bls_fp_subtract(struct bls_fp *r, const struct bls_fp *a, const struct bls_fp *b);
void bls_fp_multiply(struct bls_fp *r, const struct bls_fp *a, const struct bls_fp *b);
/* 1 / a; 0 for 0. */
void bls_fp_invert(struct bls_fp *r, const struct bls_fp *a);
/* The representative below the prime. */
void bls_fp_normalize(struct bls_fp *r, const struct bls_fp *a);

/* False: not below the prime. */
bool bls_fp_read_var(struct bls_fp *ret_fp, const uint8_t in[BLS12_446_FIELD_SIZE]);
void bls_fp_write(const struct bls_fp *a, uint8_t out[BLS12_446_FIELD_SIZE]);

/* ---- coordinates: c[0] in G1, c[0] + c[1] u in G2. What a group has not is never touched. ---- */

struct bls_coord {
	struct bls_fp c[2];
};

extern const struct bls_coord bls_coord_one;

void bls_coord_add(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a,
		   const struct bls_coord *b);
void bls_coord_subtract(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a,
			const struct bls_coord *b);
void bls_coord_multiply(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a,
			const struct bls_coord *b);
void bls_coord_invert(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a);
void bls_coord_normalize(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a);
/* Times the constant b of the curve: 1, or 1 + u. */
void bls_coord_multiply_b(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a);
bool bls_coord_equal_var(enum bls12_446_group g, const struct bls_coord *a,
			 const struct bls_coord *b);

/* ---- points ---- */

/* Never the point at infinity. */
struct bls_affine {
	struct bls_coord x, y;
};

/* x/z, y/z; at infinity z is 0. */
struct bls_point {
	struct bls_coord x, y, z;
};

/* Multiples of one point of a group that is in the subgroup: for these the formulas have no special
 * case. */
void bls_point_add(enum bls12_446_group g, struct bls_point *r, const struct bls_point *a,
		   const struct bls_point *b);
void bls_point_double(enum bls12_446_group g, struct bls_point *r, const struct bls_point *a);

const struct bls_affine *bls_generator(enum bls12_446_group g);

#endif

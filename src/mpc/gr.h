/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The ring that secrets are shared in: GR(2^128, F) = Z_{2^128}[X] / F, F = X^4 + X + 1.
 *
 * A scalar, that is a number modulo 2^128, is an element whose other coefficients are zero. Modulo
 * 2 the ring is the field of 16 elements (gf16.h), and an element is a unit if it is not zero
 * there.
 *
 * Party i (from 1 on) owns the point alpha_i: the bits of i as coefficients, so alpha_1 = 1,
 * alpha_2 = X, alpha_3 = X + 1. alpha_0 = 0 is the secret's. Differences of points are units.
 *
 * Everything here takes the same time for every value, but gr_inv.
 */
#ifndef MPC_GR_H
#define MPC_GR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/u128.h"

enum {
	GR_DEGREE = 4,
	GR_SIZE = 64 /* bytes, encoded */
};

/* c[i] belongs to X^i. Which is also how it is written: 16 bytes each, little endian. */
struct gr {
	u128 c[GR_DEGREE];
};

static inline struct gr gr_scalar(u128 s)
{
	return (struct gr){{s}};
}

static inline bool gr_is_scalar_var(const struct gr *a)
{
	return (a->c[1] | a->c[2] | a->c[3]) == 0;
}

static inline bool gr_eq_var(const struct gr *a, const struct gr *b)
{
	return a->c[0] == b->c[0] && a->c[1] == b->c[1] && a->c[2] == b->c[2] && a->c[3] == b->c[3];
}

struct gr gr_point(unsigned party);

static inline struct gr gr_add(struct gr a, struct gr b)
{
	return (struct gr){{a.c[0] + b.c[0], a.c[1] + b.c[1], a.c[2] + b.c[2], a.c[3] + b.c[3]}};
}

static inline struct gr gr_sub(struct gr a, struct gr b)
{
	return (struct gr){{a.c[0] - b.c[0], a.c[1] - b.c[1], a.c[2] - b.c[2], a.c[3] - b.c[3]}};
}

/* sum += a * s */
static inline void gr_add_scaled(struct gr *sum, const struct gr *a, u128 s)
{
	for (unsigned i = 0; i < GR_DEGREE; i++)
		sum->c[i] += a->c[i] * s;
}

static inline struct gr gr_mul_scalar(const struct gr *a, u128 s)
{
	return (struct gr){{a->c[0] * s, a->c[1] * s, a->c[2] * s, a->c[3] * s}};
}

struct gr gr_mul(const struct gr *a, const struct gr *b);
struct gr gr_mul_x(struct gr a); /* by X */

/* Bit `plane` of every coefficient; plane 0 is the element modulo 2. */
uint8_t gr_bits(const struct gr *a, unsigned plane);

/* 1 / a, for public elements. ERR_RANGE where a is no unit. */
enum err gr_inv(struct gr *ret_inverse, const struct gr *a) MUST_USE;

/* Four scalars' sharings as one: their sum, each times X^j. What is not there is NULL. */
struct gr gr_pack(const struct gr *const shares[GR_DEGREE]);

/* ---- encoded ---- */

void gr_put(uint8_t out[GR_SIZE], const struct gr *a);
struct gr gr_get(const uint8_t in[GR_SIZE]);

#endif

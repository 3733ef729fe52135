/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * BLS12-446, the pairing curve of tfhe-zk-pok, as far as a common reference string needs it: its
 * two groups of prime order, multiples of their generators by secret numbers, and whether a point
 * that somebody sent is in its group. No pairing.
 *
 * G1 is y^2 = x^3 + 1 over a prime field of 446 bits, G2 is y^2 = x^3 + 1 + u over that field with
 * u^2 = -1. Coordinates cross this interface as tfhe-zk-pok stores them: seven little-endian words
 * that hold the number times 2^448 modulo the prime, below it; of G2 first the part without u.
 */
#ifndef CRYPTO_BLS12_446_H
#define CRYPTO_BLS12_446_H

#include "base/secret.h"

struct rng;

/* The number of a group is how many field elements a coordinate has. */
enum bls12_446_group {
	BLS12_446_G1 = 1,
	BLS12_446_G2 = 2,
};

enum {
	BLS12_446_FIELD_SIZE = 56,
	BLS12_446_G1_SIZE = 2 * BLS12_446_FIELD_SIZE, /* x and y */
	BLS12_446_G2_SIZE = 4 * BLS12_446_FIELD_SIZE,
	BLS12_446_SCALAR_LIMBS = 5,
};

static inline size_t bls12_446_point_size(enum bls12_446_group group)
{
	return group == BLS12_446_G1 ? BLS12_446_G1_SIZE : BLS12_446_G2_SIZE;
}

/* ---- numbers modulo the order of the groups (299 bits); constant time ---- */

/* Times 2^320, modulo the order, below it. */
struct bls12_446_scalar {
	uint64_t l[BLS12_446_SCALAR_LIMBS];
};

/* 56 bytes of `rng`, little endian, modulo the order; 1 in place of 0. The deviation from uniform
 * is below 2^-148. */
void bls12_446_scalar_draw(struct bls12_446_scalar *ret_scalar, struct rng *rng);
void bls12_446_scalar_multiply(struct bls12_446_scalar *r, const struct bls12_446_scalar *a,
			       const struct bls12_446_scalar *b);
/* Time depends on `exponent`. */
void bls12_446_scalar_power(struct bls12_446_scalar *r, const struct bls12_446_scalar *a,
			    uint64_t exponent);

/* ---- points from outside; variable time ---- */

/*
 * Are these the coordinates of a point on the curve? `p` has bls12_446_point_size. ERR_MALFORMED:
 * not below the prime, ERR_MISMATCH: not on the curve.
 */
enum err bls12_446_point_check_curve_var(enum bls12_446_group group, const uint8_t *p) MUST_USE;

/* The same, and in the subgroup of prime order; ERR_MISMATCH if not. Costs fifty times as much. */
enum err bls12_446_point_check_var(enum bls12_446_group group, const uint8_t *p) MUST_USE;

/* ---- multiples of a generator ---- */

/* Public tables for one group, immutable. */
struct bls12_446_base;

enum err bls12_446_base_new(struct bls12_446_base **ret_base, enum bls12_446_group group) MUST_USE;
void bls12_446_base_free(struct bls12_446_base *b);

enum {
	BLS12_446_BATCH_MAX = 1024
};

/* Secret memory for the multiples being computed; one thread at a time. */
struct bls12_446_batch {
	struct secret memory;
};

enum err bls12_446_batch_init(struct bls12_446_batch *batch) MUST_USE;
void bls12_446_batch_clear(struct bls12_446_batch *batch);

/*
 * The points a^first G to a^(first + count - 1) G, for `count` up to BLS12_446_BATCH_MAX and `a`
 * not 0, as coordinates one after the other. Constant time in `a`; much cheaper for many at once.
 * `out` is as public as the caller makes it.
 */
void bls12_446_base_powers(const struct bls12_446_base *base, struct bls12_446_batch *batch,
			   const struct bls12_446_scalar *a, uint64_t first, size_t count,
			   uint8_t *out);

#endif

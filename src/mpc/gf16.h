/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The field of 16 elements, GF(2)[X] / (X^4 + X + 1): what is left of the ring modulo 2. An element
 * is the low four bits of a byte, bit i belongs to X^i. By tables, so for public data only.
 *
 * On it, Gao's decoder of Reed-Solomon codes: Gao, "A new algorithm for decoding Reed-Solomon
 * codes", 2003.
 */
#ifndef MPC_GF16_H
#define MPC_GF16_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	GF16_SIZE = 16,
	GF16_WORD_MAX = 15 /* the longest word: one symbol for each point but 0 */
};

uint8_t gf16_mul_var(uint8_t a, uint8_t b);
uint8_t gf16_inv_var(uint8_t a); /* of 0: 0 */

/*
 * The polynomial f of degree below `dim` with f(x[i]) = y[i] in all but at most `radius` of the n
 * places, as its `dim` coefficients. The points are distinct. ERR_MISMATCH: there is none.
 * ERR_RANGE: dim = 0, or n < dim + 2 * radius (then it would not be the only one).
 */
enum err gf16_decode_var(uint8_t *ret_coefficients, size_t dim, const uint8_t *x, const uint8_t *y,
			 size_t n, size_t radius) MUST_USE;

/* f(x) */
uint8_t gf16_eval_var(const uint8_t *coefficients, size_t dim, uint8_t x);

#endif

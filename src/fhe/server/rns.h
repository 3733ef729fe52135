/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Exact products modulo X^n + 1 of polynomials with small signed coefficients ("digits") and
 * polynomials of 64-bit or 128-bit words: what evaluation keys are multiplied with.
 *
 * A sum of such products is an integer below 2^198 (2^98 for 64-bit words). It is computed
 * modulo four (two) primes of 50 bits, by number-theoretic transforms, and put together modulo
 * 2^128 (2^64) by the Chinese remainder theorem. Integers only; nothing is rounded.
 *
 * Everything here is public: ciphertexts and evaluation keys. Time may depend on them.
 */
#ifndef FHE_SERVER_RNS_H
#define FHE_SERVER_RNS_H

#include <stdbool.h>

#include "base/err.h"
#include "fhe/u128.h"

enum {
	FHE_RNS_PRIMES_MAX = 4,
	FHE_RNS_SIZE_MIN = 2,
	FHE_RNS_SIZE_MAX = 4096,
	FHE_RNS_ROWS_MAX = 12,      /* products in one sum */
	FHE_RNS_DIGIT_LOG_MAX = 40, /* digits lie in [-2^39, 2^39) */
};

/* Tables for one size and one width of words. Immutable; any thread. */
struct fhe_rns;

/*
 * `n`: a power of two in [FHE_RNS_SIZE_MIN, FHE_RNS_SIZE_MAX]; `width`: bytes of a word, 8 or 16;
 * else ERR_RANGE. `portable`: without the instructions that only some CPUs have. Transformed words
 * are good for the tables that made them only.
 */
enum err fhe_rns_new(struct fhe_rns **ret_rns, size_t n, unsigned width, bool portable) MUST_USE;
void fhe_rns_free(struct fhe_rns *t);

unsigned fhe_rns_primes(const struct fhe_rns *t);

/* The instructions in use: "portable" or "avx512ifma". */
const char *fhe_rns_kernel(const struct fhe_rns *t);

/* Do sums of `rows` products with digits of `digit_log` bits stay below what the primes can tell
 * apart? */
bool fhe_rns_fits(const struct fhe_rns *t, size_t rows, unsigned digit_log);

/* Room for values: `n` numbers, aligned for any kernel. NULL without memory; free() it. */
uint64_t *fhe_rns_alloc(size_t n);

/* The transform of n little-endian words modulo prime `i`, and of n digits. Values come from
 * fhe_rns_alloc and are full multiples of n apart. */
void fhe_rns_words(const struct fhe_rns *t, unsigned i, const uint8_t *words, uint64_t *ret_values);
void fhe_rns_digits(const struct fhe_rns *t, unsigned i, const int64_t *digits,
		    uint64_t *ret_values);

/* ret_residues[0..n-1]: of the sum over `rows` of digits_r(X) * words_r(X), both transformed modulo
 * prime `i`, rows of n values one after the other. */
void fhe_rns_multiply(const struct fhe_rns *t, unsigned i, size_t rows, const uint64_t *digits,
		      const uint64_t *words, uint64_t *ret_residues);

/*
 * Adds to sum[0..n-1] what the residues stand for: those modulo prime i begin at residues[i *
 * stride]. 64-bit words count as the upper halves of 128-bit ones.
 */
void fhe_rns_add(const struct fhe_rns *t, const uint64_t *residues, size_t stride, fhe_u128 *sum);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Products of a public polynomial and a secret binary one, modulo X^n + 1, one coefficient at a
 * time.
 *
 * `words` are n little-endian words (public), `bits` are n bytes of 0 or 1 (secret). Constant time:
 * indices depend on positions only, a bit becomes a mask.
 */
#ifndef FHE_NEGACYCLIC_H
#define FHE_NEGACYCLIC_H

#include "fhe/u128.h"

/* Coefficient h of words(X) * bits(X): sum of words[h-t] for t <= h, minus words[n+h-t] for t > h.
 */
static inline fhe_u128 fhe_negacyclic_u128(const uint8_t *words, const uint8_t *bits, size_t n,
					   size_t h)
{
	fhe_u128 sum = 0;

	for (size_t t = 0; t <= h; t++)
		sum += fhe_word_u128(words, h - t) & (0 - (fhe_u128)bits[t]);
	for (size_t t = h + 1; t < n; t++)
		sum -= fhe_word_u128(words, n + h - t) & (0 - (fhe_u128)bits[t]);
	return sum;
}

/* <words, bits> */
static inline fhe_u128 fhe_dot_u128(const uint8_t *words, const uint8_t *bits, size_t n)
{
	fhe_u128 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += fhe_word_u128(words, i) & (0 - (fhe_u128)bits[i]);
	return sum;
}

/* Coefficient h of words(X) * rev(bits)(X), rev(bits)[t] = bits[n-1-t]: the compact public key's
 * product. */
static inline uint64_t fhe_negacyclic_rev_u64(const uint8_t *words, const uint8_t *bits, size_t n,
					      size_t h)
{
	uint64_t sum = 0;

	for (size_t t = 0; t <= h; t++)
		sum += fhe_word_u64(words, h - t) & (0 - (uint64_t)bits[n - 1 - t]);
	for (size_t t = h + 1; t < n; t++)
		sum -= fhe_word_u64(words, n + h - t) & (0 - (uint64_t)bits[n - 1 - t]);
	return sum;
}

/* <X^shift * words(X), bits>, as the entries of a compact list share one mask. */
static inline uint64_t fhe_rotated_dot_u64(const uint8_t *words, const uint8_t *bits, size_t n,
					   size_t shift)
{
	uint64_t sum = 0;

	for (size_t j = shift; j < n; j++)
		sum += fhe_word_u64(words, j - shift) & (0 - (uint64_t)bits[j]);
	for (size_t j = 0; j < shift; j++)
		sum -= fhe_word_u64(words, n + j - shift) & (0 - (uint64_t)bits[j]);
	return sum;
}

#endif

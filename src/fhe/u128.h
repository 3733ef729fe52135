/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The 128-bit torus of squashed ciphertexts, and little-endian words as TFHE objects store them.
 * ISO C has no 128-bit integer; gcc and clang do on every 64-bit target. This is the one place that
 * says so.
 */
#ifndef FHE_U128_H
#define FHE_U128_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 fhe_u128;

/* Word i of an array of little-endian words of unknown alignment; the caller knows that it lies
 * inside. */
static inline uint64_t fhe_word_u64(const uint8_t *words, size_t i)
{
	uint64_t v;

	memcpy(&v, &words[8 * i], sizeof(v));
	return le64toh(v);
}

static inline fhe_u128 fhe_word_u128(const uint8_t *words, size_t i)
{
	return (fhe_u128)fhe_word_u64(words, 2 * i + 1) << 64 | fhe_word_u64(words, 2 * i);
}

static inline void fhe_word_put_u64(uint8_t *words, size_t i, uint64_t v)
{
	v = htole64(v);
	memcpy(&words[8 * i], &v, sizeof(v));
}

static inline void fhe_word_put_u128(uint8_t *words, size_t i, fhe_u128 v)
{
	fhe_word_put_u64(words, 2 * i, (uint64_t)v);
	fhe_word_put_u64(words, 2 * i + 1, (uint64_t)(v >> 64));
}

#endif

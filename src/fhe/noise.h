/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * TUniform(b): an integer in [-2^b, 2^b], ends half as likely as the rest. tfhe-rs' form takes
 * ceil((b+2)/8) bytes of a random stream, little endian, keeps v = the low b+2 bits and gives
 * (v >> 1) + (v & 1) - 2^b. Constant time; b <= FHE_NOISE_MAX.
 */
#ifndef FHE_NOISE_H
#define FHE_NOISE_H

#include "fhe/u128.h"

enum {
	FHE_NOISE_MAX = 62,
	FHE_NOISE_READ = 8, /* bytes that are looked at, whatever b is: the rest is masked */
};

/* Bytes of the stream that one draw takes. */
static inline size_t fhe_noise_size(unsigned bound_log2)
{
	return (bound_log2 + 2 + 7) / 8;
}

/* From FHE_NOISE_READ readable bytes at `le`. As a 64-bit word; fhe_noise_wide makes it 128. */
static inline uint64_t fhe_noise_of(const uint8_t *le, unsigned bound_log2)
{
	uint64_t v = fhe_word_u64(le, 0) & (UINT64_MAX >> (FHE_NOISE_MAX - bound_log2));

	return (v >> 1) + (v & 1) - (UINT64_C(1) << bound_log2);
}

static inline fhe_u128 fhe_noise_wide(uint64_t noise)
{
	return (fhe_u128)(0 - (noise >> 63)) << 64 | noise;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * AES-128 by AES-NI (FIPS 197; Intel's AES-NI instructions). The functions are compiled for a CPU
 * that has them and called only if this one does. Eight blocks at a time hide the latency of a
 * round. No table, no branch on data.
 */
#include "crypto/aes_ctr_backend.h"

#ifdef __x86_64__

#include <emmintrin.h>
#include <wmmintrin.h>

#define WITH_AES __attribute__((target("aes,sse2")))

enum {
	ROUNDS = 10,
	LANES = 8,
};

static bool usable(void)
{
	return __builtin_cpu_supports("aes") != 0;
}

/* The next round key from this one and aeskeygenassist's answer to it (FIPS 197, 5.2). */
WITH_AES static __m128i next_round_key(__m128i key, __m128i assist)
{
	assist = _mm_shuffle_epi32(assist, 0xff);
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	return _mm_xor_si128(key, assist);
}

WITH_AES static enum err key_set(struct aes_ctr_key *k, const uint8_t key[16])
{
	__m128i r = _mm_loadu_si128((const __m128i *)(const void *)key);
	unsigned i = 0;

	/* The round constant is part of the instruction. */
#define EXPAND(constant)                                                                           \
	_mm_storeu_si128((__m128i *)(void *)k->round[i++], r);                                     \
	r = next_round_key(r, _mm_aeskeygenassist_si128(r, constant));
	EXPAND(0x01)
	EXPAND(0x02)
	EXPAND(0x04)
	EXPAND(0x08)
	EXPAND(0x10)
	EXPAND(0x20)
	EXPAND(0x40)
	EXPAND(0x80)
	EXPAND(0x1b)
	EXPAND(0x36)
#undef EXPAND
	_mm_storeu_si128((__m128i *)(void *)k->round[i], r);
	return ERR_OK;
}

WITH_AES static inline __m128i round_key(const struct aes_ctr_key *k, unsigned i)
{
	return _mm_loadu_si128((const __m128i *)(const void *)k->round[i]);
}

WITH_AES static inline __m128i counter_block(aes_ctr_u128 counter)
{
	return _mm_set_epi64x((long long)(uint64_t)(counter >> 64), (long long)(uint64_t)counter);
}

/* `n` is a constant wherever this is inlined. */
WITH_AES static inline __attribute__((always_inline)) void
encrypt_lanes(const struct aes_ctr_key *k, uint8_t *out, aes_ctr_u128 first, uint64_t at,
	      unsigned n)
{
	__m128i s[LANES], r = round_key(k, 0);

	for (unsigned i = 0; i < n; i++)
		s[i] = _mm_xor_si128(counter_block(aes_ctr_add(first, at + i)), r);
	for (unsigned round = 1; round < ROUNDS; round++) {
		r = round_key(k, round);
		for (unsigned i = 0; i < n; i++)
			s[i] = _mm_aesenc_si128(s[i], r);
	}
	r = round_key(k, ROUNDS);
	for (unsigned i = 0; i < n; i++)
		_mm_storeu_si128((__m128i *)(void *)&out[(size_t)16 * i],
				 _mm_aesenclast_si128(s[i], r));
}

WITH_AES static enum err blocks(struct aes_ctr_key *k, uint8_t *out, aes_ctr_u128 first, size_t n)
{
	size_t at = 0;

	for (; at + LANES <= n; at += LANES)
		encrypt_lanes(k, &out[16 * at], first, at, LANES);
	for (; at < n; at++)
		encrypt_lanes(k, &out[16 * at], first, at, 1);
	return ERR_OK;
}

#else

static bool usable(void)
{
	return false;
}

static enum err key_set(struct aes_ctr_key *k, const uint8_t key[16])
{
	(void)k;
	(void)key;
	return ERR_RANGE;
}

static enum err blocks(struct aes_ctr_key *k, uint8_t *out, aes_ctr_u128 first, size_t n)
{
	(void)k;
	(void)out;
	(void)first;
	(void)n;
	return ERR_RANGE;
}

#endif

static void key_clear(struct aes_ctr_key *k)
{
	secret_wipe(k, sizeof(*k));
}

const struct aes_ctr_backend aes_ctr_by_instructions = {
	.name = "AES instructions",
	.usable = usable,
	.key_set = key_set,
	.blocks = blocks,
	.key_clear = key_clear,
};

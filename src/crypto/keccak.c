/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "crypto/keccak.h"

#include "base/secret.h"

enum {
	RATE = 136, /* bytes per block: 1600 bits less twice the 256 of the digest */
	RATE_LANES = RATE / 8,
};

/* FIPS 202, 3.2.5 */
static const uint64_t round_constants[24] = {
	0x0000000000000001U, 0x0000000000008082U, 0x800000000000808aU, 0x8000000080008000U,
	0x000000000000808bU, 0x0000000080000001U, 0x8000000080008081U, 0x8000000000008009U,
	0x000000000000008aU, 0x0000000000000088U, 0x0000000080008009U, 0x000000008000000aU,
	0x000000008000808bU, 0x800000000000008bU, 0x8000000000008089U, 0x8000000000008003U,
	0x8000000000008002U, 0x8000000000000080U, 0x000000000000800aU, 0x800000008000000aU,
	0x8000000080008081U, 0x8000000000008080U, 0x0000000080000001U, 0x8000000080008008U,
};

static inline uint64_t rol(uint64_t v, unsigned n)
{
	return n == 0 ? v : v << n | v >> (64 - n);
}

/*
 * One output row of rho, pi and chi (FIPS 202, 3.2.2-3.2.4): lanes s0..s4 of `in`, theta's column
 * parities `d` added on the way, rotated by r0..r4, give lanes at..at+4 of `out`. Lane number = x +
 * 5y, so a lane's column is number mod 5.
 */
#define ROW(out, in, d, at, s0, r0, s1, r1, s2, r2, s3, r3, s4, r4)                                \
	do {                                                                                       \
		uint64_t b0 = rol(in[s0] ^ d[(s0) % 5], r0);                                       \
		uint64_t b1 = rol(in[s1] ^ d[(s1) % 5], r1);                                       \
		uint64_t b2 = rol(in[s2] ^ d[(s2) % 5], r2);                                       \
		uint64_t b3 = rol(in[s3] ^ d[(s3) % 5], r3);                                       \
		uint64_t b4 = rol(in[s4] ^ d[(s4) % 5], r4);                                       \
		out[(at)] = b0 ^ (~b1 & b2);                                                       \
		out[(at) + 1] = b1 ^ (~b2 & b3);                                                   \
		out[(at) + 2] = b2 ^ (~b3 & b4);                                                   \
		out[(at) + 3] = b3 ^ (~b4 & b0);                                                   \
		out[(at) + 4] = b4 ^ (~b0 & b1);                                                   \
	} while (0)

static inline __attribute__((always_inline)) void
round_once(uint64_t out[25], const uint64_t in[25], uint64_t constant)
{
	uint64_t c0 = in[0] ^ in[5] ^ in[10] ^ in[15] ^ in[20];
	uint64_t c1 = in[1] ^ in[6] ^ in[11] ^ in[16] ^ in[21];
	uint64_t c2 = in[2] ^ in[7] ^ in[12] ^ in[17] ^ in[22];
	uint64_t c3 = in[3] ^ in[8] ^ in[13] ^ in[18] ^ in[23];
	uint64_t c4 = in[4] ^ in[9] ^ in[14] ^ in[19] ^ in[24];
	const uint64_t d[5] = {c4 ^ rol(c1, 1), c0 ^ rol(c2, 1), c1 ^ rol(c3, 1), c2 ^ rol(c4, 1),
			       c3 ^ rol(c0, 1)};

	ROW(out, in, d, 0, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14);
	ROW(out, in, d, 5, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61);
	ROW(out, in, d, 10, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18);
	ROW(out, in, d, 15, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56);
	ROW(out, in, d, 20, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2);
	out[0] ^= constant; /* iota, 3.2.5 */
}

/* Two states take turns, so that no round copies one back; this is what the speed comes from. */
static void permute(uint64_t state[25])
{
	uint64_t a[25], b[25];

	memcpy(a, state, sizeof(a));
	for (size_t i = 0; i < 24; i += 2) {
		round_once(b, a, round_constants[i]);
		round_once(a, b, round_constants[i + 1]);
	}
	memcpy(state, a, sizeof(a));
}

static uint64_t load64le(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static void xor_byte(struct keccak256 *k, size_t at, uint8_t v)
{
	k->state[at / 8] ^= (uint64_t)v << (8 * (at % 8));
}

void keccak256_init(struct keccak256 *k)
{
	*k = (struct keccak256){0};
}

void keccak256_add(struct keccak256 *k, struct bytes data)
{
	size_t at = 0;

	while (at < data.n) {
		if (k->fill == 0 && data.n - at >= RATE) {
			for (size_t i = 0; i < RATE_LANES; i++)
				k->state[i] ^= load64le(&data.p[at + 8 * i]);
			at += RATE;
			permute(k->state);
			continue;
		}
		xor_byte(k, k->fill++, data.p[at++]);
		if (k->fill == RATE) {
			permute(k->state);
			k->fill = 0;
		}
	}
}

struct hash32 keccak256_final(struct keccak256 *k)
{
	struct hash32 digest;

	/* Keccak's own padding 10*1: 0x01 here where SHA-3 has 0x06. */
	xor_byte(k, k->fill, 0x01);
	xor_byte(k, RATE - 1, 0x80);
	permute(k->state);
	for (size_t i = 0; i < sizeof(digest.b); i++)
		digest.b[i] = (uint8_t)(k->state[i / 8] >> (8 * (i % 8)));
	secret_wipe(k, sizeof(*k));
	return digest;
}

struct hash32 keccak256(struct bytes data)
{
	struct keccak256 k;

	keccak256_init(&k);
	keccak256_add(&k, data);
	return keccak256_final(&k);
}

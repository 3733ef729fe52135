/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* FIPS 203 section 4: encoding, sampling and the number-theoretic transform. */
#include "crypto/mlkem_internal.h"
#include "crypto/sha.h"

/* ---- integers modulo q, constant time ---- */

/*
 * floor(t / q) by a multiplication: ceil(2^36 / q) = (2^36 + 1655) / q, so the result is exact for
 * t < 2^36 / 1655 = 41522342; the largest t that occurs is 2 q^2 + q = 22167811. A division
 * instruction takes a time that depends on t on many machines, and t is secret ("KyberSlash").
 */
static uint32_t quotient_q(uint32_t t)
{
	return (uint32_t)((uint64_t)t * 20642679 >> 36);
}

static uint16_t mod_q(uint32_t t)
{
	return (uint16_t)(t - MLKEM_Q * quotient_q(t));
}

/* t mod q for t < 2 q: the sign of t - q becomes a mask. */
static uint16_t mod_q_once(uint32_t t)
{
	uint32_t d = t - MLKEM_Q;

	return (uint16_t)(d + (MLKEM_Q & (0 - (d >> 31))));
}

/* ---- 4.2.1: compression, encoding ---- */

/* Formula 4.7: round((2^d / q) x) mod 2^d; q is odd, so there is no tie to break. */
uint16_t mlkem_compress(uint16_t x, unsigned d)
{
	uint32_t rounded = quotient_q(((uint32_t)x << d) + MLKEM_Q / 2);

	return (uint16_t)(rounded & ((1u << d) - 1));
}

/* Formula 4.8: round((q / 2^d) y). */
uint16_t mlkem_decompress(uint16_t y, unsigned d)
{
	return (uint16_t)(((uint32_t)y * MLKEM_Q + (1u << (d - 1))) >> d);
}

void mlkem_poly_compress(struct mlkem_poly *f, unsigned d)
{
	for (size_t i = 0; i < MLKEM_N; i++)
		f->c[i] = mlkem_compress(f->c[i], d);
}

void mlkem_poly_decompress(struct mlkem_poly *f, unsigned d)
{
	for (size_t i = 0; i < MLKEM_N; i++)
		f->c[i] = mlkem_decompress(f->c[i], d);
}

/* Algorithm 5, with algorithm 3 (BitsToBytes) in the same loop: d bits of each integer, least
 * significant first, into 32 d bytes. */
void mlkem_byte_encode(uint8_t *b, const struct mlkem_poly *f, unsigned d)
{
	uint32_t bits = 0;
	unsigned n = 0;
	size_t at = 0;

	for (size_t i = 0; i < MLKEM_N; i++) {
		bits |= (uint32_t)f->c[i] << n;
		for (n += d; n >= 8; n -= 8) {
			b[at++] = (uint8_t)bits;
			bits >>= 8;
		}
	}
}

/* Algorithm 6, with algorithm 4 (BytesToBits) in the same loop; modulo q when d is 12. */
void mlkem_byte_decode(struct mlkem_poly *f, const uint8_t *b, unsigned d)
{
	uint32_t bits = 0;
	unsigned n = 0;
	size_t at = 0;

	for (size_t i = 0; i < MLKEM_N; i++) {
		for (; n < d; n += 8)
			bits |= (uint32_t)b[at++] << n;
		f->c[i] = (uint16_t)(bits & ((1u << d) - 1));
		bits >>= d;
		n -= d;
		if (d == 12)
			f->c[i] = mod_q_once(f->c[i]);
	}
}

/* ---- 4.2.2: sampling ---- */

enum {
	/* 280 rounds of three bytes: more are needed with a probability below 2^-256 (appendix B)
	 */
	XOF_SIZE = 280 * 3,
};

/* Algorithm 7: 12 bits at a time, those below q are kept. */
enum err mlkem_sample_ntt_var(struct mlkem_poly *a, const uint8_t rho[32], uint8_t j, uint8_t i)
{
	const uint8_t indices[2] = {j, i};
	const struct bytes seed[] = {bytes_from(rho, 32), BYTES_OF(indices)};
	uint8_t c[XOF_SIZE];
	size_t n = 0;

	TRY(shake128(c, sizeof(c), seed, ARRAY_LEN(seed)));
	for (size_t at = 0; at < sizeof(c) && n < MLKEM_N; at += 3) {
		uint16_t d1 = (uint16_t)(c[at] + 256 * (c[at + 1] % 16));
		uint16_t d2 = (uint16_t)(c[at + 1] / 16 + 16 * c[at + 2]);

		if (d1 < MLKEM_Q)
			a->c[n++] = d1;
		if (d2 < MLKEM_Q && n < MLKEM_N)
			a->c[n++] = d2;
	}
	return n == MLKEM_N ? ERR_OK : ERR_CRYPTO;
}

static unsigned bit(const uint8_t *b, size_t i)
{
	return (unsigned)b[i / 8] >> (i % 8) & 1;
}

/* Algorithm 8 over PRF_eta(s, b) = SHAKE256(s || b, 64 eta) (formula 4.3). */
enum err mlkem_sample_cbd(struct mlkem_poly *f, const uint8_t s[32], uint8_t counter, unsigned eta)
{
	const struct bytes seed[] = {bytes_from(s, 32), bytes_from(&counter, 1)};
	uint8_t b[64 * 3];

	CHECK(eta == 2 || eta == 3);
	TRY(shake256(b, 64 * (size_t)eta, seed, ARRAY_LEN(seed)));
	for (size_t i = 0; i < MLKEM_N; i++) {
		unsigned x = 0, y = 0;

		for (unsigned j = 0; j < eta; j++) {
			x += bit(b, 2 * i * eta + j);
			y += bit(b, 2 * i * eta + eta + j);
		}
		f->c[i] = mod_q_once(x + MLKEM_Q - y);
	}
	secret_wipe(b, sizeof(b));
	return ERR_OK;
}

/* ---- 4.3: the number-theoretic transform ---- */

/* 17^BitRev7(i) and 17^(2 BitRev7(i) + 1) modulo q (appendix A). */
static const uint16_t zetas[128] = {
	1,    1729, 2580, 3289, 2642, 630,  1897, 848,  1062, 1919, 193,  797,  2786, 3260, 569,
	1746, 296,  2447, 1339, 1476, 3046, 56,   2240, 1333, 1426, 2094, 535,  2882, 2393, 2879,
	1974, 821,  289,  331,  3253, 1756, 1197, 2304, 2277, 2055, 650,  1977, 2513, 632,  2865,
	33,   1320, 1915, 2319, 1435, 807,  452,  1438, 2868, 1534, 2402, 2647, 2617, 1481, 648,
	2474, 3110, 1227, 910,  17,   2761, 583,  2649, 1637, 723,  2288, 1100, 1409, 2662, 3281,
	233,  756,  2156, 3015, 3050, 1703, 1651, 2789, 1789, 1847, 952,  1461, 2687, 939,  2308,
	2437, 2388, 733,  2337, 268,  641,  1584, 2298, 2037, 3220, 375,  2549, 2090, 1645, 1063,
	319,  2773, 757,  2099, 561,  2466, 2594, 2804, 1092, 403,  1026, 1143, 2150, 2775, 886,
	1722, 1212, 1874, 1029, 2110, 2935, 885,  2154,
};

static const uint16_t gammas[128] = {
	17,   3312, 2761, 568,  583,  2746, 2649, 680,  1637, 1692, 723,  2606, 2288, 1041, 1100,
	2229, 1409, 1920, 2662, 667,  3281, 48,   233,  3096, 756,  2573, 2156, 1173, 3015, 314,
	3050, 279,  1703, 1626, 1651, 1678, 2789, 540,  1789, 1540, 1847, 1482, 952,  2377, 1461,
	1868, 2687, 642,  939,  2390, 2308, 1021, 2437, 892,  2388, 941,  733,  2596, 2337, 992,
	268,  3061, 641,  2688, 1584, 1745, 2298, 1031, 2037, 1292, 3220, 109,  375,  2954, 2549,
	780,  2090, 1239, 1645, 1684, 1063, 2266, 319,  3010, 2773, 556,  757,  2572, 2099, 1230,
	561,  2768, 2466, 863,  2594, 735,  2804, 525,  1092, 2237, 403,  2926, 1026, 2303, 1143,
	2186, 2150, 1179, 2775, 554,  886,  2443, 1722, 1607, 1212, 2117, 1874, 1455, 1029, 2300,
	2110, 1219, 2935, 394,  885,  2444, 2154, 1175,
};

/* Algorithm 9 */
void mlkem_ntt(struct mlkem_poly *f)
{
	size_t i = 1;

	for (size_t len = 128; len >= 2; len /= 2) {
		for (size_t start = 0; start < MLKEM_N; start += 2 * len) {
			uint32_t zeta = zetas[i++];

			for (size_t j = start; j < start + len; j++) {
				uint32_t t = mod_q(zeta * f->c[j + len]);

				f->c[j + len] = mod_q_once(f->c[j] + MLKEM_Q - t);
				f->c[j] = mod_q_once(f->c[j] + t);
			}
		}
	}
}

/* Algorithm 10; 3303 is 128^-1. */
void mlkem_ntt_inverse(struct mlkem_poly *f)
{
	size_t i = 127;

	for (size_t len = 2; len <= 128; len *= 2) {
		for (size_t start = 0; start < MLKEM_N; start += 2 * len) {
			uint32_t zeta = zetas[i--];

			for (size_t j = start; j < start + len; j++) {
				uint32_t t = f->c[j];

				f->c[j] = mod_q_once(t + f->c[j + len]);
				f->c[j + len] = mod_q(zeta * (f->c[j + len] + MLKEM_Q - t));
			}
		}
	}
	for (size_t j = 0; j < MLKEM_N; j++)
		f->c[j] = mod_q(f->c[j] * 3303u);
}

/* Algorithm 11, and algorithm 12 (BaseCaseMultiply) as its body. */
void mlkem_multiply_ntts_add(struct mlkem_poly *h, const struct mlkem_poly *f,
			     const struct mlkem_poly *g)
{
	for (size_t i = 0; i < MLKEM_N / 2; i++) {
		uint32_t a0 = f->c[2 * i], a1 = f->c[2 * i + 1];
		uint32_t b0 = g->c[2 * i], b1 = g->c[2 * i + 1];

		h->c[2 * i] = mod_q(h->c[2 * i] + a0 * b0 + mod_q(a1 * b1) * (uint32_t)gammas[i]);
		h->c[2 * i + 1] = mod_q(h->c[2 * i + 1] + a0 * b1 + a1 * b0);
	}
}

void mlkem_poly_add(struct mlkem_poly *f, const struct mlkem_poly *g)
{
	for (size_t i = 0; i < MLKEM_N; i++)
		f->c[i] = mod_q_once((uint32_t)f->c[i] + g->c[i]);
}

void mlkem_poly_sub(struct mlkem_poly *f, const struct mlkem_poly *g)
{
	for (size_t i = 0; i < MLKEM_N; i++)
		f->c[i] = mod_q_once((uint32_t)f->c[i] + MLKEM_Q - g->c[i]);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/hex.h"
#include "base/rng.h"
#include "crypto/keccak.h"

/* ---- the slow way: FIPS 202 word for word, sharing nothing with the code under test ---- */

static unsigned lfsr_bit(unsigned t)
{
	unsigned r = 1;

	for (unsigned i = 0; i < t % 255; i++) {
		r <<= 1;
		if (r & 0x100)
			r ^= 0x171;
	}
	return r & 1;
}

static uint64_t rotate(uint64_t v, unsigned n)
{
	n %= 64;
	return n == 0 ? v : v << n | v >> (64 - n);
}

static void slow_round(uint64_t a[5][5], unsigned round)
{
	uint64_t c[5], b[5][5];
	unsigned x = 1, y = 0;

	for (unsigned i = 0; i < 5; i++)
		c[i] = a[i][0] ^ a[i][1] ^ a[i][2] ^ a[i][3] ^ a[i][4];
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 5; k++)
			a[i][k] ^= c[(i + 4) % 5] ^ rotate(c[(i + 1) % 5], 1);
	for (unsigned t = 0; t < 24; t++) {
		unsigned next = (2 * x + 3 * y) % 5;

		a[x][y] = rotate(a[x][y], (t + 1) * (t + 2) / 2);
		x = y;
		y = next;
	}
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 5; k++)
			b[i][k] = a[(i + 3 * k) % 5][i];
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 5; k++)
			a[i][k] = b[i][k] ^ (~b[(i + 1) % 5][k] & b[(i + 2) % 5][k]);
	for (unsigned j = 0; j <= 6; j++)
		a[0][0] ^= (uint64_t)lfsr_bit(j + 7 * round) << ((1U << j) - 1);
}

static void slow_absorb_byte(uint64_t a[5][5], size_t at, uint8_t v)
{
	a[at / 8 % 5][at / 40] ^= (uint64_t)v << 8 * (at % 8);
}

static void slow_permute(uint64_t a[5][5])
{
	for (unsigned r = 0; r < 24; r++)
		slow_round(a, r);
}

/* Sponge with rate 136 and a 32-byte digest; `pad` 0x06 is SHA3-256, 0x01 is Keccak-256. */
static struct hash32 slow_hash(struct bytes data, uint8_t pad)
{
	uint64_t a[5][5] = {{0}};
	struct hash32 digest;
	size_t at = 0;

	for (size_t i = 0; i < data.n; i++) {
		slow_absorb_byte(a, at++, data.p[i]);
		if (at == 136) {
			slow_permute(a);
			at = 0;
		}
	}
	slow_absorb_byte(a, at, pad);
	slow_absorb_byte(a, 135, 0x80);
	slow_permute(a);
	for (size_t i = 0; i < 32; i++)
		digest.b[i] = (uint8_t)(a[i / 8 % 5][i / 40] >> 8 * (i % 8));
	return digest;
}

static void fill(uint8_t *p, size_t n)
{
	struct rng_seeded seeded;

	rng_fill(rng_seeded_init(&seeded, 136), p, n);
}

static void assert_digest(struct hash32 got, const char *want)
{
	char text[65];

	hex_encode(text, BYTES_OF(got.b));
	assert_string_equal(text, want);
}

static void test_known_answers(void **state)
{
	(void)state;
	assert_digest(keccak256(BYTES_NONE),
		      "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
	assert_digest(keccak256(BYTES_LIT("abc")),
		      "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
	/* EIP-712: the type of a domain */
	assert_digest(keccak256(BYTES_LIT(
			      "EIP712Domain(string name,string version,uint256 chainId,address "
			      "verifyingContract)")),
		      "8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f");
	assert_digest(
		keccak256(BYTES_LIT(
			"PublicDecryptVerification(bytes32[] ctHandles,bytes decryptedResult,bytes "
			"extraData)")),
		"89bac15e5ba205584832145601e359431e80fb9fb331ba5a22058132d525c794");
}

/* The oracle itself is proven on SHA3-256, which differs in one padding byte only. */
static void test_oracle_against_openssl_sha3(void **state)
{
	uint8_t data[300];

	(void)state;
	fill(data, sizeof(data));
	for (size_t n = 0; n <= sizeof(data); n += 7) {
		uint8_t want[32];
		unsigned len = 0;
		struct hash32 got = slow_hash(bytes_from(data, n), 0x06);

		assert_int_equal(EVP_Digest(data, n, want, &len, EVP_sha3_256(), NULL), 1);
		assert_memory_equal(got.b, want, 32);
	}
}

static void test_every_length_around_the_block(void **state)
{
	uint8_t data[3 * 136 + 10];

	(void)state;
	fill(data, sizeof(data));
	for (size_t n = 0; n <= sizeof(data); n++)
		assert_true(hash32_eq(keccak256(bytes_from(data, n)),
				      slow_hash(bytes_from(data, n), 0x01)));
}

static void test_pieces_equal_the_whole(void **state)
{
	uint8_t data[1000];
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 7);
	struct hash32 whole;

	(void)state;
	fill(data, sizeof(data));
	whole = keccak256(BYTES_OF(data));
	for (unsigned round = 0; round < 500; round++) {
		struct keccak256 k;
		size_t at = 0;

		keccak256_init(&k);
		while (at < sizeof(data)) {
			size_t n = rng_below(rng, round % 2 ? 300 : 20);

			if (n > sizeof(data) - at)
				n = sizeof(data) - at;
			keccak256_add(&k, bytes_from(data + at, n));
			at += n;
		}
		assert_true(hash32_eq(keccak256_final(&k), whole));
	}
}

/* Word loads from odd addresses. */
static void test_alignment(void **state)
{
	uint8_t data[600];

	(void)state;
	for (size_t shift = 0; shift < 9; shift++) {
		fill(data + shift, 500);
		assert_true(hash32_eq(keccak256(bytes_from(data + shift, 500)),
				      slow_hash(bytes_from(data + shift, 500), 0x01)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_oracle_against_openssl_sha3),
		cmocka_unit_test(test_every_length_around_the_block),
		cmocka_unit_test(test_pieces_equal_the_whole),
		cmocka_unit_test(test_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/hex.h"
#include "base/rng.h"
#include "crypto/aes_ctr_backend.h"

static void assert_next(struct aes_ctr *c, const char *want)
{
	uint8_t out[64];
	char text[129];
	size_t n = strlen(want) / 2;

	assert_int_equal(aes_ctr_fill(c, out, n), ERR_OK);
	hex_encode(text, bytes_from(out, n));
	assert_string_equal(text, want);
}

/* One block by itself, through OpenSSL's one-shot use. */
static void one_block(uint8_t out[16], const uint8_t key[16], const uint8_t in[16])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	assert_non_null(ctx);
	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, key, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, out, &n, in, 16), 1);
	assert_int_equal(n, 16);
	EVP_CIPHER_CTX_free(ctx);
}

static void test_seed_known_answer(void **state)
{
	static const uint8_t seed[16] = {5};
	struct aes_ctr *c = NULL;

	(void)state;
	assert_int_equal(aes_ctr_new_seed(&c, seed, 0), ERR_OK);
	assert_next(c, "54ca53bb28791846e6b09a2757f014e42541c10f7cbdbfcddd1f27e62553e54c");
	aes_ctr_free(c);

	/* the same stream from its second byte, in odd pieces */
	assert_int_equal(aes_ctr_new_seed(&c, seed, 1), ERR_OK);
	assert_next(c, "ca");
	assert_next(c, "53bb28791846e6b09a2757f014e42541c10f7cbdbf");
	assert_next(c, "");
	assert_next(c, "cddd1f27e62553e54c");
	aes_ctr_free(c);
}

static void test_xof_known_answer(void **state)
{
	uint8_t seed[16];
	struct aes_ctr *c = NULL;

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		seed[i] = (uint8_t)i;
	assert_int_equal(aes_ctr_new_xof(&c, "TFHEKGen", BYTES_OF(seed)), ERR_OK);
	assert_next(c, "f7dd32fa8cfda347deb662ee6714003b7ffdce6ce6f5386bae5facf7f408a88a");
	aes_ctr_free(c);
}

static void test_xof_seed_lengths_differ(void **state)
{
	/* zero padding must not make a seed equal to itself with zeros: the length is part of the
	 * chain */
	static const uint8_t zeros[64];
	uint8_t seen[41][16];

	(void)state;
	for (size_t n = 0; n <= 40; n++) {
		struct aes_ctr *c = NULL;

		assert_int_equal(aes_ctr_new_xof(&c, "TFHEKGen", bytes_from(zeros, n)), ERR_OK);
		assert_int_equal(aes_ctr_fill(c, seen[n], 16), ERR_OK);
		aes_ctr_free(c);
		for (size_t k = 0; k < n; k++)
			assert_memory_not_equal(seen[n], seen[k], 16);
	}
}

/* Against single blocks with a counter that carries over both words and wraps at 2^128. */
static void test_counter_is_128_bit_little_endian(void **state)
{
	uint8_t key[16], counter[16], want[16], got[16];
	struct aes_ctr *c = NULL;

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		key[i] = (uint8_t)(i * 17);
	for (unsigned kind = 0; kind < 3; kind++) {
		memset(counter, 0, 16);
		if (kind == 1)
			memset(counter, 0xff, 8);
		if (kind == 2)
			memset(counter, 0xff, 16);
		assert_int_equal(aes_ctr_new(&c, key, counter, 0), ERR_OK);
		for (unsigned i = 0; i < 300; i++) {
			one_block(want, key, counter);
			assert_int_equal(aes_ctr_fill(c, got, 16), ERR_OK);
			assert_memory_equal(got, want, 16);
			for (unsigned k = 0; k < 16 && ++counter[k] == 0; k++)
				;
		}
		aes_ctr_free(c);
	}
}

static void test_pieces_equal_the_whole(void **state)
{
	enum {
		N = 20000
	};
	static const uint8_t seed[16] = {1, 2, 3};
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 99);
	uint8_t *whole = malloc(N), *pieces = malloc(N);
	struct aes_ctr *c = NULL;

	(void)state;
	assert_non_null(whole);
	assert_non_null(pieces);
	assert_int_equal(aes_ctr_new_seed(&c, seed, 3), ERR_OK);
	assert_int_equal(aes_ctr_fill(c, whole, N), ERR_OK);
	aes_ctr_free(c);
	for (unsigned round = 0; round < 20; round++) {
		size_t at = 0;

		assert_int_equal(aes_ctr_new_seed(&c, seed, 3), ERR_OK);
		while (at < N) {
			size_t n = rng_below(rng, round % 2 ? 9000 : 40);
			uint64_t block;
			unsigned byte;

			if (n > N - at)
				n = N - at;
			assert_int_equal(aes_ctr_fill(c, pieces + at, n), ERR_OK);
			at += n;
			aes_ctr_position(c, &block, &byte);
			assert_int_equal(byte, (at + 3) % 16);
			assert_int_equal(block, (at + 3 + 15) / 16);
		}
		assert_memory_equal(whole, pieces, N);
		aes_ctr_free(c);
	}
	free(whole);
	free(pieces);
}

/* Both ways to compute AES, the same streams: seeds of both kinds, lengths around a batch. */
static void test_backends_agree(void **state)
{
	enum {
		N = 10007
	};
	uint8_t *a = malloc(N), *b = malloc(N), key[16], counter[16];
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 4);

	(void)state;
	if (!aes_ctr_by_instructions.usable())
		skip();
	assert_non_null(a);
	assert_non_null(b);
	for (unsigned round = 0; round < 64; round++) {
		struct aes_ctr *x = NULL, *y = NULL;
		size_t n = rng_below(rng, N);

		rng_fill(rng, key, 16);
		rng_fill(rng, counter, 16);
		if (round % 2 == 0) {
			unsigned first = round / 2 % 16;

			assert_int_equal(
				aes_ctr_new_by(&x, &aes_ctr_by_instructions, key, counter, first),
				ERR_OK);
			assert_int_equal(
				aes_ctr_new_by(&y, &aes_ctr_by_openssl, key, counter, first),
				ERR_OK);
		} else {
			struct bytes seed = bytes_from(key, round % 17);

			assert_int_equal(
				aes_ctr_new_xof_by(&x, &aes_ctr_by_instructions, "TFHE_GEN", seed),
				ERR_OK);
			assert_int_equal(
				aes_ctr_new_xof_by(&y, &aes_ctr_by_openssl, "TFHE_GEN", seed),
				ERR_OK);
		}
		assert_int_equal(aes_ctr_fill(x, a, n), ERR_OK);
		assert_int_equal(aes_ctr_fill(y, b, n), ERR_OK);
		assert_memory_equal(a, b, n);
		aes_ctr_free(x);
		aes_ctr_free(y);
	}
	free(a);
	free(b);
}

/* Any place by seek gives what reading up to there gives. */
static void test_seek(void **state)
{
	enum {
		N = 5000
	};
	static const uint8_t seed[16] = {7};
	uint8_t *whole = malloc(N), piece[40];
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 5);
	struct aes_ctr *c = NULL;

	(void)state;
	assert_non_null(whole);
	assert_int_equal(aes_ctr_new_seed(&c, seed, 0), ERR_OK);
	assert_int_equal(aes_ctr_fill(c, whole, N), ERR_OK);
	for (unsigned round = 0; round < 500; round++) {
		size_t at = rng_below(rng, N - sizeof(piece)), n = rng_below(rng, sizeof(piece));
		uint64_t block;
		unsigned byte;

		assert_int_equal(aes_ctr_seek(c, at), ERR_OK);
		aes_ctr_position(c, &block, &byte);
		assert_int_equal(block, (at + 15) / 16);
		assert_int_equal(byte, at % 16);
		assert_int_equal(aes_ctr_fill(c, piece, n), ERR_OK);
		assert_memory_equal(piece, whole + at, n);
	}
	aes_ctr_free(c);
	free(whole);
}

static void test_refusals(void **state)
{
	static const uint8_t seed[AES_CTR_XOF_SEED_MAX + 1];
	struct aes_ctr *c = NULL;

	(void)state;
	assert_int_equal(aes_ctr_new_seed(&c, seed, 16), ERR_RANGE);
	assert_int_equal(aes_ctr_new_xof(&c, "SEVENCH", BYTES_LIT("x")), ERR_RANGE);
	assert_int_equal(aes_ctr_new_xof(&c, "EIGHT_CH", BYTES_OF(seed)), ERR_RANGE);
	assert_null(c);
	aes_ctr_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seed_known_answer),
		cmocka_unit_test(test_xof_known_answer),
		cmocka_unit_test(test_xof_seed_lengths_differ),
		cmocka_unit_test(test_counter_is_128_bit_little_endian),
		cmocka_unit_test(test_pieces_equal_the_whole),
		cmocka_unit_test(test_backends_agree),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

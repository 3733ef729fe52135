/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * BigCompressed decryption, production parameters: what a centralised KMS core does once for every
 * handle. Baseline, measured in the same run: Keccak-256 of the same object, which the connector
 * needs to check it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "crypto/keccak.h"
#include "fhe/dealer/dealer.h"

enum {
	ROUNDS = 200
};

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *samples)
{
	qsort(samples, ROUNDS, sizeof(*samples), compare);
	return samples[ROUNDS / 2];
}

static double decrypt_ms(const struct fhe_client_key *k, enum fhe_type type,
			 struct bytes ciphertext)
{
	double samples[ROUNDS];
	struct fhe_plaintext v;

	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ms();

		CHECK(fhe_decrypt(k, &v, type, FHE_BIG_COMPRESSED, ciphertext, NULL) == ERR_OK &&
		      v.le[0] == 0x2a);
		samples[i] = now_ms() - start;
	}
	return median(samples);
}

static double keccak_ms(struct bytes ciphertext)
{
	double samples[ROUNDS];
	volatile uint8_t sink = 0;

	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ms();

		sink ^= keccak256(ciphertext).b[0];
		samples[i] = now_ms() - start;
	}
	(void)sink;
	return median(samples);
}

static void bench_type(const struct fhe_client_key *k, enum fhe_type id, struct rng *rng)
{
	const struct fhe_type_row *type = fhe_type_find(id);
	struct fhe_plaintext v = {.le = {0x2a}, .n = type->size};
	struct buf ciphertext = buf_make(1 << 20);
	double decrypt, keccak;

	CHECK(fhe_squashed_list_encrypt(k, type, &v, rng, &ciphertext) == ERR_OK);
	decrypt = decrypt_ms(k, id, buf_view(&ciphertext));
	keccak = keccak_ms(buf_view(&ciphertext));
	printf("BigCompressed %-8s decrypt  %7.3f ms  (%.2f x Keccak-256 of its %zu bytes, %.3f "
	       "ms)\n",
	       type->name, decrypt, decrypt / keccak, ciphertext.n, keccak);
	buf_free(&ciphertext);
}

int main(void)
{
	static const uint8_t seed[16] = {1};
	struct rng_seeded rng;
	struct fhe_client_key *k;

	printf("fhe: default parameters, one thread, median of %d, nothing stubbed; parse and "
	       "decrypt of one value\n",
	       ROUNDS);
	CHECK(fhe_client_key_generate(&k, &fhe_params_v1_7, BYTES_LIT("bench"), seed) == ERR_OK);
	rng_seeded_init(&rng, 1);
	bench_type(k, FHE_UINT8, &rng.base);
	bench_type(k, FHE_UINT64, &rng.base);
	bench_type(k, FHE_UINT256, &rng.base);
	fhe_client_key_free(k);
	return 0;
}

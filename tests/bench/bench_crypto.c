/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Keccak-256 beside OpenSSL's SHA3-256 (the same permutation, by its assembly), and secp256k1
 * signing. Each figure is the best of several rounds on one thread; the baseline is measured in the
 * same run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "crypto/ecdsa.h"
#include "crypto/keccak.h"
#include "crypto/sha.h"

enum {
	ROUNDS = 7,
	SIZE = 1 << 20,
	TIMES = 16,
	SIGNATURES = 2000
};

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Best MB/s of ROUNDS rounds of TIMES hashes of `data`. */
static double rate(struct bytes data, bool baseline)
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		double begun = now_s();
		volatile uint8_t last = 0; /* so that the work is done */

		for (int i = 0; i < TIMES; i++) {
			struct hash32 h = {0};

			if (!baseline)
				h = keccak256(data);
			else if (sha3_256(&h, &data, 1) != ERR_OK)
				abort();
			last = h.b[0];
		}

		double mb_per_s = (double)data.n * TIMES / 1e6 / (now_s() - begun);

		(void)last;
		if (mb_per_s > best)
			best = mb_per_s;
	}
	return best;
}

int main(void)
{
	static uint8_t data[SIZE];
	struct secret32 key = {{1}};
	struct signature65 sig = {0};
	struct ecdsa *ecdsa;

	rng_fill(rng_system(), data, sizeof(data));
	double ours = rate(BYTES_OF(data), false), theirs = rate(BYTES_OF(data), true);

	printf("conditions: one thread, 1 MiB messages, best of %d rounds\n", ROUNDS);
	printf("Keccak-256 %.0f MB/s (target >= 400), OpenSSL SHA3-256 %.0f MB/s, ratio %.2f\n",
	       ours, theirs, ours / theirs);
	if (ecdsa_new(&ecdsa, data) != ERR_OK)
		return 1;

	double begun = now_s();

	for (int i = 0; i < SIGNATURES; i++)
		if (ecdsa_sign65(ecdsa, &sig, &key, keccak256(BYTES_OF(sig.b))) != ERR_OK)
			return 1;
	printf("secp256k1 recoverable signature %.1f us\n", (now_s() - begun) * 1e6 / SIGNATURES);
	ecdsa_free(ecdsa);
	return 0;
}

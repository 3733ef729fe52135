/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a threshold decryption of a FheUint64 costs one node of thirteen, network, signatures and
 * the ciphertext's own decoding excluded: 16 blocks of dimension 6144 as a packed list has them,
 * masks of 495 keys, the opening from 9 shares, and from 13 of which 4 are wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "mpc/decryption.h"
#include "mpc/shamir.h"

enum {
	PARTIES = 13,
	THRESHOLD = 4,
	BLOCKS = 16,
	POLYNOMIALS = 6,
	SIZE = 1024,
	DIMENSION = POLYNOMIALS * SIZE,
	ROUNDS = 200
};

static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, double *us, const char *note)
{
	qsort(us, ROUNDS, sizeof(*us), by_value);
	printf("%-46s %8.1f us (median), %8.1f us (best)  %s\n", what, us[ROUNDS / 2], us[0], note);
}

static uint8_t *random_bytes(struct rng *rng, size_t n)
{
	uint8_t *p = malloc(n);

	CHECK(p);
	rng_fill(rng, p, n);
	return p;
}

/* Block i of a packed list: X^i times each polynomial, its words where they lie. */
static void packed_block(struct mpc_block *b, const uint8_t *list, const uint8_t *bodies, size_t i)
{
	*b = (struct mpc_block){.body = &bodies[16 * i]};
	for (size_t k = 0; k < POLYNOMIALS; k++) {
		const uint8_t *polynomial = &list[16 * SIZE * k];

		b->runs[b->runs_n++] = (struct mpc_mask_run){polynomial, i + 1, true, false};
		b->runs[b->runs_n++] =
			(struct mpc_mask_run){&polynomial[16 * (i + 1)], SIZE - i - 1, true, true};
	}
}

int main(void)
{
	const struct mpc_group g = {PARTIES, THRESHOLD, 7};
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 1);
	uint8_t *keys = random_bytes(rng, 495 * PRSS_KEY_SIZE);
	uint8_t *elements = random_bytes(rng, (size_t)DIMENSION * GR_SIZE);
	uint8_t *list = random_bytes(rng, (size_t)DIMENSION * 16);
	uint8_t *bodies = random_bytes(rng, BLOCKS * 16);
	struct mpc_block blocks[BLOCKS];
	struct mpc_key_share *key;
	struct prss *prss;
	static double share_us[ROUNDS], mask_us[ROUNDS], open_us[ROUNDS], correct_us[ROUNDS],
		sum_us[ROUNDS];
	static struct gr rows[PARTIES][BLOCKS];
	const struct gr *of[MPC_PARTIES_MAX] = {0};

	CHECK(prss_new(&prss, &g, bytes_from(keys, 495 * PRSS_KEY_SIZE)) == ERR_OK);
	CHECK(mpc_key_share_new(&key, bytes_from(elements, (size_t)DIMENSION * GR_SIZE)) == ERR_OK);
	for (size_t i = 0; i < BLOCKS; i++)
		packed_block(&blocks[i], list, bodies, i);
	for (size_t i = 0; i < BLOCKS; i++) {
		struct gr secret = gr_scalar(i), shares[MPC_PARTIES_MAX];

		shamir_share(shares, &g, THRESHOLD, &secret, rng);
		for (unsigned p = 0; p < PARTIES; p++)
			rows[p][i] = shares[p];
	}
	for (unsigned p = 0; p < PARTIES; p++)
		of[p] = rows[p];

	for (unsigned r = 0; r < ROUNDS; r++) {
		struct mpc_session_id id = {{(uint8_t)r}};
		struct gr shares[BLOCKS], opened[BLOCKS];
		struct prss_session *s;
		struct shamir_basis b;
		double at = cpu_us();

		CHECK(prss_session_new(&s, prss, &id) == ERR_OK);
		CHECK(prss_mask(s, shares, BLOCKS) == ERR_OK);
		prss_session_free(s);
		mask_us[r] = cpu_us() - at;

		at = cpu_us();
		CHECK(prss_session_new(&s, prss, &id) == ERR_OK);
		CHECK(mpc_decryption_share(shares, key, s, blocks, BLOCKS) == ERR_OK);
		prss_session_free(s);
		share_us[r] = cpu_us() - at;

		at = cpu_us();
		CHECK(shamir_basis_init(&b, 0x1ff, THRESHOLD) == ERR_OK);
		CHECK(shamir_open_many_var(&b, opened, NULL, of, BLOCKS, 4, 0, NULL) == ERR_OK);
		open_us[r] = cpu_us() - at;
		sum_us[r] = share_us[r] + open_us[r];

		for (unsigned p = 0; p < 4; p++)
			for (unsigned i = 0; i < BLOCKS; i++)
				rows[3 * p][i].c[p] ^= 1;
		at = cpu_us();
		CHECK(shamir_basis_init(&b, 0x1fff, THRESHOLD) == ERR_OK);
		CHECK(shamir_open_many_var(&b, opened, NULL, of, BLOCKS, 4, 4, NULL) == ERR_OK);
		correct_us[r] = cpu_us() - at;
		for (unsigned p = 0; p < 4; p++)
			for (unsigned i = 0; i < BLOCKS; i++)
				rows[3 * p][i].c[p] ^= 1;
	}
	printf("threshold decryption of a FheUint64 at one of 13 nodes, CPU time of one core:\n");
	print("session keys and 16 masks of 495 sets", mask_us, "");
	print("masked shares of 16 blocks, masks included", share_us, "");
	print("opening 16 blocks from 9 shares", open_us, "");
	print("opening from 13 shares, 4 of them wrong", correct_us, "");
	print("all of it, nobody lying", sum_us, "aim: 400 us");
	prss_free(prss);
	mpc_key_share_free(key);
	free(keys);
	free(elements);
	free(list);
	free(bodies);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A CRS for 2048 bits under the default parameters, as a KMS core makes it: system randomness, all
 * elements, the digest; and what it costs to read one from outside. With an argument the CRS is
 * stored there, for the comparison with node-tfhe (crs.mjs).
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "crypto/bls12_446.h"
#include "crypto/sha.h"
#include "fhe/crs.h"
#include "fhe/team.h"

enum {
	ROUNDS = 5,
	BITS = 2048,
};

static double now_s(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct times {
	double wall, cpu, begun_wall, begun_cpu;
};

static void begin(struct times *t)
{
	t->begun_wall = now_s(CLOCK_MONOTONIC);
	t->begun_cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
}

static void end(struct times *t)
{
	double wall = now_s(CLOCK_MONOTONIC) - t->begun_wall;

	if (t->wall == 0 || wall < t->wall) {
		t->wall = wall;
		t->cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - t->begun_cpu;
	}
}

static void bench_generate(struct buf *out, unsigned threads)
{
	struct times t = {0};

	for (int i = 0; i < ROUNDS; i++) {
		struct hash32 digest;
		struct fhe_crs c;

		buf_clear(out);
		begin(&t);
		CHECK(fhe_crs_describe(&c, &fhe_params_v1_7.pke, BITS, NULL) == ERR_OK);
		CHECK(fhe_crs_make(&c, rng_system(), threads, out) == ERR_OK);
		CHECK(kms_digest(&digest, FHE_CRS_DSEP, buf_view(out)) == ERR_OK);
		end(&t);
	}
	printf("CRS generation %d bits  %6.2f s, CPU %6.2f s, %u threads  (%.1f MB)\n", BITS,
	       t.wall, t.cpu, threads, (double)out->n / 1e6);
}

static void bench_read(const struct buf *crs, unsigned threads)
{
	struct times read = {0}, check = {0};
	struct fhe_crs c;

	for (int i = 0; i < ROUNDS; i++) {
		begin(&read);
		CHECK(fhe_crs_read(&c, buf_view(crs), NULL) == ERR_OK);
		end(&read);
		begin(&check);
		CHECK(fhe_crs_check(&c, threads, NULL) == ERR_OK);
		end(&check);
	}
	printf("reading it              %6.3f s\n", read.wall);
	printf("its points' groups      %6.2f s, CPU %6.2f s, %u threads\n", check.wall, check.cpu,
	       threads);
}

/* One number at a time: what the batches save. */
static void bench_alone(enum bls12_446_group group)
{
	struct bls12_446_scalar a;
	struct bls12_446_batch batch;
	struct bls12_446_base *base;
	static uint8_t out[BLS12_446_BATCH_MAX * BLS12_446_G2_SIZE];
	struct times alone = {0}, together = {0};

	bls12_446_scalar_draw(&a, rng_system());
	CHECK(bls12_446_batch_init(&batch) == ERR_OK);
	CHECK(bls12_446_base_new(&base, group) == ERR_OK);
	for (int i = 0; i < ROUNDS; i++) {
		begin(&alone);
		bls12_446_base_powers(base, &batch, &a, 1, 1, out);
		end(&alone);
		begin(&together);
		bls12_446_base_powers(base, &batch, &a, 1, BLS12_446_BATCH_MAX, out);
		end(&together);
	}
	printf("a multiple in G%d        %6.1f us of %d at a time, %.0f us alone\n", (int)group,
	       1e6 * together.wall / BLS12_446_BATCH_MAX, (int)BLS12_446_BATCH_MAX,
	       1e6 * alone.wall);
	bls12_446_base_free(base);
	bls12_446_batch_clear(&batch);
}

int main(int argc, char **argv)
{
	struct buf out = buf_make(FHE_CRS_SIZE_MAX);
	unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = cpus < FHE_TEAM_THREADS_MAX ? cpus : FHE_TEAM_THREADS_MAX;

	printf("CRS: nothing stubbed; best of %d; target <= 1 s for %d bits on two CPUs\n", ROUNDS,
	       BITS);
	bench_generate(&out, threads);
	bench_generate(&out, 1);
	bench_read(&out, threads);
	bench_alone(BLS12_446_G1);
	bench_alone(BLS12_446_G2);
	if (argc == 2) {
		FILE *f = fopen(argv[1], "wb");

		CHECK(f && fwrite(out.p, 1, out.n, f) == out.n && fclose(f) == 0);
	}
	buf_free(&out);
	return 0;
}

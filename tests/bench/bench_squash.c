/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the coprocessor stand-in computes, with production parameters: keys loaded, a value taken
 * out of a user's list, its noise squashed, the result compressed. The ciphertexts hold random
 * words: the work does not depend on them. Baselines in the same run: the instructions that every
 * CPU has, and one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "fhe/expanded.h"
#include "fhe/keygen/keygen.h"
#include "fhe/server/server_key.h"

struct moment {
	double wall, cpu;
};

static double clock_s(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU time is that of the whole process. */
static struct moment now(void)
{
	return (struct moment){clock_s(CLOCK_MONOTONIC), clock_s(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct moment since(struct moment begun)
{
	struct moment t = now();

	return (struct moment){t.wall - begun.wall, t.cpu - begun.cpu};
}

/* A key set of the default parameters. */
static struct buf key_set_make(unsigned threads)
{
	struct buf out = buf_make(FHE_KEY_SET_SIZE_MAX);
	struct fhe_buf_sink sink;
	struct fhe_keygen *g;

	CHECK(fhe_keygen_new(&g, &fhe_params_v1_7, BYTES_LIT("bench"), rng_system(), NULL) ==
	      ERR_OK);
	CHECK(fhe_keygen_write(g, FHE_OBJECT_KEY_SET, fhe_buf_sink_init(&sink, &out), threads,
			       NULL) == ERR_OK);
	fhe_keygen_free(g);
	return out;
}

static struct fhe_server_key *key_load(const struct buf *set, unsigned uses, unsigned threads,
				       bool portable)
{
	const struct fhe_server_options o = {
		.uses = uses, .threads = threads, .portable = portable};
	struct moment begun = now(), t;
	struct fhe_server_key *k;

	CHECK(fhe_server_key_new(&k, FHE_OBJECT_KEY_SET, buf_view(set), &o, NULL) == ERR_OK);
	t = since(begun);
	printf("keys loaded (%s, %s, %u thread%s)  %.2f s, CPU %.2f s, %.0f MB of memory\n",
	       uses & FHE_SERVER_EXPAND ? "squash, expand" : "squash", fhe_server_key_kernel(k),
	       threads, threads > 1 ? "s" : "", t.wall, t.cpu,
	       (double)fhe_server_key_memory(k) / 1e6);
	return k;
}

/* A FheUint of random words. */
static struct buf value_make(const struct fhe_type_row *type)
{
	const struct fhe_compute_params *p = &fhe_params_v1_7.compute;
	struct fhe_blocks_words v = {
		.item = fhe_item_of(type),
		.block_size = 8 * (size_t)(p->glwe_dimension * p->polynomial_size + 1),
	};
	struct buf words = buf_make(v.block_size * type->blocks), out = buf_make(8 << 20);
	uint8_t *place;

	CHECK(buf_add_space(&words, v.block_size * type->blocks, &place) == ERR_OK);
	rng_fill(rng_system(), place, words.n);
	v.words = buf_view(&words);
	CHECK(fhe_small_expanded_write(&v, BYTES_NONE, &out) == ERR_OK);
	buf_free(&words);
	return out;
}

static void bench_value(const struct fhe_server_key *k, enum fhe_type number, unsigned threads,
			bool compressed)
{
	const struct fhe_type_row *type = fhe_type_find(number);
	struct buf value = value_make(type), list = buf_make(8 << 20);
	struct moment begun = now(), t;
	struct fhe_squashed s;

	CHECK(fhe_server_squash(k, buf_view(&value), threads, &s, NULL) == ERR_OK);
	t = since(begun);
	printf("squash %-7s (%2zu block%s of 4 bits, %s, %u thread%s)  %7.3f s, CPU %7.3f s: %.3f "
	       "s "
	       "a block\n",
	       type->name, s.blocks_n, s.blocks_n > 1 ? "s" : "", fhe_server_key_kernel(k), threads,
	       threads > 1 ? "s" : "", t.wall, t.cpu, t.cpu / (double)s.blocks_n);
	if (compressed) {
		begun = now();
		CHECK(fhe_server_compress(k, &s, threads, &list, NULL) == ERR_OK);
		t = since(begun);
		printf("compress %-7s (%u thread%s)  %.3f s, CPU %.3f s, %zu bytes\n", type->name,
		       threads, threads > 1 ? "s" : "", t.wall, t.cpu, list.n);
	}
	fhe_squashed_free(&s);
	buf_free(&value);
	buf_free(&list);
}

/* A packed list of one value, random words. */
static void bench_expand(const struct fhe_server_key *k, enum fhe_type number, unsigned threads)
{
	const struct fhe_type_row *type = fhe_type_find(number);
	size_t dimension = (size_t)fhe_params_v1_7.pke.dimension, count = (type->blocks + 1) / 2;
	struct buf words = buf_make(8 * (dimension + count)), items = buf_make(1 << 10),
		   out = buf_make(8 << 20);
	struct bincode_writer w = {.out = &items};
	struct fhe_item item = fhe_item_of(type);
	struct fhe_compact_list list;
	struct reader r;
	uint8_t *place;
	struct moment begun, t;

	CHECK(buf_add_space(&words, 8 * (dimension + count), &place) == ERR_OK);
	rng_fill(rng_system(), place, words.n);
	fhe_items_write(&w, &item, 1);
	CHECK(bincode_end(&w) == ERR_OK);
	r = reader_of(buf_view(&items));
	list = (struct fhe_compact_list){
		.words = buf_view(&words),
		.lwe_size = dimension + 1,
		.count = count,
		.degree = 15,
		.items = fhe_items_read(&r, NULL),
	};
	begun = now();
	CHECK(fhe_server_expand(k, &list, 0, threads, &out, NULL) == ERR_OK);
	t = since(begun);
	printf("expand %-7s (%2u bootstraps of 64 bits, %u thread%s)  %.3f s, CPU %.3f s\n",
	       type->name, type->blocks, threads, threads > 1 ? "s" : "", t.wall, t.cpu);
	buf_free(&words);
	buf_free(&items);
	buf_free(&out);
}

int main(void)
{
	const unsigned both = FHE_SERVER_SQUASH | FHE_SERVER_EXPAND;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = cpus > 8 ? 8 : (unsigned)cpus;
	struct buf set = key_set_make(threads);
	struct fhe_server_key *k;

	printf("squashing, default parameters, nothing stubbed. Measured elsewhere, on a machine "
	       "of "
	       "two CPUs:\ntfhe-rs 1.7 (Rust, f128 FFT) 0.36 s for a bool, 3.07 s for a uint64, "
	       "list of a uint64 0.58 s;\na first prototype 2.5 s a block, 6.5 s to load, 0.4 s a "
	       "block for a list\n");
	k = key_load(&set, both, 1, true);
	bench_value(k, FHE_UINT4, 1, false);
	bench_expand(k, FHE_UINT8, 1);
	fhe_server_key_free(k);
	k = key_load(&set, both, 1, false);
	bench_value(k, FHE_BOOL, 1, false);
	bench_value(k, FHE_UINT4, 1, true);
	bench_value(k, FHE_UINT64, 1, true);
	bench_expand(k, FHE_UINT8, 1);
	fhe_server_key_free(k);
	k = key_load(&set, both, threads, false);
	bench_value(k, FHE_UINT64, threads, true);
	bench_value(k, FHE_UINT256, threads, true);
	bench_expand(k, FHE_UINT64, threads);
	fhe_server_key_free(k);
	buf_free(&set);
	return 0;
}

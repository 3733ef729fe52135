/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a worker alone does (stage.h), on both engines:
 *
 *   bench_worker stage    rows `seen` become rows `answered`, so many a second
 *   bench_worker backlog  the same with 1000 to a million rows waiting, and what a sender's claim
 *                         takes with as many answers waiting
 *   bench_worker cycles [--minutes N]  every 500 ms so many rows with ciphertexts of 97 KiB
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "connector/sender/internal.h"
#include "pg_server.h"
#include "stage.h"

enum {
	SMALL = 1024,
	LARGE = 97 << 10,
	STAGE_ROWS = 20000,
	STAGE_LARGE_ROWS = 5000,
	STAGE_TARGET = 2000,
	BACKLOG_MAX = 1000000,
	BACKLOG_ROWS = 5000, /* of those that wait; of 1000, all */
	CLAIMS = 40,
	CLAIM_ROWS = 50,
	ANSWER_STEP = 20000,
	CYCLE_MS = 500,
	CYCLE_ROWS = 150,
	CYCLES_MAX = 60 * 60 * 2,
	MEMORY_EVERY = 10, /* cycles */
	LOOK_MS = 5,
};

struct bench {
	struct worker_stage s;
	const char *engine;
	struct timer timer;
	uint64_t wanted;
	double ended_s;

	/* cycles */
	size_t cycles, begun, over, late_n;
	double begin_s, next_s, took_ms[CYCLES_MAX];
	long resident_kib, anonymous_kib;
};

/* ---- stage ---- */

static void look(void *ctx)
{
	struct bench *b = ctx;

	if (stage_answered(&b->s) >= b->wanted) {
		b->ended_s = stage_now_s();
		loop_stop(b->s.loop);
		return;
	}
	clock_timer_set(loop_clock(b->s.loop), &b->timer, LOOK_MS, look, b);
}

/* `rows` of those that wait. Returns rows a second. */
static double work(struct bench *b, size_t rows, double *ret_cpu)
{
	double cpu_s = stage_cpu_s(), began_s = stage_now_s();

	b->wanted = stage_answered(&b->s) + rows;
	CHECK(worker_start(&b->s.worker, &b->s.w->env) == ERR_OK);
	look(b);
	CHECK(loop_run(b->s.loop) == ERR_OK);
	*ret_cpu = (stage_cpu_s() - cpu_s) / (b->ended_s - began_s) * 100;
	return (double)rows / (b->ended_s - began_s);
}

static void stage_one(struct bench *b, size_t size, size_t rows, bool target)
{
	double cpu;

	b->s.size = size;
	stage_open(&b->s);
	stage_insert(&b->s, rows);
	double per_s = work(b, rows, &cpu);
	(void)printf(
		"  %s, ciphertexts of %zu bytes: %.0f/s (%zu rows; CPU of the worker's process "
		"%.0f %%)\n",
		b->engine, size, per_s, rows, cpu);
	if (target)
		(void)printf("figure: worker stage, %s; target >= %d/s; measured %.0f/s\n",
			     b->engine, STAGE_TARGET, per_s);
	(void)fflush(stdout);
	stage_close(&b->s);
}

static void run_stage(struct bench *b)
{
	stage_one(b, SMALL, STAGE_ROWS, true);
	stage_one(b, LARGE, STAGE_LARGE_ROWS, false);
}

/* ---- backlog ---- */

static double claim_ms(struct bench *b)
{
	struct store_batch batch = store_batch_make(1 << 16);
	const struct chain_id chain = {WORLD_GATEWAY_CHAIN};
	size_t rows = 0;
	double took_s = 0;

	worker_stop(b->s.worker);
	b->s.worker = NULL;
	/* In steps: a statement on PostgreSQL has ten seconds. */
	for (int64_t id = 0; id < (int64_t)b->s.inserted; id += ANSWER_STEP) {
		CHECK(STORE_ADD(&batch, STORE_ANY,
				"UPDATE operation SET state = 'answered', lease_owner = NULL, "
				"lease_until_ms = 0 WHERE id > $1 AND id <= $2 AND state IN "
				"('seen','ready','computing')",
				store_int(id), store_int(id + ANSWER_STEP)) == ERR_OK);
		stage_store(&b->s, &batch, NULL);
	}
	for (int i = 0; i < CLAIMS; i++) {
		int64_t now_ms = clock_wall_ms(loop_clock(b->s.loop));
		double began_s = stage_now_s();

		CHECK(op_add_claim_answered(&batch, chain, "sender", now_ms, now_ms + 60000,
					    CLAIM_ROWS) == ERR_OK &&
		      tx_add_reverts(&batch, "sender") == ERR_OK &&
		      op_add_next_answered(&batch, chain, now_ms) == ERR_OK);
		stage_store(&b->s, &batch, &rows);
		took_s += stage_now_s() - began_s;
		if (rows < CLAIM_ROWS)
			return took_s / (i + 1) * 1e3;
	}
	return took_s / CLAIMS * 1e3;
}

static void run_backlog(struct bench *b)
{
	double first = 0, last = 0, first_ms = 0, last_ms = 0, cpu;

	b->s.size = SMALL;
	for (size_t n = BACKLOG_ROWS / 5; n <= BACKLOG_MAX; n *= 10) {
		double began_s = stage_now_s();

		stage_open(&b->s);
		stage_insert(&b->s, n);
		double seeded_s = stage_now_s() - began_s;
		last = work(b, n < BACKLOG_ROWS ? n : BACKLOG_ROWS, &cpu);
		last_ms = claim_ms(b);
		first = first > 0 ? first : last;
		first_ms = first_ms > 0 ? first_ms : last_ms;
		(void)printf("  %s, %zu waiting: %.0f/s, %.0f us of CPU each; a sender's claim of "
			     "%d: %.1f ms (seeded in %.0f s)\n",
			     b->engine, n, last, cpu / 100 / last * 1e6, CLAIM_ROWS, last_ms,
			     seeded_s);
		(void)fflush(stdout);
		stage_close(&b->s);
	}
	(void)printf("figure: cost per operation at a backlog of 10^6 to that of 10^3, %s; target "
		     "flat; measured worker %.2f, sender's claim %.2f\n",
		     b->engine, first / last, last_ms / first_ms);
}

/* ---- cycles ---- */

static void cycle(void *ctx);

static void cycle_in(struct bench *b, double seconds)
{
	clock_timer_set(loop_clock(b->s.loop), &b->timer,
			seconds > 0 ? (int64_t)(seconds * 1e3) : 0, cycle, b);
}

static void measure_memory(struct bench *b)
{
	long resident = stage_memory_kib("Rss"), anonymous = stage_memory_kib("Anonymous");

	b->resident_kib = resident > b->resident_kib ? resident : b->resident_kib;
	b->anonymous_kib = anonymous > b->anonymous_kib ? anonymous : b->anonymous_kib;
}

static void cycle(void *ctx)
{
	struct bench *b = ctx;
	double now_s = stage_now_s();
	bool done = stage_answered(&b->s) >= b->wanted;

	if (done && b->begun > b->over) {
		b->took_ms[b->over++] = (now_s - b->begin_s) * 1e3;
		if (b->over % MEMORY_EVERY == 0)
			measure_memory(b);
	}
	if (b->over == b->cycles) {
		loop_stop(b->s.loop);
	} else if (!done) {
		clock_timer_set(loop_clock(b->s.loop), &b->timer, LOOK_MS, cycle, b);
	} else if (now_s < b->next_s) {
		cycle_in(b, b->next_s - now_s);
	} else {
		b->late_n += b->begun > 0 && now_s - b->next_s > 2 * LOOK_MS / 1e3 ? 1 : 0;
		b->begin_s = now_s;
		b->next_s = now_s + CYCLE_MS / 1e3;
		b->begun++;
		b->wanted += CYCLE_ROWS;
		stage_offer(&b->s, CYCLE_ROWS);
		clock_timer_set(loop_clock(b->s.loop), &b->timer, LOOK_MS, cycle, b);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void run_cycles(struct bench *b)
{
	size_t overruns = 0;

	b->s.size = LARGE;
	stage_open(&b->s);
	CHECK(worker_start(&b->s.worker, &b->s.w->env) == ERR_OK);
	double cpu_s = stage_cpu_s(), began_s = stage_now_s();
	cycle(b);
	CHECK(loop_run(b->s.loop) == ERR_OK);
	double all_s = stage_now_s() - began_s;
	for (size_t i = 0; i < b->cycles; i++)
		overruns += b->took_ms[i] > CYCLE_MS ? 1 : 0;
	qsort(b->took_ms, b->cycles, sizeof(b->took_ms[0]), by_value);
	(void)printf("  %s: %zu cycles of %d ms in %.0f s, each %d operations with %d bytes: work "
		     "p50 %.0f ms, p99 %.0f ms, max %.0f ms; CPU of the worker's process %.0f %%; "
		     "at most %.1f MB resident, %.1f MB anonymous\n",
		     b->engine, b->cycles, CYCLE_MS, all_s, CYCLE_ROWS, LARGE,
		     b->took_ms[b->cycles / 2], b->took_ms[b->cycles * 99 / 100],
		     b->took_ms[b->cycles - 1], (stage_cpu_s() - cpu_s) / all_s * 100,
		     (double)b->resident_kib * 1024 / 1e6, (double)b->anonymous_kib * 1024 / 1e6);
	(void)printf("figure: overruns in %zu cycles of %d ms with 97 KiB objects, %s; target 0; "
		     "measured %zu\n",
		     b->cycles, CYCLE_MS, b->engine, overruns);
	stage_close(&b->s);
}

/* ---- which ---- */

static const struct mode {
	const char *name, *says;
	void (*run)(struct bench *b);
} modes[] = {
	{"stage", "worker stage: store -> core -> store", run_stage},
	{"backlog", "cost with many rows waiting: worker stage, a sender's claim", run_backlog},
	{"cycles", "cycles with large ciphertexts: worker stage", run_cycles},
};

static void run(const struct mode *mode, const char *engine, const char *url, double minutes)
{
	struct bench *b = calloc(1, sizeof(*b));
	double cycles = minutes * 60 * 1e3 / CYCLE_MS;

	CHECK(b != NULL);
	b->engine = engine;
	b->s.url = url;
	b->cycles = cycles < CYCLES_MAX ? (size_t)cycles : CYCLES_MAX;
	mode->run(b);
	free(b);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"minutes", 1, NULL, 'm'}, {"engine", 1, NULL, 'e'}, {0}};
	static struct pg_server server;
	const struct mode *mode = NULL;
	const char *engine = "both";
	double minutes = 1;

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (c == '?')
			return 2;
		if (c == 'm')
			minutes = strtod(optarg, NULL);
		else
			engine = optarg;
	}
	for (size_t i = 0; optind < argc && i < ARRAY_LEN(modes); i++)
		if (strcmp(modes[i].name, argv[optind]) == 0)
			mode = &modes[i];
	if (!mode || minutes <= 0) {
		(void)fprintf(stderr, "usage: bench_worker stage|backlog|cycles [--minutes N] "
				      "[--engine sqlite|postgres]\n");
		return 2;
	}
	(void)printf("%s; chains, buckets and core stand in another process (C, loopback and a "
		     "Unix socket): they decrypt nothing and sign well; no ciphertext is cached\n",
		     mode->says);
	bool postgres = strcmp(engine, "sqlite") != 0;
	if (postgres && !pg_server_start(&server))
		return 1;
	if (strcmp(engine, "postgres") != 0)
		run(mode, "SQLite", NULL, minutes);
	if (postgres)
		run(mode, "PostgreSQL", server.url, minutes);
	if (postgres)
		pg_server_remove(&server);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * connector-sim: runs of the simulated world, one seed after the other. A run that aborts or hangs
 * takes its child process along; the parent says which seed it was and goes on.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../jobs.h"
#include "sim.h"

enum {
	RUN_MAX_S = 120
};

struct command {
	uint64_t first, count;
	double hours;
	unsigned jobs;
	bool trace, plain;
	const struct plant *plant;
	const char *only;
};

/* Shared with the children. */
struct board {
	uint64_t next;
	uint64_t runs, failures, steps, requests, kills, faults;
	int64_t virtual_ms;
	uint64_t at[JOBS_MAX]; /* the seed that each child is at */
};

static int usage(void)
{
	(void)fprintf(stderr,
		      "usage: connector-sim [--seed S] [--seeds N] [--hours H] [--jobs N] [--plant "
		      "NAME] [--only FAULT,...] [--plain] [--trace] [--list]\n");
	return 2;
}

static int list(void)
{
	printf("faults:\n");
	faults_list();
	printf("plants:\n");
	for (size_t i = 0; i < plants_n; i++)
		printf("  %-20s %s\n", plants[i].name, plants[i].what);
	return 0;
}

static bool number(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text ? text : "", &end);
	return text && *text && !*end && *ret >= 0;
}

static bool option(struct command *c, const char *name, const char *value)
{
	double n = 0;

	if (strcmp(name, "--plant") == 0)
		return (c->plant = plant_find(value)) != NULL;
	if (strcmp(name, "--only") == 0)
		return (c->only = value) != NULL && faults_known(value);
	if (!number(value, &n))
		return false;
	if (strcmp(name, "--seed") == 0)
		c->first = strtoull(value, NULL, 10);
	else if (strcmp(name, "--seeds") == 0)
		c->count = (uint64_t)n;
	else if (strcmp(name, "--hours") == 0)
		c->hours = n;
	else if (strcmp(name, "--jobs") == 0 && n >= 1 && n <= JOBS_MAX)
		c->jobs = (unsigned)n;
	else
		return false;
	return true;
}

/* ---- runs ---- */

static void failed(const struct command *c, uint64_t seed, const char *why)
{
	printf("seed %" PRIu64 ": %s\n  ./dev sim --seed %" PRIu64
	       " --hours %g%s%s%s%s%s --trace\n",
	       seed, why, seed, c->hours, c->plant ? " --plant " : "",
	       c->plant ? c->plant->name : "", c->only ? " --only " : "", c->only ? c->only : "",
	       c->plain ? " --plain" : "");
	(void)fflush(stdout);
}

static struct sim_outcome run(const struct command *c, uint64_t seed, const struct plant *plant)
{
	const struct sim_options o = {
		.seed = seed,
		.fault_ms = (int64_t)(c->hours * HOUR),
		.trace = c->trace,
		.plant = plant,
		.only = c->only,
		.plain = c->plain,
	};
	struct sim_outcome out;

	sim_run(&o, &out);
	return out;
}

static void run_one(const struct command *c, struct board *b, uint64_t seed)
{
	struct sim_outcome out;

	(void)alarm(c->trace ? 0 : RUN_MAX_S); /* it hangs: that counts as an abort */
	out = run(c, seed, c->plant);
	(void)__atomic_add_fetch(&b->runs, 1, __ATOMIC_RELAXED);
	(void)__atomic_add_fetch(&b->steps, out.steps, __ATOMIC_RELAXED);
	(void)__atomic_add_fetch(&b->requests, out.requests, __ATOMIC_RELAXED);
	(void)__atomic_add_fetch(&b->kills, out.kills, __ATOMIC_RELAXED);
	(void)__atomic_add_fetch(&b->faults, out.faults, __ATOMIC_RELAXED);
	(void)__atomic_add_fetch(&b->virtual_ms, out.virtual_ms, __ATOMIC_RELAXED);
	/* A plant is found where the same seed finds nothing without it. */
	if (!out.failed || (c->plant && run(c, seed, NULL).failed))
		return;
	(void)__atomic_add_fetch(&b->failures, 1, __ATOMIC_RELAXED);
	failed(c, seed, out.failure);
}

/* The seed of each turn. With a plant from the one on that found it before, then those before that.
 */
static uint64_t seed_at(const struct command *c, uint64_t n)
{
	uint64_t seed = c->plant ? c->plant->seed : 0;

	if (seed > c->first && seed - c->first < c->count)
		n = (n + seed - c->first) % c->count;
	return c->first + n;
}

/* What a child knows. */
struct share {
	const struct command *c;
	struct board *b;
};

static void work(void *ctx, unsigned index)
{
	const struct share *share = ctx;
	const struct command *c = share->c;
	struct board *b = share->b;

	for (;;) {
		uint64_t n = __atomic_fetch_add(&b->next, 1, __ATOMIC_RELAXED);

		if (n >= c->count || (c->plant && b->failures > 0))
			return;
		b->at[index] = seed_at(c, n);
		run_one(c, b, b->at[index]);
	}
}

static void died(void *ctx, unsigned index)
{
	const struct share *share = ctx;

	share->b->runs++;
	share->b->failures++;
	failed(share->c, share->b->at[index], "the program aborted");
}

static int verdict(const struct command *c, const struct board *b)
{
	printf("%" PRIu64 " runs: %.1f virtual hours, %" PRIu64 " requests, %" PRIu64
	       " faults, %" PRIu64 " deaths, %" PRIu64 " events\n",
	       b->runs, (double)b->virtual_ms / HOUR, b->requests, b->faults, b->kills, b->steps);
	if (c->plant) {
		printf("%s plant %s: %s\n", b->failures > 0 ? "ok" : "not ok", c->plant->name,
		       b->failures > 0 ? "found" : "not found");
		return b->failures > 0 ? 0 : 1;
	}
	printf("%s %" PRIu64 " seeds from %" PRIu64 "\n", b->failures > 0 ? "not ok" : "ok",
	       b->runs, c->first);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", b->runs - b->failures, b->failures);
	return b->failures > 0 ? 1 : 0;
}

/* One thread, many small blocks: SQLite needs no locks and no statistics here. */
static void memory_init(void)
{
	enum {
		PAGE_SIZE = 4096 + 512,
		PAGES = 2048,
		LOOKASIDE_SIZE = 1200,
		LOOKASIDES = 200
	};
	static uint64_t pages[PAGES * PAGE_SIZE / sizeof(uint64_t)];

	CHECK(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK);
	CHECK(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
	CHECK(sqlite3_config(SQLITE_CONFIG_PAGECACHE, pages, PAGE_SIZE, PAGES) == SQLITE_OK);
	CHECK(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, LOOKASIDE_SIZE, LOOKASIDES) == SQLITE_OK);
	(void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
	(void)mallopt(M_MMAP_THRESHOLD, 256 << 20);
	(void)mallopt(M_TOP_PAD, 4 << 20);
}

int main(int argc, char **argv)
{
	struct command c = {.first = 1, .count = 1, .hours = 0.5, .jobs = 1};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--list") == 0)
			return list();
		if (strcmp(argv[i], "--trace") == 0)
			c.trace = true;
		else if (strcmp(argv[i], "--plain") == 0)
			c.plain = true;
		else if (i + 1 >= argc || !option(&c, argv[i], argv[i + 1]))
			return usage();
		else
			i++;
	}
	memory_init();
	struct board *b =
		mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(b != MAP_FAILED);

	struct share share = {&c, b};

	if (c.trace)
		work(&share, 0);
	else
		jobs_run(&(const struct jobs){c.jobs, &share, work, died});
	return verdict(&c, b);
}

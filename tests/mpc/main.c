/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * mpc-sim: the threshold protocols among liars, one seed after the other. A seed is one run of each
 * protocol with four parties and one with the larger committee; seeds in a row go through all
 * strategies and all numbers of liars. A run that aborts or hangs takes its child process along;
 * the parent says which seed it was and goes on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../jobs.h"
#include "plants.h"
#include "runs.h"

enum {
	RUN_MAX_S = 600
};

struct command {
	uint64_t first, count;
	unsigned jobs;
	unsigned parties; /* the larger committee, for all protocols; 0: as they say */
	bool trace;
	const char *only;  /* a protocol */
	const char *plant; /* which this program has in it */
};

/* Shared with the children. */
struct board {
	uint64_t next, runs, failures, messages;
	uint64_t at[JOBS_MAX];
	const char *in[JOBS_MAX];
};

static int usage(void)
{
	(void)fprintf(stderr, "usage: mpc-sim [--seed S] [--seeds N] [--jobs N] [--only PROTOCOL] "
			      "[--parties N] [--plant NAME] [--trace] [--list]\n");
	return 2;
}

static int list(void)
{
	printf("protocols:\n");
	for (size_t i = 0; i < mpc_runs_n; i++)
		printf("  %s\n", mpc_runs[i].name);
	printf("strategies:\n");
	for (size_t i = 0; i < strategies_n; i++)
		printf("  %s\n", strategies[i].name);
	printf("plants:\n");
	for (size_t i = 0; i < mpc_plants_n; i++)
		printf("  %-20s %s\n", mpc_plants[i].name, mpc_plants[i].what);
	return 0;
}

/* ---- runs ---- */

static void failed(const struct command *c, uint64_t seed, const char *protocol, const char *why)
{
	printf("seed %" PRIu64 ": %s: %s\n  ./dev sim --mpc --seed %" PRIu64 " --only %s%s%s", seed,
	       protocol, why, seed, protocol, c->plant ? " --plant " : "",
	       c->plant ? c->plant : "");
	if (c->parties)
		printf(" --parties %u", c->parties);
	printf("\n");
	(void)fflush(stdout);
}

/* Which of the strategies that the protocol meets; more liars than t come after the last. */
static void choose(struct mpc_run *r, const struct mpc_run_row *row, uint64_t number)
{
	const struct strategy *meets[64];
	size_t n = 0;

	for (size_t i = 0; i < strategies_n; i++)
		if (strategies[i].on & row->meets)
			meets[n++] = &strategies[i];
	if (number % (n + 1) == n) {
		r->how = strategy_find("silent");
		r->liars = r->t + 1;
		return;
	}
	r->how = meets[number % (n + 1)];
	r->liars = 1 + (unsigned)(number / (n + 1) % r->t);
}

static void run_one(const struct command *c, struct board *b, const struct mpc_run_row *row,
		    unsigned parties, uint64_t seed)
{
	uint64_t every = parties > 4 ? row->in_every : 1;
	struct mpc_run r = {.n = parties, .t = (parties - 1) / 3, .seed = seed};
	const char *why;

	if (seed % every != 0)
		return;
	choose(&r, row, seed / every);
	(void)alarm(RUN_MAX_S);
	why = row->run(&r);
	(void)__atomic_add_fetch(&b->runs, 1, __ATOMIC_RELAXED);
	(void)__atomic_add_fetch(&b->messages, r.delivered, __ATOMIC_RELAXED);
	if (c->trace)
		printf("%s: %u parties, %u of them %s (0x%x): %" PRIu64 " rounds, %" PRIu64
		       " messages, found corrupt: 0x%x: %s\n",
		       row->name, r.n, r.liars, r.how->name, r.hostile, r.rounds, r.delivered,
		       r.corrupt, why ? why : "right");
	if (!why)
		return;

	char text[256];

	(void)snprintf(text, sizeof(text), "%u parties, %u of them %s: %s", r.n, r.liars,
		       r.how->name, why);
	(void)__atomic_add_fetch(&b->failures, 1, __ATOMIC_RELAXED);
	failed(c, seed, row->name, text);
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
		b->at[index] = c->first + n;
		for (size_t i = 0; i < mpc_runs_n; i++) {
			b->in[index] = mpc_runs[i].name;
			if (c->only && strcmp(c->only, mpc_runs[i].name) != 0)
				continue;
			run_one(c, b, &mpc_runs[i], 4, c->first + n);
			run_one(c, b, &mpc_runs[i], c->parties ? c->parties : mpc_runs[i].parties,
				c->first + n);
		}
	}
}

static void died(void *ctx, unsigned index)
{
	const struct share *share = ctx;
	struct board *b = share->b;

	b->runs++;
	b->failures++;
	failed(share->c, b->at[index], b->in[index], "the program aborted");
}

static int verdict(const struct command *c, const struct board *b)
{
	printf("%" PRIu64 " runs, %" PRIu64 " messages\n", b->runs, b->messages);
	if (c->plant) {
		printf("%s mpc plant %s: %s\n", b->failures > 0 ? "ok" : "not ok", c->plant,
		       b->failures > 0 ? "found" : "not found");
		return b->failures > 0 ? 0 : 1;
	}
	printf("%s mpc: %" PRIu64 " seeds from %" PRIu64 "\n", b->failures > 0 ? "not ok" : "ok",
	       c->count, c->first);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", b->runs - b->failures, b->failures);
	return b->failures > 0 ? 1 : 0;
}

/* ---- the command ---- */

/* The program with the plant in it stands beside this one. It is told to be that. */
static int run_planted(const char *name, char **argv)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 128);

	CHECK(n > 0);
	(void)snprintf(&path[n], sizeof(path) - (size_t)n, "-%s", name);
	(void)setenv("MPC_SIM_PLANT", name, 1);
	(void)execv(path, argv);
	perror(path);
	return 2;
}

static bool option(struct command *c, const char *name, const char *value)
{
	char *end;
	uint64_t n = strtoull(value, &end, 10);

	if (strcmp(name, "--plant") == 0)
		return mpc_plant_find(c->plant = value) != NULL;
	if (strcmp(name, "--only") == 0) {
		c->only = value;
		for (size_t i = 0; i < mpc_runs_n; i++)
			if (strcmp(value, mpc_runs[i].name) == 0)
				return true;
		return false;
	}
	if (!*value || *end)
		return false;
	if (strcmp(name, "--seed") == 0)
		c->first = n;
	else if (strcmp(name, "--seeds") == 0)
		c->count = n;
	else if (strcmp(name, "--parties") == 0 && n >= 4 && n <= MPC_PARTIES_MAX)
		c->parties = (unsigned)n;
	else if (strcmp(name, "--jobs") == 0 && n >= 1 && n <= JOBS_MAX)
		c->jobs = (unsigned)n;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	struct command c = {.first = 1, .count = 1, .jobs = 1};
	const char *planted = getenv("MPC_SIM_PLANT");
	struct board *b;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--list") == 0)
			return list();
		if (strcmp(argv[i], "--trace") == 0)
			c.trace = true;
		else if (i + 1 >= argc || !option(&c, argv[i], argv[i + 1]))
			return usage();
		else
			i++;
	}
	if (c.plant && (!planted || strcmp(planted, c.plant) != 0))
		return run_planted(c.plant, argv);
	if (c.plant && !c.only)
		c.only = mpc_plant_find(c.plant)->run;
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(b != MAP_FAILED);
	jobs_run(&(const struct jobs){c.jobs, &(struct share){&c, b}, work, died});
	return verdict(&c, b);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * One run of a protocol among liars, and what must hold afterwards: the simulator's and the unit
 * tests'. A run knows everything that an omniscient spectator would.
 */
#ifndef TEST_MPC_RUNS_H
#define TEST_MPC_RUNS_H

#include "network.h"

struct mpc_run {
	unsigned n, t;
	unsigned liars; /* t + 1: they are silent, and nobody may learn anything */
	const struct strategy *how;
	uint64_t seed;
	/* What came of it. */
	mpc_set hostile, corrupt;
	mpc_set finished; /* prss-abort: honest ones with keys */
	uint64_t delivered, rounds;
};

struct mpc_run_row {
	const char *name;
	/* NULL, or what is wrong. */
	const char *(*run)(struct mpc_run *r);
	unsigned meets;    /* strategies that are of this kind */
	unsigned parties;  /* the larger committee that it is tried with */
	unsigned in_every; /* seed that often, where it takes long */
};
extern const struct mpc_run_row mpc_runs[];
extern const size_t mpc_runs_n;

const char *run_open_waiting(struct mpc_run *r); /* asynchronous */
const char *run_open_timed(struct mpc_run *r);   /* synchronous */
const char *run_broadcast(struct mpc_run *r);
const char *run_vss(struct mpc_run *r);
const char *run_coin(struct mpc_run *r);
const char *run_prss_init(struct mpc_run *r);
const char *run_prss_abort(struct mpc_run *r);
/* Its session: who lies about commitments has to make them. */
#define RUN_PRSS_ABORT_SESSION                                                                     \
	{                                                                                          \
		{                                                                                  \
			0xab, [15] = 1                                                             \
		}                                                                                  \
	}
const char *run_public_decryption(struct mpc_run *r);
const char *run_user_decryption(struct mpc_run *r);

/* A network for the run, with its liars chosen; and when it has run, its figures. */
void run_begin(struct mpc_run *r, struct network *net);
void run_end(struct mpc_run *r, struct network *net);
static inline bool run_beyond(const struct mpc_run *r)
{
	return r->liars > r->t;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * All parties of a protocol in one process. Messages are delivered in an order that the seed
 * chooses, some of them twice; what hostile parties send goes through a strategy first. Hostile
 * parties run the protocol as well, so that there is something to be falsified.
 *
 * In a synchronous round the time is up when nothing is on its way any more: honest messages come
 * in time, as the model says. What a strategy holds back comes after that.
 */
#ifndef TEST_MPC_NETWORK_H
#define TEST_MPC_NETWORK_H

#include "base/rng.h"
#include "mpc/session.h"

enum {
	NETWORK_MESSAGES_MAX = 1 << 16
};

/* Bytes that are on their way to several parties at once. */
struct network_body {
	unsigned refs;
	struct buf bytes;
};

struct network_message {
	unsigned from, to;
	uint64_t round;
	struct buf body; /* a strategy's to change */
	struct network_body *shared;
	bool held; /* comes after everything else, and after the time of its round */
};

struct network;
struct gr;

/* What a strategy is about: a protocol without such messages need not meet it. */
enum {
	ON_ANY = 1,   /* messages of any form */
	ON_LISTS = 2, /* lists of shares */
	ON_CASTS = 4, /* broadcasts */
	ON_DEALS = 8  /* verifiable sharing */
};

/* What a hostile party does with a message of its own before it leaves: false: it does not. */
struct strategy {
	const char *name;
	bool (*spoil)(struct network *net, struct network_message *m);
	unsigned on;
};
extern const struct strategy strategies[];
extern const size_t strategies_n;
const struct strategy *strategy_find(const char *name); /* NULL: there is none */

/* Two things that a hostile sender says at once. */
struct network_lie {
	struct buf told[2];
};

struct network {
	struct mpc_group group; /* `me` means nothing */
	uint64_t seed;
	struct rng_seeded seeded;
	struct rng *rng;
	mpc_set hostile;
	mpc_set slow; /* honest, and their messages come last */
	const struct strategy *strategy;
	struct mpc_session *session[MPC_PARTIES_MAX];
	struct network_message *queue;
	size_t queue_n, held_n;
	struct network_body *last[MPC_PARTIES_MAX]; /* what each party sent last */
	struct buf old[MPC_PARTIES_MAX]; /* a message that each hostile party once sent */
	struct network_lie lie[MPC_PARTIES_MAX];
	uint64_t delivered;
	/* Sees what honest parties send. */
	void (*tap)(void *ctx, const struct network_message *m);
	void *tap_ctx;
};

void network_init(struct network *net, unsigned n, unsigned t, uint64_t seed);
/* `party`'s protocol; borrowed. */
void network_join(struct network *net, unsigned party, struct mpc_protocol *p);
/* Until nothing moves. */
void network_run(struct network *net);
bool network_honest_done(const struct network *net);
/* The latest round that an honest party is in, or ended in. */
uint64_t network_rounds(const struct network *net);
mpc_set network_honest(const struct network *net);
void network_free(struct network *net);

void network_body_drop(struct network_body *b); /* NULL allowed */

/* A number that is the same for the same arguments in one run: what liars have agreed on. */
uint64_t network_agreed(const struct network *net, uint64_t a, uint64_t b, uint64_t c);

/* An element, and k of the first n parties, by chance. */
struct gr any_gr(struct rng *rng);
mpc_set any_parties(struct rng *rng, unsigned n, unsigned k);

#endif

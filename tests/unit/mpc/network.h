/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * All parties of a protocol in one process. Messages are delivered in an order that the seed
 * chooses; what hostile parties send goes through a strategy first. Hostile parties run the
 * protocol as well, so that there is something to be falsified.
 *
 * In a synchronous round the time is up when nothing is on its way any more: honest messages come
 * in time, as the model says.
 */
#ifndef TEST_MPC_NETWORK_H
#define TEST_MPC_NETWORK_H

#include "mpc/session.h"
#include "mpc_test.h"

enum {
	NETWORK_MESSAGES_MAX = 1 << 16
};

struct network_message {
	unsigned from, to;
	uint64_t round;
	struct buf body;
};

struct network;

/* What a hostile party does with a message of its own before it leaves: false: it does not. */
struct strategy {
	const char *name;
	bool (*spoil)(struct network *net, struct network_message *m);
};
extern const struct strategy strategies[];
extern const size_t strategies_n;

struct network {
	struct mpc_group group; /* `me` means nothing */
	struct rng_seeded seeded;
	struct rng *rng;
	mpc_set hostile;
	const struct strategy *strategy;
	struct mpc_session *session[MPC_PARTIES_MAX];
	struct network_message *queue;
	size_t queue_n;
	struct buf old[MPC_PARTIES_MAX]; /* a message that each hostile party once sent */
	uint64_t delivered;
};

void network_init(struct network *net, unsigned n, unsigned t, uint64_t seed);
/* `party`'s protocol; borrowed. */
void network_join(struct network *net, unsigned party, struct mpc_protocol *p);
/* Until nothing moves. */
void network_run(struct network *net);
bool network_honest_done(const struct network *net);
void network_free(struct network *net);

#endif

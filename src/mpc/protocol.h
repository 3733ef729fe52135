/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A protocol as its steps: no socket, no clock, no thread. It is the same between machines and in
 * one process under a scheduler that drops, delays and forges (tests/mpc).
 *
 * A protocol runs in rounds. In a round it says what it sends to whom, then it is shown what has
 * come in, once for each time that something did, until it says that the round is over; and so on
 * until it is done. Its caller keeps the counter of rounds, gives it only the first message of each
 * party for this round (`mpc/session.h`), and in a synchronous round tells it when the time is up.
 *
 *	begin   protocol_send(p, &out, &wants): deliver `out`
 *	again   protocol_take(p, &in, late, &progress), with every arrival and at the deadline
 *		MPC_WAIT: wait on; MPC_ROUND_OVER: begin; MPC_DONE: the protocol's own result
 *
 * A hostile party can make a message of any bytes: they never make `take` fail, they make that
 * party's word absent or wrong. An error is our own trouble (memory), or one that the protocol
 * names.
 */
#ifndef MPC_PROTOCOL_H
#define MPC_PROTOCOL_H

#include "base/bytes.h"
#include "mpc/group.h"

/* What goes out in a round; to[i - 1] is party i's, with size_max set by the protocol; empty:
 * nothing is sent. */
struct mpc_outbox {
	struct buf to[MPC_PARTIES_MAX];
};
void mpc_outbox_clear(struct mpc_outbox *out); /* frees; wipes: shares are secrets on their way */

/* What has come: of[i - 1] is party i's. A party that is in `spoke` said something, if only
 * nothing. The views live as long as the call. */
struct mpc_inbox {
	mpc_set spoke;
	struct bytes of[MPC_PARTIES_MAX];
};

/*
 * Whose words are waited for, and the most bytes that one of them may have: what is longer is
 * rubbish and is not to be kept. A synchronous round ends at a deadline, whoever is missing; an
 * asynchronous one ends when it has enough.
 *
 * Deadlines are of one timetable, counted from the beginning of the session: if they were counted
 * from the beginning of each round at each party, whoever is kept waiting by a liar would be late
 * itself in the next.
 */
struct mpc_expectation {
	mpc_set from;
	size_t size_max;
	bool synchronous;
};

enum mpc_progress {
	MPC_WAIT,
	MPC_ROUND_OVER,
	MPC_DONE
};

struct mpc_protocol;

struct mpc_protocol_ops {
	const char *name;
	enum err (*send)(struct mpc_protocol *p, struct mpc_outbox *out,
			 struct mpc_expectation *ret_wants);
	/* `late`: the time is up, nobody else will be heard in this round. */
	enum err (*take)(struct mpc_protocol *p, const struct mpc_inbox *in, bool late,
			 enum mpc_progress *ret_progress);
};

/* The first member of every protocol's own struct. */
struct mpc_protocol {
	const struct mpc_protocol_ops *ops;
};

static inline enum err protocol_send(struct mpc_protocol *p, struct mpc_outbox *out,
				     struct mpc_expectation *ret_wants)
{
	return p->ops->send(p, out, ret_wants);
}

static inline enum err protocol_take(struct mpc_protocol *p, const struct mpc_inbox *in, bool late,
				     enum mpc_progress *ret_progress)
{
	return p->ops->take(p, in, late, ret_progress);
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Reliable broadcast, of all parties at once: in the end all honest parties hold the same word of
 * each sender, and an honest sender's is what it sent; or all hold nothing of it. Synchronous:
 *
 *	1     every sender sends its value to all
 *	2     everybody echoes what came
 *	3     for a value with n - t echoes: a vote on its hash
 *	4 ..  agreement (agree.h) on whether a value has n - t votes, 3 (t + 1) rounds
 *
 * No two honest parties vote for different values of a sender: each has n - 2 t honest echoes. So
 * if one of them sees n - t votes, all see more than t, and for no other value more than t.
 *
 * The published implementation has fewer rounds, 3 + t: instead of agreement there are votes in
 * round r with t + r - 3 votes, once per sender, and in the end n - t votes count. Then one liar of
 * four can make two honest parties hold its word and the third one nothing: it sends its value to
 * two, echoes it to one of them, and in the last rounds votes to some only. `published` is for a
 * committee that it is part of; all must say the same.
 *
 * Values are public. Who holds a value that it never saw in full asks nobody: among n - t echoes
 * there are n - 2 t honest ones, so every honest party has seen it.
 */
#ifndef MPC_BROADCAST_H
#define MPC_BROADCAST_H

#include "mpc/protocol.h"

enum {
	MPC_BROADCAST_VALUE_MAX = 64 << 20
};

struct mpc_broadcast_task {
	struct mpc_group group;
	mpc_set senders;    /* who says something; all know it */
	mpc_set corrupt;    /* whose words are not listened to */
	struct bytes value; /* ours, encoded as on the wire (wire.h); borrowed; empty if we are no
			       sender */
	size_t size_max;    /* of any sender's value, <= MPC_BROADCAST_VALUE_MAX */
	bool published;     /* by the published implementation's rounds */
};

struct mpc_broadcast;
enum err mpc_broadcast_new(struct mpc_broadcast **ret, const struct mpc_broadcast_task *t) MUST_USE;
void mpc_broadcast_free(struct mpc_broadcast *b);
struct mpc_protocol *mpc_broadcast_protocol(struct mpc_broadcast *b);

unsigned mpc_broadcast_rounds(const struct mpc_group *g, bool published);

/* After the end: of `sender`, false: nothing, and all honest parties know that. */
bool mpc_broadcast_value(const struct mpc_broadcast *b, unsigned sender, struct bytes *ret_value);

#endif

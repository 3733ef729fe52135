/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Reliable broadcast, of all parties at once: in the end all honest parties hold the same word of
 * each sender, and an honest sender's is what it sent; or all hold nothing of it. Synchronous, 3 +
 *t rounds (Bracha's, with votes on hashes):
 *
 *	1       every sender sends its value to all
 *	2       everybody echoes what came
 *	3       for a value with n - t echoes: a vote on its hash
 *	4 … 3+t a vote with t + r - 3 votes for it in round r; once per sender
 *	end     the value whose hash has n - t votes
 *
 * Values are public. Who votes for a value that it never saw in full asks nobody: among n - t
 *echoes there are n - 2 t honest ones, so every honest party has seen it.
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
};

struct mpc_broadcast;
enum err mpc_broadcast_new(struct mpc_broadcast **ret, const struct mpc_broadcast_task *t) MUST_USE;
void mpc_broadcast_free(struct mpc_broadcast *b);
struct mpc_protocol *mpc_broadcast_protocol(struct mpc_broadcast *b);

/* After the end: of `sender`, false: nothing, and all honest parties know that. */
bool mpc_broadcast_value(const struct mpc_broadcast *b, unsigned sender, struct bytes *ret_value);

#endif

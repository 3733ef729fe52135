/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * One protocol among messages that come in any order: the counter of rounds, what is kept for later
 * rounds, what is thrown away. No clock: the caller says that the time of a round is up.
 *
 *  - The first message of a party for a round counts; a second one is dropped, whatever it says.
 *  - Messages of past rounds are dropped; of the next SESSION_ROUNDS_AHEAD rounds they are kept,
 *    within a party's share of the bytes.
 *  - What is longer than the round allows counts as a word without sense.
 *
 * Rounds are numbered from 1, as on the wire: the counter is raised before each sending.
 */
#ifndef MPC_SESSION_H
#define MPC_SESSION_H

#include "mpc/protocol.h"

enum {
	SESSION_ROUNDS_AHEAD = 32,
	SESSION_PARKED_BYTES_MAX = 64 << 20 /* of one party */
};

/* Delivers a message. The bytes are valid for the call. */
typedef enum err mpc_send_fn(void *ctx, unsigned to, uint64_t round, struct bytes message);

struct mpc_session;

/* Borrows the protocol; `send` is called from mpc_session_* only. */
enum err mpc_session_new(struct mpc_session **ret, const struct mpc_group *g,
			 struct mpc_protocol *protocol, mpc_send_fn *send, void *ctx) MUST_USE;
void mpc_session_free(struct mpc_session *s);

/* Sends the first round. */
enum err mpc_session_start(struct mpc_session *s) MUST_USE;

/* A message of `from` came. Runs the protocol as far as it goes. Before the start it is kept. */
enum err mpc_session_receive(struct mpc_session *s, unsigned from, uint64_t round,
			     struct bytes message) MUST_USE;

/* The time of round `round` is up (a synchronous one; otherwise, or if it is over, nothing
 * happens).
 */
enum err mpc_session_late(struct mpc_session *s, uint64_t round) MUST_USE;

bool mpc_session_done(const struct mpc_session *s);
uint64_t mpc_session_round(const struct mpc_session *s);
bool mpc_session_synchronous(const struct mpc_session *s); /* the round that runs */
mpc_set mpc_session_silent(const struct mpc_session *s); /* whose word this round still waits for */

/* Bytes of this party that are kept for rounds to come. */
size_t mpc_session_parked(const struct mpc_session *s, unsigned party);

/* What was dropped, for metrics. */
struct mpc_session_counts {
	uint64_t old, repeated, too_far, too_big;
};
struct mpc_session_counts mpc_session_counts(const struct mpc_session *s);

#endif

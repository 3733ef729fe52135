/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The keys of a PRSS in three rounds, without sharing and without broadcast, for committees that
 * would rather begin again than wait: one liar or one silent party is enough to end it without
 * keys. (`prss_init.h` ends with keys whatever t parties do.)
 *
 *	commitments	for each set that it is in, each member draws a part of the key and commits
 *			to it towards every other member
 *	openings	it opens them; the key is the XOR of all members' parts
 *	keys		members tell each other the key that they have
 *
 * A party that is shown anything else than it should be, or nothing in time, ends with
 * ERR_MISMATCH and says no more. Up to t liars:
 *
 *  - If one honest party ends with keys, then all honest members of each of its sets told it, in
 *    the last round, the very key that it has. So no two honest parties end with different keys.
 *  - Some may end with keys and others without: a liar can tell one honest party another key in
 *    the last round. Who uses the keys must hear first that everybody has them.
 *  - A set's key is unknown to all outside of it, and where honest parties end with it, uniform
 *    and chosen by no one; but liars in the set see it before the others know whether it will
 *    count, so they may keep throwing set-ups away.
 */
#ifndef MPC_PRSS_ABORT_H
#define MPC_PRSS_ABORT_H

#include "base/rng.h"
#include "mpc/protocol.h"
#include "mpc/prss.h"

struct mpc_prss_abort;

/* `session`, and how many rounds it had before this protocol: commitments are bound to them. */
enum err mpc_prss_abort_new(struct mpc_prss_abort **ret, const struct mpc_group *g,
			    const struct mpc_session_id *session, uint64_t round,
			    struct rng *rng) MUST_USE;
void mpc_prss_abort_free(struct mpc_prss_abort *p); /* wipes; NULL allowed */
struct mpc_protocol *mpc_prss_abort_protocol(struct mpc_prss_abort *p);

/* After the end: a set-up of the caller's. ERR_MISMATCH: somebody lied or was silent. Before it:
 * ERR_NOT_READY. */
enum err mpc_prss_abort_result(const struct mpc_prss_abort *p, struct prss **ret) MUST_USE;

#endif

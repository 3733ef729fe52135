/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Verifiable secret sharing, every party a dealer of m secrets at once: afterwards the honest
 * parties hold shares of one polynomial of degree t for each secret of each dealer, whatever the
 * dealer did, and of 0 for a dealer whom all found corrupt. One round between pairs, then two or
 * three broadcasts: bivariate polynomials, compared at the crossings under one-time pads.
 *
 *	1  dealer k to party i: F(X, alpha_i), F(alpha_i, Y) of each secret; i to j: pads
 *	2  everybody broadcasts its padded crossings
 *	3  where two differ: the dealer and both say what it is
 *	4  the dealer opens the polynomials of those who disagree with it; the others vote
 */
#ifndef MPC_VSS_H
#define MPC_VSS_H

#include "mpc/protocol.h"
#include "mpc/shamir.h"

enum {
	MPC_VSS_SECRETS_MAX = 1024
};

struct mpc_vss_task {
	struct mpc_group group;
	mpc_set corrupt;
	size_t n;                 /* secrets of each dealer */
	const struct gr *secrets; /* ours; borrowed until the first sending */
	struct rng *rng;
};

struct mpc_vss;
enum err mpc_vss_new(struct mpc_vss **ret, const struct mpc_vss_task *task) MUST_USE;
void mpc_vss_as_published(struct mpc_vss *v); /* its broadcasts (broadcast.h); before it begins */
void mpc_vss_free(struct mpc_vss *v);         /* wipes */
struct mpc_protocol *mpc_vss_protocol(struct mpc_vss *v);

/* After the end: our shares of what `dealer` shared, n of them; and who is corrupt now, on which
 * all honest parties agree. Valid until freed. */
const struct gr *mpc_vss_shares(const struct mpc_vss *v, unsigned dealer);
mpc_set mpc_vss_corrupt(const struct mpc_vss *v);

#endif

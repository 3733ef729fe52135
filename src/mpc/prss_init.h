/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The keys of a PRSS without a dealer: every party shares random elements (vss.h), n - t
 * combinations of each n of them are unknown to any t parties, and the k-th is opened to the
 * members of the k-th set only; its key is a hash of it. Robust: ends with the same keys for all
 * honest parties whatever t others do, while messages come in time.
 */
#ifndef MPC_PRSS_INIT_H
#define MPC_PRSS_INIT_H

#include "base/rng.h"
#include "mpc/protocol.h"
#include "mpc/prss.h"

struct mpc_prss_init;
enum err mpc_prss_init_new(struct mpc_prss_init **ret, const struct mpc_group *g,
			   struct rng *rng) MUST_USE;
/* With the published implementation's broadcasts (broadcast.h), in a committee that it is part of.
 * Before the first sending; all must do the same. */
void mpc_prss_init_as_published(struct mpc_prss_init *p);
void mpc_prss_init_free(struct mpc_prss_init *p); /* wipes */
struct mpc_protocol *mpc_prss_init_protocol(struct mpc_prss_init *p);

/* After the end: a set-up of the caller's. ERR_MISMATCH: some key could not be opened. */
enum err mpc_prss_init_result(const struct mpc_prss_init *p, struct prss **ret) MUST_USE;

#endif

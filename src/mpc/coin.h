/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A coin: an element of the ring that nobody could foresee or choose. Every party shares a random
 * element (vss.h), and the sum is opened to all. The rounds of a sharing and one more.
 *
 * The opening is synchronous: whoever is silent in it is known to be, and t of them change nothing.
 */
#ifndef MPC_COIN_H
#define MPC_COIN_H

#include "base/rng.h"
#include "mpc/gr.h"
#include "mpc/protocol.h"

struct mpc_coin;
/* `corrupt`: whose words are not listened to; all honest parties agree on them. */
enum err mpc_coin_new(struct mpc_coin **ret, const struct mpc_group *g, mpc_set corrupt,
		      struct rng *rng) MUST_USE;
void mpc_coin_free(struct mpc_coin *c); /* wipes */
struct mpc_protocol *mpc_coin_protocol(struct mpc_coin *c);

/* After the end. ERR_MISMATCH: too many are silent. ERR_NOT_READY: before. */
enum err mpc_coin_result(const struct mpc_coin *c, struct gr *ret_coin) MUST_USE;
/* Who is corrupt now, on which all honest parties agree. */
mpc_set mpc_coin_corrupt(const struct mpc_coin *c);

#endif

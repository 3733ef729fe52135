/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The other parties, as far as the methods need them that look after a node: a table of functions,
 * so that the service knows no transport. peer_net is behind it in a threshold node. Loop thread;
 * no function calls back from inside the call. Once `net` is freed no probe is told of any more:
 * that is before the service is freed.
 */
#ifndef CORE_PEERS_H
#define CORE_PEERS_H

#include "core/peer_net.h"

struct peers_ops {
	/* The i-th context that this node is in; NULL: there are no more. Valid until the loop goes
	 * on. */
	const struct mpc_context *(*context)(void *net, size_t i);
	/* As peer_net_probe. */
	enum err (*probe)(struct peer_probe **ret_probe, void *net,
			  const struct peer_probe_options *options);
};

/* `ops` NULL: there are none, the node is a centralised one. */
struct peers {
	const struct peers_ops *ops;
	void *net;
};

#endif

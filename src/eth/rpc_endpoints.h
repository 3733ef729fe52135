/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside eth/ only: the endpoints of one chain, and which of them may be asked what.
 *
 * An endpoint is believed when it has said the right chain id: at first, again after a connection
 * failed, and every ENDPOINT_CHAIN_CHECK_MS. What keeps failing is left alone (base/breaker.h).
 * Where there are several, their heads are read regularly, and one that lags is not asked.
 */
#ifndef ETH_RPC_ENDPOINTS_H
#define ETH_RPC_ENDPOINTS_H

#include "eth/provider.h"

struct rpc_endpoints;

/* `changed` comes on the loop thread whenever somebody who waits may have a reason to look again.
 */
typedef void endpoints_changed_fn(void *ctx);

enum err rpc_endpoints_new(struct rpc_endpoints **ret_endpoints, struct transport *transport,
			   struct clock *clock, const struct provider_options *opts,
			   endpoints_changed_fn *changed, void *ctx,
			   struct err_note *note) MUST_USE;
void rpc_endpoints_free(struct rpc_endpoints *s);

unsigned rpc_endpoints_n(const struct rpc_endpoints *s);
const char *rpc_endpoints_url(const struct rpc_endpoints *s, unsigned i);
const char *rpc_endpoints_host(const struct rpc_endpoints *s, unsigned i);
void rpc_endpoints_status(const struct rpc_endpoints *s, unsigned i,
			  struct provider_endpoint *ret_status);

/* What a call wants of an endpoint. */
struct rpc_want {
	uint32_t not_these; /* bit set of endpoints */
	bool any_chain;     /* also one whose chain is not known or wrong: to ask for it */
	bool has_block;
	uint64_t block; /* reached by it */
};

/* The first in the order of configuration that will do; -1 if none does now. */
int rpc_endpoints_choose(struct rpc_endpoints *s, const struct rpc_want *want);

/* How many would do. */
unsigned rpc_endpoints_count(struct rpc_endpoints *s, const struct rpc_want *want);

/* Those that are due are asked for their chain id now; where somebody waits, all for their heads.
 */
void rpc_endpoints_wake(struct rpc_endpoints *s, bool somebody_waits);

/* Nothing is under way that could end the waiting: *e says why. */
bool rpc_endpoints_hopeless(const struct rpc_endpoints *s, struct provider_error *e);

/* What came of asking one. `lost`: the connection failed, or nothing came in time. */
void rpc_endpoints_answered(struct rpc_endpoints *s, unsigned i, enum err e, bool lost);
void rpc_endpoints_head_seen(struct rpc_endpoints *s, unsigned i, uint64_t head);

/* The highest block that k usable endpoints have reached; false: fewer than k are known. */
bool rpc_endpoints_reached(struct rpc_endpoints *s, unsigned k, uint64_t *ret_block);

#endif

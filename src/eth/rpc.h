/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside eth/ only: the envelope of a JSON-RPC 2.0 reply that came over HTTP. */
#ifndef ETH_RPC_H
#define ETH_RPC_H

#include "eth/provider.h"

struct rpc_reply {
	json_t *doc;          /* owned */
	const json_t *result; /* inside doc; NULL unless the call succeeded */
	struct buf revert;    /* owned; behind provider_error.revert_data */
};

/*
 * Read an HTTP reply to request `id` of `method`. Everything that went wrong, from transport to the
 * node's own error, is said in *e, whose texts live in *r. Takes the body out of http->owner and
 * frees it as soon as it is parsed. Free *r in every case.
 */
void rpc_reply_read(struct rpc_reply *r, struct provider_error *e, const struct http_reply *http,
		    const char *method, uint64_t id, size_t body_max);
void rpc_reply_free(struct rpc_reply *r);

#endif

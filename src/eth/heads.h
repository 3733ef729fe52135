/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * New blocks of a chain, as a signal and nothing more: eth_subscribe "newHeads" over a WebSocket of
 * its own. What a subscription says is never believed; it only makes somebody look earlier.
 */
#ifndef ETH_HEADS_H
#define ETH_HEADS_H

#include "net/loop.h"

struct heads;

typedef void heads_fn(void *ctx);

/* `woken` comes on the loop thread with each new block while the connection stands; it is opened
 * again, with a back-off, whenever it ends. ERR_CONFIG_VALUE: not ws:// or wss://; ERR_NOMEM. */
enum err heads_watch(struct heads **ret_heads, struct loop *loop, const char *url, heads_fn *woken,
		     void *ctx, struct err_note *note) MUST_USE;
void heads_free(struct heads *h); /* not from inside `woken` */

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the other files of net/ may know of the loop. Nobody outside net/ includes this. */
#ifndef NET_LOOP_INTERNAL_H
#define NET_LOOP_INTERNAL_H

#include <event2/event.h>

#include "net/loop.h"

struct evdns_base;

struct event_base *loop_base(struct loop *l);

/* The resolver, made at the first use (it reads resolv.conf and hosts). NULL when that fails. */
struct evdns_base *loop_dns(struct loop *l);

/*
 * Around every callback that libevent makes into net/: `int64_t t = loop_enter(l); … loop_leave(l,
 * t);`. Nested pairs count once. This is what loop_stall_ms measures.
 */
int64_t loop_enter(struct loop *l);
void loop_leave(struct loop *l, int64_t entered);

/* A post whose memory is the caller's, so that posting cannot fail. Withdrawn posts are not called.
 * Any thread. */
struct loop_post {
	struct loop_post *next;
	loop_fn *fn;
	void *ctx;
	bool owned; /* the loop frees it */
};
void loop_post_node(struct loop *l, struct loop_post *p);
void loop_withdraw(struct loop *l, struct loop_post *p);

#endif

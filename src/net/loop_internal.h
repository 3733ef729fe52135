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

/* At the begin of every callback that libevent makes into net/: the first of a round (loop.h)
 * begins it. */
void loop_enter(struct loop *l);

/* Upper bounds of loop_rounds.buckets, microseconds. */
extern const int64_t loop_round_bounds_us[LOOP_ROUND_BUCKETS];

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

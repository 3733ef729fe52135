/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside worker/ only: what outlives a list of coprocessors. Of each bucket its queue of HEADs and
 * its circuit breaker; and the ciphertexts that were fetched lately, by their digest.
 */
#ifndef CONNECTOR_WORKER_BUCKETS_H
#define CONNECTOR_WORKER_BUCKETS_H

#include "base/breaker.h"
#include "base/u256.h"
#include "connector/worker/http_queue.h"

/* ---- buckets ---- */

enum {
	BUCKETS_MAX = 128 /* URLs, ever; those beyond share the last */
};

struct bucket_state {
	char *url;
	struct breaker breaker;
	struct http_queue heads;
	struct err_note refusal; /* what it said last instead of serving; empty: nothing */
	int64_t refusal_ms;      /* when that was logged, monotonic; 0: never */
	bool served;             /* it has let somebody in … */
	int64_t denied_ms;       /* … and since then nobody; monotonic, 0: the last one was */
};

struct buckets {
	struct transport *transport;
	struct clock *clock;
	size_t heads_max; /* at once, of each bucket */
	struct bucket_state *v[BUCKETS_MAX];
	size_t n;
};

void buckets_init(struct buckets *b, struct transport *t, struct clock *c, size_t heads_max);
/* NULL: out of memory. */
struct bucket_state *buckets_get(struct buckets *b, const char *url);
/* What a reply says of the bucket: a 404 is an answer, too. True: it is left alone from now on. */
bool bucket_answered(struct bucket_state *s, enum err e, int64_t now_ms);
void buckets_free(struct buckets *b); /* after every task was cancelled */

/* ---- cache ---- */

enum {
	CACHE_ENTRIES_MAX = 512
};

struct cached {
	struct cached *prev, *next;
	struct hash32 digest;
	struct buf body;
};

/* Least recently used goes first. Its bytes count in the budget. */
struct cache {
	struct budget *budget;
	size_t used, max, n;
	struct cached *first, *last; /* first: used last */
	uint64_t hits, misses;
};

void cache_init(struct cache *c, struct budget *b, size_t max);
/* A copy of what has this digest goes to the empty `out`; false: it is not there, or does not fit.
 */
bool cache_find(struct cache *c, struct hash32 digest, struct buf *out);
/* A copy is kept, if the budget has room. `body` must have that digest. */
void cache_add(struct cache *c, struct hash32 digest, struct bytes body);
/* Before a claim of n bytes: what stands in its way is given up. */
void cache_yield(struct cache *c, size_t n);
void cache_free(struct cache *c);

#endif

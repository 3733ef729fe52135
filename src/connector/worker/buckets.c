/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/buckets.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* ---- buckets ---- */

static const struct breaker_policy policy = {
	.failures_max = RPC_BREAKER_FAILURES,
	.open_first_ms = RPC_BREAKER_OPEN_MS,
	.open_max_ms = RPC_BREAKER_OPEN_MAX_MS,
	.trial_ms = RPC_BREAKER_OPEN_MAX_MS,
};

void buckets_init(struct buckets *b, struct transport *t, struct clock *c, size_t heads_max)
{
	*b = (struct buckets){.transport = t, .clock = c, .heads_max = heads_max};
}

static struct bucket_state *bucket_new(struct buckets *b, const char *url)
{
	struct bucket_state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->url = strdup(url);
	if (!s->url) {
		free(s);
		return NULL;
	}
	s->breaker.policy = &policy;
	http_queue_init(&s->heads, b->transport, b->clock, b->heads_max);
	return s;
}

struct bucket_state *buckets_get(struct buckets *b, const char *url)
{
	struct bucket_state *s;

	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->v[i]->url, url) == 0)
			return b->v[i];
	if (b->n == BUCKETS_MAX)
		return b->v[b->n - 1];
	s = bucket_new(b, url);
	if (s)
		b->v[b->n++] = s;
	return s;
}

bool bucket_answered(struct bucket_state *s, enum err e, int64_t now_ms)
{
	if (e == ERR_TIMEOUT || e == ERR_UNAVAILABLE)
		return breaker_failed(&s->breaker, now_ms);
	if (err_class(e) != ERR_CLASS_INTERNAL)
		breaker_succeeded(&s->breaker);
	return false;
}

void buckets_free(struct buckets *b)
{
	for (size_t i = 0; i < b->n; i++) {
		http_queue_stop(&b->v[i]->heads);
		free(b->v[i]->url);
		free(b->v[i]);
	}
	b->n = 0;
}

/* ---- cache ---- */

void cache_init(struct cache *c, struct budget *b, size_t max)
{
	*c = (struct cache){.budget = b, .max = max};
}

static void unlink_entry(struct cache *c, struct cached *e)
{
	if (e->prev)
		e->prev->next = e->next;
	else
		c->first = e->next;
	if (e->next)
		e->next->prev = e->prev;
	else
		c->last = e->prev;
	e->prev = e->next = NULL;
}

static void push_front(struct cache *c, struct cached *e)
{
	e->next = c->first;
	if (c->first)
		c->first->prev = e;
	else
		c->last = e;
	c->first = e;
}

static void drop_last(struct cache *c)
{
	struct cached *e = c->last;

	unlink_entry(c, e);
	c->n--;
	c->used -= e->body.n;
	budget_give(c->budget, e->body.n);
	buf_free(&e->body);
	free(e);
}

static struct cached *lookup(const struct cache *c, struct hash32 digest)
{
	for (struct cached *e = c->first; e; e = e->next)
		if (hash32_eq(e->digest, digest))
			return e;
	return NULL;
}

bool cache_find(struct cache *c, struct hash32 digest, struct buf *out)
{
	struct cached *e = c->max > 0 ? lookup(c, digest) : NULL;

	if (!e || buf_add(out, buf_view(&e->body)) != ERR_OK) {
		c->misses++;
		return false;
	}
	c->hits++;
	unlink_entry(c, e);
	push_front(c, e);
	return true;
}

void cache_add(struct cache *c, struct hash32 digest, struct bytes body)
{
	struct cached *e;

	if (body.n == 0 || body.n > c->max || lookup(c, digest))
		return;
	while (c->last && (c->used + body.n > c->max || c->n >= CACHE_ENTRIES_MAX))
		drop_last(c);
	if (!budget_take(c->budget, body.n))
		return;
	e = calloc(1, sizeof(*e));
	if (e) {
		e->digest = digest;
		e->body = buf_make(body.n);
	}
	if (!e || buf_add(&e->body, body) != ERR_OK) {
		budget_give(c->budget, body.n);
		free(e);
		return;
	}
	push_front(c, e);
	c->n++;
	c->used += body.n;
}

void cache_yield(struct cache *c, size_t n)
{
	while (c->last && budget_left(c->budget) < n)
		drop_last(c);
}

void cache_free(struct cache *c)
{
	while (c->last)
		drop_last(c);
}

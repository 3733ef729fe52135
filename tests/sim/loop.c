/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "loop.h"

#include <stdlib.h>

#include "base/bytes.h"

struct event {
	int64_t at_ms;
	uint64_t seq; /* equal times: in order of making */
	event_fn *fn; /* NULL: cancelled */
	void *ctx;
	struct sim_host *host;
	struct event *next; /* spare */
};

/* ---- the heap ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->seq < b->seq;
}

static void heap_up(struct sim_loop *l, size_t i)
{
	struct event *e = l->heap[i];

	for (; i > 0 && before(e, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		l->heap[i] = l->heap[(i - 1) / 2];
	l->heap[i] = e;
}

static void heap_down(struct sim_loop *l, size_t i)
{
	struct event *e = l->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= l->n)
			break;
		if (child + 1 < l->n && before(l->heap[child + 1], l->heap[child]))
			child++;
		if (!before(l->heap[child], e))
			break;
		l->heap[i] = l->heap[child];
		i = child;
	}
	l->heap[i] = e;
}

static void heap_push(struct sim_loop *l, struct event *e)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 256;
		l->heap = realloc(l->heap, l->cap * sizeof(*l->heap));
		CHECK(l->heap != NULL);
	}
	l->heap[l->n] = e;
	heap_up(l, l->n++);
}

static struct event *heap_pop(struct sim_loop *l)
{
	struct event *e = l->heap[0];

	l->heap[0] = l->heap[--l->n];
	if (l->n > 0)
		heap_down(l, 0);
	return e;
}

/* ---- events ---- */

struct sim_event loop_after(struct sim_loop *l, struct sim_host *host, int64_t delay_ms,
			    event_fn *fn, void *ctx)
{
	struct event *e = l->spare;

	if (e)
		l->spare = e->next;
	else
		e = malloc(sizeof(*e));
	CHECK(e != NULL);
	*e = (struct event){
		.at_ms = l->now_ms + (delay_ms > 0 ? delay_ms : 0),
		.seq = ++l->seq,
		.fn = fn,
		.ctx = ctx,
		.host = host,
	};
	heap_push(l, e);
	return (struct sim_event){e, e->seq};
}

void loop_cancel(struct sim_loop *l, struct sim_event *e)
{
	(void)l;
	if (e->e && e->e->seq == e->seq)
		e->e->fn = NULL;
	*e = (struct sim_event){0};
}

static void event_spare(struct sim_loop *l, struct event *e)
{
	e->seq = 0;
	e->next = l->spare;
	l->spare = e;
}

bool loop_step(struct sim_loop *l, int64_t until_ms)
{
	while (l->n > 0 && l->heap[0]->at_ms <= until_ms) {
		struct event *e = heap_pop(l);
		struct event now = *e;

		if (now.at_ms > l->now_ms)
			l->now_ms = now.at_ms;
		if (now.fn && now.host && now.host->paused_until_ms > l->now_ms) {
			e->at_ms = now.host->paused_until_ms; /* its number keeps the order */
			heap_push(l, e);
			continue;
		}
		event_spare(l, e);
		if (!now.fn)
			continue;
		l->steps++;
		now.fn(now.ctx);
		return true;
	}
	if (l->now_ms < until_ms)
		l->now_ms = until_ms;
	return false;
}

void loop_init(struct sim_loop *l)
{
	*l = (struct sim_loop){.now_ms = SIM_START_MS};
}

void loop_free_all(struct sim_loop *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->heap[i]);
	free(l->heap);
	while (l->spare) {
		struct event *e = l->spare;

		l->spare = e->next;
		free(e);
	}
	*l = (struct sim_loop){0};
}

/* ---- clocks ---- */

static struct sim_host *host_of(struct clock *c)
{
	return CONTAINER_OF(c, struct sim_host, clock);
}

static int64_t mono_ms(struct clock *c)
{
	return host_of(c)->loop->now_ms;
}

static int64_t wall_ms(struct clock *c)
{
	return loop_wall_ms(host_of(c)->loop) + host_of(c)->wall_skew_ms;
}

/* `impl` is the event of an armed timer: one that has fired or was cancelled has none. */
static void timer_fire(void *ctx)
{
	struct timer *t = ctx;

	t->armed = false;
	t->impl = NULL;
	t->fn(t->ctx);
}

static void timer_cancel(struct clock *c, struct timer *t)
{
	struct event *e = t->impl;

	(void)c;
	if (t->armed && e)
		e->fn = NULL;
	t->armed = false;
	t->impl = NULL;
}

static void timer_set(struct clock *c, struct timer *t, int64_t delay_ms, timer_fn *fn, void *ctx)
{
	struct sim_host *h = host_of(c);

	timer_cancel(c, t);
	*t = (struct timer){.fn = fn, .ctx = ctx, .armed = true};
	t->impl = loop_after(h->loop, h, delay_ms, timer_fire, t).e;
}

static const struct clock_ops clock_ops = {
	.mono_ms = mono_ms,
	.wall_ms = wall_ms,
	.timer_set = timer_set,
	.timer_cancel = timer_cancel,
};

void host_init(struct sim_host *h, struct sim_loop *l)
{
	*h = (struct sim_host){.clock = {&clock_ops}, .loop = l};
}

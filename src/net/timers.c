/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/timers.h"

#include <stdlib.h>

static bool entry_before(const struct timers_entry *a, const struct timers_entry *b)
{
	if (a->deadline_ms != b->deadline_ms)
		return a->deadline_ms < b->deadline_ms;
	return a->seq < b->seq;
}

/* The timer remembers its place in the heap, so that cancelling needs no search. */
static void entry_put(struct timers *h, size_t at, struct timers_entry e)
{
	h->entries[at] = e;
	e.timer->impl = (void *)(uintptr_t)at;
}

static void sift_up(struct timers *h, size_t at, struct timers_entry e)
{
	while (at > 0 && entry_before(&e, &h->entries[(at - 1) / 2])) {
		entry_put(h, at, h->entries[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	entry_put(h, at, e);
}

static void sift_down(struct timers *h, size_t at, struct timers_entry e)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && entry_before(&h->entries[child + 1], &h->entries[child]))
			child++;
		if (!entry_before(&h->entries[child], &e))
			break;
		entry_put(h, at, h->entries[child]);
		at = child;
	}
	entry_put(h, at, e);
}

void timers_add(struct timers *h, struct timer *t, int64_t deadline_ms)
{
	CHECK(!t->armed);
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 32;
		struct timers_entry *grown = reallocarray(h->entries, cap, sizeof(*grown));

		CHECK(grown != NULL);
		h->entries = grown;
		h->cap = cap;
	}
	t->armed = true;
	h->n++;
	sift_up(h, h->n - 1,
		(struct timers_entry){.deadline_ms = deadline_ms, .seq = ++h->seq, .timer = t});
}

void timers_cancel(struct timers *h, struct timer *t)
{
	size_t at = (size_t)(uintptr_t)t->impl;
	struct timers_entry last;

	if (!t->armed)
		return;
	CHECK(at < h->n && h->entries[at].timer == t);
	t->armed = false;
	t->impl = NULL;
	last = h->entries[--h->n];
	if (at == h->n)
		return;
	if (at > 0 && entry_before(&last, &h->entries[(at - 1) / 2]))
		sift_up(h, at, last);
	else
		sift_down(h, at, last);
}

int64_t timers_next_ms(const struct timers *h)
{
	return h->n > 0 ? h->entries[0].deadline_ms : INT64_MAX;
}

uint64_t timers_round(const struct timers *h)
{
	return h->seq;
}

struct timer *timers_pop(struct timers *h, int64_t now_ms, uint64_t round)
{
	struct timer *t;

	if (h->n == 0 || h->entries[0].deadline_ms > now_ms || h->entries[0].seq > round)
		return NULL;
	t = h->entries[0].timer;
	timers_cancel(h, t);
	return t;
}

void timers_free(struct timers *h)
{
	free(h->entries);
	*h = (struct timers){0};
}

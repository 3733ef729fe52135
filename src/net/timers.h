/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The armed timers of a clock: a binary heap ordered by (deadline, order of arming). It knows no
 * time of its own. Growing it aborts the process when memory is out: arming a timer has no way to
 * fail.
 */
#ifndef NET_TIMERS_H
#define NET_TIMERS_H

#include "base/clock.h"
#include "base/err.h"

struct timers_entry {
	int64_t deadline_ms;
	uint64_t seq;
	struct timer *timer;
};

struct timers {
	struct timers_entry *entries;
	size_t n;
	size_t cap;
	uint64_t seq;
};

/* `t` is idle; fn and ctx are set by the caller. */
void timers_add(struct timers *h, struct timer *t, int64_t deadline_ms);
void timers_cancel(struct timers *h, struct timer *t);

/* INT64_MAX when nothing is armed. */
int64_t timers_next_ms(const struct timers *h);

/* What is armed after this call is not popped with the round it gave: a timer that re-arms itself
 * starves nobody. */
uint64_t timers_round(const struct timers *h);

/* The first timer that is due, now idle; NULL if there is none. */
struct timer *timers_pop(struct timers *h, int64_t now_ms, uint64_t round);

void timers_free(struct timers *h);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Virtual time: one queue of events, one thread. Time moves only when an event is taken, so a run
 * is a function of its seed.
 *
 * An event may belong to a host (one process of the connector). A host can be paused: its events
 * wait, the others go on, and when it comes back its clocks have moved, as after SIGSTOP.
 */
#ifndef SIM_LOOP_H
#define SIM_LOOP_H

#include <stddef.h>

#include "base/clock.h"
#include "base/rng.h"

struct sim_loop;

/* The clocks of one process. */
struct sim_host {
	struct clock clock; /* first: what its services see */
	struct sim_loop *loop;
	int64_t paused_until_ms;
	int64_t wall_skew_ms;
};

typedef void event_fn(void *ctx);

/* All-zero is none. */
struct sim_event {
	struct event *e;
	uint64_t seq;
};

struct sim_loop {
	struct event **heap;
	size_t n, cap;
	struct event *spare; /* for re-use */
	uint64_t seq;
	int64_t now_ms;
	uint64_t steps;
};

enum {
	SIM_START_MS = 1000000
};
/* The wall clocks begin 2023-11-14. */
#define SIM_WALL_OFFSET_MS (INT64_C(1700000000) * 1000 - SIM_START_MS)

void loop_init(struct sim_loop *l);
void loop_free_all(struct sim_loop *l);

/* `host` may be NULL: an event of the world, which nothing pauses. */
struct sim_event loop_after(struct sim_loop *l, struct sim_host *host, int64_t delay_ms,
			    event_fn *fn, void *ctx);
void loop_cancel(struct sim_loop *l, struct sim_event *e); /* one that has run is allowed */

/* One event at or before until_ms; false: there is none. */
bool loop_step(struct sim_loop *l, int64_t until_ms);

void host_init(struct sim_host *h, struct sim_loop *l);

static inline int64_t loop_wall_ms(const struct sim_loop *l)
{
	return l->now_ms + SIM_WALL_OFFSET_MS;
}

#endif

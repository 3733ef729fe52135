/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Seam 1 of 5: time.
 *
 * Services see time only through this table: the real one belongs to the loop (net/loop.h), the
 * simulator has its own. Everything here is called on, and calls back on, the one loop thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct timer;

typedef void timer_fn(void *ctx);

/*
 * A timer is embedded in its user's struct and found there again; all-zero is a valid idle timer.
 * It must be cancelled before its memory goes away. It fires once per arming.
 */
struct timer {
	timer_fn *fn;
	void *ctx;
	bool armed;
	void *impl; /* the clock's own */
};

struct clock_ops {
	int64_t (*mono_ms)(struct clock *c); /* never goes back; for deadlines and intervals */
	int64_t (*wall_ms)(
		struct clock *c); /* Unix time in ms; may jump; for what people and chains read */
	void (*timer_set)(struct clock *c, struct timer *t, int64_t delay_ms, timer_fn *fn,
			  void *ctx);                           /* re-arms */
	void (*timer_cancel)(struct clock *c, struct timer *t); /* idle timers allowed */
};

struct clock {
	const struct clock_ops *ops;
};

static inline int64_t clock_mono_ms(struct clock *c)
{
	return c->ops->mono_ms(c);
}
static inline int64_t clock_wall_ms(struct clock *c)
{
	return c->ops->wall_ms(c);
}
static inline void clock_timer_set(struct clock *c, struct timer *t, int64_t delay_ms, timer_fn *fn,
				   void *ctx)
{
	c->ops->timer_set(c, t, delay_ms, fn, ctx);
}
static inline void clock_timer_cancel(struct clock *c, struct timer *t)
{
	c->ops->timer_cancel(c, t);
}

#endif

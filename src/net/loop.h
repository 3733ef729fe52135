/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The one event loop of a process (libevent inside, invisible outside).
 *
 * Everything in a service happens on the thread that calls loop_run, except: store statements
 * (store thread) and pool jobs (pool threads). Those come back through loop_post, the only function
 * here that another thread may call.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

struct loop;

enum err loop_new(struct loop **ret_loop) MUST_USE;
void loop_free(struct loop *l); /* after everything that uses it */

/* Run until loop_stop; returns at once if that was called before. Blocks SIGPIPE. */
enum err loop_run(struct loop *l) MUST_USE;
void loop_stop(struct loop *l);

/* The real clock; lives as long as the loop. */
struct clock *loop_clock(struct loop *l);

/* Call fn(ctx) on the loop thread soon. Any thread. ERR_NOMEM. Posts left at loop_free are dropped,
 * not called. */
typedef void loop_fn(void *ctx);
enum err loop_post(struct loop *l, loop_fn *fn, void *ctx) MUST_USE;

/* fn(ctx) on SIGTERM and SIGINT; the second such signal ends the process at once (exit 130). */
enum err loop_on_stop_signal(struct loop *l, loop_fn *fn, void *ctx) MUST_USE;

/* fn(ctx) on every SIGHUP: what can be read anew is read anew. ERR_NOMEM. */
enum err loop_on_reload_signal(struct loop *l, loop_fn *fn, void *ctx) MUST_USE;

/*
 * A round: from the first callback after a wait to the next wait. As long as it lasts, nothing else
 * on the loop moves, so the longest ones are what everybody waits for. `cpu_us` of it the thread
 * was computing; the rest it was kept waiting, by a call that blocks or by a machine without a free
 * CPU.
 */
struct loop_stall {
	int64_t wall_us, cpu_us;
};

/* The longest round since the last call. */
struct loop_stall loop_stall_take(struct loop *l);

enum {
	LOOP_ROUND_BUCKETS = 8
};
struct loop_rounds {
	uint64_t n;
	uint64_t buckets[LOOP_ROUND_BUCKETS]; /* not cumulative; longer ones are in none */
	int64_t wall_us;                      /* of all */
};
struct loop_rounds loop_rounds(const struct loop *l);

/* All of that in Prometheus' text format, appended; the names begin with `prefix`. Takes the
 * longest round. */
enum err loop_metrics_print(struct buf *out, struct loop *l, const char *prefix) MUST_USE;

#endif

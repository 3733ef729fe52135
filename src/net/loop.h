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

/* The longest time that the loop thread spent in one callback since the last call, in ms; for
 * metrics and tests. */
int64_t loop_stall_ms(struct loop *l);

#endif

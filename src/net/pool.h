/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Compute pool: a fixed number of threads for work on immutable inputs. `work` runs on a pool
 * thread and touches only what the job owns; `done` then runs on the loop thread. No shared mutable
 * state.
 */
#ifndef NET_POOL_H
#define NET_POOL_H

#include "net/loop.h"

struct pool;

/* threads 0 = as many as the process has CPUs. */
enum err pool_new(struct pool **ret_pool, struct loop *loop, unsigned threads) MUST_USE;

/*
 * Finishes running jobs and drops waiting ones. No done is called any more, not even of finished
 * jobs: who frees the pool knows its jobs.
 */
void pool_free(struct pool *p);

typedef void pool_fn(void *job);

/* ERR_BUSY when POOL_QUEUE_MAX jobs wait. */
enum err pool_submit(struct pool *p, pool_fn *work, pool_fn *done, void *job) MUST_USE;

#endif

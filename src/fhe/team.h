/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A few threads for a fixed number of jobs, and their end. Internal to fhe/. */
#ifndef FHE_TEAM_H
#define FHE_TEAM_H

#include "base/err.h"

enum {
	FHE_TEAM_THREADS_MAX = 64
};

/*
 * Jobs 0 to jobs_n - 1, of which thread t (of `threads`, 1 to FHE_TEAM_THREADS_MAX) does t, t +
 * threads, ... in this order, up to its first error. `job` is called with the number of its thread;
 * calls of different threads run at the same time. When all have ended: the error of the lowest
 * job that failed. ERR_RANGE for the number of threads, ERR_NOMEM if one cannot be started.
 */
typedef enum err fhe_team_job(void *context, unsigned thread, size_t job);
enum err fhe_team_run(unsigned threads, size_t jobs_n, fhe_team_job *job, void *context) MUST_USE;

#endif

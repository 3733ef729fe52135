/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: the queue, the store thread and the way back to the loop. The same for every
 * engine; an engine only knows how to run a list of jobs and make them durable.
 */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "store/job.h"

struct store_engine;

struct store_engine_ops {
	/*
	 * Runs the jobs (may be none) in order, makes them durable, and leaves an answer in each.
	 * Then subscribers of `topics` in other processes hear of it; false when they did not: the
	 * same topics are given again. Store thread only.
	 */
	bool (*run)(struct store_engine *e, struct store_job *first, const char *const *topics,
		    size_t topics_n);
	void (*free)(struct store_engine *e); /* after the last run */
};

struct store_engine {
	const struct store_engine_ops *ops;
};

/* Starts the thread. Takes the engine on success only. ERR_NOMEM, ERR_INTERNAL. */
enum err store_queue_start(struct store **ret_store, struct store_engine *engine,
			   const struct store_executor *executor, struct err_note *note) MUST_USE;

/* Another process named `topic`; NULL: any topic may have been named unheard. Any thread, until the
 * engine's free returns. */
void store_queue_wake(struct store *s, const char *topic);

#endif

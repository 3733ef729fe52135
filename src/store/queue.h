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
	/* Runs the jobs in order, makes them durable, and leaves an answer in each. Store thread
	 * only. */
	void (*run)(struct store_engine *e, struct store_job *first);
	void (*free)(struct store_engine *e); /* after the last run */
};

struct store_engine {
	const struct store_engine_ops *ops;
};

/* Starts the thread. Takes the engine on success only. ERR_NOMEM, ERR_INTERNAL. */
enum err store_queue_start(struct store **ret_store, struct store_engine *engine,
			   const struct store_executor *executor, struct err_note *note) MUST_USE;

#endif

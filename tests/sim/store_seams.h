/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The store of the simulation is the product's (SQLite engine, jobs, statements, migrations) but
 * for two files, whose functions the linker takes from here: store/queue.c, because its thread has
 * no place in virtual time, and store/sqlite_file.c, because there is no file.
 */
#ifndef SIM_STORE_SEAMS_H
#define SIM_STORE_SEAMS_H

#include "disk.h"
#include "loop.h"
#include "store/store.h"

struct sim_queue;

/* All queues of one database; a topic wakes the subscribers of each. */
struct sim_queues {
	struct sim_queue *first;
};

/* What a queue needs to know of the process it is in: store_executor.loop. */
struct sim_queue_home {
	struct sim_loop *loop;
	struct sim_host *host;
	struct disk_user *disk_user;
	struct disk *disk;
	struct sim_queues *queues;
	int64_t (*delay_ms)(void *ctx); /* how long the disk takes */
	enum err (*result)(void *ctx);  /* ERR_OK: as it is; else what every batch is told */
	void (*died)(void *ctx);        /* the disk has ended this process in the middle */
	void *ctx;
};

#endif

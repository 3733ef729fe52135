/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One worker in the simulated world, with request 1 for one handle. */
#ifndef TEST_CONNECTOR_WORKER_FIXTURE_H
#define TEST_CONNECTOR_WORKER_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "world.h"

/* The ciphertext's bytes. */
static const uint8_t body[] = "a ciphertext of the 128-bit kind";

struct fixture {
	struct world w;
	struct worker *worker;
	struct hash32 handle;
	char owner[32];
	unsigned starts;
};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	world_init(&f->w, 2);
	f->handle = world_handle(1, 5);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	worker_stop(f->worker);
	world_free(&f->w);
	free(f);
	return 0;
}

static inline void start(struct fixture *f)
{
	assert_int_equal(worker_start(&f->worker, &f->w.env), ERR_OK);
}

static inline void stop(struct fixture *f)
{
	worker_stop(f->worker);
	f->worker = NULL;
}

/* The same database under a new process: another lease owner. */
static inline void restart(struct fixture *f)
{
	stop(f);
	sim_store_reopen(&f->w.sim);
	(void)snprintf(f->owner, sizeof(f->owner), "process-%u", ++f->starts);
	f->w.env.owner = f->owner;
	start(f);
}

/* Request 1 for `handle`, attested and available in buckets 0 and 1. */
static inline void publish(struct fixture *f)
{
	(void)world_publish_attested(&f->w, 0, f->handle, BYTES_OF(body));
	(void)world_publish_attested(&f->w, 1, f->handle, BYTES_OF(body));
}

static inline void insert(struct fixture *f, uint64_t id)
{
	world_insert(&f->w, id, &f->handle, 1, BYTES_LIT("\0"), 0, BYTES_OF(body));
}

static inline void ready_to_answer(struct fixture *f)
{
	publish(f);
	world_allow(&f->w, f->handle);
	insert(f, 1);
}

/* A minute of the host chain: a block each second. */
static inline void host_seconds(struct fixture *f, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		if (f->w.host.head + 2 < SIM_BLOCKS_MAX)
			sim_chain_mine(&f->w.host, 1);
		sim_run(&f->w.sim, 1000);
	}
}

static inline bool is_in(struct fixture *f, const char *state)
{
	return strcmp(world_state(&f->w, 1), state) == 0;
}

#endif

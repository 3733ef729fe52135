/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One listener on a scripted gateway chain. */
#ifndef TEST_CONNECTOR_LISTENER_FIXTURE_H
#define TEST_CONNECTOR_LISTENER_FIXTURE_H

#include <stdlib.h>

#include "world.h"

struct fixture {
	struct world w;
	struct listener *l;
	struct hash32 handle;
};

static const uint8_t body[] = "ciphertext";

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	world_init(&f->w, 1);
	f->w.config.decryption_from_block_number_given = true;
	f->w.config.decryption_from_block_number = 0;
	f->handle = world_handle(1, 5);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	listener_stop(f->l);
	world_free(&f->w);
	free(f);
	return 0;
}

static inline void start(struct fixture *f)
{
	assert_int_equal(listener_start(&f->l, &f->w.env), ERR_OK);
}

static inline void restart(struct fixture *f)
{
	listener_stop(f->l);
	f->l = NULL;
	sim_store_reopen(&f->w.sim);
	start(f);
}

static inline int64_t rows(struct fixture *f)
{
	return sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation");
}

static inline int64_t cursor(struct fixture *f)
{
	return sim_sql_int(&f->w.sim, "SELECT block FROM cursor");
}

static inline void request(struct fixture *f, uint64_t id, unsigned forms)
{
	world_request(&f->w, id, &f->handle, 1, BYTES_LIT("\0"), forms, 3, BYTES_OF(body));
}

#endif

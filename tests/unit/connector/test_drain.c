/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A stop that ends what has begun: nothing new is claimed, and leases are given back. */
#include <stdlib.h>

#include "sender_support.h"

static void test_sender(void **state)
{
	struct sender_fixture *f = calloc(1, sizeof(*f));

	(void)state;
	assert_non_null(f);
	sender_setup(f, 3);
	sender_begin(f);
	sender_answers(f, 1, 5);
	sim_run(&f->w.sim, 1);
	sender_drain(f->sender);
	for (unsigned i = 0; i < 100 && !sender_idle(f->sender); i++)
		sim_run(&f->w.sim, 20);
	assert_true(sender_idle(f->sender));
	/* What it has is signed and on its way, or was never taken: nothing between. */
	assert_int_equal(sender_txs(f, "allocated"), 0);
	int64_t taken = 5 - sender_ops(f, "answered");

	sender_answers(f, 10, 3);
	sim_run(&f->w.sim, 20000);
	assert_int_equal(sender_ops(f, "answered"), 5 - taken + 3);
	assert_int_equal(sender_ops(f, "done"), taken);

	/* The next one does the rest. */
	sender_kill(f);
	sender_begin(f);
	assert_true(sender_wait(f, "done", 8, 60000));
	sender_teardown(f);
	free(f);
}

static void kept(void *ctx, const struct store_result *r)
{
	*(enum err *)ctx = r->err;
}

static void submit(struct world *w, struct store_batch *b)
{
	enum err e = ERR_INTERNAL;

	assert_int_equal(store_submit(&w->sim.store.base, b, kept, &e), ERR_OK);
	sim_run(&w->sim, 1);
	assert_int_equal(e, ERR_OK);
}

/* One's own leases, and nobody else's. */
static void test_leases(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct store_batch b = store_batch_make(1 << 16);

	(void)state;
	assert_non_null(w);
	world_init(w, 3);
	for (uint64_t id = 1; id <= 2; id++) {
		struct operation op = {.key = {.chain = {1},
					       .kind = OP_KIND_PUBLIC_DECRYPTION,
					       .request_id = u256_from_u64(id)}};

		assert_int_equal(op_add_insert(&b, &op, 1), ERR_OK);
		assert_int_equal(op_add_claim(&b, OP_SEEN, id == 1 ? "mine" : "other", 10, 1000, 1),
				 ERR_OK);
	}
	submit(w, &b);
	assert_int_equal(op_add_release_own(&b, "mine"), ERR_OK);
	submit(w, &b);
	assert_int_equal(sim_sql_int(&w->sim, "SELECT count(*) FROM operation WHERE lease_owner IS "
					      "NULL AND lease_until_ms = 0"),
			 1);
	assert_int_equal(sim_sql_int(&w->sim, "SELECT count(*) FROM operation WHERE lease_owner = "
					      "'other' AND lease_until_ms = 1000"),
			 1);
	world_free(w);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

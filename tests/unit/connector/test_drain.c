/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A stop that ends what has begun: nothing new is claimed, and leases are given back. */
#include <stdlib.h>

#include "sender_support.h"
#include "worker_fixture.h"

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

/* ---- the worker ---- */

static bool core_runs(void *ctx)
{
	struct fixture *f = ctx;

	return f->w.core.sends == 1 && is_in(f, "computing");
}

static bool download_runs(void *ctx)
{
	struct fixture *f = ctx;

	return f->w.buckets[0].gets + f->w.buckets[1].gets > 0;
}

static bool worker_ended(void *ctx)
{
	return worker_idle(((struct fixture *)ctx)->worker);
}

/* Begun work is ended, what comes later is not begun, and no lease stays. */
static void drains(struct fixture *f, bool (*runs)(void *ctx))
{
	start(f);
	assert_true(sim_run_until(&f->w.sim, runs, f, 5000));
	assert_false(worker_idle(f->worker));
	worker_drain(f->worker);
	insert(f, 2);
	assert_true(sim_run_until(&f->w.sim, worker_ended, f, 20000));
	sim_run(&f->w.sim, 20000);
	assert_string_equal(world_state(&f->w, 1), "answered");
	assert_string_equal(world_state(&f->w, 2), "seen");
	assert_int_equal(f->w.core.sends, 1);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation WHERE lease_owner"
						" IS NOT NULL"),
			 0);
	restart(f);
	assert_true(world_wait_state(&f->w, 2, "answered", 20000));
	assert_int_equal(f->w.core.sends, 2);
}

static void test_worker_with_a_core_call(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.core.poll_delay_ms = 5000;
	drains(f, core_runs);
}

static void test_worker_with_a_download(void **state)
{
	struct fixture *f = *state;

	world_publish_attested(&f->w, 0, f->handle, BYTES_OF(body))->delay_ms = 4000;
	world_publish_attested(&f->w, 1, f->handle, BYTES_OF(body))->delay_ms = 4000;
	world_allow(&f->w, f->handle);
	insert(f, 1);
	drains(f, download_runs);
}

/* What has begun does not end in time: it goes back, and the next process asks for the result and
 * sends nothing anew. */
static void test_worker_out_of_time(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);

	ready_to_answer(f);
	f->w.env.store_shared = true;
	f->w.core.poll_delay_ms = 100000;
	start(f);
	assert_true(sim_run_until(&f->w.sim, core_runs, f, 5000));
	worker_drain(f->worker);
	sim_run(&f->w.sim, 10000);
	assert_false(worker_idle(f->worker));
	stop(f);
	assert_int_equal(op_add_release_own(&b, f->w.env.owner), ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	f->w.core.poll_delay_ms = 0;
	restart(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 5000));
	assert_int_equal(f->w.core.sends, 1);
}

/* ---- the listener ---- */

static bool logs_asked(void *ctx)
{
	return ((struct fixture *)ctx)->w.gateway.get_logs > 0;
}

/* Stopped with a window on the wire, and with its rows on the way to the disk. */
static void test_listener_with_a_window(void **state)
{
	struct fixture *f = *state;
	struct listener *l;

	f->w.config.decryption_from_block_number_given = true;
	world_request(&f->w, 1, &f->handle, 1, BYTES_LIT("\0"), WORLD_HANDLES, 0, BYTES_OF(body));
	for (int64_t ms = 0; ms < 12; ms++) {
		f->w.gateway.delay_ms = 5;
		f->w.gateway.get_logs = 0;
		assert_int_equal(listener_start(&l, &f->w.env), ERR_OK);
		assert_true(sim_run_until(&f->w.sim, logs_asked, f, 5000));
		sim_run(&f->w.sim, ms);
		listener_stop(l);
		sim_run(&f->w.sim, 100);
		int64_t n = sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation");

		/* All of it or nothing. */
		assert_true(n <= 1);
		assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM cursor"), n);
	}
	f->w.gateway.delay_ms = 0;
	assert_int_equal(listener_start(&l, &f->w.env), ERR_OK);
	sim_run(&f->w.sim, 20000);
	listener_stop(l);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation"), 1);
}

/* ---- leases ---- */

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
		cmocka_unit_test_setup_teardown(test_worker_with_a_core_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_worker_with_a_download, setup, teardown),
		cmocka_unit_test_setup_teardown(test_worker_out_of_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listener_with_a_window, setup, teardown),
		cmocka_unit_test(test_leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

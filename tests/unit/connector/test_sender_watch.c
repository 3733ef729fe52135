/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the chain says of our nonces after the fact: re-orgs, invented receipts, false counts. */
#include <stdlib.h>

#include "sender_support.h"

static int setup(void **state)
{
	struct sender_fixture *f = malloc(sizeof(*f));

	assert_non_null(f);
	sender_setup(f, 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	sender_teardown(*state);
	free(*state);
	return 0;
}

static void check_exactly_once(struct sender_fixture *f, uint64_t n)
{
	for (uint64_t id = 1; id <= n; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, true), 1);
	assert_int_equal(sender_ops(f, "done"), n);
}

/* ---- transactions that are gone ---- */

static void test_a_reorg_after_the_answer(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 5);
	assert_true(sender_wait(f, "done", 5, 5000));
	sim_pool_reorg(&f->pool, 3, true);
	assert_int_equal(f->pool.count, 2);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(f->pool.count, 5);
	assert_int_equal(f->pool.txs_n, 5); /* the same bytes */
	assert_int_equal(sender_txs(f, "mined"), 5);
	sender_answers(f, 6, 1);
	assert_true(sender_wait(f, "done", 6, 5000));
	check_exactly_once(f, 6);
}

/* On the new branch its transaction is there, too, and has no effect: the answer is sent anew. */
static void test_reverted_on_another_branch(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 2);
	assert_true(sender_wait(f, "done", 2, 5000));
	sim_pool_reorg(&f->pool, 1, false);
	f->pool.revert_mined = true;
	sim_pool_mine(&f->pool);
	f->pool.revert_mined = false;
	assert_int_equal(f->pool.count, 2);
	assert_false(sim_pool_answered(&f->pool, 2));
	sim_run(&f->w.sim, 90000);
	assert_int_equal(sim_pool_count(&f->pool, 1, true), 1);
	assert_int_equal(sim_pool_count(&f->pool, 2, false), 1);
	assert_int_equal(sender_ops(f, "done"), 2);
	assert_int_equal(sender_txs(f, "reverted"), 1);
}

/* The same, found after the transaction was gone for a while. */
static void test_reverted_when_sent_again(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 2);
	assert_true(sender_wait(f, "done", 2, 5000));
	f->pool.revert_mined = true;
	sim_pool_reorg(&f->pool, 1, true);
	for (unsigned i = 0; i < 600 && sender_txs(f, "reverted") == 0; i++)
		sim_run(&f->w.sim, 100);
	assert_int_equal(sender_txs(f, "reverted"), 1);
	f->pool.revert_mined = false;
	sim_run(&f->w.sim, 60000);
	assert_int_equal(sim_pool_count(&f->pool, 2, false), 1);
	assert_int_equal(sender_ops(f, "done"), 2);
}

/* One such reply is no news. */
static void test_one_false_revert_is_not_believed(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	f->pool.txs[0].success = false;
	sim_run(&f->w.sim, 15000);
	f->pool.txs[0].success = true;
	sim_run(&f->w.sim, 90000);
	assert_int_equal(f->pool.txs_n, 1);
	assert_int_equal(sender_txs(f, "mined"), 1);
	check_exactly_once(f, 1);
}

static void test_an_invented_receipt(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.receipts_invented = true;
	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	f->pool.txs[0].waiting = false; /* and its transaction was dropped */
	f->pool.receipts_invented = f->pool.idle = false;
	sim_run(&f->w.sim, 60000);
	check_exactly_once(f, 1);
	assert_int_equal(sender_txs(f, "mined"), 1);
}

/* Another transaction has the nonce: the count does not show it, the receipt does. */
static void test_an_invented_receipt_of_a_used_nonce(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.receipts_invented = true;
	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	sim_pool_foreign(&f->pool);
	f->pool.receipts_invented = f->pool.idle = false;
	sim_run(&f->w.sim, 90000);
	assert_int_equal(sender_txs(f, "lost"), 1); /* known, and said in the log */
}

static void test_false_low_counts_do_no_harm(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 5);
	assert_true(sender_wait(f, "done", 5, 5000));
	f->pool.count_said = 1;
	f->pool.count_said_n = 3;
	sim_run(&f->w.sim, 60000);
	assert_int_equal(f->pool.count_said_n, 0);
	assert_int_equal(f->pool.count, 5);
	assert_int_equal(sender_txs(f, "mined"), 5);
	sender_answers(f, 6, 3);
	assert_true(sender_wait(f, "done", 8, 5000));
	check_exactly_once(f, 8);
}

static void test_one_false_low_count_is_not_believed(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 5);
	assert_true(sender_wait(f, "done", 5, 5000));
	f->pool.count_said_n = 2;
	sim_run(&f->w.sim, 60000);
	assert_int_equal(f->pool.count_said_n, 0);
	assert_int_equal(f->pool.sends, 5);
}

/* Receipts are read a few times after the end and not for ever. */
static void test_watching_is_cheap(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 100);
	assert_true(sender_wait(f, "done", 100, 5000));
	sim_run(&f->w.sim, 100000);
	unsigned before = f->pool.requests;
	sim_run(&f->w.sim, 600000);
	assert_in_range(f->pool.requests - before, 55, 60);
}

/* ---- nonces that nobody used ---- */

static void test_a_small_gap_is_filled(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.count_said = 20;
	f->pool.count_said_n = 2;
	sender_begin(f);
	sender_answers(f, 1, 2);
	sim_run(&f->w.sim, 10000);
	assert_int_equal(f->pool.last_nonces[0], 20);
	sender_answers(f, 3, 2); /* above the gap as well: nothing is known yet */
	sim_run(&f->w.sim, 25000);
	assert_int_equal(f->pool.count, 0);
	assert_true(sender_wait(f, "done", 4, 40000));
	sender_answers(f, 5, 1);
	assert_true(sender_wait(f, "done", 5, 10000));
	sim_run(&f->w.sim, 2000);
	check_exactly_once(f, 5);
	assert_int_equal(f->pool.count, 25);
	assert_int_equal(sender_txs(f, "mined"), 25);
}

/* A node that lags shows the same for a moment only. */
static void test_a_gap_is_not_believed_at_once(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.count = 20;
	sender_begin(f);
	f->pool.idle = true;
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 5000);
	f->pool.count_said = 18;
	f->pool.count_said_n = 6; /* three looks */
	sim_run(&f->w.sim, 40000);
	assert_int_equal(f->pool.count_said_n, 0);
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(f->pool.txs_n, 1);
}

static void test_far_nonces_are_given_up(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.count_said = 70;
	f->pool.count_said_n = 2;
	sender_begin(f);
	sender_answers(f, 1, 3);
	assert_true(sender_wait(f, "done", 3, 60000));
	assert_int_equal(f->pool.count, 3);
	assert_int_equal(sender_txs(f, "far"), 3);
	sender_kill(f);
	sender_begin(f); /* goes on below them */
	sender_answers(f, 4, 1);
	assert_true(sender_wait(f, "done", 4, 60000));
	assert_int_equal(f->pool.count, 4);
	/* And over them: what was signed there is mined, and refused as answered. */
	sender_answers(f, 5, 100);
	assert_true(sender_wait(f, "done", 104, 60000));
	sim_run(&f->w.sim, 2000);
	assert_int_equal(f->pool.count, 107);
	assert_int_equal(sender_txs(f, "reverted"), 3);
	for (uint64_t id = 1; id <= 104; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, false), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_reorg_after_the_answer),
		T(test_reverted_on_another_branch),
		T(test_reverted_when_sent_again),
		T(test_one_false_revert_is_not_believed),
		T(test_an_invented_receipt),
		T(test_an_invented_receipt_of_a_used_nonce),
		T(test_false_low_counts_do_no_harm),
		T(test_one_false_low_count_is_not_believed),
		T(test_watching_is_cheap),
		T(test_a_small_gap_is_filled),
		T(test_a_gap_is_not_believed_at_once),
		T(test_far_nonces_are_given_up),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}

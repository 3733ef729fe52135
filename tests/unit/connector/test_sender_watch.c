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

/* The last `n` are there, too, and without effect. */
static void revert_on_another_branch(struct sender_fixture *f, uint64_t n)
{
	uint64_t count = f->pool.count;

	sim_pool_reorg(&f->pool, n, false);
	f->pool.revert_mined = true;
	sim_pool_mine(&f->pool);
	f->pool.revert_mined = false;
	assert_int_equal(f->pool.count, count);
}

/* On the new branch its transaction is there, too, and has no effect: the answer is sent anew. */
static void test_reverted_on_another_branch(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 2);
	assert_true(sender_wait(f, "done", 2, 5000));
	revert_on_another_branch(f, 1);
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

/* However long ago it was, and however much was mined on top of it. */
static void test_reverted_long_after_its_end(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 3);
	assert_true(sender_wait(f, "done", 3, 5000));
	sim_run(&f->w.sim, 600000);
	revert_on_another_branch(f, 2);
	sender_answers(f, 4, 40); /* on the new branch, before anybody looks */
	assert_true(sender_wait(f, "done", 43, 5000));
	sim_run(&f->w.sim, 90000);
	for (uint64_t id = 1; id <= 43; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, false), 1);
	assert_int_equal(sender_ops(f, "done"), 43);
	assert_int_equal(sender_txs(f, "reverted"), 2);
}

/* While nobody ran. */
static void test_reverted_between_two_runs(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 100);
	assert_true(sender_wait(f, "done", 100, 5000));
	sim_run(&f->w.sim, 600000);
	sender_kill(f);
	revert_on_another_branch(f, 90); /* more than a start looks at */
	sim_run(&f->w.sim, 600000);
	sender_begin(f);
	sim_run(&f->w.sim, 120000);
	for (uint64_t id = 1; id <= 100; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, false), 1);
	assert_int_equal(sender_ops(f, "done"), 100);
	assert_int_equal(sender_txs(f, "reverted"), 90);
}

/* The commit that opens them again is said to have failed, and has happened. */
static void test_opened_again_by_an_unsure_commit(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 3);
	assert_true(sender_wait(f, "done", 3, 5000));
	revert_on_another_branch(f, 2);
	for (unsigned looks = f->pool.counts + 3; f->pool.counts < looks;)
		sim_run(&f->w.sim, 1);
	f->w.sim.store.unsure_in = 2; /* the first reads the table */
	while (sender_txs(f, "broadcast") == 0)
		sim_run(&f->w.sim, 1);
	assert_int_equal(f->w.sim.store.unsure_in, 0);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(sender_txs(f, "broadcast"), 2); /* nobody knows of them */
	sim_run(&f->w.sim, 60000);
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, false), 1);
	assert_int_equal(sender_ops(f, "done"), 3);
	assert_int_equal(sender_txs(f, "reverted"), 2);
}

/* What is not there once or twice, is there. */
static void test_missing_receipts_are_not_believed_at_once(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	f->pool.receipts_hidden_n = 2;
	sim_run(&f->w.sim, 90000);
	assert_int_equal(f->pool.receipts_hidden_n, 0);
	assert_int_equal(f->pool.sends, 1);
	assert_int_equal(sender_txs(f, "mined"), 1);
	check_exactly_once(f, 1);
}

/* The commit that gave a nonce back failed and had happened; before it is repeated, what the chain
 * has forgotten is opened again, and the free nonce is on disk with it. It is held by one still. */
static void test_a_nonce_that_is_being_given_back_is_not_taken_twice(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 2);
	assert_true(sender_wait(f, "done", 2, 5000));
	sim_pool_reorg(&f->pool, 2, true);
	unsigned looks = f->pool.counts + 2;
	while (f->pool.counts < looks)
		sim_run(&f->w.sim, 10);
	sim_run(&f->w.sim, 9600); /* the third is near */
	f->fail_n = 1;
	sender_answers(f, 3, 1);
	while (sender_txs(f, "allocated") == 0)
		sim_run(&f->w.sim, 1);
	f->w.sim.store.unsure_in = 1;
	while (sender_txs(f, "free") == 0)
		sim_run(&f->w.sim, 1);
	assert_int_equal(f->w.sim.store.unsure_in, 0);
	assert_int_equal(f->pool.counts, looks);
	sim_run(&f->w.sim, 500);
	assert_int_equal(f->pool.counts, looks + 1);
	assert_int_equal(sender_txs(f, "free"), 1); /* and not yet repeated */
	sim_run(&f->w.sim, 30000);
	check_exactly_once(f, 3);
	assert_int_equal(f->pool.count, 3);
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

/* However many there were, one receipt is read again, and after a day none. */
static void test_watching_is_cheap(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 100);
	assert_true(sender_wait(f, "done", 100, 5000));
	sim_run(&f->w.sim, 100000);
	unsigned before = f->pool.requests;
	sim_run(&f->w.sim, 600000);
	assert_in_range(f->pool.requests - before, 110, 120);
	sim_run(&f->w.sim, 24 * 3600000);
	before = f->pool.requests;
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
		T(test_reverted_long_after_its_end),
		T(test_reverted_between_two_runs),
		T(test_opened_again_by_an_unsure_commit),
		T(test_missing_receipts_are_not_believed_at_once),
		T(test_a_nonce_that_is_being_given_back_is_not_taken_twice),
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

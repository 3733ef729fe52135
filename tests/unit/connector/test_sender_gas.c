/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Gas: an estimate counts for the next answers of its form, tried once each; never longer. */
#include <stdlib.h>

#include "sender_support.h"

static int setup(void **state)
{
	struct sender_fixture *f = calloc(1, sizeof(*f));

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

/* Answers `first` to `last`, one after the other. */
static void answer(struct sender_fixture *f, uint64_t first, uint64_t last)
{
	for (uint64_t id = first; id <= last; id++) {
		sender_answers(f, id, 1);
		assert_true(sender_wait(f, "done", (int64_t)id, 1000));
	}
}

static void test_tried_with_what_the_last_one_needed(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	answer(f, 1, 5);
	assert_int_equal(f->pool.estimates, 1);
	assert_int_equal(f->pool.tries, 4);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(f->pool.txs[i].gas, f->pool.txs[0].gas);
}

static void test_estimated_anew_after_a_while(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	answer(f, 1, 2);
	f->pool.gas_said = 50000;
	sim_run(&f->w.sim, 5000);
	answer(f, 3, 3);
	assert_int_equal(f->pool.estimates, 2);
	assert_int_equal(f->pool.tries, 1);
	assert_int_equal(f->pool.txs[2].gas, f->pool.txs[0].gas / 2);
}

static void test_one_that_needs_more(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	answer(f, 1, 1);
	f->pool.gas_said = 200000;
	answer(f, 2, 3);
	assert_int_equal(f->pool.estimates, 2);
	assert_int_equal(f->pool.tries, 2);
	assert_int_equal(f->pool.txs[1].gas, 2 * f->pool.txs[0].gas);
	assert_int_equal(f->pool.txs[2].gas, 2 * f->pool.txs[0].gas);
}

/* A call of another length is another call. */
static void test_one_of_another_form(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	answer(f, 1, 1);
	sender_user_answer(f, 2);
	assert_true(sender_wait(f, "done", 2, 1000));
	assert_int_equal(f->pool.estimates, 2);
	assert_int_equal(f->pool.tries, 0);
}

/* What the gateway would not take is still told by an estimate, and read twice. */
static void test_a_revert_is_the_estimates_to_tell(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	answer(f, 1, 1);
	f->pool.revert = "ECDSAInvalidSignature()";
	sender_answers(f, 2, 1);
	assert_true(sender_wait(f, "failed", 1, 5000));
	assert_int_equal(f->pool.estimates, 3);
	assert_int_equal(f->pool.sends, 1);
}

/* A node whose calls tell nothing costs one of them for each estimate at most. */
static void test_a_node_whose_calls_fail(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.no_tries = true;
	sender_begin(f);
	answer(f, 1, 6);
	assert_int_equal(f->pool.estimates, 6);
	assert_int_equal(f->pool.tries, 3);
}

/* One that was mined and reverted is not believed by the same way again. */
static void test_after_a_revert_on_chain(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	answer(f, 1, 1);
	f->pool.revert_mined = true;
	sender_answers(f, 2, 1);
	for (int i = 0; i < 100 && f->pool.sends < 2; i++)
		sim_run(&f->w.sim, 10);
	assert_int_equal(f->pool.tries, 1);
	f->pool.revert_mined = false;
	assert_true(sender_wait(f, "done", 2, 3000));
	assert_int_equal(f->pool.tries, 1);
	assert_int_equal(f->pool.estimates, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_tried_with_what_the_last_one_needed),
		T(test_estimated_anew_after_a_while),
		T(test_one_that_needs_more),
		T(test_one_of_another_form),
		T(test_a_revert_is_the_estimates_to_tell),
		T(test_a_node_whose_calls_fail),
		T(test_after_a_revert_on_chain),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}

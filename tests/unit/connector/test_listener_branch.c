/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The listener on chains that fork, fall back or were made up: where the cursor goes, and which
 * rows it takes along. */
#include <stdio.h>

#include "listener_fixture.h"

static void test_reorg_brings_the_new_block(void **state)
{
	struct fixture *f = *state;
	char before[65];

	sim_chain_mine(&f->w.gateway, 90);
	request(f, 1, WORLD_HANDLES);
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(cursor(f), 100);
	(void)snprintf(before, sizeof(before), "%s",
		       sim_sql_text(&f->w.sim, "SELECT hex(block_hash) FROM operation"));

	sim_chain_reorg(&f->w.gateway, 5);
	request(f, 1, WORLD_HANDLES); /* included again, in the new block 100 */
	request(f, 2, WORLD_HANDLES); /* and one that was not there */
	sim_chain_mine(&f->w.gateway, 3);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(rows(f), 2);
	assert_string_not_equal(
		sim_sql_text(&f->w.sim, "SELECT hex(block_hash) FROM operation WHERE id = 1"),
		before);
	assert_int_equal(cursor(f), 103);
	assert_int_equal(f->w.metrics.cells[METRIC_LISTENER_REORGS][METRIC_CONTRACT_DECRYPTION], 1);
}

static void test_reorg_while_stopped(void **state)
{
	struct fixture *f = *state;

	f->w.config.decryption_from_block_number_given = false;
	start(f);
	sim_run(&f->w.sim, 1000);
	sim_chain_mine(&f->w.gateway, 290);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(cursor(f), 300);
	listener_stop(f->l);
	f->l = NULL;
	sim_chain_reorg(&f->w.gateway, 64);
	f->w.gateway.head = 240;
	request(f, 7, WORLD_LEGACY);
	f->w.gateway.head = 300;
	sim_chain_mine(&f->w.gateway, 200);
	restart(f);
	sim_run(&f->w.sim, 5000);
	assert_string_equal(world_state(&f->w, 7), "seen");
	assert_int_equal(cursor(f), 500);
}

/* The steps of the trail lead back to the last common block, in few questions. */
static void test_reorg_deeper_than_any_sequencer(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->w.gateway, 2990);
	start(f);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(cursor(f), 3000);
	assert_in_range(sim_sql_int(&f->w.sim, "SELECT count(*) FROM cursor_trail"), 10, 20);
	unsigned before = f->w.gateway.requests;
	sim_chain_reorg(&f->w.gateway, 2000);
	f->w.gateway.head = 1500;
	request(f, 1, WORLD_HANDLES);
	f->w.gateway.head = 3001;
	f->w.gateway.branch_of[3001] = f->w.gateway.branches;
	sim_run(&f->w.sim, 5000);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_int_equal(cursor(f), 3001);
	assert_int_equal(f->w.metrics.cells[METRIC_LISTENER_REORGS][METRIC_CONTRACT_DECRYPTION], 1);
	assert_true(f->w.gateway.requests - before < 200); /* 30 windows of four, and the search */
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT min(block) FROM cursor_trail"), 99);
}

static void test_rows_of_a_lost_block_are_withdrawn(void **state)
{
	struct fixture *f = *state;

	request(f, 1, WORLD_HANDLES);
	request(f, 2, WORLD_HANDLES);
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_string_equal(world_state(&f->w, 1), "seen");
	sim_chain_reorg(&f->w.gateway, 3);
	request(f, 2, WORLD_HANDLES);
	sim_chain_mine(&f->w.gateway, 1);
	sim_run(&f->w.sim, 2000);
	assert_string_equal(world_state(&f->w, 1), "aborted");
	assert_string_equal(world_reason(&f->w, 1), "its block is no longer part of the chain");
	assert_string_equal(world_state(&f->w, 2), "seen");
	/* Included again after all, it is seen anew, and only once. */
	request(f, 1, WORLD_HANDLES);
	sim_chain_mine(&f->w.gateway, 1);
	sim_run(&f->w.sim, 8000);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_string_equal(world_reason(&f->w, 1), "");
	assert_int_equal(rows(f), 2);
}

/* A node that made up blocks far ahead is replaced by one that did not. */
static void test_invented_blocks_do_not_keep_the_cursor(void **state)
{
	struct fixture *f = *state;

	start(f);
	sim_run(&f->w.sim, 1000);
	sim_chain_mine(&f->w.gateway, 700);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(cursor(f), 710);
	f->w.gateway.head = 14;
	request(f, 1, WORLD_HANDLES);
	f->w.gateway.head = 15;
	sim_run(&f->w.sim, 50000);
	assert_int_equal(cursor(f), 710); /* so long it may be a node that lags */
	sim_run(&f->w.sim, 60000);
	assert_int_equal(cursor(f), 15);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_int_equal(f->w.metrics.cells[METRIC_LISTENER_REORGS][METRIC_CONTRACT_DECRYPTION], 0);
}

static void test_reorg_at_the_same_height(void **state)
{
	struct fixture *f = *state;

	start(f);
	sim_run(&f->w.sim, 1000);
	sim_chain_reorg(&f->w.gateway, 1);
	request(f, 3, WORLD_HANDLES);
	sim_run(&f->w.sim, 2000);
	assert_string_equal(world_state(&f->w, 3), "seen");
}

static void test_endpoint_behind_moves_nothing(void **state)
{
	struct fixture *f = *state;

	start(f);
	sim_run(&f->w.sim, 1000);
	f->w.gateway.head = 4;
	sim_run(&f->w.sim, 5000);
	assert_int_equal(cursor(f), 10);
	f->w.gateway.head = 10;
	sim_chain_mine(&f->w.gateway, 1);
	request(f, 1, WORLD_HANDLES);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(cursor(f), 11);
	assert_int_equal(rows(f), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reorg_brings_the_new_block, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reorg_while_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reorg_deeper_than_any_sequencer, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_rows_of_a_lost_block_are_withdrawn, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_invented_blocks_do_not_keep_the_cursor, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_reorg_at_the_same_height, setup, teardown),
		cmocka_unit_test_setup_teardown(test_endpoint_behind_moves_nothing, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

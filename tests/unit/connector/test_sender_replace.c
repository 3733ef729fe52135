/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Transactions that are not mined, or not for good: higher fees, confirmations, re-orgs. */
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

static int64_t versions(struct sender_fixture *f)
{
	return sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx_version");
}

static bool nonces_agree(const struct sender_fixture *f, uint64_t nonce)
{
	for (size_t i = 0; i < f->pool.txs_n; i++)
		if (f->pool.txs[i].nonce != nonce)
			return false;
	return true;
}

/* An answer signed while the node said a fee that nothing is mined for. */
static void stuck(struct sender_fixture *f, uint64_t n)
{
	f->pool.base_fee = 10;
	f->pool.fee_floor = 50000;
	sender_begin(f);
	sender_answers(f, 1, n);
	sim_run(&f->w.sim, 2000);
	f->pool.base_fee = 50000;
	assert_int_equal(f->pool.txs_n, n);
	assert_int_equal(f->pool.count, 0);
}

/* ---- higher fees ---- */

static void test_a_fee_that_was_too_low_is_raised(void **state)
{
	struct sender_fixture *f = *state;

	stuck(f, 1);
	sim_run(&f->w.sim, 55000);
	assert_int_equal(f->pool.txs_n, 1); /* not before its time */
	assert_true(sender_wait(f, "done", 1, 10000));
	assert_int_equal(f->pool.txs_n, 2);
	assert_true(nonces_agree(f, 0));
	assert_true(u256_eq(f->pool.txs[1].fee_max, u256_from_u64(100003)));
	assert_int_equal(f->pool.txs[1].gas, f->pool.txs[0].gas);
	assert_int_equal(versions(f), 2);
	assert_memory_equal(sim_sql_text(&f->w.sim, "SELECT hash FROM tx WHERE state = 'mined'"),
			    f->pool.txs[1].hash.b, 32);
}

/* All that waited behind it for the same reason, without waiting for each other's block. */
static void test_many_fees_are_raised_together(void **state)
{
	struct sender_fixture *f = *state;

	stuck(f, 10);
	assert_true(sender_wait(f, "done", 10, 62000));
	assert_int_equal(f->pool.txs_n, 20);
	for (uint64_t id = 1; id <= 10; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, true), 1);
}

static void look_at_versions(void *ctx, const struct sim_pool_tx *t, struct bytes raw)
{
	struct sender_fixture *f = ctx;

	(void)raw;
	if (f->pool.txs_n == 1 && !hash32_eq(t->hash, f->pool.txs[0].hash)) {
		assert_int_equal(versions(f), 2); /* both, before the first byte of it leaves */
		assert_memory_equal(sim_sql_text(&f->w.sim, "SELECT hash FROM tx"), t->hash.b, 32);
	}
}

static void test_versions_are_on_disk_first(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.on_send = look_at_versions;
	f->pool.on_send_ctx = f;
	stuck(f, 1);
	assert_true(sender_wait(f, "done", 1, 62000));
}

/* The chain asks for no more than before: an eighth, rounded up. */
static void test_the_raise_is_what_nodes_ask_for(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 62000);
	assert_int_equal(f->pool.txs_n, 2);
	assert_true(u256_eq(f->pool.txs[0].fee_max, u256_from_u64(2003)));
	assert_true(u256_eq(f->pool.txs[1].fee_max, u256_from_u64(2003 + 251)));
	assert_true(u256_eq(f->pool.txs[1].priority, u256_from_u64(4)));
}

/* Only the one that everybody waits for, if fees are not what is wrong. */
static void test_only_the_lowest_is_raised(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 5);
	sim_run(&f->w.sim, 62000);
	assert_int_equal(f->pool.txs_n, 6);
	assert_int_equal(f->pool.txs[5].nonce, 0);
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 5, 5000));
}

static void test_versions_end(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.idle = true;
	f->w.config.decryption_expiry_ms = INT64_C(1000) * 3600 * 1000;
	f->w.config.tx_replace_after_ms = 5000;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 3 * 3600 * 1000); /* the last of them after 43 minutes */
	assert_int_equal(f->pool.txs_n, 10);
	assert_int_equal(versions(f), 10);
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 1, 5000));
}

static void test_the_limit_is_kept(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.max_fee_per_gas_gwei = 1;
	f->pool.base_fee = 450000000;
	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 7200 * 1000);
	assert_int_equal(f->pool.txs_n, 1); /* 0.9 gwei and an eighth would be above 1 */
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 1, 5000));
}

/* A node that wants more than others for a replacement gets it. */
static void test_our_own_older_version_is_outbid(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.replace_percent = 150;
	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 70000);
	assert_int_equal(f->pool.txs_n, 2);
	assert_true(f->pool.txs[1].fee_max.w[0] * 100 >= f->pool.txs[0].fee_max.w[0] * 150);
	assert_true(versions(f) > 2);
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 1, 5000));
}

static void test_a_node_that_says_underpriced(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.refuse = "max fee per gas less than block base fee: maxFeePerGas: 23";
	f->pool.refuse_n = 1;
	f->pool.base_fee = 10;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 3000));
	assert_int_equal(sim_pool_count(&f->pool, 1, true), 1);
	assert_int_equal(versions(f), 2);
}

/* The older version is mined after all: it is found, and it is the transaction. */
static void test_an_older_version_is_mined(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 62000);
	assert_int_equal(f->pool.txs_n, 2);
	f->pool.txs[0].waiting = true;
	f->pool.txs[1].waiting = false;
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_memory_equal(sim_sql_text(&f->w.sim, "SELECT hash FROM tx WHERE state = 'mined'"),
			    f->pool.txs[0].hash.b, 32);
	assert_int_equal(sim_sql_int(&f->w.sim,
				     "SELECT count(*) FROM tx JOIN tx_version v ON v.raw = tx.raw "
				     "AND v.hash = tx.hash AND v.version = 0"),
			 1);
}

/* The same after a restart, which knows the versions from the disk alone. */
static void test_a_restart_between_versions(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 62000);
	sender_kill(f);
	assert_int_equal(f->pool.txs_n, 2);
	f->pool.txs[0].waiting = true;
	f->pool.txs[1].waiting = false;
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	sender_begin(f);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(sender_txs(f, "mined"), 1);
	assert_int_equal(f->pool.txs_n, 2);
	assert_int_equal(f->pool.count, 1);
}

static void test_a_signer_that_fails_while_replacing(void **state)
{
	struct sender_fixture *f = *state;

	stuck(f, 1);
	f->fail_n = 3;
	assert_true(sender_wait(f, "done", 1, 70000));
	assert_int_equal(f->fail_n, 0);
	assert_int_equal(f->pool.txs_n, 2);
}

/* A version whose batch failed is stored again, not signed again. */
static void test_a_store_that_fails_while_replacing(void **state)
{
	struct sender_fixture *f = *state;

	stuck(f, 1);
	sim_run(&f->w.sim, 57000);
	for (int i = 0; i < 10000 && f->pool.fees < 2; i++)
		sim_run(&f->w.sim, 1);
	f->w.sim.store.fail_next = ERR_TRANSIENT;
	assert_true(sender_wait(f, "done", 1, 10000));
	assert_int_equal(f->w.sim.store.fail_next, ERR_OK);
	assert_int_equal(f->pool.txs_n, 2);
	assert_int_equal(versions(f), 2);
}

/* ---- confirmations ---- */

static void test_final_when_deep(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.gateway_tx_required_confirmations = 3;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 10000);
	assert_int_equal(sender_txs(f, "included"), 1);
	assert_int_equal(sender_ops(f, "sending"), 1);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT block FROM tx"), 1);
	sim_pool_blocks(&f->pool, 1);
	sim_run(&f->w.sim, 10000);
	assert_int_equal(sender_ops(f, "sending"), 1);
	sim_pool_blocks(&f->pool, 1);
	assert_true(sender_wait(f, "done", 1, 3000));
	assert_int_equal(sender_txs(f, "mined"), 1);
	assert_int_equal(f->pool.sends, 1);
}

static void test_a_restart_before_it_is_deep(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.gateway_tx_required_confirmations = 3;
	sender_begin(f);
	sender_answers(f, 1, 3);
	sim_run(&f->w.sim, 10000);
	sender_kill(f);
	sender_begin(f);
	sim_run(&f->w.sim, 10000);
	sim_pool_blocks(&f->pool, 2);
	assert_true(sender_wait(f, "done", 3, 10000));
	assert_int_equal(f->pool.txs_n, 3);
	assert_int_equal(f->pool.count, 3);
}

static void test_a_reorg_before_it_is_deep(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.gateway_tx_required_confirmations = 3;
	sender_begin(f);
	sender_answers(f, 1, 3);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(sender_txs(f, "mined"), 1); /* blocks 1, 2, 3 */
	assert_int_equal(sender_txs(f, "included"), 2);
	sim_pool_reorg(&f->pool, 2, true);
	sim_pool_blocks(&f->pool, 5);
	sim_run(&f->w.sim, 10000);
	assert_int_equal(sender_ops(f, "done"), 1);
	assert_int_equal(f->pool.sends, 5);
	sim_pool_blocks(&f->pool, 5);
	assert_true(sender_wait(f, "done", 3, 10000));
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, true), 1);
	assert_int_equal(f->pool.txs_n, 3); /* the same bytes */
}

/* Deep enough, and the disk does not take that: stored as soon as it does. */
static void test_an_end_that_is_not_stored(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.gateway_tx_required_confirmations = 2;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(sender_txs(f, "included"), 1);
	sim_pool_blocks(&f->pool, 1);
	for (int i = 0; i < 2000; i++) {
		f->w.sim.store.fail_next = ERR_IO;
		sim_run(&f->w.sim, 1);
	}
	f->w.sim.store.fail_next = ERR_OK;
	assert_int_equal(sender_ops(f, "done"), 0);
	assert_true(sender_wait(f, "done", 1, 10000));
	assert_int_equal(f->pool.sends, 1);
}

/* Whatever batch it is whose commit happened without a word: nothing is left behind, or done twice.
 */
static void test_commits_that_may_have_happened(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sim_run(&f->w.sim, 5000);
	for (uint64_t i = 1; i <= 12; i++) {
		sender_answers(f, i, 1);
		f->w.sim.store.unsure_in = (unsigned)i;
		sim_run(&f->w.sim, 3000);
		f->w.sim.store.unsure_in = 0;
	}
	assert_true(sender_wait(f, "done", 12, 200000));
	for (uint64_t id = 1; id <= 12; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, true), 1);
	assert_int_equal(f->pool.count, f->pool.txs_n);
}

/* ---- sent and waited for in one ---- */

static void test_a_receipt_comes_with_the_reply(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.sync = true;
	sender_begin(f);
	sim_run(&f->w.sim, 100);
	sender_answers(f, 1, 4);
	assert_true(sender_wait(f, "done", 4, 1000));
	assert_int_equal(f->pool.syncs, 4);
	assert_int_equal(f->pool.sends, 4);
	assert_int_equal(f->pool.receipts, 0);
	assert_int_equal(sender_txs(f, "mined"), 4);
}

static void test_a_node_without_it_is_asked_once(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 20);
	assert_true(sender_wait(f, "done", 20, 1000));
	f->pool.sync = true;
	sender_answers(f, 21, 20);
	assert_true(sender_wait(f, "done", 40, 1000));
	assert_int_equal(f->pool.syncs, 0);
	assert_int_equal(f->pool.sends, 40);
}

/* Code 4 of EIP-7966: sent, and no block in time. */
static void test_no_block_in_time(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.sync = f->pool.idle = true;
	sender_begin(f);
	sim_run(&f->w.sim, 100);
	sender_answers(f, 1, 3);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(f->pool.sends, 3);
	assert_int_equal(sender_txs(f, "broadcast"), 3);
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 3, 5000));
	assert_int_equal(f->pool.txs_n, 3);
}

static void test_a_reply_with_its_receipt_is_lost(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.sync = true;
	sender_begin(f);
	sim_run(&f->w.sim, 100);
	f->pool.lost_sends = 2;
	sender_answers(f, 1, 10);
	assert_true(sender_wait(f, "done", 10, 10000));
	assert_int_equal(f->pool.txs_n, 10);
	assert_int_equal(f->pool.count, 10);
}

/* ---- gas of the operator's choice ---- */

static void test_a_fixed_gas_limit(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.gas_limit_given = true;
	f->w.config.gas_limit = 300000;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 1000));
	assert_int_equal(f->pool.txs[0].gas, 300000);
}

static void test_a_gas_limit_that_cannot_do(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.gas_limit_given = true;
	f->w.config.gas_limit = 99999;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 10000);
	assert_int_equal(f->pool.sends, 0);
	assert_string_equal(world_reason(&f->w, 1),
			    "gas_limit: 99999 for an answer that needs 100000");
}

/* ---- enough answers without ours ---- */

static void test_an_answer_that_nobody_needs(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.skip_answered_public_decryptions = true;
	f->pool.is_done = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(f->pool.calls, 2); /* one reply ends nothing */
	assert_int_equal(f->pool.sends, 0);
	assert_string_equal(world_reason(&f->w, 1),
			    "the gateway has enough answers without this one");
	sender_user_answer(f, 2); /* of these each node's own is needed */
	assert_true(sender_wait(f, "done", 2, 5000));
	assert_int_equal(f->pool.calls, 2);
	assert_int_equal(f->pool.sends, 1);
}

static void test_an_answer_that_is_needed(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.skip_answered_public_decryptions = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(f->pool.calls, 1);
	assert_int_equal(sim_pool_count(&f->pool, 1, true), 1);
}

static void test_sent_whoever_answered_unless_told(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.is_done = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(f->pool.calls, 0);
	assert_int_equal(f->pool.sends, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_fee_that_was_too_low_is_raised),
		T(test_many_fees_are_raised_together),
		T(test_versions_are_on_disk_first),
		T(test_the_raise_is_what_nodes_ask_for),
		T(test_only_the_lowest_is_raised),
		T(test_versions_end),
		T(test_the_limit_is_kept),
		T(test_our_own_older_version_is_outbid),
		T(test_a_node_that_says_underpriced),
		T(test_an_older_version_is_mined),
		T(test_a_restart_between_versions),
		T(test_a_signer_that_fails_while_replacing),
		T(test_a_store_that_fails_while_replacing),
		T(test_final_when_deep),
		T(test_a_restart_before_it_is_deep),
		T(test_a_reorg_before_it_is_deep),
		T(test_an_end_that_is_not_stored),
		T(test_commits_that_may_have_happened),
		T(test_a_receipt_comes_with_the_reply),
		T(test_a_node_without_it_is_asked_once),
		T(test_no_block_in_time),
		T(test_a_reply_with_its_receipt_is_lost),
		T(test_a_fixed_gas_limit),
		T(test_a_gas_limit_that_cannot_do),
		T(test_an_answer_that_nobody_needs),
		T(test_an_answer_that_is_needed),
		T(test_sent_whoever_answered_unless_told),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}

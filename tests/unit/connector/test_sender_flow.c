/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The sender against a scripted chain: the way of an answer, and every way it can go wrong. */
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

/* ---- the way ---- */

static void look_at_rows(void *ctx, const struct sim_pool_tx *t, struct bytes raw)
{
	struct sender_fixture *f = ctx;

	/* Before the first byte leaves, all of it is on disk. */
	if (t->sends == 0 && f->pool.sends == 1) {
		assert_int_equal(sender_txs(f, "signed"), 1);
		assert_int_equal(sender_ops(f, "sending"), 1);
		assert_int_equal(sim_sql_int(&f->w.sim, "SELECT length(raw) FROM tx"),
				 (int64_t)raw.n);
		assert_memory_equal(sim_sql_text(&f->w.sim, "SELECT hash FROM tx"), t->hash.b, 32);
	}
}

static void test_one_answer(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.on_send = look_at_rows;
	f->pool.on_send_ctx = f;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 1000));
	assert_int_equal(f->pool.txs_n, 1);
	assert_int_equal(f->pool.sends, 1);
	assert_int_equal(f->pool.txs[0].id, 1);
	assert_int_equal(f->pool.txs[0].nonce, 0);
	assert_int_equal(f->pool.txs[0].gas, 115000);
	assert_true(u256_eq(f->pool.txs[0].fee_max, u256_from_u64(2003)));
	assert_true(u256_eq(f->pool.txs[0].priority, u256_from_u64(3)));
	assert_int_equal(sender_txs(f, "mined"), 1);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT block FROM tx"), 1);
	assert_int_equal(
		sim_sql_int(&f->w.sim,
			    "SELECT count(*) FROM operation WHERE lease_owner IS NOT NULL"),
		0);
	assert_int_equal(f->w.metrics.cells[METRIC_SENDER_GATEWAY_TX_SENT][0], 1);
}

static void assert_selector(const struct sim_pool_tx *t, const char *function)
{
	uint8_t selector[4];

	abi_selector(selector, function);
	assert_memory_equal(t->selector, selector, 4);
}

/* Each kind has its call, and its cells. */
static void test_answer_to_a_user(void **state)
{
	struct sender_fixture *f = *state;
	const struct connector_metrics *m = &f->w.metrics;

	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 1000));
	sender_user_answer(f, 2);
	assert_true(sender_wait(f, "done", 2, 1000));
	assert_selector(&f->pool.txs[0], "publicDecryptionResponse(uint256,bytes,bytes,bytes)");
	assert_selector(&f->pool.txs[1], "userDecryptionResponse(uint256,bytes,bytes,bytes)");
	assert_int_equal(f->pool.txs[1].id, 2);
	for (unsigned k = 0; k < METRIC_EVENTS_FAST; k++) {
		assert_int_equal(m->cells[METRIC_SENDER_RESPONSE_RECEIVED][k], 1);
		assert_int_equal(m->cells[METRIC_SENDER_GATEWAY_TX_SENT][k], 1);
		assert_int_equal(m->histograms[METRIC_EVENTS_FAST + k].count, 1);
	}
}

static void test_answer_to_a_user_that_is_there_already(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.revert = "KmsNodeAlreadySigned(uint256,address)";
	sender_begin(f);
	sender_user_answer(f, 1);
	assert_true(sender_wait(f, "done", 1, 3000));
	assert_int_equal(f->pool.sends, 0);
}

static void test_answer_to_a_user_that_is_never_taken(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.revert = "ECDSAInvalidSignature()";
	sender_begin(f);
	sender_user_answer(f, 1);
	assert_true(sender_wait(f, "failed", 1, 3000));
	assert_int_equal(f->w.metrics.cells[METRIC_SENDER_GATEWAY_TX_ERRORS]
					   [METRIC_RESPONSE_USER_DECRYPTION],
			 1);
}

static void test_local_latency(void **state)
{
	struct sender_fixture *f = *state;
	int64_t begun;

	sender_begin(f);
	sim_run(&f->w.sim, 1000);
	sender_answers(f, 1, 1);
	begun = f->w.sim.now_ms;
	while (f->pool.sends == 0 && f->w.sim.now_ms < begun + 1000)
		sim_run(&f->w.sim, 1);
	/* Two round trips of 1 ms: estimate and fees at once, then the transaction. */
	assert_true(f->w.sim.now_ms - begun <= 4);
}

static void test_pipelined_in_order(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	f->pool.idle = true;
	sender_answers(f, 1, 200);
	sim_run(&f->w.sim, 2000);
	assert_int_equal(f->pool.txs_n, 200); /* all of them out before the first is mined */
	for (uint64_t i = 0; i < 200; i++)
		assert_int_equal(f->pool.last_nonces[i], i);
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 200, 5000));
	assert_int_equal(f->pool.sends, 200);
	assert_int_equal(sender_txs(f, "mined"), 200);
	assert_int_equal(f->pool.count, 200);
	assert_true(f->pool.fees < 20); /* shared */
}

static void test_the_nonce_continues_after_other_uses_of_the_key(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.count = 17;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(f->pool.txs[0].nonce, 17);
	assert_int_equal(f->pool.counts, 2);
}

/* A nonce that is too high would be ours for ever, and nothing after it be mined. */
static void test_one_false_count_is_not_believed(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.count = 17;
	f->pool.count_said = 0x100000;
	f->pool.count_said_n = 1;
	sender_begin(f);
	sender_answers(f, 1, 2);
	assert_true(sender_wait(f, "done", 2, 5000));
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT min(nonce) FROM tx"), 17);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT max(nonce) FROM tx"), 18);
}

/* Believed after all: what is below it is not filled by transactions that answer nothing, and the
 * answers find other nonces. */
static void test_a_false_count_is_no_flood(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.count_said = 0x100000;
	f->pool.count_said_n = 2;
	sender_begin(f);
	sender_answers(f, 1, 2);
	assert_true(sender_wait(f, "done", 2, 60000));
	assert_int_equal(f->pool.count, 2);
	assert_int_equal(sender_txs(f, "far"), 2);
	assert_int_equal(sender_txs(f, "mined"), 2);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx"), 4);
}

static void test_one_false_count_while_running_is_not_believed(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sim_run(&f->w.sim, 100);
	f->pool.refuse = "internal error";
	f->pool.refuse_n = 2;
	sender_answers(f, 1, 1);
	for (int i = 0; i < 100 && f->pool.sends == 0; i++)
		sim_run(&f->w.sim, 1);
	sim_pool_foreign(&f->pool);
	f->pool.count_said = 0x100000;
	f->pool.count_said_n = 1;
	assert_true(sender_wait(f, "done", 1, 60000));
	assert_int_equal(f->pool.count_said_n, 0);
	assert_int_equal(f->pool.txs[0].nonce, 1);
}

static void test_wrong_chain_sends_nothing(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.chain_id = 999;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 120000);
	assert_int_equal(f->pool.sends + f->pool.estimates, 0);
	assert_int_equal(sender_ops(f, "answered"), 1);
	f->pool.chain_id = WORLD_GATEWAY_CHAIN;
	assert_true(sender_wait(f, "done", 1, 60000));
}

static void test_stop_is_stop(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 20);
	for (int i = 0; i < 5 && f->pool.sends == 0; i++)
		sim_run(&f->w.sim, 1);
	sender_stop(f->sender);
	f->sender = NULL;
	unsigned before = f->pool.requests;
	sim_run(&f->w.sim, 200000);
	assert_int_equal(f->pool.requests, before);
}

/* ---- before a nonce ---- */

static void test_already_answered_is_success(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.revert = "KmsNodeAlreadySigned(uint256,address)";
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 3000));
	assert_string_equal(world_reason(&f->w, 1), "already answered: KmsNodeAlreadySigned");
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx"), 0);
	assert_int_equal(f->pool.estimates, 2);
}

/* One node that lies or is wrong ends nothing: an end is read twice. */
static void one_false_revert(struct sender_fixture *f, const char *revert)
{
	f->pool.revert = revert;
	f->pool.revert_n = 1;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 500);
	assert_int_equal(f->pool.estimates, 1);
	assert_int_equal(sender_ops(f, "answered"), 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(sim_pool_count(&f->pool, 1, true), 1);
}

static void test_one_false_already_answered(void **state)
{
	one_false_revert(*state, "KmsNodeAlreadySigned(uint256,address)");
}

static void test_one_false_refusal(void **state)
{
	one_false_revert(*state, "ECDSAInvalidSignature()");
}

/* The first look counts although another process makes the second one. */
static void test_an_end_is_read_twice_over_a_restart(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.revert = "ECDSAInvalidSignature()";
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 500);
	sender_kill(f);
	sender_begin(f);
	assert_true(sender_wait(f, "failed", 1, 3000));
	assert_int_equal(f->pool.estimates, 2);
}

/* ---- what a transaction may cost ---- */

static void expect_too_much(struct sender_fixture *f, const char *reason)
{
	sender_begin(f);
	sender_answers(f, 1, 2);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(sender_ops(f, "answered"), 2);
	assert_int_equal(f->pool.sends, 0);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx"), 0);
	assert_string_equal(world_reason(&f->w, 1), reason);
	f->pool.fee_said = NULL;
	f->pool.gas_said = 0;
	assert_true(sender_wait(f, "done", 2, 60000));
	assert_int_equal(f->pool.txs[0].nonce, 0);
}

static void test_a_false_gas_estimate_is_not_signed(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.gas_said = 0x4000000000;
	expect_too_much(f,
			"eth_estimateGas: 316109592985 gas for an answer, the limit is 10000000");
}

static void test_a_false_fee_is_not_signed(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.fee_said = "0x84595161401484a000000"; /* 1e25 */
	expect_too_much(f, "eth_feeHistory: 20000000000000000000000003 wei per gas, the limit "
			   "max_fee_per_gas_gwei is 500 gwei");
}

static void test_a_fee_beyond_all_numbers_is_not_signed(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.fee_said = "0x8000000000000000000000000000000000000000000000000000000000000000";
	expect_too_much(f, "eth_feeHistory: over 2^256 wei per gas, the limit "
			   "max_fee_per_gas_gwei is 500 gwei");
}

static void test_the_highest_fee_is_signed(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.max_fee_per_gas_gwei = 1;
	f->pool.base_fee = 499999998; /* twice that and 3 is 1 wei below the cap */
	f->pool.gas_said = 8695652;   /* 9999999 */
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 1000));
	assert_int_equal(f->pool.txs[0].gas, 9999999);
}

static void test_a_lagging_node_is_asked_again(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.revert = "DecryptionNotRequested(uint256)";
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 3000);
	assert_int_equal(sender_ops(f, "answered"), 1);
	assert_true(f->pool.estimates >= 3 && f->pool.estimates < 40); /* backs off */
	assert_string_equal(world_reason(&f->w, 1),
			    "the gateway reverts the answer: DecryptionNotRequested");
	f->pool.revert = NULL;
	assert_true(sender_wait(f, "done", 1, 60000));
	assert_string_equal(world_reason(&f->w, 1), "");
}

static void test_a_bad_answer_fails_with_its_reason(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.revert = "ECDSAInvalidSignature()";
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "failed", 1, 3000));
	assert_string_equal(world_reason(&f->w, 1),
			    "the gateway reverts the answer: ECDSAInvalidSignature");
	assert_int_equal(f->pool.sends, 0);
}

/* The operator's to mend: it waits, with a sentence for him and a number for his alert. */
static void test_a_node_that_is_not_registered_waits(void **state)
{
	struct sender_fixture *f = *state;
	const int64_t *reverts = f->w.metrics.cells[METRIC_SENDER_REVERTS];

	f->pool.revert = "NotKmsTxSender(address)";
	world_log_keep(&f->w);
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 50000);
	assert_int_equal(world_log_count(&f->w, "do not know this node"), 1);
	sim_run(&f->w.sim, 40000); /* once a minute, with how many there were */
	assert_int_equal(world_log_count(&f->w, "do not know this node"), 2);
	assert_int_equal(world_log_count(&f->w, "reverts=1\n"), 1);
	assert_int_equal(sender_ops(f, "answered"), 1);
	assert_string_equal(world_reason(&f->w, 1),
			    "the gateway reverts the answer: NotKmsTxSender: this account is not "
			    "registered as the transaction sender of a KMS node");
	assert_true(reverts[METRIC_REVERT_REGISTRATION] > 5);
	f->pool.revert = NULL;
	assert_true(sender_wait(f, "done", 1, 120000));
	assert_int_equal(reverts[METRIC_REVERT_OTHER] + reverts[METRIC_REVERT_BAD_ANSWER], 0);
}

static void test_nothing_is_tried_for_ever(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.decryption_expiry_ms = 60000;
	f->pool.revert = "EnforcedPause()";
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "expired", 1, 200000));
	assert_string_equal(world_reason(&f->w, 1),
			    "the gateway reverts the answer: EnforcedPause: the contract is "
			    "paused");
	assert_true(f->w.metrics.cells[METRIC_SENDER_REVERTS][METRIC_REVERT_PAUSED] > 1);
}

static void test_a_gateway_that_is_away(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sim_run(&f->w.sim, 100);
	f->pool.down = ERR_UNAVAILABLE;
	sender_answers(f, 1, 3);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(sender_ops(f, "answered"), 3);
	f->pool.down = ERR_OK;
	assert_true(sender_wait(f, "done", 3, 60000));
	assert_int_equal(f->pool.txs_n, 3);
}

static void test_somebody_else_took_the_operation(void **state)
{
	struct sender_fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);

	sender_begin(f);
	sender_answers(f, 1, 1);
	for (int i = 0; i < 10 && f->pool.estimates == 0; i++)
		sim_run(&f->w.sim, 1);
	assert_int_equal(STORE_ADD(&b, STORE_ANY,
				   "UPDATE operation SET lease_owner = 'other', lease_until_ms = "
				   "9000000000000"),
			 ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	store_batch_free(&b);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(f->pool.sends, 0);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx"), 0);
	sender_answers(f, 2, 1);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(f->pool.txs[0].nonce, 0); /* the nonce was not lost */
}

/* ---- signing ---- */

static void test_a_nonce_that_was_not_signed_is_used_again(void **state)
{
	struct sender_fixture *f = *state;

	f->fail_n = 1;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 60000));
	assert_int_equal(f->pool.txs_n, 1);
	assert_int_equal(f->pool.txs[0].nonce, 0);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx"), 1);
}

static void test_a_gap_is_filled(void **state)
{
	struct sender_fixture *f = *state;

	/* Nonce 0 cannot be signed, nonce 1 is; then the answer of nonce 0 is not wanted any more.
	 */
	f->fail_n = 1;
	sender_begin(f);
	sender_answers(f, 1, 2);
	for (int i = 0; i < 100 && sender_txs(f, "free") == 0; i++)
		sim_run(&f->w.sim, 1);
	f->pool.revert = "KmsNodeAlreadySigned(uint256,address)";
	sim_run(&f->w.sim, 1000);
	assert_int_equal(f->pool.count, 0);
	assert_true(sender_wait(f, "done", 2, 20000));
	sim_run(&f->w.sim, 2000);
	assert_int_equal(f->pool.count, 2);
	assert_int_equal(sender_txs(f, "mined"), 2);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx WHERE operation IS NULL"),
			 1);
}

/* ---- broadcasting ---- */

static void test_a_lost_reply_is_no_second_transaction(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	f->pool.lost_sends = 3;
	sender_answers(f, 1, 10);
	assert_true(sender_wait(f, "done", 10, 5000));
	assert_int_equal(f->pool.txs_n, 10);
	assert_int_equal(f->pool.count, 10);
}

static void test_one_failure_stalls_nobody(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.refuse = "internal error";
	f->pool.refuse_n = 3;
	f->pool.refuse_nonce = 2;
	sender_begin(f);
	sender_answers(f, 1, 10);
	assert_true(sender_wait(f, "done", 10, 2000));
	assert_int_equal(f->pool.txs_n, 10);
	assert_int_equal(f->pool.sends, 13);
}

static void test_an_empty_account_waits(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.refuse = "insufficient funds for gas * price + value";
	f->pool.refuse_n = 8;
	sender_begin(f);
	sender_answers(f, 1, 2);
	assert_true(sender_wait(f, "done", 2, 60000));
	assert_int_equal(f->pool.txs_n, 2);
}

static void test_what_is_not_mined_is_broadcast_again(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	f->pool.idle = true;
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 25000);
	assert_int_equal(f->pool.sends, 1);
	sim_run(&f->w.sim, 20000);
	assert_int_equal(f->pool.sends, 2);
	assert_int_equal(f->pool.txs_n, 1);
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 1, 5000));
}

static void test_a_nonce_that_somebody_else_used(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sim_run(&f->w.sim, 100);
	f->pool.refuse = "internal error";
	f->pool.refuse_n = 2;
	sender_answers(f, 1, 1);
	for (int i = 0; i < 100 && f->pool.sends == 0; i++)
		sim_run(&f->w.sim, 1);
	sim_pool_foreign(&f->pool);
	sim_pool_foreign(&f->pool);
	assert_true(sender_wait(f, "done", 1, 60000));
	assert_int_equal(sender_txs(f, "lost"), 1);
	assert_int_equal(sender_txs(f, "mined"), 1);
	assert_int_equal(f->pool.txs_n, 1);
	assert_int_equal(f->pool.txs[0].nonce, 2); /* the chain was asked, not tried one by one */
	assert_int_equal(sim_pool_count(&f->pool, 1, true), 1);
}

/* ---- in a block ---- */

static void test_a_reverted_transaction_is_replaced(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.revert_mined = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	for (int i = 0; i < 1000 && sender_txs(f, "reverted") == 0; i++)
		sim_run(&f->w.sim, 1);
	f->pool.revert_mined = false;
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(sender_txs(f, "reverted"), 1);
	assert_int_equal(sender_txs(f, "mined"), 1);
	assert_int_equal(f->pool.txs[1].nonce, 1);
}

static void test_reverts_end(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.revert_mined = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "failed", 1, 60000));
	assert_int_equal(sender_txs(f, "reverted"), 4);
	assert_true(strlen(world_reason(&f->w, 1)) > 20);
}

static void test_a_revert_because_it_is_answered(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.revert_mined = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	for (int i = 0; i < 1000 && sender_txs(f, "reverted") == 0; i++)
		sim_run(&f->w.sim, 1);
	f->pool.revert = "KmsNodeAlreadySigned(uint256,address)";
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_string_equal(world_reason(&f->w, 1), "already answered: KmsNodeAlreadySigned");
	assert_int_equal(f->pool.txs_n, 1);
}

/* ---- the disk ---- */

static void test_failures_of_the_store(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sim_run(&f->w.sim, 100);
	for (uint64_t i = 0; i < 12; i++) {
		unsigned submits;

		sender_answers(f, i + 1, 1);
		sim_run(&f->w.sim, (int64_t)i);
		submits = f->w.sim.store.submits;
		f->w.sim.store.fail_next = i % 2 == 0 ? ERR_IO : ERR_TRANSIENT;
		assert_true(sender_wait(f, "done", (int64_t)i + 1, 200000));
		assert_true(f->w.sim.store.submits >= submits);
		f->w.sim.store.fail_next = ERR_OK;
	}
	for (uint64_t i = 1; i <= 12; i++)
		assert_int_equal(sim_pool_count(&f->pool, i, true), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_one_answer),
		T(test_answer_to_a_user),
		T(test_answer_to_a_user_that_is_there_already),
		T(test_answer_to_a_user_that_is_never_taken),
		T(test_local_latency),
		T(test_pipelined_in_order),
		T(test_the_nonce_continues_after_other_uses_of_the_key),
		T(test_one_false_count_is_not_believed),
		T(test_a_false_count_is_no_flood),
		T(test_one_false_count_while_running_is_not_believed),
		T(test_wrong_chain_sends_nothing),
		T(test_stop_is_stop),
		T(test_already_answered_is_success),
		T(test_one_false_already_answered),
		T(test_one_false_refusal),
		T(test_an_end_is_read_twice_over_a_restart),
		T(test_a_false_gas_estimate_is_not_signed),
		T(test_a_false_fee_is_not_signed),
		T(test_a_fee_beyond_all_numbers_is_not_signed),
		T(test_the_highest_fee_is_signed),
		T(test_a_lagging_node_is_asked_again),
		T(test_a_bad_answer_fails_with_its_reason),
		T(test_a_node_that_is_not_registered_waits),
		T(test_nothing_is_tried_for_ever),
		T(test_a_gateway_that_is_away),
		T(test_somebody_else_took_the_operation),
		T(test_a_nonce_that_was_not_signed_is_used_again),
		T(test_a_gap_is_filled),
		T(test_a_lost_reply_is_no_second_transaction),
		T(test_one_failure_stalls_nobody),
		T(test_an_empty_account_waits),
		T(test_what_is_not_mined_is_broadcast_again),
		T(test_a_nonce_that_somebody_else_used),
		T(test_a_reverted_transaction_is_replaced),
		T(test_reverts_end),
		T(test_a_revert_because_it_is_answered),
		T(test_failures_of_the_store),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}

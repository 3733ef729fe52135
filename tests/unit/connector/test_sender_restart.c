/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The sender is killed: at every step of an answer's way, and at any moment under faults. */
#include <stdio.h>
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

/* Once each, and the database says the same. */
static void check_exactly_once(struct sender_fixture *f, uint64_t n)
{
	for (uint64_t id = 1; id <= n; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, true), 1);
	assert_int_equal(f->pool.count, n);
	assert_int_equal(sender_txs(f, "mined"), n);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx"), n);
}

static void test_allocated(void **state)
{
	struct sender_fixture *f = *state;

	f->stall_n = 1;
	sender_begin(f);
	sender_answers(f, 1, 2);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(sender_txs(f, "allocated"), 1);
	assert_int_equal(sender_txs(f, "signed"), 1); /* waits for its turn */
	assert_int_equal(f->pool.sends, 0);
	sender_kill(f);
	assert_int_equal(sender_ops(f, "sending"), 2);
	sender_begin(f);
	assert_true(sender_wait(f, "done", 2, 5000));
	check_exactly_once(f, 2);
}

static void test_signed(void **state)
{
	struct sender_fixture *f = *state;
	struct hash32 hash;

	f->pool.refuse = "internal error";
	f->pool.refuse_n = 1000000;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(sender_txs(f, "signed"), 1);
	memcpy(hash.b, sim_sql_text(&f->w.sim, "SELECT hash FROM tx"), 32);
	sender_kill(f);
	f->pool.refuse = NULL;
	f->pool.base_fee = 77777; /* another transaction would be another one */
	sender_begin(f);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_memory_equal(f->pool.txs[0].hash.b, hash.b, 32);
	check_exactly_once(f, 1);
}

/* What is on its way after a restart is counted as what it is. */
static void test_of_a_user(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.idle = true;
	sender_begin(f);
	sender_user_answer(f, 1);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(sender_txs(f, "broadcast"), 1);
	sender_kill(f);
	f->pool.idle = false;
	sender_begin(f);
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 1, 5000));
	check_exactly_once(f, 1);
	assert_int_equal(
		f->w.metrics.cells[METRIC_SENDER_GATEWAY_TX_SENT][METRIC_RESPONSE_USER_DECRYPTION],
		1);
}

static void test_mined_and_not_known(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.receipts_hidden = true;
	sender_begin(f);
	sender_answers(f, 1, 30);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(f->pool.count, 30);
	assert_int_equal(sender_txs(f, "broadcast"), 30);
	sender_kill(f);
	f->pool.receipts_hidden = false;
	sender_begin(f);
	assert_true(sender_wait(f, "done", 30, 5000));
	check_exactly_once(f, 30);
}

/* The node says that the nonce is used and its receipts come late: not lost, not sent anew. */
static void test_late_receipts(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.receipts_hidden = true;
	sender_begin(f);
	sender_answers(f, 1, 3);
	sim_run(&f->w.sim, 500);
	sender_kill(f);
	sender_begin(f);
	sim_run(&f->w.sim, 4000);
	f->pool.receipts_hidden = false;
	assert_true(sender_wait(f, "done", 3, 5000));
	check_exactly_once(f, 3);
}

static void test_a_chain_that_forgot(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 5);
	assert_true(sender_wait(f, "done", 5, 5000));
	sim_run(&f->w.sim, 1000);
	sender_kill(f);
	/* Back to two transactions, the others dropped. */
	for (size_t i = 0; i < f->pool.txs_n; i++)
		if (f->pool.txs[i].nonce >= 2)
			f->pool.txs[i].mined = false;
	f->pool.count = 2;
	sender_begin(f);
	sender_answers(f, 6, 1);
	assert_true(sender_wait(f, "done", 6, 5000));
	sim_run(&f->w.sim, 1000);
	check_exactly_once(f, 6);
}

static void test_the_database_of_another_chain(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 100);
	assert_true(sender_wait(f, "done", 100, 5000));
	sim_run(&f->w.sim, 1000);
	sender_kill(f);
	f->pool.txs_n = 0;
	f->pool.count = 0;
	unsigned before = f->pool.sends;
	sender_begin(f);
	sender_answers(f, 101, 1);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(f->pool.sends, before); /* nothing that could never be mined */
	assert_int_equal(sender_ops(f, "answered"), 1);
	assert_int_equal(sender_txs(f, "mined"), 100);
}

static void test_another_key(void **state)
{
	struct sender_fixture *f = *state;
	struct signer *old = f->signer;
	struct secret32 key;

	f->pool.refuse = "internal error";
	f->pool.refuse_n = 1000000;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 1000);
	sender_kill(f);
	memset(key.b, 0x52, sizeof(key.b));
	assert_int_equal(signer_raw_new(&f->signer, &f->w.sim.clock, f->w.ecdsa, &key), ERR_OK);
	f->stalling.address = f->signer->address;
	f->pool.refuse = NULL;
	sender_begin(f);
	assert_true(sender_wait(f, "done", 1, 5000)); /* the old key's bytes are still good */
	check_exactly_once(f, 1);
	signer_free(old);
}

/* ---- any moment ---- */

enum {
	RUNS = 40,
	ANSWERS = 60,
	KILLS = 12
};

static void faults(struct sender_fixture *f, struct rng *rng)
{
	f->pool.chance_lost = (unsigned)rng_below(rng, 20);
	f->pool.chance_down = (unsigned)rng_below(rng, 20);
	f->pool.idle = rng_below(rng, 3) == 0;
	f->pool.receipts_hidden = rng_below(rng, 4) == 0;
	f->pool.sync = rng_below(rng, 2) == 0;
	f->pool.fee_floor = rng_below(rng, 4) == 0 ? 50000 : 0;
	f->stall_n = (unsigned)rng_below(rng, 3);
	f->fail_n = (unsigned)rng_below(rng, 3);
	sim_pool_blocks(&f->pool, rng_below(rng, 4));
	if (rng_below(rng, 4) == 0)
		sim_pool_reorg(&f->pool, f->pool.count < 4 ? f->pool.count : 1 + rng_below(rng, 3),
			       rng_below(rng, 2) == 0);
}

static void no_faults(struct sender_fixture *f)
{
	f->pool.chance_lost = f->pool.chance_down = 0;
	f->pool.idle = f->pool.receipts_hidden = false;
	f->stall_n = f->fail_n = 0;
	f->pool.base_fee = 60000;
	sim_pool_mine(&f->pool);
}

/* A chain that goes on: blocks without us make ours final. */
static bool settle(struct sender_fixture *f, uint64_t asked)
{
	bool done = false;

	for (int i = 0; i < 300 && !done; i++) {
		sim_pool_blocks(&f->pool, 1);
		done = sender_wait(f, "done", (int64_t)asked, 1000);
	}
	for (int i = 0; i < 130; i++) { /* what was forgotten after the answer is sent again */
		sim_pool_blocks(&f->pool, 1);
		sim_run(&f->w.sim, 1000);
	}
	return done;
}

static void one_run(uint64_t seed)
{
	struct sender_fixture *f = malloc(sizeof(*f));
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, seed);
	uint64_t asked = 0;

	assert_non_null(f);
	sender_setup(f, seed);
	(void)rng_seeded_init(&f->pool.rng, seed + 1);
	f->w.config.gateway_tx_required_confirmations = 1 + rng_below(rng, 3);
	f->w.config.tx_replace_after_ms = 1000;
	for (int kill = 0; kill < KILLS; kill++) {
		uint64_t more = ANSWERS / KILLS;

		faults(f, rng);
		sender_begin(f);
		sender_answers(f, asked + 1, more);
		asked += more;
		sim_run(&f->w.sim, (int64_t)rng_below(rng, rng_below(rng, 4) == 0 ? 4000 : 60));
		sender_kill(f);
	}
	no_faults(f);
	sender_begin(f);
	bool done = settle(f, asked);

	int64_t filled =
		sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx WHERE operation IS NULL AND state "
				       "= 'mined'");
	int64_t open =
		sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx WHERE state IN "
				       "('allocated','signed','broadcast','included','far')");
	bool once = done && open == 0 && f->pool.count == asked + (uint64_t)filled;
	for (uint64_t id = 1; id <= asked; id++)
		once = once && sim_pool_count(&f->pool, id, true) == 1;
	if (!once)
		print_error("# seed %llu\n", (unsigned long long)seed);
	assert_true(once);
	sender_teardown(f);
	free(f);
}

static void test_any_moment(void **state)
{
	const char *seed = getenv("SEED");

	(void)state;
	if (seed) {
		one_run(strtoull(seed, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= RUNS; i++)
		one_run(i);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_allocated),
		T(test_signed),
		T(test_of_a_user),
		T(test_mined_and_not_known),
		T(test_late_receipts),
		T(test_a_chain_that_forgot),
		T(test_the_database_of_another_chain),
		T(test_another_key),
		cmocka_unit_test(test_any_moment),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Several senders with one key: only one sends, whatever was paused or restored. */
#include <stdlib.h>

#include "sender_support.h"

static int setup(void **state)
{
	struct sender_fixture *f = malloc(sizeof(*f));

	assert_non_null(f);
	sender_setup(f, 1);
	f->w.env.store_shared = true;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	sender_teardown(*state);
	free(*state);
	return 0;
}

static struct sender *second(struct sender_fixture *f)
{
	struct connector_env env = f->w.env;
	struct sender *s;

	env.owner = "second";
	assert_int_equal(sender_start(&s, &env), ERR_OK);
	return s;
}

static void submit(struct sender_fixture *f, const char *sql)
{
	struct store_batch b = store_batch_make(1 << 16);

	assert_int_equal(STORE_ADD(&b, STORE_ANY, sql), ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	store_batch_free(&b);
}

static const char *holder(struct sender_fixture *f)
{
	return sim_sql_text(&f->w.sim, "SELECT owner FROM sender_lease");
}

static int64_t token(struct sender_fixture *f)
{
	return sim_sql_int(&f->w.sim, "SELECT token FROM sender_lease");
}

static void check_exactly_once(struct sender_fixture *f, uint64_t n)
{
	for (uint64_t id = 1; id <= n; id++)
		assert_int_equal(sim_pool_count(&f->pool, id, true), 1);
	assert_int_equal(f->pool.count, n);
	assert_int_equal(f->pool.txs_n, n);
	assert_int_equal(sender_ops(f, "done"), n);
}

/* An overlapping restart: the new one waits, and goes on when the old one has ended. */
static void test_the_second_waits(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sim_run(&f->w.sim, 100);
	struct sender *other = second(f);
	sender_answers(f, 1, 5);
	sim_run(&f->w.sim, 120000); /* renewed, again and again */
	check_exactly_once(f, 5);
	assert_string_equal(holder(f), "owner-1");
	assert_int_equal(token(f), 1);
	sender_stop(f->sender);
	f->sender = NULL;
	sender_answers(f, 6, 5);
	assert_true(sender_wait(f, "done", 10, 8000));
	assert_string_equal(holder(f), "second");
	check_exactly_once(f, 10);
	sender_stop(other);
}

/* It was killed: nobody gave the lease back, its time ends it. */
static void test_the_second_follows_a_dead_one(void **state)
{
	struct sender_fixture *f = *state;

	submit(f, "INSERT INTO sender_lease (chain, account, token, owner, until_ms) VALUES "
		  "(54321, x'00', 7, 'dead', 1700000010000)");
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 9000);
	assert_int_equal(f->pool.requests, 0);
	assert_true(sender_wait(f, "done", 1, 5000));
	assert_int_equal(token(f), 8);
}

/* Paused between a nonce and its signature, and it does not know what happened since. */
static void test_paused_before_the_bytes_were_stored(void **state)
{
	struct sender_fixture *f = *state;

	f->hold_n = 1;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(sender_txs(f, "allocated"), 1);
	submit(f, "UPDATE sender_lease SET until_ms = 0"); /* its clock stood still */
	struct sender *other = second(f);
	sim_run(&f->w.sim, 500);
	assert_string_equal(holder(f), "second");
	sender_unhold(f);
	assert_true(sender_wait(f, "done", 1, 10000));
	sim_run(&f->w.sim, 10000);
	check_exactly_once(f, 1);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx"), 1);
	sender_stop(other);
	/* The first has noticed, and follows. */
	sender_answers(f, 2, 1);
	assert_true(sender_wait(f, "done", 2, 20000));
	assert_string_equal(holder(f), "owner-1");
	check_exactly_once(f, 2);
}

/* The same in the middle of raising a fee: the newer version is stored by nobody. */
static void test_paused_while_replacing(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 59000);
	f->hold_n = 1;
	sim_run(&f->w.sim, 3000);
	assert_int_equal(f->hold_n, 0);
	submit(f, "UPDATE sender_lease SET until_ms = 0");
	struct sender *other = second(f);
	sim_run(&f->w.sim, 500);
	sender_unhold(f);
	sim_run(&f->w.sim, 10000);
	assert_int_equal(f->pool.txs_n, 1);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM tx_version"), 0);
	f->pool.idle = false;
	sim_pool_mine(&f->pool);
	assert_true(sender_wait(f, "done", 1, 5000));
	check_exactly_once(f, 1);
	sender_stop(other);
}

/* Paused with bytes on disk and nothing broadcast: both know them, and they are the same. */
static void test_paused_after_the_bytes_were_stored(void **state)
{
	struct sender_fixture *f = *state;

	f->pool.refuse = "internal error";
	f->pool.refuse_n = 1000000;
	sender_begin(f);
	sender_answers(f, 1, 3);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(sender_txs(f, "signed"), 3);
	submit(f, "UPDATE sender_lease SET until_ms = 0");
	struct sender *other = second(f);
	sim_run(&f->w.sim, 500);
	f->pool.refuse = NULL;
	assert_true(sender_wait(f, "done", 3, 10000));
	sim_run(&f->w.sim, 10000);
	check_exactly_once(f, 3);
	assert_int_equal(sender_txs(f, "mined"), 3);
	sender_stop(other);
}

/* The gateway knows more of us than the database: what was answered since is done, once. */
static void test_the_database_of_yesterday(void **state)
{
	struct sender_fixture *f = *state;

	sender_begin(f);
	sender_answers(f, 1, 10);
	assert_true(sender_wait(f, "done", 10, 5000));
	sim_run(&f->w.sim, 1000);
	sender_kill(f);
	submit(f, "DELETE FROM tx WHERE nonce >= 6");
	submit(f, "UPDATE tx SET state = 'broadcast', block = 0 WHERE nonce = 5");
	submit(f, "UPDATE operation SET state = 'sending' WHERE id = 6");
	submit(f, "UPDATE operation SET state = 'answered', reason = '' WHERE id > 6");
	submit(f, "UPDATE sender_lease SET token = 1, owner = 'of yesterday', until_ms = 0");
	sender_begin(f);
	sender_answers(f, 11, 1);
	assert_true(sender_wait(f, "done", 11, 20000));
	sim_run(&f->w.sim, 10000);
	check_exactly_once(f, 11);
	assert_int_equal(f->pool.txs[10].nonce, 10);
}

/* ---- any moment ---- */

enum {
	RUNS = 20,
	ROUNDS = 12,
	ANSWERS = 4
};

/* The lease is taken from whoever has it, as clocks that stand still would, while nodes fail. */
static void one_run(uint64_t seed)
{
	struct sender_fixture *f = malloc(sizeof(*f));
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, seed);
	uint64_t asked = 0;

	assert_non_null(f);
	sender_setup(f, seed);
	f->w.env.store_shared = true;
	f->w.config.tx_replace_after_ms = 1000;
	(void)rng_seeded_init(&f->pool.rng, seed + 1);
	sender_begin(f);
	struct sender *other = second(f);
	for (int round = 0; round < ROUNDS; round++) {
		f->pool.chance_lost = (unsigned)rng_below(rng, 20);
		f->pool.chance_down = (unsigned)rng_below(rng, 20);
		f->pool.idle = rng_below(rng, 3) == 0;
		f->pool.receipts_hidden = rng_below(rng, 4) == 0;
		f->hold_n = rng_below(rng, 3) == 0 && !f->held.done ? 1 : 0;
		sender_answers(f, asked + 1, ANSWERS);
		asked += ANSWERS;
		sim_run(&f->w.sim, (int64_t)rng_below(rng, rng_below(rng, 2) == 0 ? 3000 : 40));
		if (rng_below(rng, 2) == 0)
			submit(f, "UPDATE sender_lease SET until_ms = 0");
		sim_run(&f->w.sim, (int64_t)rng_below(rng, 1500));
		if (f->held.done && rng_below(rng, 2) == 0)
			sender_unhold(f);
	}
	f->pool.chance_lost = f->pool.chance_down = f->hold_n = 0;
	f->pool.idle = f->pool.receipts_hidden = false;
	if (f->held.done)
		sender_unhold(f);
	sim_pool_mine(&f->pool);
	bool done = sender_wait(f, "done", (int64_t)asked, 200000);
	sim_run(&f->w.sim, 30000);
	for (uint64_t id = 1; id <= asked; id++)
		done = done && sim_pool_count(&f->pool, id, true) == 1;
	if (!done)
		print_error("# seed %llu, token %lld\n", (unsigned long long)seed,
			    (long long)token(f));
	assert_true(done);
	sender_stop(other);
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
		T(test_the_second_waits),
		T(test_the_second_follows_a_dead_one),
		T(test_paused_before_the_bytes_were_stored),
		T(test_paused_while_replacing),
		T(test_paused_after_the_bytes_were_stored),
		T(test_the_database_of_yesterday),
		cmocka_unit_test(test_any_moment),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}

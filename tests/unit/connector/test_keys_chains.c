/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys of the listener and of the sender: each with two values, and what differs. Those that are
 * not here have theirs in other files; tests/connector-keys.md names them all. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sender_support.h"

static const uint8_t body[] = "ciphertext";

/* ---- a listener ---- */

struct listening {
	struct world w;
	struct listener *l;
	struct hash32 handle;
};

static int setup_listener(void **state)
{
	struct listening *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	world_init(&f->w, 1);
	f->handle = world_handle(1, 5);
	*state = f;
	return 0;
}

static int teardown_listener(void **state)
{
	struct listening *f = *state;

	listener_stop(f->l);
	world_free(&f->w);
	free(f);
	return 0;
}

/* The gateway's chain once more, as the one that holds KMSGeneration. */
static void as_ethereum(struct world *w)
{
	w->config.ethereum_chain_id = WORLD_GATEWAY_CHAIN;
	w->config.kms_generation_given = true;
	w->config.kms_generation_contract.address = w->decryption;
	w->env.chain = service_chain_ethereum(&w->env, w->env.gateway);
}

static void listen_for(struct listening *f, int64_t ms)
{
	assert_int_equal(listener_start(&f->l, &f->w.env), ERR_OK);
	sim_run(&f->w.sim, ms);
}

static int64_t cursor(struct listening *f)
{
	return sim_sql_int(&f->w.sim, "SELECT block FROM cursor");
}

static void request_at(struct listening *f, uint64_t id, uint64_t block)
{
	world_request(&f->w, id, &f->handle, 1, BYTES_LIT("\0"), WORLD_HANDLES, 3, BYTES_OF(body));
	f->w.gateway.logs[f->w.gateway.logs_n - 1].block = block;
}

static unsigned requests_in_a_minute(struct listening *f)
{
	unsigned before;

	listen_for(f, 1000);
	before = f->w.gateway.requests;
	sim_run(&f->w.sim, 60000);
	return f->w.gateway.requests - before;
}

static void test_decryption_polling_short(void **state)
{
	struct listening *f = *state;

	f->w.config.decryption_polling_ms = 100;
	assert_true(requests_in_a_minute(f) >= 590);
}

static void test_decryption_polling_long(void **state)
{
	struct listening *f = *state;

	f->w.config.decryption_polling_ms = 10000;
	assert_true(requests_in_a_minute(f) <= 30);
}

static void test_key_management_polling_short(void **state)
{
	struct listening *f = *state;

	f->w.config.key_management_polling_ms = 100;
	f->w.config.decryption_polling_ms = 10000;
	as_ethereum(&f->w);
	assert_true(requests_in_a_minute(f) >= 590);
}

static void test_key_management_polling_long(void **state)
{
	struct listening *f = *state;

	f->w.config.key_management_polling_ms = 10000;
	f->w.config.decryption_polling_ms = 100;
	as_ethereum(&f->w);
	assert_true(requests_in_a_minute(f) <= 30);
}

static void test_decryption_from_block_number(void **state)
{
	struct listening *f = *state;

	request_at(f, 1, 3);
	request_at(f, 2, 6);
	f->w.config.decryption_from_block_number_given = true;
	f->w.config.decryption_from_block_number = 5;
	listen_for(f, 1000);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation"), 1);
	listener_stop(f->l);
	f->w.config.decryption_from_block_number = 2; /* at every start */
	listen_for(f, 1000);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation"), 2);
}

static void test_kms_operation_from_block_number(void **state)
{
	struct listening *f = *state;

	f->w.config.key_management_polling_ms = 500;
	f->w.config.kms_operation_from_block_number_given = true;
	f->w.config.kms_operation_from_block_number = 5;
	as_ethereum(&f->w);
	listen_for(f, 1000);
	assert_int_equal(f->w.gateway.last_from, 5);
}

static void test_kms_operations_begin_at_the_head(void **state)
{
	struct listening *f = *state;

	f->w.config.key_management_polling_ms = 500;
	as_ethereum(&f->w);
	sim_chain_mine(&f->w.gateway, 20);
	listen_for(f, 1000);
	sim_chain_mine(&f->w.gateway, 1);
	sim_run(&f->w.sim, 1000);
	assert_true(f->w.gateway.last_from >= 30);
}

static void final_at(struct listening *f, enum finality kind, int64_t block)
{
	f->w.config.ethereum_final.kind = kind;
	f->w.config.key_management_polling_ms = 500;
	f->w.config.kms_operation_from_block_number_given = true;
	f->w.gateway.safe = 7;
	f->w.gateway.finalized = 4;
	as_ethereum(&f->w);
	listen_for(f, 2000);
	assert_int_equal(cursor(f), block);
}

static void test_ethereum_finality_latest(void **state)
{
	final_at(*state, FINALITY_LATEST, 10);
}

static void test_ethereum_finality_safe(void **state)
{
	final_at(*state, FINALITY_SAFE, 7);
}

static void test_ethereum_finality_finalized(void **state)
{
	final_at(*state, FINALITY_FINALIZED, 4);
}

static uint64_t widest(struct listening *f, uint64_t batch)
{
	f->w.config.get_logs_batch_size = batch;
	f->w.config.decryption_from_block_number_given = true;
	sim_chain_mine(&f->w.gateway, 500);
	listen_for(f, 60000);
	assert_int_equal(cursor(f), 510);
	return f->w.gateway.widest;
}

static void test_get_logs_batch_size_small(void **state)
{
	assert_int_equal(widest(*state, 7), 7);
}

static void test_get_logs_batch_size_large(void **state)
{
	assert_int_equal(widest(*state, 200), 200);
}

/* Another contract's logs are not ours. */
static void test_decryption_contract_address(void **state)
{
	struct listening *f = *state;

	request_at(f, 1, 10);
	f->w.config.decryption_from_block_number_given = true;
	f->w.config.decryption_contract.address.b[0] ^= 1;
	listen_for(f, 1000);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation"), 0);
	listener_stop(f->l);
	f->w.config.decryption_contract.address.b[0] ^= 1;
	listen_for(f, 1000);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation"), 1);
}

/* The log of a minute without the gateway; how many of its lines say `word`. */
static unsigned said(struct listening *f, const char *word)
{
	char name[] = "/tmp/claviger-test-XXXXXX", line[1024];
	int fd = mkstemp(name);
	unsigned n = 0;
	FILE *in;

	assert_true(fd >= 0);
	f->w.log = (struct log){.level = LOG_LEVEL_WARN, .fd = fd};
	f->w.gateway.down = ERR_TIMEOUT;
	listen_for(f, 60000);
	in = fopen(name, "r");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in))
		n += strstr(line, "Polling the gateway failed") && strstr(line, word) ? 1 : 0;
	(void)fclose(in);
	f->w.log.fd = -1;
	(void)close(fd);
	(void)unlink(name);
	return n;
}

static void test_max_consecutive_polling_errors_few(void **state)
{
	struct listening *f = *state;

	f->w.config.max_consecutive_polling_errors = 3;
	assert_true(said(f, "ERROR") > 2);
	assert_int_equal(cursor(f), 0);
}

static void test_max_consecutive_polling_errors_many(void **state)
{
	struct listening *f = *state;

	f->w.config.max_consecutive_polling_errors = 1000;
	assert_int_equal(said(f, "ERROR"), 0);
}

static void test_they_are_warnings_before(void **state)
{
	struct listening *f = *state;

	f->w.config.max_consecutive_polling_errors = 3;
	assert_int_equal(said(f, "WARN"), 2);
}

/* ---- a sender ---- */

static int setup_sender(void **state)
{
	struct sender_fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	sender_setup(f, 3);
	*state = f;
	return 0;
}

static int teardown_sender(void **state)
{
	struct sender_fixture *f = *state;

	sender_teardown(f);
	free(f);
	return 0;
}

/* Answers that are worked on while no signature comes. */
static int64_t early(struct sender_fixture *f, uint64_t batch)
{
	f->w.config.responses_batch_size = batch;
	f->stall_n = 100;
	sender_begin(f);
	sender_answers(f, 1, 10);
	sim_run(&f->w.sim, 2000);
	return sim_sql_int(&f->w.sim,
			   "SELECT count(*) FROM operation WHERE lease_owner IS NOT NULL");
}

static void test_responses_batch_size_small(void **state)
{
	assert_int_equal(early(*state, 3), 3);
}

static void test_responses_batch_size_large(void **state)
{
	assert_int_equal(early(*state, 50), 10);
}

static void gas_is(struct sender_fixture *f, uint64_t percent, uint64_t gas)
{
	f->w.config.gas_multiplier_percent = percent;
	sender_begin(f);
	sender_answers(f, 1, 1);
	assert_true(sender_wait(f, "done", 1, 1000));
	assert_int_equal(f->pool.txs[0].gas, gas);
}

static void test_gas_multiplier_percent_100(void **state)
{
	gas_is(*state, 100, 100000);
}

static void test_gas_multiplier_percent_250(void **state)
{
	gas_is(*state, 250, 250000);
}

/* Estimates in three seconds, of an answer that reverts for a reason that may pass. */
static unsigned tries(struct sender_fixture *f, int64_t retry_ms)
{
	f->w.config.tx_retry_interval_ms = retry_ms;
	sender_begin(f);
	sim_run(&f->w.sim, 100);
	f->fail_n = 1000; /* the signer */
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 3000);
	return 1000 - f->fail_n;
}

static void test_tx_retry_interval_short(void **state)
{
	assert_true(tries(*state, 10) >= 5);
}

static void test_tx_retry_interval_long(void **state)
{
	assert_in_range(tries(*state, 20000), 1, 2);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

/* How long an answer lies that nothing told of. */
static int64_t found_after(struct sender_fixture *f, int64_t polling_ms)
{
	struct sim_topic saved[ARRAY_LEN(f->w.sim.store.topics)];
	int64_t waited = 0;

	f->w.config.database_polling_timeout_ms = polling_ms;
	sender_begin(f);
	sim_run(&f->w.sim, 100);
	memcpy(saved, f->w.sim.store.topics, sizeof(saved));
	for (size_t i = 0; i < ARRAY_LEN(saved); i++)
		f->w.sim.store.topics[i].fn = nothing;
	sender_answers(f, 1, 1);
	while (sender_ops(f, "done") == 0 && waited < 100000) {
		sim_run(&f->w.sim, 100);
		waited += 100;
	}
	return waited;
}

static void test_database_polling_timeout_short(void **state)
{
	assert_in_range(found_after(*state, 1000), 500, 1500);
}

static void test_database_polling_timeout_long(void **state)
{
	assert_in_range(found_after(*state, 30000), 29000, 31000);
}

static size_t versions_in_20_s(struct sender_fixture *f, int64_t replace_ms)
{
	f->w.config.tx_replace_after_ms = replace_ms;
	f->pool.idle = true;
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 20000);
	return f->pool.txs_n;
}

static void test_tx_replace_after_short(void **state)
{
	assert_true(versions_in_20_s(*state, 5000) >= 2);
}

static void test_tx_replace_after_long(void **state)
{
	assert_int_equal(versions_in_20_s(*state, 60000), 1);
}

/* The chain that holds KMSGeneration has a number of its own. */
static void test_ethereum_tx_required_confirmations(void **state)
{
	struct sender_fixture *f = *state;

	f->w.config.ethereum_tx_required_confirmations = 3;
	f->w.config.gateway_tx_required_confirmations = 1;
	as_ethereum(&f->w);
	sender_begin(f);
	sender_answers(f, 1, 1);
	sim_run(&f->w.sim, 15000);
	assert_int_equal(sender_txs(f, "included"), 1);
	assert_int_equal(sender_ops(f, "done"), 0);
	sim_pool_blocks(&f->pool, 2);
	assert_true(sender_wait(f, "done", 1, 15000));
}

#define L(name) cmocka_unit_test_setup_teardown(name, setup_listener, teardown_listener)
#define S(name) cmocka_unit_test_setup_teardown(name, setup_sender, teardown_sender)

int main(void)
{
	const struct CMUnitTest tests[] = {
		L(test_decryption_polling_short),
		L(test_decryption_polling_long),
		L(test_key_management_polling_short),
		L(test_key_management_polling_long),
		L(test_decryption_from_block_number),
		L(test_kms_operation_from_block_number),
		L(test_kms_operations_begin_at_the_head),
		L(test_ethereum_finality_latest),
		L(test_ethereum_finality_safe),
		L(test_ethereum_finality_finalized),
		L(test_get_logs_batch_size_small),
		L(test_get_logs_batch_size_large),
		L(test_decryption_contract_address),
		L(test_max_consecutive_polling_errors_few),
		L(test_max_consecutive_polling_errors_many),
		L(test_they_are_warnings_before),
		S(test_responses_batch_size_small),
		S(test_responses_batch_size_large),
		S(test_gas_multiplier_percent_100),
		S(test_gas_multiplier_percent_250),
		S(test_tx_retry_interval_short),
		S(test_tx_retry_interval_long),
		S(test_database_polling_timeout_short),
		S(test_database_polling_timeout_long),
		S(test_tx_replace_after_short),
		S(test_tx_replace_after_long),
		S(test_ethereum_tx_required_confirmations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

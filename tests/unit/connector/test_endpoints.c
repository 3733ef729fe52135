/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Several endpoints of one chain behind one provider: failover, lag, chain ids, breakers, quorum.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "sim.h"

enum {
	CHAIN = 54321,
	OTHER_CHAIN = 999,
	TIMEOUT_MS = 10000,
	CHAINS = 3
};

struct fixture {
	struct sim sim;
	struct sim_net net;
	struct sim_chain chains[CHAINS];
	struct provider *p;
	/* events */
	unsigned events[PROVIDER_DISAGREED + 1];
	char host[64], detail[256];
	/* the last answer */
	unsigned answers;
	enum err err;
	char note[ERR_NOTE_SIZE];
	unsigned endpoint;
	size_t logs_n;
	uint64_t number;
	uint8_t byte;
	int64_t at_ms;
	uint8_t says[CHAINS]; /* what eth_call returns; 0xff: reverts */
};

static const char *const urls[CHAINS] = {"http://a.example/key", "http://b.example/key",
					 "http://c.example/key"};
static const struct address contract = {{0xde}};

static void on_event(void *ctx, const struct provider_event *e)
{
	struct fixture *f = ctx;

	f->events[e->kind]++;
	(void)snprintf(f->host, sizeof(f->host), "%s", e->host);
	(void)snprintf(f->detail, sizeof(f->detail), "%s", e->detail);
}

static bool call_a(void *ctx, struct address to, struct bytes data, uint64_t block, struct buf *out)
{
	const uint8_t *says = ctx;
	(void)to;
	(void)data;
	(void)block;

	return *says != 0xff && buf_add_u8(out, *says) == ERR_OK;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	sim_init(&f->sim, 1);
	sim_net_init(&f->net, &f->sim);
	for (unsigned i = 0; i < CHAINS; i++) {
		sim_chain_init(&f->chains[i], &f->sim, &f->net, urls[i], CHAIN);
		sim_chain_mine(&f->chains[i], 100);
		f->chains[i].call = call_a;
		f->chains[i].call_ctx = &f->says[i];
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	provider_free(f->p);
	assert_null(f->net.exchanges);
	sim_free(&f->sim);
	free(f);
	return 0;
}

static void open_provider(struct fixture *f, unsigned n, unsigned quorum)
{
	const struct provider_options o = {
		.url = urls[0],
		.chain_id = {CHAIN},
		.timeout_ms = TIMEOUT_MS,
		.more_urls = &urls[1],
		.more_urls_n = n - 1,
		.quorum = quorum,
		.verify_chain = true,
		.event = on_event,
		.event_ctx = f,
	};

	assert_int_equal(provider_new(&f->p, &f->net.base, &f->sim.clock, &o, NULL), ERR_OK);
}

/* ---- asking ---- */

static struct fixture *keep(void *ctx, const struct provider_error *e)
{
	struct fixture *f = ctx;

	f->answers++;
	f->err = e->err;
	f->endpoint = e->endpoint;
	f->at_ms = f->sim.now_ms;
	(void)snprintf(f->note, sizeof(f->note), "%s", e->note.text);
	return f;
}

static void on_logs(void *ctx, const struct provider_error *e, const struct event_log *logs,
		    size_t logs_n)
{
	(void)logs;
	keep(ctx, e)->logs_n = logs_n;
}

static void on_head(void *ctx, const struct provider_error *e, const struct block_head *head)
{
	keep(ctx, e)->number = head ? head->number.v : 0;
}

static void on_bytes(void *ctx, const struct provider_error *e, struct bytes data)
{
	keep(ctx, e)->byte = data.n > 0 ? data.p[0] : 0;
}

static void on_u64(void *ctx, const struct provider_error *e, uint64_t value)
{
	keep(ctx, e)->number = value;
}

static bool answered(void *ctx)
{
	return ((struct fixture *)ctx)->answers > 0;
}

static void await(struct fixture *f, enum err sent)
{
	assert_int_equal(sent, ERR_OK);
	assert_int_equal(f->answers, 0);
	assert_true(sim_run_until(&f->sim, answered, f, TIMEOUT_MS + 1));
	assert_int_equal(f->answers, 1);
}

static enum err ask_logs(struct fixture *f, uint64_t from, uint64_t to)
{
	const struct log_filter filter = {
		.addresses = &contract, .addresses_n = 1, .from = {from}, .to = {to}};

	f->answers = 0;
	await(f, provider_logs(f->p, &filter, on_logs, f));
	return f->err;
}

static enum err ask_head(struct fixture *f)
{
	f->answers = 0;
	await(f, provider_head(f->p, (struct block_tag){.kind = BLOCK_LATEST}, on_head, f));
	return f->err;
}

static enum err ask_call(struct fixture *f)
{
	const struct call_msg msg = {.to = contract, .data = BYTES_LIT("view")};

	f->answers = 0;
	await(f, provider_call(f->p, &msg, (struct block_tag){.kind = BLOCK_LATEST}, on_bytes, f));
	return f->err;
}

static uint64_t ask_nonce(struct fixture *f)
{
	f->answers = 0;
	await(f,
	      provider_nonce(f->p, contract, (struct block_tag){.kind = BLOCK_PENDING}, on_u64, f));
	assert_int_equal(f->err, ERR_OK);
	return f->number;
}

static uint64_t ask_gas(struct fixture *f)
{
	const struct call_msg msg = {.to = contract, .data = BYTES_LIT("answer")};

	f->answers = 0;
	await(f, provider_estimate_gas(f->p, &msg, on_u64, f));
	return f->err == ERR_OK ? f->number : 0;
}

static void on_fee(void *ctx, const struct provider_error *e, const struct fee_history *fee)
{
	keep(ctx, e)->number = fee ? fee->base_fee_next.v.w[0] : 0;
}

static uint64_t ask_fee(struct fixture *f)
{
	f->answers = 0;
	await(f, provider_fee_history(f->p, on_fee, f));
	assert_int_equal(f->err, ERR_OK);
	return f->number;
}

static void put_log(struct sim_chain *c, uint64_t block)
{
	const struct hash32 topic = {{7}};

	(void)sim_chain_log(c, block, contract, &topic, 1, BYTES_LIT("data"));
}

static void mine_all(struct fixture *f, uint64_t blocks)
{
	for (unsigned i = 0; i < CHAINS; i++)
		sim_chain_mine(&f->chains[i], blocks);
}

/* ---- one of them answers ---- */

static void test_the_first_is_asked(void **state)
{
	struct fixture *f = *state;

	open_provider(f, 3, 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	assert_int_equal(f->endpoint, 0);
	assert_int_equal(f->chains[0].get_logs, 10);
	assert_int_equal(f->chains[1].get_logs + f->chains[2].get_logs, 0);
	assert_int_equal(provider_endpoints_n(f->p), 3);
	assert_string_equal(provider_host(f->p), "a.example");
}

static void test_another_answers_for_one_that_is_down(void **state)
{
	struct fixture *f = *state;
	struct provider_endpoint s;

	open_provider(f, 2, 0);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	f->chains[0].down = ERR_UNAVAILABLE;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
		assert_int_equal(f->endpoint, 1);
		sim_run(&f->sim, 500);
	}
	/* It is left alone more and more, and nobody waits for it. */
	provider_endpoint_status(f->p, 0, &s);
	assert_int_not_equal(s.breaker, BREAKER_CLOSED);
	assert_int_equal(f->events[PROVIDER_ENDPOINT_DOWN], 1);
	assert_string_equal(f->host, "a.example");
	unsigned before = f->chains[0].requests;
	sim_run(&f->sim, 30000);
	assert_in_range(f->chains[0].requests - before, 2, 5);
	/* And is back where it was. */
	f->chains[0].down = ERR_OK;
	sim_run(&f->sim, RPC_BREAKER_OPEN_MAX_MS + 1500);
	assert_int_equal(f->events[PROVIDER_ENDPOINT_UP], 1);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	assert_int_equal(f->endpoint, 0);
}

static void test_one_that_hangs_does_not_take_all_the_time(void **state)
{
	struct fixture *f = *state;

	open_provider(f, 2, 0);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	f->chains[0].delay_ms = 60000;
	int64_t began_ms = f->sim.now_ms;
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	assert_int_equal(f->endpoint, 1);
	assert_true(f->at_ms - began_ms <= TIMEOUT_MS / 2 + 10);
}

static void test_one_that_lags_is_not_asked(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->chains[1], RPC_LAG_BLOCKS_MAX + 1);
	open_provider(f, 2, 0);
	assert_int_equal(ask_head(f), ERR_OK);
	assert_int_equal(f->number, 100 + RPC_LAG_BLOCKS_MAX + 1);
	assert_int_equal(ask_call(f), ERR_OK);
	assert_int_equal(f->chains[0].calls, 0);
	sim_chain_mine(&f->chains[0], 1);
	sim_run(&f->sim, 1500);
	assert_int_equal(ask_call(f), ERR_OK);
	assert_int_equal(f->chains[0].calls, 1);
	/* In step, but it does not have that block: its logs of it would be none. */
	assert_int_equal(ask_logs(f, 90, 105), ERR_OK);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(f->chains[0].get_logs, 0);
}

static void test_one_that_invents_a_head_does_not_make_the_others_late(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->chains[0], RPC_AHEAD_BLOCKS_MAX + 1);
	open_provider(f, 3, 0);
	assert_int_equal(ask_head(f), ERR_OK);
	assert_int_equal(f->number, 100);
	assert_int_equal(f->endpoint, 1);
}

static void test_an_own_error_is_told_when_all_have_it(void **state)
{
	struct fixture *f = *state;

	f->says[0] = f->says[1] = 0xff;
	open_provider(f, 2, 0);
	/* A revert is the contract's answer: nobody else is asked. */
	assert_int_equal(ask_call(f), ERR_REMOTE);
	assert_int_equal(f->chains[0].calls + f->chains[1].calls, 1);
	f->chains[0].logs_blocks_max = 5;
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	assert_int_equal(f->endpoint, 1);
	f->chains[1].logs_blocks_max = 5;
	assert_int_equal(ask_logs(f, 1, 100), ERR_REMOTE);
}

static void test_all_are_down(void **state)
{
	struct fixture *f = *state;
	int64_t began_ms;

	f->chains[0].down = f->chains[1].down = ERR_UNAVAILABLE;
	open_provider(f, 2, 0);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(ask_logs(f, 1, 100), ERR_UNAVAILABLE);
		sim_run(&f->sim, 1000);
	}
	/* At once, by then. */
	began_ms = f->sim.now_ms;
	assert_int_equal(ask_logs(f, 1, 100), ERR_UNAVAILABLE);
	assert_true(f->at_ms - began_ms <= 10);
	assert_int_equal(f->chains[0].get_logs, 0);
	f->chains[1].down = ERR_OK;
	sim_run(&f->sim, RPC_BREAKER_OPEN_MAX_MS + 1500);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
}

/* ---- the right chain ---- */

static void test_another_chain_is_not_read(void **state)
{
	struct fixture *f = *state;

	f->chains[0].chain_id = OTHER_CHAIN;
	put_log(&f->chains[0], 50);
	open_provider(f, 2, 0);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	assert_int_equal(f->logs_n, 0);
	assert_int_equal(f->endpoint, 1);
	assert_int_equal(f->chains[0].get_logs, 0);
	sim_run(&f->sim, 20000);
	assert_int_equal(f->events[PROVIDER_WRONG_CHAIN], 1);
	assert_string_equal(f->host, "a.example");
	/* Who asks for the chain id is told the truth of one that is believed. */
	f->answers = 0;
	await(f, provider_get_chain_id(f->p, on_u64, f));
	assert_int_equal(f->number, CHAIN);
}

static void test_the_only_one_serves_another_chain(void **state)
{
	struct fixture *f = *state;

	f->chains[0].chain_id = OTHER_CHAIN;
	open_provider(f, 1, 0);
	assert_int_equal(ask_logs(f, 1, 100), ERR_MISMATCH);
	assert_non_null(strstr(f->note, "a.example serves chain 999, and 54321 is configured"));
	assert_int_equal(ask_logs(f, 1, 100), ERR_MISMATCH);
	assert_int_equal(f->chains[0].get_logs, 0);
	f->answers = 0;
	await(f, provider_get_chain_id(f->p, on_u64, f));
	assert_int_equal(f->number, OTHER_CHAIN);
	f->chains[0].chain_id = CHAIN;
	sim_run(&f->sim, 1500);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
}

static void test_a_chain_that_is_exchanged_while_away_is_not_read(void **state)
{
	struct fixture *f = *state;

	open_provider(f, 1, 0);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	f->chains[0].down = ERR_UNAVAILABLE;
	assert_int_equal(ask_logs(f, 1, 100), ERR_UNAVAILABLE);
	f->chains[0].down = ERR_OK;
	f->chains[0].chain_id = OTHER_CHAIN;
	assert_int_equal(ask_logs(f, 1, 100), ERR_MISMATCH);
	assert_int_equal(f->chains[0].get_logs, 1);
}

static void test_a_chain_that_is_exchanged_is_noticed(void **state)
{
	struct fixture *f = *state;

	open_provider(f, 1, 0);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	f->chains[0].chain_id = OTHER_CHAIN;
	for (unsigned i = 0; i < 20; i++) {
		(void)ask_logs(f, 1, 100);
		sim_run(&f->sim, 1000);
	}
	assert_int_equal(f->err, ERR_MISMATCH);
	assert_int_equal(f->events[PROVIDER_WRONG_CHAIN], 1);
}

/* ---- a quorum ---- */

static void test_logs_that_one_invents_are_not_accepted(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < CHAINS; i++)
		put_log(&f->chains[i], 50);
	put_log(&f->chains[0], 60);
	open_provider(f, 3, 2);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	assert_int_equal(f->logs_n, 1);
	assert_int_equal(f->events[PROVIDER_DISAGREED], 1);
	assert_string_equal(f->host, "a.example");
	assert_non_null(strstr(f->detail, "b.example: "));
	assert_null(strstr(f->detail, "key"));
	/* Nobody is asked in vain where they agree. */
	assert_int_equal(ask_logs(f, 1, 55), ERR_OK);
	assert_int_equal(f->chains[2].get_logs, 1);
	assert_int_equal(f->events[PROVIDER_DISAGREED], 1);
}

static void test_logs_that_one_hides_are_found(void **state)
{
	struct fixture *f = *state;

	put_log(&f->chains[1], 50);
	put_log(&f->chains[2], 50);
	open_provider(f, 3, 2);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	assert_int_equal(f->logs_n, 1);
}

static void test_two_that_disagree_are_not_believed(void **state)
{
	struct fixture *f = *state;

	put_log(&f->chains[1], 50);
	open_provider(f, 2, 2);
	assert_int_equal(ask_logs(f, 1, 100), ERR_NOT_READY);
	assert_non_null(strstr(f->note, "the endpoints disagree"));
	assert_int_equal(f->logs_n, 0);
	assert_int_equal(f->events[PROVIDER_DISAGREED], 1);
	put_log(&f->chains[0], 50);
	assert_int_equal(ask_logs(f, 1, 100), ERR_OK);
	assert_int_equal(f->logs_n, 1);
}

static void catch_up(void *ctx)
{
	struct fixture *f = ctx;

	sim_chain_mine(&f->chains[1], 3);
	put_log(&f->chains[1], 103);
}

static void test_one_that_lags_does_not_disagree(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->chains[0], 3);
	put_log(&f->chains[0], 103);
	open_provider(f, 2, 2);
	/* The newest block that both have. */
	assert_int_equal(ask_head(f), ERR_OK);
	assert_int_equal(f->number, 100);
	(void)sim_after(&f->sim, 2000, catch_up, f);
	int64_t began_ms = f->sim.now_ms;
	assert_int_equal(ask_logs(f, 1, 103), ERR_OK);
	assert_in_range(f->at_ms - began_ms, 2000, 3500);
	assert_int_equal(f->logs_n, 1);
	assert_int_equal(f->events[PROVIDER_DISAGREED], 0);
}

static void test_a_block_that_too_few_reach(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->chains[0], 3);
	open_provider(f, 2, 2);
	assert_int_equal(ask_logs(f, 1, 103), ERR_NOT_READY);
	assert_int_equal(f->chains[0].get_logs + f->chains[1].get_logs, 0);
}

static void test_permission_that_one_invents_is_not_believed(void **state)
{
	struct fixture *f = *state;

	f->says[0] = 1;
	f->says[1] = f->says[2] = 2;
	open_provider(f, 3, 2);
	assert_int_equal(ask_call(f), ERR_OK);
	assert_int_equal(f->byte, 2);
	assert_string_equal(f->host, "a.example");
	/* A revert is an answer like another. */
	f->says[1] = f->says[2] = 0xff;
	assert_int_equal(ask_call(f), ERR_REMOTE);
	f->says[1] = 3;
	assert_int_equal(ask_call(f), ERR_NOT_READY);
	/* One may be away. */
	f->chains[1].down = ERR_UNAVAILABLE;
	f->says[2] = 1;
	assert_int_equal(ask_call(f), ERR_OK);
	assert_int_equal(f->byte, 1);
	/* Two may not. */
	f->chains[2].down = ERR_UNAVAILABLE;
	assert_int_equal(ask_call(f), ERR_NOT_READY);
}

static void test_heads_that_one_invents_are_not_pinned(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->chains[2], 500);
	open_provider(f, 3, 2);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(ask_head(f), ERR_OK);
		assert_int_equal(f->number, 100 + i);
		mine_all(f, 1);
		sim_run(&f->sim, 1500);
	}
}

/* Honest ones differ for a moment; one that lies, or is far behind, does not count. */
static void test_numbers_are_measured(void **state)
{
	static const struct {
		uint64_t said[CHAINS], then;
	} rows[] = {
		{{7, 7, 7}, 7},       {{1000000, 7, 7}, 7}, {{0, 7, 7}, 7}, {{7, 0, 7}, 7},
		{{1000000, 7, 8}, 8}, {{0, 8, 7}, 7},       {{6, 7, 8}, 7},
	};
	struct fixture *f = *state;

	open_provider(f, 3, 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned k = 0; k < CHAINS; k++) {
			f->chains[k].tx_count = f->chains[k].base_fee = rows[i].said[k];
			f->chains[k].gas = rows[i].said[k];
		}
		assert_int_equal(ask_nonce(f), rows[i].then);
		assert_int_equal(ask_fee(f), rows[i].then);
		assert_int_equal(ask_gas(f), rows[i].then);
	}
	assert_int_equal(f->events[PROVIDER_DISAGREED], 0);

	/* One is away: what both others reach. Two are: too few. */
	f->chains[0].down = ERR_UNAVAILABLE;
	assert_int_equal(ask_nonce(f), 7);
	f->chains[1].down = ERR_UNAVAILABLE;
	assert_int_equal(ask_gas(f), 0);
	assert_int_equal(f->err, ERR_NOT_READY);
}

/* A revert can end an answer: it is a revert when so many say so. */
static void test_a_revert_that_one_invents_is_not_believed(void **state)
{
	struct fixture *f = *state;

	open_provider(f, 3, 2);
	f->chains[1].gas = f->chains[2].gas = 21000;
	assert_int_equal(ask_gas(f), 21000);
	f->chains[2].gas = 22000;
	assert_int_equal(ask_gas(f), 21000);
	f->chains[1].gas = 0;
	assert_int_equal(ask_gas(f), 0);
	assert_int_equal(f->err, ERR_REMOTE);
	/* One each of the two that are left: nobody knows. */
	f->chains[0].down = ERR_UNAVAILABLE;
	assert_int_equal(ask_gas(f), 0);
	assert_int_equal(f->err, ERR_NOT_READY);
}

static void test_options_are_checked(void **state)
{
	struct fixture *f = *state;
	const char *const twice[] = {urls[0]};
	struct provider_options o = {.url = urls[0],
				     .chain_id = {CHAIN},
				     .timeout_ms = 1,
				     .more_urls = &urls[1],
				     .more_urls_n = 1,
				     .quorum = 3};
	struct err_note note = {0};

	assert_int_equal(provider_new(&f->p, &f->net.base, &f->sim.clock, &o, &note),
			 ERR_CONFIG_VALUE);
	o.quorum = 2;
	o.more_urls = twice;
	assert_int_equal(provider_new(&f->p, &f->net.base, &f->sim.clock, &o, &note),
			 ERR_CONFIG_VALUE);
	assert_null(strstr(note.text, "key"));
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_first_is_asked),
		T(another_answers_for_one_that_is_down),
		T(one_that_hangs_does_not_take_all_the_time),
		T(one_that_lags_is_not_asked),
		T(one_that_invents_a_head_does_not_make_the_others_late),
		T(an_own_error_is_told_when_all_have_it),
		T(all_are_down),
		T(another_chain_is_not_read),
		T(the_only_one_serves_another_chain),
		T(a_chain_that_is_exchanged_while_away_is_not_read),
		T(a_chain_that_is_exchanged_is_noticed),
		T(logs_that_one_invents_are_not_accepted),
		T(logs_that_one_hides_are_found),
		T(two_that_disagree_are_not_believed),
		T(one_that_lags_does_not_disagree),
		T(a_block_that_too_few_reach),
		T(permission_that_one_invents_is_not_believed),
		T(heads_that_one_invents_are_not_pinned),
		T(numbers_are_measured),
		T(a_revert_that_one_invents_is_not_believed),
		T(options_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The listener against a scripted chain: what it stores, what it never loses, what never stops it.
 */
#include <stdio.h>

#include "listener_fixture.h"

static void test_both_generations_are_one_row(void **state)
{
	struct fixture *f = *state;

	request(f, 1, WORLD_LEGACY | WORLD_HANDLES);
	request(f, 2, WORLD_HANDLES);
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(rows(f), 2);
	assert_int_equal(cursor(f), 10);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_true(sim_sql_int(&f->w.sim,
				"SELECT length(materials) FROM operation ORDER BY id LIMIT 1") > 0);
	assert_int_equal(
		sim_sql_int(&f->w.sim,
			    "SELECT length(materials) FROM operation ORDER BY id DESC LIMIT 1"),
		0);
}

/* One id, one row for each kind that a chain could give it. */
static void test_user_decryptions(void **state)
{
	struct fixture *f = *state;
	const struct user_entry entry = {.contract = {{1}}, .owner = {{2}}};
	struct user_request user = {.user = {{7}}, .public_key = BYTES_LIT("key")};
	const struct decryption_request r = {.handles = &f->handle,
					     .handles_n = 1,
					     .extra_data = BYTES_LIT("\0"),
					     .user = &user};

	request(f, 1, WORLD_LEGACY | WORLD_HANDLES);
	world_request_user(&f->w, 1, &r, 3, BYTES_OF(body));
	user.unified = true;
	user.entries = &entry;
	world_request_user(&f->w, 2, &r, 3, BYTES_OF(body));
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(rows(f), 3);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation WHERE"
						" kind = 'user_decryption_request'"
						" AND length(materials) > 0"),
			 2);
	/* As they are counted: every event of fresh blocks. */
	assert_int_equal(
		f->w.metrics.cells[METRIC_LISTENER_EVENT_RECEIVED][METRIC_EVENT_USER_DECRYPTION],
		4);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM quarantine"), 0);
}

static void test_materials_are_learnt_when_the_legacy_form_comes_second(void **state)
{
	struct fixture *f = *state;

	request(f, 1, WORLD_HANDLES);
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT length(materials) FROM operation"), 0);
	sim_chain_mine(&f->w.gateway, 1);
	request(f, 1, WORLD_LEGACY);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(rows(f), 1);
	assert_true(sim_sql_int(&f->w.sim, "SELECT length(materials) FROM operation") > 0);
}

static void test_same_id_with_other_content_is_another_operation(void **state)
{
	struct fixture *f = *state;
	struct hash32 other = world_handle(2, 5);

	request(f, 1, WORLD_HANDLES);
	world_request(&f->w, 1, &other, 1, BYTES_LIT("\0"), WORLD_HANDLES, 0, BYTES_NONE);
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(rows(f), 2);
}

static void test_first_get_logs_comes_soon(void **state)
{
	struct fixture *f = *state;

	f->w.gateway.delay_ms = 20;
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_true(f->w.gateway.get_logs > 0);
	assert_true(f->w.gateway.first_get_logs_ms - SIM_START_MS <= 150);
}

static void test_without_history_it_starts_at_the_head(void **state)
{
	struct fixture *f = *state;

	f->w.config.decryption_from_block_number_given = false;
	f->w.gateway.head = 9;
	request(f, 1, WORLD_HANDLES);
	f->w.gateway.head = 10;
	request(f, 2, WORLD_HANDLES);
	start(f);
	sim_run(&f->w.sim, 20000);
	assert_int_equal(rows(f), 1);
	assert_string_equal(world_state(&f->w, 2), "seen");
}

static void test_goes_on_exactly_where_it_stopped(void **state)
{
	struct fixture *f = *state;

	f->w.config.decryption_from_block_number_given = false;
	start(f);
	sim_run(&f->w.sim, 1000);
	listener_stop(f->l);
	f->l = NULL;
	sim_chain_mine(&f->w.gateway, 5);
	request(f, 1, WORLD_LEGACY);
	sim_chain_mine(&f->w.gateway, 5);
	restart(f);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(f->w.gateway.last_from, 11);
	assert_int_equal(rows(f), 1);
	assert_int_equal(cursor(f), 20);
}

static void test_catches_up_back_to_back(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->w.gateway, 2000);
	request(f, 1, WORLD_HANDLES);
	start(f);
	/* 21 windows: at one per period they would take ten seconds. */
	sim_run(&f->w.sim, 400);
	assert_int_equal(cursor(f), 2010);
	assert_int_equal(rows(f), 1);
}

/* Both forms of one request, and requests whose handles fill more than one statement. */
static void test_handles_are_indexed(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[50];

	for (uint8_t i = 0; i < ARRAY_LEN(handles); i++)
		handles[i] = world_handle(i, 5);
	world_request(&f->w, 1, handles, 50, BYTES_LIT("\0"), WORLD_HANDLES, 0, BYTES_LIT("x"));
	world_request(&f->w, 2, &handles[7], 1, BYTES_LIT("\0"), WORLD_HANDLES | WORLD_LEGACY, 1,
		      BYTES_LIT("x"));
	start(f);
	sim_run(&f->w.sim, 20000);
	assert_int_equal(rows(f), 2);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT last FROM operation_unindexed"), 0);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation_handle"), 51);
	assert_int_equal(sim_sql_int(&f->w.sim,
				     "SELECT count(DISTINCT handle) FROM operation_handle"
				     " h JOIN operation o ON o.request_id = h.request_id"
				     " AND substr(o.content, 1, 4) = x'00000032'"),
			 50);
}

static void test_undecodable_logs_go_to_quarantine(void **state)
{
	struct fixture *f = *state;
	struct hash32 topics[2] = {abi_topic("PublicDecryptionRequest(uint256,bytes32[],bytes)"),
				   {{9}}};

	(void)sim_chain_log(&f->w.gateway, 3, f->w.decryption, topics, 2, BYTES_LIT("not abi"));
	(void)sim_chain_log(&f->w.gateway, 4, f->w.decryption, topics, 1, BYTES_NONE);
	request(f, 1, WORLD_HANDLES);
	start(f);
	sim_run(&f->w.sim, 20000); /* re-scans do not add rows */
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM quarantine"), 2);
	assert_int_equal(
		sim_sql_int(&f->w.sim, "SELECT length(data) FROM quarantine WHERE block = 3"), 7);
	assert_int_equal(rows(f), 1);
	assert_int_equal(cursor(f), 10);
	assert_int_equal(
		f->w.metrics.cells[METRIC_LISTENER_QUARANTINED][METRIC_CONTRACT_DECRYPTION], 2);
}

static int64_t quarantined(struct fixture *f)
{
	return sim_sql_int(&f->w.sim, "SELECT count(*) FROM quarantine");
}

/* An endpoint cuts a log, for much longer than blocks are read once more anyway. */
static void test_a_cut_log_is_not_lost(void **state)
{
	struct fixture *f = *state;
	struct bytes whole;

	f->w.config.decryption_from_block_number_given = false;
	start(f);
	sim_run(&f->w.sim, 1000);
	sim_chain_mine(&f->w.gateway, 1);
	request(f, 1, WORLD_HANDLES);
	whole = f->w.gateway.logs[0].data;
	f->w.gateway.logs[0].data.n -= 32;
	for (int i = 0; i < 10; i++) {
		sim_run(&f->w.sim, 10000);
		sim_chain_mine(&f->w.gateway, 20);
	}
	assert_int_equal(rows(f), 0);
	assert_int_equal(quarantined(f), 1);
	assert_true(cursor(f) >= 190);
	f->w.gateway.logs[0].data = whole;
	sim_run(&f->w.sim, 600000);
	assert_int_equal(rows(f), 1);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_int_equal(quarantined(f), 0);
	assert_int_equal(cursor(f), f->w.gateway.head);
	/* Once it is settled nobody asks any more. */
	unsigned before = f->w.gateway.get_logs;
	sim_run(&f->w.sim, 3600000);
	assert_int_equal(f->w.gateway.get_logs, before);
}

static void test_a_cut_log_is_found_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct bytes whole;

	f->w.config.decryption_from_block_number_given = false;
	start(f);
	sim_run(&f->w.sim, 1000);
	sim_chain_mine(&f->w.gateway, 1);
	request(f, 1, WORLD_HANDLES);
	whole = f->w.gateway.logs[0].data;
	f->w.gateway.logs[0].data.n -= 32;
	sim_run(&f->w.sim, 1000);
	assert_int_equal(quarantined(f), 1);
	listener_stop(f->l);
	sim_chain_mine(&f->w.gateway, 500);
	f->w.gateway.logs[0].data = whole;
	start(f);
	sim_run(&f->w.sim, 20000);
	assert_int_equal(rows(f), 1);
	assert_int_equal(quarantined(f), 0);
}

/* What will never decode is read less and less often, and holds up nothing. */
static void test_hopeless_logs_cost_little(void **state)
{
	struct fixture *f = *state;
	struct hash32 topics[2] = {abi_topic("PublicDecryptionRequest(uint256,bytes32[],bytes)"),
				   {{9}}};

	for (uint64_t block = 1; block <= 9; block++)
		(void)sim_chain_log(&f->w.gateway, block, f->w.decryption, topics, 2,
				    BYTES_LIT("not abi"));
	start(f);
	sim_run(&f->w.sim, 10000);
	unsigned before = f->w.gateway.get_logs;
	sim_run(&f->w.sim, 24 * 3600 * 1000);
	assert_in_range(f->w.gateway.get_logs - before, 9, 9 * 15);
	assert_int_equal(quarantined(f), 9);
	sim_chain_mine(&f->w.gateway, 1);
	request(f, 1, WORLD_HANDLES);
	sim_run(&f->w.sim, 2000);
	assert_int_equal(rows(f), 1);
}

static void test_window_shrinks_and_grows(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->w.gateway, 990);
	f->w.gateway.logs_blocks_max = 7;
	start(f);
	sim_run(&f->w.sim, 120000);
	assert_int_equal(cursor(f), 1000);
	f->w.gateway.logs_blocks_max = 0;
	f->w.gateway.widest = 0;
	for (unsigned i = 0; i < 60; i++) {
		sim_chain_mine(&f->w.gateway, 50);
		sim_run(&f->w.sim, 2000);
	}
	assert_int_equal(cursor(f), 4000);
	assert_in_range(f->w.gateway.widest, 50, 100);
}

/* The limit of a node is found once, and not run into again at every eighth window. */
static void test_window_closes_in_on_the_limit(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->w.gateway, 3990);
	f->w.gateway.logs_blocks_max = 40;
	start(f);
	sim_run(&f->w.sim, 120000);
	assert_int_equal(cursor(f), 4000);
	/* 40 blocks at once would be 100 requests. */
	assert_in_range(f->w.gateway.get_logs, 100, 140);
}

static void test_catching_up_asks_little(void **state)
{
	struct fixture *f = *state;

	sim_chain_mine(&f->w.gateway, 3990);
	start(f);
	sim_run(&f->w.sim, 2000);
	assert_int_equal(cursor(f), 4000);
	/* Logs and the end of each of 41 windows; head and branch only of those near the head. */
	assert_in_range(f->w.gateway.requests, 82, 115);
}

static void test_huge_window_is_stored_in_parts(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= 2500; id++)
		request(f, id, WORLD_HANDLES);
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(rows(f), 2500);
	assert_int_equal(cursor(f), 10);
}

static void test_cursor_and_rows_fail_together(void **state)
{
	struct fixture *f = *state;

	request(f, 1, WORLD_HANDLES);
	start(f);
	/* load cursor is submitted; the next submit is the window's batch */
	f->w.sim.store.fail_next = ERR_IO;
	while (f->w.sim.store.fail_next != ERR_OK)
		sim_run(&f->w.sim, 1);
	assert_int_equal(rows(f), 0);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM cursor"), 0);
	sim_run(&f->w.sim, 40000);
	assert_int_equal(rows(f), 1);
	assert_int_equal(cursor(f), 10);
}

static void test_two_listeners_do_not_push_the_cursor_past_rows(void **state)
{
	struct fixture *f = *state;
	struct listener *second;

	f->w.config.decryption_from_block_number_given = false;
	start(f);
	assert_int_equal(listener_start(&second, &f->w.env), ERR_OK);
	sim_run(&f->w.sim, 1000);
	for (uint64_t id = 1; id <= 20; id++) {
		sim_chain_mine(&f->w.gateway, 1);
		request(f, id, WORLD_LEGACY | WORLD_HANDLES);
		sim_run(&f->w.sim, 700);
	}
	sim_run(&f->w.sim, 60000);
	listener_stop(second);
	assert_int_equal(rows(f), 20);
	assert_int_equal(cursor(f), 30);
}

static void test_a_signal_makes_it_look_at_once(void **state)
{
	struct fixture *f = *state;

	f->w.config.decryption_polling_ms = 10000;
	start(f);
	sim_run(&f->w.sim, 15000);
	sim_chain_mine(&f->w.gateway, 1);
	request(f, 1, WORLD_HANDLES);
	listener_wake(f->l);
	sim_run(&f->w.sim, 50);
	assert_int_equal(rows(f), 1);
	/* In the middle of a round, too. */
	sim_chain_mine(&f->w.gateway, 1);
	listener_wake(f->l);
	sim_run(&f->w.sim, 1);
	sim_chain_mine(&f->w.gateway, 1);
	request(f, 2, WORLD_HANDLES);
	listener_wake(f->l);
	sim_run(&f->w.sim, 100);
	assert_int_equal(rows(f), 2);
	/* A back-off it leaves alone. */
	f->w.gateway.down = ERR_UNAVAILABLE;
	sim_run(&f->w.sim, 60000);
	unsigned before = f->w.gateway.requests;
	for (unsigned i = 0; i < 100; i++)
		listener_wake(f->l);
	sim_run(&f->w.sim, 10);
	assert_in_range(f->w.gateway.requests - before, 0, 1);
}

/* A node of an Arbitrum chain whose batches reach up to a block. */
struct nitro {
	struct fixture *f;
	uint64_t posted;
	unsigned asked;
	bool (*call)(void *ctx, struct address to, struct bytes data, uint64_t block,
		     struct buf *result);
};

static bool nitro_call(void *ctx, struct address to, struct bytes data, uint64_t block,
		       struct buf *result)
{
	struct nitro *n = ctx;
	struct reader r = reader_of(bytes_sub(data, 4 + 24, 8));
	const uint8_t word[32] = {0};
	(void)block;

	if (to.b[19] != 0xc8)
		return n->call(&n->f->w, to, data, block, result);
	n->asked++;
	assert_int_equal(data.n, 36);
	return reader_u64be(&r) <= n->posted && buf_add(result, BYTES_OF(word)) == ERR_OK;
}

static void test_only_what_is_posted_to_the_parent_chain(void **state)
{
	struct fixture *f = *state;
	struct nitro n = {.f = f, .posted = 2345, .call = f->w.gateway.call};

	f->w.gateway.call = nitro_call;
	f->w.gateway.call_ctx = &n;
	f->w.config.gateway_final = (struct chain_finality){FINALITY_ARBITRUM_L1, 0};
	sim_chain_mine(&f->w.gateway, 3000);
	start(f);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(cursor(f), 2345);
	assert_in_range(n.asked, 5, 30);
	n.asked = 0;
	n.posted = 2345 + 300;
	sim_run(&f->w.sim, 6000);
	assert_int_equal(cursor(f), 2645);
	assert_in_range(n.asked, 5, 30);
	sim_run(&f->w.sim, 20000);
	assert_int_equal(cursor(f), 2645);
}

/* The cursor stands at the newest block that counts, and what comes later is not there yet. */
static void test_finality(void **state)
{
	static const struct {
		struct chain_finality final;
		int64_t cursor, rows;
	} table[] = {
		{{FINALITY_BLOCKS, 11}, 0, 0}, {{FINALITY_FINALIZED, 0}, 4, 1},
		{{FINALITY_BLOCKS, 5}, 5, 1},  {{FINALITY_SAFE, 0}, 7, 2},
		{{FINALITY_LATEST, 0}, 10, 3},
	};
	struct fixture *f = *state;

	f->w.gateway.safe = 7;
	f->w.gateway.finalized = 4;
	request(f, 1, WORLD_HANDLES);
	request(f, 2, WORLD_HANDLES);
	request(f, 3, WORLD_HANDLES);
	f->w.gateway.logs[0].block = 3;
	f->w.gateway.logs[1].block = 6;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		f->w.config.gateway_final = table[i].final;
		start(f);
		sim_run(&f->w.sim, 2000);
		assert_int_equal(cursor(f), table[i].cursor);
		assert_int_equal(rows(f), table[i].rows);
		listener_stop(f->l);
		f->l = NULL;
	}
}

static void test_lying_endpoint_is_not_believed(void **state)
{
	struct fixture *f = *state;

	request(f, 1, WORLD_HANDLES);
	f->w.gateway.lie_from_block = 4000;
	start(f);
	sim_run(&f->w.sim, 10000);
	assert_int_equal(rows(f), 0);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM cursor"), 0);
	f->w.gateway.lie_from_block = 0;
	sim_run(&f->w.sim, 60000);
	assert_int_equal(rows(f), 1);
}

static void test_other_chain_is_never_read(void **state)
{
	struct fixture *f = *state;

	request(f, 1, WORLD_HANDLES);
	f->w.gateway.chain_id = 1;
	start(f);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(f->w.gateway.get_logs, 0);
	f->w.gateway.chain_id = WORLD_GATEWAY_CHAIN;
	sim_run(&f->w.sim, 60000);
	assert_int_equal(rows(f), 1);
}

/* An endpoint that is moved to another chain while we run: the cursor does not follow. */
static void test_chain_that_is_exchanged_is_not_followed(void **state)
{
	struct fixture *f = *state;

	f->w.config.decryption_from_block_number_given = false;
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(cursor(f), 10);
	f->w.gateway.chain_id = 1; /* its blocks have other hashes */
	sim_chain_mine(&f->w.gateway, 500);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(cursor(f), 10);
	assert_int_equal(f->w.metrics.cells[METRIC_LISTENER_REORGS][METRIC_CONTRACT_DECRYPTION], 0);
	f->w.gateway.chain_id = WORLD_GATEWAY_CHAIN;
	f->w.gateway.head = 11;
	request(f, 1, WORLD_HANDLES);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(rows(f), 1);
	assert_int_equal(cursor(f), 11);
}

static void test_outage_of_an_hour_is_survived(void **state)
{
	struct fixture *f = *state;
	unsigned before;

	start(f);
	sim_run(&f->w.sim, 1000);
	f->w.gateway.down = ERR_UNAVAILABLE;
	before = f->w.gateway.requests;
	sim_run(&f->w.sim, 3600 * 1000);
	/* Backed off: at the polling period these would be 7200. */
	assert_in_range(f->w.gateway.requests - before, 100, 600);
	f->w.gateway.down = ERR_OK;
	sim_chain_mine(&f->w.gateway, 300);
	request(f, 1, WORLD_HANDLES);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(rows(f), 1);
	assert_int_equal(cursor(f), 310);
}

static void test_log_missed_by_a_lagging_replica_is_found(void **state)
{
	struct fixture *f = *state;

	start(f);
	sim_run(&f->w.sim, 1000);
	sim_chain_mine(&f->w.gateway, 1);
	request(f, 1, WORLD_HANDLES);
	f->w.gateway.logs[0].hidden = true;
	sim_run(&f->w.sim, 1000);
	assert_int_equal(cursor(f), 11);
	assert_int_equal(rows(f), 0);
	f->w.gateway.logs[0].hidden = false;
	sim_run(&f->w.sim, 7000);
	assert_int_equal(rows(f), 1);
	assert_int_equal(cursor(f), 11);
}

/* The same where requests are many: few blocks at once, new ones meanwhile, and none is left out.
 */
static void test_full_blocks_are_read_again_in_pieces(void **state)
{
	enum {
		BLOCKS = 31,
		LOGS = 100 /* in each; ten blocks are a piece */
	};
	struct fixture *f = *state;

	start(f);
	sim_run(&f->w.sim, 1000);
	for (uint64_t i = 0; i < BLOCKS; i++) {
		sim_chain_mine(&f->w.gateway, 1);
		for (uint64_t id = 1; id <= LOGS; id++)
			request(f, i * LOGS + id, WORLD_HANDLES);
	}
	f->w.gateway.logs[BLOCKS / 2 * LOGS].hidden = true;
	f->w.gateway.logs[BLOCKS * LOGS - 1].hidden = true;
	sim_run(&f->w.sim, 1000);
	assert_int_equal(rows(f), BLOCKS * LOGS - 2);
	f->w.gateway.logs[BLOCKS / 2 * LOGS].hidden = false;
	f->w.gateway.logs[BLOCKS * LOGS - 1].hidden = false;
	f->w.gateway.widest = 0;
	unsigned before = f->w.gateway.get_logs;
	for (int i = 0; i < 12; i++) {
		sim_chain_mine(&f->w.gateway, 1);
		sim_run(&f->w.sim, 500);
	}
	assert_int_equal(rows(f), BLOCKS * LOGS);
	assert_int_equal(cursor(f), 10 + BLOCKS + 12);
	assert_int_equal(f->w.gateway.widest, 13); /* a quarter more, for it was a while ago */
	assert_int_equal(f->w.gateway.get_logs - before, 12 + 3);
}

/* channel_size: so many wait for a worker, and the chain is read no further until they are fewer.
 */
static void test_back_pressure(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 12);

	f->w.config.channel_size = 2;
	f->w.config.get_logs_batch_size = 1;
	f->w.config.decryption_from_block_number = f->w.gateway.head;
	for (uint64_t id = 1; id <= 5; id++) {
		request(f, id, WORLD_HANDLES);
		sim_chain_mine(&f->w.gateway, 1);
	}
	start(f);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(rows(f), 2);
	/* What a worker has put off waits for others, not for it. */
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "UPDATE operation SET deferrals = 1"), ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(rows(f), 4);
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "UPDATE operation SET state = 'ready'"), ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(rows(f), 5);
}

static void test_stop_at_any_moment(void **state)
{
	struct fixture *f = *state;

	request(f, 1, WORLD_LEGACY | WORLD_HANDLES);
	for (int64_t ms = 0; ms < 12; ms++) {
		start(f);
		sim_run(&f->w.sim, ms);
		listener_stop(f->l);
		f->l = NULL;
		sim_run(&f->w.sim, 100); /* what still comes back finds nobody */
	}
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_int_equal(rows(f), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_both_generations_are_one_row),
		T(test_user_decryptions),
		T(test_materials_are_learnt_when_the_legacy_form_comes_second),
		T(test_same_id_with_other_content_is_another_operation),
		T(test_first_get_logs_comes_soon),
		T(test_without_history_it_starts_at_the_head),
		T(test_goes_on_exactly_where_it_stopped),
		T(test_catches_up_back_to_back),
		T(test_handles_are_indexed),
		T(test_undecodable_logs_go_to_quarantine),
		T(test_a_cut_log_is_not_lost),
		T(test_a_cut_log_is_found_after_a_restart),
		T(test_hopeless_logs_cost_little),
		T(test_window_shrinks_and_grows),
		T(test_window_closes_in_on_the_limit),
		T(test_catching_up_asks_little),
		T(test_huge_window_is_stored_in_parts),
		T(test_cursor_and_rows_fail_together),
		T(test_two_listeners_do_not_push_the_cursor_past_rows),
		T(test_finality),
		T(test_only_what_is_posted_to_the_parent_chain),
		T(test_a_signal_makes_it_look_at_once),
		T(test_lying_endpoint_is_not_believed),
		T(test_other_chain_is_never_read),
		T(test_chain_that_is_exchanged_is_not_followed),
		T(test_outage_of_an_hour_is_survived),
		T(test_log_missed_by_a_lagging_replica_is_found),
		T(test_full_blocks_are_read_again_in_pieces),
		T(test_back_pressure),
		T(test_stop_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the worker must see before it goes on: the ACL of the host chain, extra data, the context.
 */
#include "worker_fixture.h"

/* ---- permission ---- */

static void test_denied_then_allowed_within_grace(void **state)
{
	struct fixture *f = *state;

	publish(f);
	insert(f, 1);
	start(f);
	host_seconds(f, 300);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_true(sim_sql_int(&f->w.sim, "SELECT refused_since_ms FROM operation") > 0);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
	assert_int_equal(f->w.core.sends, 0);
	world_allow(&f->w, f->handle);
	host_seconds(f, 40);
	assert_string_equal(world_state(&f->w, 1), "answered");
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT refused_since_ms FROM operation"), 0);
}

static void test_denied_is_refused_after_grace(void **state)
{
	struct fixture *f = *state;

	publish(f);
	f->w.config.acl_grace_ms = 2000;
	insert(f, 1);
	start(f);
	sim_run(&f->w.sim, 1500);
	assert_string_equal(world_state(&f->w, 1), "seen");
	host_seconds(f, 5);
	assert_string_equal(world_state(&f->w, 1), "refused");
	assert_non_null(strstr(world_reason(&f->w, 1), "is not allowed for decryption"));
	assert_string_equal(sim_sql_text(&f->w.sim, "SELECT error FROM operation"), "not_allowed");
	assert_int_equal(f->w.core.sends + f->w.core.polls, 0);
	for (unsigned i = 0; i < WORLD_COPROCESSORS; i++)
		assert_int_equal(f->w.buckets[i].gets, 0);
}

static void test_host_that_stands_still_is_no_reason_to_refuse(void **state)
{
	struct fixture *f = *state;

	f->w.config.acl_grace_ms = 2000;
	insert(f, 1);
	start(f);
	sim_run(&f->w.sim, 600000);
	assert_string_equal(world_state(&f->w, 1), "seen");
}

/* What a connector sees late is as old as its block says, not as its row. */
static void test_grace_counts_from_the_request(void **state)
{
	struct fixture *f = *state;

	sim_run(&f->w.sim, 5 * 3600 * 1000);
	sim_chain_mine(&f->w.host, 1);
	insert(f, 1);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "refused", 1000));
	assert_int_equal(f->w.acl_calls, 2);
}

/* Nor do the two chains care what our clock says. */
static void test_slow_clock_does_not_shorten_the_grace(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 12);

	insert(f, 1);
	assert_int_equal(
		STORE_ADD(&b, STORE_ONE, "UPDATE operation SET created_ms = created_ms - 3600000"),
		ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	start(f);
	host_seconds(f, 300);
	assert_string_equal(world_state(&f->w, 1), "seen");
	host_seconds(f, 400);
	assert_string_equal(world_state(&f->w, 1), "refused");
}

static void test_nothing_is_refused_without_the_time_of_the_request(void **state)
{
	struct fixture *f = *state;

	f->w.config.acl_grace_ms = 2000;
	insert(f, 1);
	f->w.gateway.down = ERR_UNAVAILABLE;
	start(f);
	host_seconds(f, 100);
	assert_string_equal(world_state(&f->w, 1), "seen");
	/* There is a block of that number, but not the request's. */
	sim_chain_reorg(&f->w.gateway, 1);
	f->w.gateway.down = ERR_OK;
	host_seconds(f, 100);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_non_null(strstr(world_reason(&f->w, 1), "not yet allowed"));
	assert_true(sim_sql_int(&f->w.sim, "SELECT refused_since_ms FROM operation") > 0);
}

static bool flaky_call(void *ctx, struct address to, struct bytes data, uint64_t block,
		       struct buf *result)
{
	struct fixture *f = ctx;
	uint8_t word[32] = {0};

	(void)to, (void)data, (void)block;
	/* Every second read says no: the second read of a pass says yes. */
	word[31] = f->w.acl_calls++ % 2 == 0 ? 0 : 1;
	assert_int_equal(buf_add(result, BYTES_OF(word)), ERR_OK);
	return true;
}

static void test_a_no_needs_a_second_read(void **state)
{
	struct fixture *f = *state;

	publish(f);
	f->w.config.acl_grace_ms = 0;
	f->w.host.call = flaky_call;
	f->w.host.call_ctx = f;
	insert(f, 1);
	sim_run(&f->w.sim, 1500);
	sim_chain_mine(&f->w.host, 1);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 5000));
	assert_int_equal(f->w.acl_calls, 2);
}

static void test_rpc_errors_are_nobodys_fault(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.host.down = ERR_UNAVAILABLE;
	start(f);
	sim_run(&f->w.sim, 2 * 3600 * 1000);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
	f->w.host.down = ERR_OK;
	assert_true(world_wait_state(&f->w, 1, "answered", 70000));
}

static void test_host_of_another_chain_is_not_asked(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.host.chain_id = 1;
	start(f);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(f->w.acl_calls, 0);
	assert_string_equal(world_state(&f->w, 1), "seen");
	f->w.host.chain_id = WORLD_HOST_CHAIN;
	assert_true(world_wait_state(&f->w, 1, "answered", 70000));
}

static void test_unknown_chain_is_refused(void **state)
{
	struct fixture *f = *state;

	f->handle.b[29] ^= 1;
	publish(f);
	world_allow(&f->w, f->handle);
	insert(f, 1);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "refused", 1000));
	assert_non_null(strstr(world_reason(&f->w, 1), "not one of the configured host chains"));
	assert_int_equal(f->w.core.sends, 0);
}

static void test_one_denied_of_two_is_enough(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[] = {f->handle, world_handle(2, 5)};

	publish(f);
	(void)world_publish_attested(&f->w, 0, handles[1], BYTES_OF(body));
	(void)world_publish_attested(&f->w, 1, handles[1], BYTES_OF(body));
	world_allow(&f->w, f->handle);
	f->w.config.acl_grace_ms = 1000;
	world_insert(&f->w, 1, handles, 2, BYTES_NONE, 0, BYTES_OF(body));
	start(f);
	host_seconds(f, 5);
	assert_string_equal(world_state(&f->w, 1), "refused");
	assert_int_equal(f->w.core.sends, 0);
}

/* Both say no in one pass: the row is given back once. */
static void test_two_denied_of_two(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[] = {f->handle, world_handle(2, 5)};

	world_insert(&f->w, 1, handles, 2, BYTES_NONE, 0, BYTES_OF(body));
	start(f);
	sim_run(&f->w.sim, 100);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT deferrals FROM operation"), 1);
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_CHECK_ERRORS][METRIC_CHECK_ACL], 1);
}

/* ---- round trips ---- */

enum {
	MANY_HANDLES = 150
};

static void insert_many(struct fixture *f, struct hash32 handles[MANY_HANDLES])
{
	for (uint8_t i = 0; i < MANY_HANDLES; i++) {
		handles[i] = world_handle((uint8_t)(i + 1), 5);
		world_allow(&f->w, handles[i]);
	}
	world_insert(&f->w, 1, handles, MANY_HANDLES, BYTES_NONE, 0, BYTES_OF(body));
}

static bool is_permitted(void *ctx)
{
	return strcmp(world_state(ctx, 1), "seen") != 0;
}

/* However many handles: the head, and one call at it. */
static void test_all_handles_of_a_chain_are_two_round_trips(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[MANY_HANDLES];

	insert_many(f, handles);
	start(f);
	assert_true(sim_run_until(&f->w.sim, is_permitted, &f->w, 2000));
	assert_int_equal(f->w.host.requests, 1 + 1 + 1); /* eth_chainId, head, call */
	assert_int_equal(f->w.host.calls, 1);
	assert_int_equal(f->w.host.questions, MANY_HANDLES);
}

/* Nothing hides among many. */
static void test_one_denied_of_many_is_enough(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[MANY_HANDLES];

	insert_many(f, handles);
	f->w.allowed[MANY_HANDLES / 2] = (struct hash32){{0}};
	f->w.config.acl_grace_ms = 1000;
	start(f);
	host_seconds(f, 5);
	assert_string_equal(world_state(&f->w, 1), "refused");
	assert_int_equal(f->w.core.sends, 0);
}

static bool silent_call(void *ctx, struct address to, struct bytes data, uint64_t block,
			struct buf *result)
{
	struct fixture *f = ctx;

	(void)to, (void)data, (void)block;
	/* An ACL that is not there says nothing, in the middle of many. */
	if (f->w.acl_calls++ % MANY_HANDLES == 100)
		return true;
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(buf_add_u8(result, i == 31), ERR_OK);
	return true;
}

static void test_no_answer_is_no_permission(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[MANY_HANDLES];

	insert_many(f, handles);
	f->w.host.call = silent_call;
	f->w.host.call_ctx = f;
	start(f);
	sim_run(&f->w.sim, 60000);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_non_null(strstr(world_reason(&f->w, 1), "the ACL gives no answer"));
	assert_int_equal(f->w.core.sends, 0);
}

static void test_a_node_that_takes_no_bulk_is_asked_singly(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[MANY_HANDLES];

	insert_many(f, handles);
	f->w.host.no_create = true;
	start(f);
	assert_true(sim_run_until(&f->w.sim, is_permitted, &f->w, 2000));
	assert_int_equal(f->w.acl_calls, MANY_HANDLES);
	assert_int_equal(f->w.host.questions, 0);
}

/* An endpoint that was the right one may be another one behind the same name. */
static void test_an_endpoint_that_changes_its_chain_is_not_believed(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 5000));
	unsigned calls = f->w.acl_calls;

	f->w.host.down = ERR_UNAVAILABLE;
	insert(f, 2);
	sim_run(&f->w.sim, 5000);
	f->w.host.down = ERR_OK;
	f->w.host.chain_id = 1;
	sim_run(&f->w.sim, 120000);
	assert_string_equal(world_state(&f->w, 2), "seen");
	assert_int_equal(f->w.acl_calls, calls);
	f->w.host.chain_id = WORLD_HOST_CHAIN;
	assert_true(world_wait_state(&f->w, 2, "answered", 70000));
}

/* ---- extra data and context ---- */

static void test_malformed_extra_data_is_refused(void **state)
{
	struct fixture *f = *state;

	publish(f);
	world_allow(&f->w, f->handle);
	world_insert(&f->w, 1, &f->handle, 1, BYTES_LIT("\3"), 0, BYTES_OF(body));
	world_insert(&f->w, 2, &f->handle, 1, BYTES_LIT("\1\0\0"), 0, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "refused", 1000));
	assert_true(world_wait_state(&f->w, 2, "refused", 1000));
	assert_int_equal(f->w.core.sends, 0);
}

static void test_invalid_context_is_never_sent(void **state)
{
	struct fixture *f = *state;
	uint8_t extra[33] = {1};

	publish(f);
	world_allow(&f->w, f->handle);
	extra[32] = 8;
	f->w.config.max_decryption_attempts = 3;
	world_insert(&f->w, 1, &f->handle, 1, BYTES_OF(extra), 0, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "failed", 60000));
	assert_non_null(strstr(world_reason(&f->w, 1), "KMS context"));
	assert_int_equal(f->w.core.sends, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_denied_then_allowed_within_grace),
		T(test_denied_is_refused_after_grace),
		T(test_host_that_stands_still_is_no_reason_to_refuse),
		T(test_grace_counts_from_the_request),
		T(test_slow_clock_does_not_shorten_the_grace),
		T(test_nothing_is_refused_without_the_time_of_the_request),
		T(test_a_no_needs_a_second_read),
		T(test_rpc_errors_are_nobodys_fault),
		T(test_host_of_another_chain_is_not_asked),
		T(test_unknown_chain_is_refused),
		T(test_one_denied_of_two_is_enough),
		T(test_two_denied_of_two),
		T(test_all_handles_of_a_chain_are_two_round_trips),
		T(test_one_denied_of_many_is_enough),
		T(test_no_answer_is_no_permission),
		T(test_a_node_that_takes_no_bulk_is_asked_singly),
		T(test_an_endpoint_that_changes_its_chain_is_not_believed),
		T(test_malformed_extra_data_is_refused),
		T(test_invalid_context_is_never_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

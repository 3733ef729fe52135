/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys of the worker: each with two values, and what differs. Those that are not here have theirs
 * in other files; tests/connector-keys.md names them all. */
#include "user_fixture.h"

/* ---- a transport that is looked at ---- */

enum {
	LOOKS_MAX = 512
};

struct look {
	struct transport base;
	struct transport *inner;
	struct look_one {
		struct look *look;
		bool head, running;
		struct http_ticket ticket;
		http_done_fn *done;
		void *ctx;
	} of[LOOKS_MAX];
	size_t n;
	unsigned running[2], most[2]; /* gets, heads */
	int64_t connect_ms[2];
};

static void on_reply(void *ctx, const struct http_reply *reply)
{
	struct look_one *o = ctx;

	o->running = false;
	o->look->running[o->head]--;
	o->done(o->ctx, reply);
}

static enum err look_send(struct transport *base, struct http_ticket *ret_ticket,
			  const struct http_request *req, http_done_fn *done, void *ctx)
{
	struct look *l = CONTAINER_OF(base, struct look, base);
	struct look_one *o = &l->of[l->n];
	struct http_request r = *req;
	enum err e;

	assert_true(l->n < LOOKS_MAX);
	*o = (struct look_one){.look = l,
			       .head = strcmp(req->method, "HEAD") == 0,
			       .running = true,
			       .done = done,
			       .ctx = ctx};
	r.piece = NULL; /* hashed when it is whole */
	e = transport_send(l->inner, &o->ticket, &r, on_reply, o);
	assert_int_equal(e, ERR_OK);
	if (++l->running[o->head] > l->most[o->head])
		l->most[o->head] = l->running[o->head];
	l->connect_ms[o->head] = req->connect_timeout_ms;
	ret_ticket->id = ++l->n;
	return ERR_OK;
}

static void look_cancel(struct transport *base, struct http_ticket ticket)
{
	struct look *l = CONTAINER_OF(base, struct look, base);
	struct look_one *o = ticket.id > 0 ? &l->of[ticket.id - 1] : NULL;

	if (!o || !o->running)
		return;
	o->running = false;
	l->running[o->head]--;
	transport_cancel(l->inner, o->ticket);
}

static struct look *look_new(struct fixture *f)
{
	static const struct transport_ops ops = {.send = look_send, .cancel = look_cancel};
	struct look *l = arena_alloc(&f->w.kept, sizeof(*l));

	assert_non_null(l);
	*l = (struct look){.base = {&ops}, .inner = &f->w.net.base};
	f->w.env.buckets = &l->base;
	return l;
}

/* ---- buckets ---- */

static void slow_objects(struct fixture *f, int64_t delay_ms)
{
	for (unsigned i = 0; i < 2; i++)
		world_publish_attested(&f->w, i, f->handle, BYTES_OF(body))->delay_ms = delay_ms;
	world_allow(&f->w, f->handle);
}

static bool answered_in(struct fixture *f, int64_t ms)
{
	insert(f, 1);
	start(f);
	return world_wait_state(&f->w, 1, "answered", ms);
}

static void test_s3_head_timeout(void **state)
{
	struct fixture *f = *state;

	slow_objects(f, 2000);
	f->w.config.s3_head_timeout_ms = 1500;
	assert_false(answered_in(f, 30000));
	assert_int_equal(f->w.buckets[0].gets + f->w.buckets[1].gets, 0);
	f->w.config.s3_head_timeout_ms = 2500;
	assert_true(world_wait_state(&f->w, 1, "answered", 60000));
}

static void test_s3_get_timeout(void **state)
{
	struct fixture *f = *state;

	slow_objects(f, 2000);
	f->w.config.s3_get_timeout_ms = 1500;
	assert_false(answered_in(f, 30000));
	assert_true(f->w.buckets[0].gets + f->w.buckets[1].gets > 0);
	f->w.config.s3_get_timeout_ms = 2500;
	assert_true(world_wait_state(&f->w, 1, "answered", 60000));
}

/* What a transport does with it: net/transport. */
static void test_s3_connect_timeout(void **state)
{
	struct fixture *f = *state;
	struct look *l = look_new(f);

	slow_objects(f, 1);
	f->w.config.s3_connect_timeout_ms = 1234;
	assert_true(answered_in(f, 1000));
	assert_int_equal(l->connect_ms[false], 1234);
	assert_int_equal(l->connect_ms[true], 1234);
}

static void many_at_once(struct fixture *f)
{
	slow_objects(f, 500);
	for (uint64_t id = 1; id <= 20; id++)
		insert(f, id);
	start(f);
	sim_run(&f->w.sim, 20000);
	assert_string_equal(world_state(&f->w, 20), "answered");
}

static void test_s3_max_concurrent_heads_per_bucket(void **state)
{
	struct fixture *f = *state;
	struct look *l = look_new(f);

	f->w.config.s3_max_concurrent_heads_per_bucket = 3;
	many_at_once(f);
	assert_int_equal(l->most[true], WORLD_COPROCESSORS * 3);
}

static void test_s3_max_concurrent_gets(void **state)
{
	struct fixture *f = *state;
	struct look *l = look_new(f);

	f->w.config.s3_max_concurrent_gets = 4;
	many_at_once(f);
	assert_int_equal(l->most[false], 4);
}

static void test_s3_without_such_bounds(void **state)
{
	struct fixture *f = *state;
	struct look *l = look_new(f);

	f->w.config.s3_max_concurrent_gets = 64;
	many_at_once(f);
	assert_int_equal(l->most[true], WORLD_COPROCESSORS * 20);
	assert_int_equal(l->most[false], 20);
}

/* Fetches before the request goes back to the database: so many rounds over two buckets. */
static unsigned gets_of_one_look(struct fixture *f, uint64_t attempts)
{
	slow_objects(f, 1);
	for (unsigned i = 0; i < 2; i++)
		f->w.buckets[i].objects[0].corrupt = true;
	f->w.config.s3_ciphertext_retrieval_attempts = attempts;
	insert(f, 1);
	start(f);
	for (int i = 0; i < 1000 && sim_sql_int(&f->w.sim, "SELECT attempts FROM operation") == 0;
	     i++)
		sim_run(&f->w.sim, 1);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 1);
	return f->w.buckets[0].gets + f->w.buckets[1].gets;
}

static void test_s3_ciphertext_retrieval_attempts_one(void **state)
{
	assert_int_equal(gets_of_one_look(*state, 1), 2);
}

static void test_s3_ciphertext_retrieval_attempts_four(void **state)
{
	assert_int_equal(gets_of_one_look(*state, 4), 8);
}

static void test_copro_registry_refresh(void **state)
{
	struct fixture *f = *state;

	f->w.config.copro_registry_refresh_ms = 5000;
	f->w.urls[0] = f->w.urls[1] = "http://nowhere";
	slow_objects(f, 1);
	f->w.config.acl_grace_ms = 0;
	start(f);
	sim_run(&f->w.sim, 1000);
	f->w.urls[0] = "http://s3/a";
	f->w.urls[1] = "http://s3/b";
	sim_run(&f->w.sim, 3000);
	insert(f, 1);
	sim_run(&f->w.sim, 500);
	assert_int_equal(f->w.buckets[0].heads, 0);
	sim_run(&f->w.sim, 10000);
	assert_true(f->w.buckets[0].heads > 0);
}

/* ---- the core ---- */

static unsigned polls_of_one_look(struct fixture *f, uint64_t retries)
{
	f->w.config.grpc_request_retries = retries;
	f->w.core.poll_status = GRPC_UNAVAILABLE;
	f->w.core.poll_delay_ms = 1500;
	ready_to_answer(f);
	start(f);
	for (int i = 0;
	     i < 60000 && sim_sql_int(&f->w.sim, "SELECT deferrals FROM operation") == 0 &&
	     strcmp(world_reason(&f->w, 1), "the core is still computing") != 0;
	     i += 10)
		sim_run(&f->w.sim, 10);
	assert_string_equal(world_state(&f->w, 1), "computing");
	return f->w.core.polls;
}

static void test_grpc_request_retries_one(void **state)
{
	assert_int_equal(polls_of_one_look(*state, 1), 1);
}

static void test_grpc_request_retries_five(void **state)
{
	assert_int_equal(polls_of_one_look(*state, 5), 5);
}

static void test_user_decryption_timeout(void **state)
{
	struct fixture *f = *state;
	struct asked q;
	struct signature65 sig;
	struct hash32 digest;
	struct eip712_domain d = f->w.domain;

	f->w.config.user_decryption_timeout_ms = 9000;
	f->w.config.public_decryption_timeout_ms = 7000;
	ask_init(f, &q);
	q.user.unified = true;
	q.user.entries = q.entries;
	q.entries[0] = (struct user_entry){.contract = dapp, .owner = q.user.user};
	q.allowed[0] = dapp;
	q.user.allowed_contracts = q.allowed;
	q.user.allowed_contracts_n = 1;
	q.user.start_s = u256_from_u64(BEGUN_S);
	q.user.duration_s = u256_from_u64(86400);
	d.chain_id = u256_from_u64(WORLD_HOST_CHAIN);
	assert_int_equal(user_signature_digest(&digest, &d, &q.r), ERR_OK);
	assert_int_equal(ecdsa_sign65(f->w.ecdsa, &sig, &user_key, digest), ERR_OK);
	q.user.signature = BYTES_OF(sig.b);
	publish(f);
	world_grant(&f->w, f->handle, q.user.user);
	world_grant(&f->w, f->handle, dapp);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
	assert_int_equal(f->w.core.last_timeout_ms, 9000);
}

/* The core signs for another domain: its answers hold where the configuration names that one. */
static void test_domain_of_the_decryption_contract(void **state)
{
	struct fixture *f = *state;

	f->w.domain.name = BYTES_LIT("Another");
	f->w.domain.version = BYTES_LIT("3");
	ready_to_answer(f);
	start(f);
	assert_false(world_wait_state(&f->w, 1, "answered", 10000));
	f->w.config.decryption_contract.domain_name = "Another";
	assert_false(world_wait_state(&f->w, 1, "answered", 30000));
	f->w.config.decryption_contract.domain_version = "3";
	assert_true(world_wait_state(&f->w, 1, "answered", 130000));
}

static void test_gateway_config_address(void **state)
{
	struct fixture *f = *state;

	f->w.config.gateway_config_contract.address.b[0] ^= 1;
	ready_to_answer(f);
	start(f);
	assert_false(world_wait_state(&f->w, 1, "answered", 10000));
	assert_non_null(strstr(world_reason(&f->w, 1), "the list of coprocessors"));
	f->w.config.gateway_config_contract.address.b[0] ^= 1;
	assert_true(world_wait_state(&f->w, 1, "answered", 130000));
}

/* ---- time ---- */

static unsigned sends_in_3_s(struct fixture *f, int64_t retry_ms)
{
	f->w.config.retry_interval_ms = retry_ms;
	f->w.core.send_status = GRPC_UNKNOWN;
	ready_to_answer(f);
	start(f);
	sim_run(&f->w.sim, 3000);
	return f->w.core.sends;
}

static void test_retry_interval_short(void **state)
{
	assert_true(sends_in_3_s(*state, 100) >= 4);
}

static void test_retry_interval_long(void **state)
{
	assert_int_equal(sends_in_3_s(*state, 10000), 1);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

/* How long a row lies that nothing told of. */
static int64_t found_after(struct fixture *f, int64_t fast_ms, int64_t long_ms)
{
	struct sim_topic saved[ARRAY_LEN(f->w.sim.store.topics)];
	int64_t waited = 0;

	f->w.config.db_fast_event_polling_ms = fast_ms;
	f->w.config.db_long_event_polling_ms = long_ms;
	publish(f);
	world_allow(&f->w, f->handle);
	start(f);
	sim_run(&f->w.sim, 100);
	memcpy(saved, f->w.sim.store.topics, sizeof(saved));
	for (size_t i = 0; i < ARRAY_LEN(saved); i++)
		f->w.sim.store.topics[i].fn = nothing;
	insert(f, 1);
	while (is_in(f, "seen") && waited < 100000) {
		sim_run(&f->w.sim, 100);
		waited += 100;
	}
	return waited;
}

static void test_db_fast_event_polling(void **state)
{
	assert_in_range(found_after(*state, 2000, 60000), 1500, 2500);
}

/* One look is for all kinds: the shorter counts. */
static void test_db_long_event_polling(void **state)
{
	assert_in_range(found_after(*state, 60000, 5000), 4500, 5500);
}

static void test_both_pollings_are_long(void **state)
{
	assert_in_range(found_after(*state, 60000, 40000), 39000, 40500);
}

static void lease_ends_after(struct fixture *f, int64_t ms)
{
	f->w.config.operation_under_process_timeout_ms = ms;
	ready_to_answer(f);
	f->w.env.store_shared = true;
	f->w.core.poll_delay_ms = 70000;
	start(f);
	sim_run(&f->w.sim, 2000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	f->w.core.poll_delay_ms = 0;
	restart(f); /* another process, as this one dies */
	sim_run(&f->w.sim, ms - 12000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	assert_true(world_wait_state(&f->w, 1, "answered", 16000));
}

static void test_operation_under_process_timeout_short(void **state)
{
	lease_ends_after(*state, 15000);
}

static void test_operation_under_process_timeout_long(void **state)
{
	lease_ends_after(*state, 90000);
}

/* Batches that the store gets until twelve rows are answered. */
static unsigned submits_of_twelve(struct fixture *f, uint64_t first)
{
	unsigned before = f->w.sim.store.submits;

	for (uint64_t id = first; id < first + 12; id++)
		insert(f, id);
	sim_run(&f->w.sim, 2000);
	assert_string_equal(world_state(&f->w, first + 11), "answered");
	return f->w.sim.store.submits - before;
}

static void test_events_batch_size(void **state)
{
	struct fixture *f = *state;
	unsigned small, large;

	publish(f);
	world_allow(&f->w, f->handle);
	f->w.config.task_limit = 1000;
	f->w.config.events_batch_size = 1;
	start(f);
	sim_run(&f->w.sim, 100);
	small = submits_of_twelve(f, 1);
	f->w.config.events_batch_size = 50;
	large = submits_of_twelve(f, 13);
	assert_true(small >= large + 8);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_s3_head_timeout),
		T(test_s3_get_timeout),
		T(test_s3_connect_timeout),
		T(test_s3_max_concurrent_heads_per_bucket),
		T(test_s3_max_concurrent_gets),
		T(test_s3_without_such_bounds),
		T(test_s3_ciphertext_retrieval_attempts_one),
		T(test_s3_ciphertext_retrieval_attempts_four),
		T(test_copro_registry_refresh),
		T(test_grpc_request_retries_one),
		T(test_grpc_request_retries_five),
		T(test_user_decryption_timeout),
		T(test_domain_of_the_decryption_contract),
		T(test_gateway_config_address),
		T(test_retry_interval_short),
		T(test_retry_interval_long),
		T(test_db_fast_event_polling),
		T(test_db_long_event_polling),
		T(test_both_pollings_are_long),
		T(test_operation_under_process_timeout_short),
		T(test_operation_under_process_timeout_long),
		T(test_events_batch_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The worker from seen to answered, and the states it may be restarted in. */
#include "base/hex.h"
#include "connector/worker/proof.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "worker_fixture.h"

/* ---- the good way ---- */

static void test_allowed_is_answered(void **state)
{
	struct fixture *f = *state;
	struct decryption_answer a;

	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(f->w.core.sends, 1);
	assert_int_equal(f->w.acl_calls, 1);

	int64_t n = sim_sql_int(&f->w.sim, "SELECT length(answer) FROM operation");
	const char *stored = sim_sql_text(&f->w.sim, "SELECT answer FROM operation");
	assert_int_equal(decryption_answer_decode(&a, OP_KIND_PUBLIC_DECRYPTION,
						  bytes_from(stored, (size_t)n)),
			 ERR_OK);
	assert_int_equal(a.result.n, 32);
	assert_int_equal(a.result.p[31], 42);
	assert_int_equal(a.extra_data.n, 0);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT lease_until_ms FROM operation"), 0);
	assert_int_equal(f->w.metrics.histograms[0].count, 1);
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_JOBS][0], 0);
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_CIPHERTEXT_BYTES][0], 0);
}

static void test_request_is_built_as_the_core_wants_it(void **state)
{
	struct fixture *f = *state;
	struct arena memory CLEANUP(arena_free) = arena_make(1 << 20);
	ProtobufCMessage *base;
	uint8_t extra[33] = {1};

	publish(f);
	world_allow(&f->w, f->handle);
	extra[32] = 7;
	world_insert(&f->w, 258, &f->handle, 1, BYTES_OF(extra), 0, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 258, "answered", 1000));

	assert_int_equal(protobuf_unpack(&base, &kms__v1__public_decryption_request__descriptor,
					 buf_view(&f->w.core.last_request), &memory),
			 ERR_OK);
	const Kms__V1__PublicDecryptionRequest *m = (const Kms__V1__PublicDecryptionRequest *)base;
	assert_string_equal(m->request_id->request_id,
			    "0000000000000000000000000000000000000000000000000000000000000102");
	assert_string_equal(m->key_id->request_id,
			    "0000000000000000000000000000000000000000000000000000000000000004");
	assert_string_equal(m->context_id->request_id,
			    "0000000000000000000000000000000000000000000000000000000000000007");
	assert_null(m->epoch_id);
	assert_string_equal(m->domain->name, "Decryption");
	assert_string_equal(m->domain->version, "1");
	assert_int_equal(m->domain->chain_id.len, 32);
	assert_int_equal(m->domain->chain_id.data[30] << 8 | m->domain->chain_id.data[31],
			 WORLD_GATEWAY_CHAIN);
	assert_string_equal(m->domain->verifying_contract,
			    "0xdEDEDEDEdEdEdEDedEDeDedEdEdeDedEdEDedEdE");
	assert_int_equal(m->domain->salt_presence_case, 0);
	assert_int_equal(m->extra_data.len, 33);
	assert_int_equal(m->n_ciphertexts, 1);
	assert_int_equal(m->ciphertexts[0]->fhe_type, 5);
	assert_int_equal(m->ciphertexts[0]->ciphertext_format,
			 KMS__V1__CIPHERTEXT_FORMAT__BigCompressed);
	assert_true(bytes_eq_var(protobuf_view(m->ciphertexts[0]->ciphertext), BYTES_OF(body)));
	assert_true(bytes_eq_var(protobuf_view(m->ciphertexts[0]->external_handle),
				 BYTES_OF(f->handle.b)));
}

static void test_several_handles_in_order(void **state)
{
	struct fixture *f = *state;
	static const uint8_t other[] = "another one";
	struct hash32 handles[] = {f->handle, world_handle(2, 0), f->handle};
	struct decryption_answer a;

	publish(f);
	(void)world_publish_attested(&f->w, 1, handles[1], BYTES_OF(other));
	(void)world_publish_attested(&f->w, 2, handles[1], BYTES_OF(other));
	world_allow(&f->w, f->handle);
	world_allow(&f->w, handles[1]);
	world_insert(&f->w, 1, handles, 3, BYTES_NONE, 0, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	int64_t n = sim_sql_int(&f->w.sim, "SELECT length(answer) FROM operation");
	const char *stored = sim_sql_text(&f->w.sim, "SELECT answer FROM operation");
	assert_int_equal(decryption_answer_decode(&a, OP_KIND_PUBLIC_DECRYPTION,
						  bytes_from(stored, (size_t)n)),
			 ERR_OK);
	assert_int_equal(a.result.n, 96);
	assert_int_equal(a.result.p[31], 42);
	assert_int_equal(a.result.p[63], 1);
	assert_int_equal(a.result.p[95], 42);
	assert_int_equal(f->w.acl_calls, 3);
}

static void test_burst_is_drained(void **state)
{
	struct fixture *f = *state;

	publish(f);
	world_allow(&f->w, f->handle);
	f->w.config.events_batch_size = 5;
	f->w.config.task_limit = 6;
	for (uint64_t id = 1; id <= 60; id++)
		insert(f, id);
	start(f);
	/* Without the poll timer's help. */
	sim_run(&f->w.sim, 2500);
	assert_int_equal(
		sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation WHERE state = 'answered'"),
		60);
}

static void test_burst_is_taken_up_while_the_core_is_slow(void **state)
{
	struct fixture *f = *state;

	publish(f);
	world_allow(&f->w, f->handle);
	f->w.config.events_batch_size = 5;
	f->w.core.poll_delay_ms = 2000;
	for (uint64_t id = 1; id <= 60; id++)
		insert(f, id);
	start(f);
	sim_run(&f->w.sim, 500);
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_JOBS][0], 60);
	assert_int_equal(f->w.core.sends, 60);
}

/* ---- time and restarts ---- */

static void test_expiry(void **state)
{
	struct fixture *f = *state;

	f->w.config.decryption_expiry_ms = 3600 * INT64_C(1000);
	publish(f);
	insert(f, 1);
	start(f);
	sim_run(&f->w.sim, 55 * 60 * INT64_C(1000));
	assert_string_not_equal(world_state(&f->w, 1), "expired");
	sim_run(&f->w.sim, 10 * 60 * INT64_C(1000));
	assert_string_equal(world_state(&f->w, 1), "expired");
	assert_non_null(strstr(world_reason(&f->w, 1), "not yet allowed"));
	assert_int_equal(f->w.core.sends, 0);
}

/* Run until the row is in `state`, a millisecond at a time, then stop there. */
static void stop_in(struct fixture *f, const char *state)
{
	for (unsigned ms = 0; ms < 2000 && !is_in(f, state); ms++)
		sim_run(&f->w.sim, 1);
	assert_string_equal(world_state(&f->w, 1), state);
}

static void test_restart_in_each_state(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	start(f);
	sim_run(&f->w.sim, 1);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_true(sim_sql_int(&f->w.sim, "SELECT lease_until_ms FROM operation") > 0);
	restart(f);
	stop_in(f, "ready");
	restart(f);
	stop_in(f, "computing");
	restart(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 2000));
	/* Permission was proven once, before `ready`; the later starts read it from the row. */
	assert_int_equal(f->w.core.known_n, 1);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
}

static void test_restart_while_the_core_computes(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.core.poll_delay_ms = 1000;
	start(f);
	stop_in(f, "computing");
	sim_run(&f->w.sim, 500);
	assert_int_equal(f->w.core.sends, 1);
	f->w.core.poll_delay_ms = 0;
	restart(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 2000));
	assert_int_equal(f->w.core.sends, 1);
	assert_int_equal(f->w.acl_calls, 1);
}

static void test_stored_proof_that_is_not_ours_is_made_again(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	start(f);
	stop_in(f, "ready");
	stop(f);
	struct store_batch b = store_batch_make(1 << 12);
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "UPDATE operation SET proof = x'01'"), ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	unsigned before = f->w.acl_calls;
	restart(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 2000));
	assert_int_equal(f->w.acl_calls, before + 1);
}

/* A proof that reads back but proves nothing is none. */
static void test_stored_proof_without_permission_is_made_again(void **state)
{
	struct fixture *f = *state;
	struct arena arena CLEANUP(arena_free) = arena_make(1 << 16);
	struct buf bytes CLEANUP(buf_free) = buf_make(1 << 12);
	struct proof *p;
	struct hash32 digest;

	ready_to_answer(f);
	start(f);
	stop_in(f, "ready");
	stop(f);
	memcpy(digest.b, sim_sql_text(&f->w.sim, "SELECT content_digest FROM operation"), 32);
	assert_int_equal(proof_new(&arena, &p, digest, 1), ERR_OK);
	assert_int_equal(proof_encode(p, &bytes), ERR_OK);
	struct store_batch b = store_batch_make(1 << 12);
	assert_int_equal(STORE_ADD(&b, STORE_ONE, "UPDATE operation SET proof = $1",
				   store_blob(buf_view(&bytes))),
			 ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	unsigned before = f->w.acl_calls;
	restart(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 2000));
	assert_int_equal(f->w.acl_calls, before + 1);
}

static void test_lost_lease_is_left_alone(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.core.poll_delay_ms = 1000;
	start(f);
	stop_in(f, "computing");
	struct store_batch b = store_batch_make(1 << 12);
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "UPDATE operation SET lease_owner = 'somebody'"),
			 ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	sim_run(&f->w.sim, 10000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	assert_string_equal(sim_sql_text(&f->w.sim, "SELECT lease_owner FROM operation"),
			    "somebody");
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_JOBS][0], 0);
}

/* A machine that slept: by the wall clock the lease is over, the job is still here. */
static void test_row_in_memory_is_not_taken_twice(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.core.poll_delay_ms = 20000;
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	struct store_batch b = store_batch_make(1 << 12);
	assert_int_equal(STORE_ADD(&b, STORE_ONE, "UPDATE operation SET lease_until_ms = 1"),
			 ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	sim_run(&f->w.sim, 10000);
	/* Claimed again, which makes the lease longer, and not begun again. */
	assert_true(sim_sql_int(&f->w.sim, "SELECT lease_until_ms FROM operation") > 1);
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_JOBS][0], 1);
	assert_true(world_wait_state(&f->w, 1, "answered", 30000));
	assert_int_equal(f->w.core.polls, 1);
}

/* Where other processes claim too: what is worked on stays claimed, what a dead process had is
 * taken up when its lease ends, and not before. */
static void test_leases_on_a_shared_database(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.env.store_shared = true;
	f->w.core.poll_delay_ms = 100000;
	start(f);
	for (int i = 0; i < 9; i++) {
		sim_run(&f->w.sim, 10000);
		assert_string_equal(world_state(&f->w, 1), "computing");
		int64_t left_ms = sim_sql_int(&f->w.sim, "SELECT lease_until_ms FROM operation") -
				  clock_wall_ms(f->w.env.clock);
		assert_true(left_ms > 15000 && left_ms <= 30000);
	}
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_JOBS][0], 1);

	f->w.core.poll_delay_ms = 0;
	restart(f);
	sim_run(&f->w.sim, 10000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_JOBS][0], 0);
	assert_true(world_wait_state(&f->w, 1, "answered", 30000));
	assert_int_equal(f->w.core.sends, 1);
}

static void test_store_that_fails_is_tried_again(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	start(f);
	for (unsigned i = 0; i < 40 && !is_in(f, "answered"); i++) {
		f->w.sim.store.fail_next = ERR_IO;
		sim_run(&f->w.sim, 1500);
	}
	f->w.sim.store.fail_next = ERR_OK;
	assert_true(world_wait_state(&f->w, 1, "answered", 20000));
	assert_int_equal(f->w.core.known_n, 1);
}

static void test_stop_at_any_moment(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	world_publish_attested(&f->w, 2, f->handle, BYTES_OF(body))->delay_ms = 3;
	for (int64_t ms = 0; ms < 25; ms++) {
		start(f);
		sim_run(&f->w.sim, ms);
		stop(f);
		sim_run(&f->w.sim, 50); /* what still comes back finds nobody */
		f->w.env.owner = ms % 2 == 0 ? "even" : "odd";
	}
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 5000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_allowed_is_answered),
		T(test_request_is_built_as_the_core_wants_it),
		T(test_several_handles_in_order),
		T(test_burst_is_drained),
		T(test_burst_is_taken_up_while_the_core_is_slow),
		T(test_expiry),
		T(test_restart_in_each_state),
		T(test_restart_while_the_core_computes),
		T(test_stored_proof_that_is_not_ours_is_made_again),
		T(test_stored_proof_without_permission_is_made_again),
		T(test_lost_lease_is_left_alone),
		T(test_row_in_memory_is_not_taken_twice),
		T(test_leases_on_a_shared_database),
		T(test_store_that_fails_is_tried_again),
		T(test_stop_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The worker from seen to answered, what the core may do wrong, and the states it may be restarted
 * in. */
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
	assert_int_equal(decryption_answer_decode(&a, bytes_from(stored, (size_t)n)), ERR_OK);
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
	assert_int_equal(decryption_answer_decode(&a, bytes_from(stored, (size_t)n)), ERR_OK);
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

/* ---- core ---- */

static void test_core_that_forgot_is_sent_again(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.core.forget_once = true;
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 5000));
	assert_int_equal(f->w.core.sends, 2);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 1);
}

static void test_core_status_classes(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum grpc_status send, poll;
		const char *end;
	} cases[] = {
		{GRPC_INVALID_ARGUMENT, GRPC_OK, "failed"},
		{GRPC_UNIMPLEMENTED, GRPC_OK, "failed"},
		{GRPC_INTERNAL, GRPC_OK, "failed"},            /* counted, to the ceiling */
		{GRPC_FAILED_PRECONDITION, GRPC_OK, "failed"}, /* likewise */
		{GRPC_OK, GRPC_INTERNAL, "failed"},
		{GRPC_OK, GRPC_ABORTED, "aborted"},
		{GRPC_OK, GRPC_UNAVAILABLE, "computing"},
		{GRPC_UNAVAILABLE, GRPC_OK, "computing"},
		{GRPC_RESOURCE_EXHAUSTED, GRPC_OK, "computing"},
		{GRPC_UNKNOWN, GRPC_OK, "computing"},
	};

	f->w.config.max_decryption_attempts = 3;
	publish(f);
	world_allow(&f->w, f->handle);
	start(f);
	for (uint64_t i = 0; i < ARRAY_LEN(cases); i++) {
		f->w.core.send_status = cases[i].send;
		f->w.core.poll_status = cases[i].poll;
		insert(f, i + 1);
		sim_run(&f->w.sim, 20000);
		assert_string_equal(world_state(&f->w, i + 1), cases[i].end);
		assert_true(strlen(world_reason(&f->w, i + 1)) > 0);
	}
	/* What only waited is answered as soon as the core is well again. */
	f->w.core.send_status = f->w.core.poll_status = GRPC_OK;
	sim_run(&f->w.sim, 130000);
	assert_int_equal(
		sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation WHERE state = 'answered'"),
		4);
}

static void test_slow_core_is_not_a_failure(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.core.poll_delay_ms = 60000;
	f->w.core.poll_status = GRPC_UNAVAILABLE;
	start(f);
	sim_run(&f->w.sim, 40 * 60 * 1000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
	/* The request went once, its ciphertext too: only the result is asked for again. */
	assert_int_equal(f->w.core.sends, 1);
	assert_int_equal(f->w.buckets[0].gets + f->w.buckets[1].gets, 1);
	f->w.core.poll_status = GRPC_OK;
	assert_true(world_wait_state(&f->w, 1, "answered", 130000));
}

static void expect_bad_answer(struct fixture *f, const char *reason)
{
	f->w.config.max_decryption_attempts = 2;
	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "failed", 60000));
	assert_non_null(strstr(world_reason(&f->w, 1), reason));
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT length(answer) FROM operation"), 0);
}

static void test_signature_by_another_key(void **state)
{
	struct fixture *f = *state;

	f->w.core.wrong_key = true;
	expect_bad_answer(f, "not by the core's verification key");
}

static void test_other_extra_data(void **state)
{
	struct fixture *f = *state;

	f->w.core.wrong_extra = true;
	expect_bad_answer(f, "extra data is not what was sent");
}

static void test_wrong_number_of_plaintexts(void **state)
{
	struct fixture *f = *state;

	f->w.core.wrong_count = true;
	expect_bad_answer(f, "2 plaintexts for 1 handles");
}

static void test_plaintext_wider_than_its_type(void **state)
{
	struct fixture *f = *state;

	f->w.core.wide_plaintext = true;
	expect_bad_answer(f, "does not fit FHE type 5");
}

static void test_plaintext_of_another_type(void **state)
{
	struct fixture *f = *state;

	f->w.core.other_type = true;
	expect_bad_answer(f, "plaintext 0 has FHE type 4, its handle 5");
}

static void test_answer_to_another_request(void **state)
{
	struct fixture *f = *state;

	f->w.core.other_id = true;
	expect_bad_answer(f, "it names another request");
}

/* The library recovers from v = 0 too; the contract does not. */
static void test_signature_that_the_contract_would_not_take(void **state)
{
	struct fixture *f = *state;

	f->w.core.low_v = true;
	expect_bad_answer(f, "v is neither 27 nor 28");
}

/* What a core says goes into the row: it must not be able to keep the row from being stored. */
static void test_core_that_says_what_is_no_text(void **state)
{
	struct fixture *f = *state;
	char text[800];

	/* Two-byte characters: wherever it is cut, one of these two begins in the middle. */
	for (unsigned odd = 0; odd < 2; odd++) {
		memset(text, 'x', sizeof(text));
		for (size_t i = odd; i + 2 < sizeof(text); i += 2)
			memcpy(&text[i], "\xc3\xa9", 2);
		text[sizeof(text) - 1] = '\0';
		f->w.core.text = text;
		f->w.core.send_status = GRPC_INVALID_ARGUMENT;
		if (odd == 0)
			ready_to_answer(f);
		else
			insert(f, 2);
		if (odd == 0)
			start(f);
		assert_true(world_wait_state(&f->w, odd + 1, "failed", 5000));
		f->w.core.text = "\xff\xfe\n";
	}
	insert(f, 3);
	assert_true(world_wait_state(&f->w, 3, "failed", 5000));
	assert_non_null(strstr(world_reason(&f->w, 3), "???"));
}

/* ---- whose signature ---- */

static void test_unregistered_signer_waits(void **state)
{
	struct fixture *f = *state;
	struct address good = f->w.kms_signer;

	f->w.kms_signer.b[0] ^= 1;
	f->w.config.max_decryption_attempts = 2;
	ready_to_answer(f);
	start(f);
	sim_run(&f->w.sim, 600000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	assert_non_null(strstr(world_reason(&f->w, 1), "no KMS signer"));
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT length(answer) FROM operation"), 0);
	assert_int_equal(f->w.core.sends, 1);
	/* Registered at last: the answer that the core still has is good. */
	f->w.kms_signer = good;
	assert_true(world_wait_state(&f->w, 1, "answered", 130000));
	assert_int_equal(f->w.core.sends, 1);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
}

static void test_registered_signer_is_asked_for_once_in_a_while(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	for (uint64_t id = 2; id <= 5; id++)
		insert(f, id);
	assert_true(world_wait_state(&f->w, 5, "answered", 1000));
	assert_int_equal(f->w.signer_calls, 1);
	sim_run(&f->w.sim, f->w.config.copro_registry_refresh_ms);
	insert(f, 6);
	assert_true(world_wait_state(&f->w, 6, "answered", 1000));
	assert_int_equal(f->w.signer_calls, 2);
}

/* The context that the request names decides, not the current one. */
static void test_signer_of_a_context(void **state)
{
	struct fixture *f = *state;
	uint8_t extra[33] = {1};

	extra[32] = 7;
	publish(f);
	world_allow(&f->w, f->handle);
	world_insert(&f->w, 1, &f->handle, 1, BYTES_OF(extra), 0, BYTES_OF(body));
	insert(f, 2);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_true(world_wait_state(&f->w, 2, "answered", 1000));
	assert_int_equal(f->w.signer_calls, 2);
}

static void test_gateway_that_knows_no_signers(void **state)
{
	struct fixture *f = *state;

	f->w.kms_signers_unknown = true;
	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
}

static void test_signer_cannot_be_asked_for(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.core.poll_delay_ms = 1000;
	start(f);
	sim_run(&f->w.sim, 500);
	f->w.gateway.down = ERR_UNAVAILABLE;
	sim_run(&f->w.sim, 20000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	f->w.gateway.down = ERR_OK;
	assert_true(world_wait_state(&f->w, 1, "answered", 130000));
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
}

/* ---- time and restarts ---- */

static void test_expiry(void **state)
{
	struct fixture *f = *state;

	publish(f);
	insert(f, 1);
	start(f);
	sim_run(&f->w.sim, 25 * 3600 * INT64_C(1000));
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
		T(test_core_that_forgot_is_sent_again),
		T(test_core_status_classes),
		T(test_slow_core_is_not_a_failure),
		T(test_signature_by_another_key),
		T(test_other_extra_data),
		T(test_wrong_number_of_plaintexts),
		T(test_plaintext_wider_than_its_type),
		T(test_plaintext_of_another_type),
		T(test_answer_to_another_request),
		T(test_signature_that_the_contract_would_not_take),
		T(test_core_that_says_what_is_no_text),
		T(test_unregistered_signer_waits),
		T(test_registered_signer_is_asked_for_once_in_a_while),
		T(test_signer_of_a_context),
		T(test_gateway_that_knows_no_signers),
		T(test_signer_cannot_be_asked_for),
		T(test_expiry),
		T(test_restart_in_each_state),
		T(test_restart_while_the_core_computes),
		T(test_stored_proof_that_is_not_ours_is_made_again),
		T(test_stored_proof_without_permission_is_made_again),
		T(test_lost_lease_is_left_alone),
		T(test_row_in_memory_is_not_taken_twice),
		T(test_store_that_fails_is_tried_again),
		T(test_stop_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The worker and the core: what a core may do wrong, and whose signature is taken. */
#include "worker_fixture.h"

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
		{GRPC_FAILED_PRECONDITION, GRPC_OK, "failed"}, /* at once */
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

/* The id is taken for good: the answer that the core has for it is never fetched, nor is a reason
 * of that answer given. */
static void test_core_that_knows_the_id_for_other_content(void **state)
{
	struct fixture *f = *state;

	f->w.config.max_decryption_attempts = 1000;
	f->w.core.send_status = GRPC_FAILED_PRECONDITION;
	f->w.core.wrong_key = true;
	f->w.core.text = "request_id was used before with other content";
	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "failed", 1000));
	if (!strstr(world_reason(&f->w, 1),
		    "the core has answered this request id for other content"))
		fail_msg("%s", world_reason(&f->w, 1));
	assert_int_equal(f->w.core.sends, 1);
	assert_int_equal(f->w.core.polls, 0);
}

/* The request was never sent, or so long ago that nobody knows: what the core says at the poll may
 * be the answer to another one of this id. Only a send tells. */
static void test_core_that_gives_the_answer_to_other_content(void **state)
{
	struct fixture *f = *state;

	f->w.config.max_decryption_attempts = 1000;
	f->w.core.poll_status = GRPC_UNAVAILABLE;
	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "computing", 1000));
	sim_run(&f->w.sim, 5000);
	f->w.core.poll_status = GRPC_OK;
	f->w.core.wrong_count = true;
	f->w.core.send_status = GRPC_FAILED_PRECONDITION;
	f->w.core.text = "request_id was used before with other content";
	restart(f);
	assert_true(world_wait_state(&f->w, 1, "failed", 5000));
	assert_non_null(strstr(world_reason(&f->w, 1),
			       "the core has answered this request id for other content"));
	assert_int_equal(f->w.core.sends, 2);
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
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(f->w.context_signer_calls, 1);
	insert(f, 2);
	assert_true(world_wait_state(&f->w, 2, "answered", 1000));
	assert_int_equal(f->w.signer_calls, 2);
	assert_int_equal(f->w.context_signer_calls, 1);
}

/* One good key says nothing about the next. */
static void test_core_that_changes_its_key(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	f->w.core.key.b[0] ^= 1;
	insert(f, 2);
	sim_run(&f->w.sim, 10000);
	assert_string_equal(world_state(&f->w, 2), "computing");
	assert_non_null(strstr(world_reason(&f->w, 2), "no KMS signer"));
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

/* Both calls in one, and a core that has none of it. */
static void test_synchronous_calls(void **state)
{
	struct fixture *f = *state;

	f->w.config.kms_core_sync = true;
	f->w.core.has_sync = true;
	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(f->w.core.syncs, 1);
	assert_int_equal(f->w.core.polls, 0);
}

static void test_core_without_synchronous_calls_is_polled(void **state)
{
	struct fixture *f = *state;

	f->w.config.kms_core_sync = true;
	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 5000));
	insert(f, 2);
	assert_true(world_wait_state(&f->w, 2, "answered", 5000));
	assert_int_equal(f->w.core.syncs, 1);
	assert_true(f->w.core.polls >= 2);
}

/* A result that only comes later is polled for; nothing is sent twice. */
static void test_synchronous_call_that_takes_too_long(void **state)
{
	struct fixture *f = *state;

	f->w.config.kms_core_sync = true;
	f->w.config.public_decryption_timeout_ms = 4000;
	f->w.core.has_sync = true;
	f->w.core.poll_delay_ms = 10000;
	ready_to_answer(f);
	start(f);
	sim_run(&f->w.sim, 5000);
	f->w.core.poll_delay_ms = 0;
	assert_true(world_wait_state(&f->w, 1, "answered", 20000));
	assert_int_equal(f->w.core.syncs, 1);
	assert_int_equal(f->w.core.sends, 1);
}

static void test_deadline_of_the_core_is_configured(void **state)
{
	struct fixture *f = *state;

	f->w.config.public_decryption_timeout_ms = 7000;
	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(f->w.core.last_timeout_ms, 7000);
}

/* A core that cannot be reached is left alone, and asked again by one. */
static void test_core_that_fails_is_left_alone(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	for (uint64_t id = 2; id <= 40; id++)
		insert(f, id);
	f->w.core.send_status = f->w.core.poll_status = GRPC_UNAVAILABLE;
	start(f);
	sim_run(&f->w.sim, 60000);
	const struct worker_part open = worker_part(f->worker, 0);
	assert_string_equal(open.part, "core");
	assert_int_not_equal(open.breaker, BREAKER_CLOSED);
	assert_true(open.opened > 0);
	/* Without the breaker each of forty is tried several times. */
	assert_true(f->w.core.sends + f->w.core.polls < 100);
	f->w.core.send_status = f->w.core.poll_status = GRPC_OK;
	for (uint64_t id = 1; id <= 40; id++)
		assert_true(world_wait_state(&f->w, id, "answered", 130000));
	assert_int_equal(worker_part(f->worker, 0).breaker, BREAKER_CLOSED);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT max(attempts) FROM operation"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_core_that_forgot_is_sent_again),
		T(test_core_status_classes),
		T(test_core_that_knows_the_id_for_other_content),
		T(test_core_that_gives_the_answer_to_other_content),
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
		T(test_core_that_changes_its_key),
		T(test_gateway_that_knows_no_signers),
		T(test_signer_cannot_be_asked_for),
		T(test_synchronous_calls),
		T(test_core_without_synchronous_calls_is_polled),
		T(test_synchronous_call_that_takes_too_long),
		T(test_deadline_of_the_core_is_configured),
		T(test_core_that_fails_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Where ciphertexts are found, and what is never taken for one. */
#include "worker_fixture.h"

/* ---- ciphertexts ---- */

static void test_commitment_scheme(void **state)
{
	struct fixture *f = *state;

	(void)world_publish_committed(&f->w, 2, BYTES_OF(body));
	world_allow(&f->w, f->handle);
	world_insert(&f->w, 1, &f->handle, 1, BYTES_LIT("\0"), 1 << 2, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(f->w.buckets[0].heads + f->w.buckets[1].heads, 0);
}

static void test_wrong_bytes_in_one_bucket_and_right_in_another(void **state)
{
	struct fixture *f = *state;

	world_publish_committed(&f->w, 0, BYTES_OF(body))->corrupt = true;
	world_publish_committed(&f->w, 1, BYTES_OF(body))->delay_ms = 30;
	world_allow(&f->w, f->handle);
	world_insert(&f->w, 1, &f->handle, 1, BYTES_LIT("\0"), 3, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(f->w.buckets[0].gets, 1);
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_S3_RETRIEVAL_ERRORS][0], 1);
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_S3_RETRIEVAL][0], 1);
}

static void test_wrong_bytes_everywhere_never_reach_the_core(void **state)
{
	struct fixture *f = *state;

	world_publish_committed(&f->w, 0, BYTES_OF(body))->corrupt = true;
	world_publish_attested(&f->w, 0, f->handle, BYTES_OF(body))->corrupt = true;
	world_publish_attested(&f->w, 1, f->handle, BYTES_OF(body))->corrupt = true;
	world_allow(&f->w, f->handle);
	f->w.config.max_decryption_attempts = 3;
	world_insert(&f->w, 1, &f->handle, 1, BYTES_LIT("\0"), 1, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "failed", 60000));
	assert_non_null(strstr(world_reason(&f->w, 1), "ciphertext of handle 0"));
	assert_int_equal(f->w.core.sends, 0);
	/* Three passes, each three rounds by commitment and three by attestation. */
	assert_int_equal(f->w.buckets[0].gets, 18);
}

static void test_commitment_that_fails_falls_back_to_attestations(void **state)
{
	struct fixture *f = *state;

	publish(f);
	world_allow(&f->w, f->handle);
	world_insert(&f->w, 1, &f->handle, 1, BYTES_LIT("\0"), 7, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
}

static void test_slow_bucket_does_not_hold_up_a_majority(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	world_publish_attested(&f->w, 2, f->handle, BYTES_OF(body))->delay_ms = 4000;
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 200));
}

static void test_no_majority_waits(void **state)
{
	struct fixture *f = *state;

	(void)world_publish_attested(&f->w, 0, f->handle, BYTES_OF(body));
	world_allow(&f->w, f->handle);
	insert(f, 1);
	start(f);
	sim_run(&f->w.sim, 5000);
	assert_string_equal(world_state(&f->w, 1), "ready");
	assert_int_equal(f->w.core.sends, 0);
	assert_true(f->w.metrics.cells[METRIC_WORKER_CHECK_ERRORS][METRIC_CHECK_COPRO_CONSENSUS] >
		    0);
	(void)world_publish_attested(&f->w, 1, f->handle, BYTES_OF(body));
	assert_true(world_wait_state(&f->w, 1, "answered", 70000));
}

static void test_one_signer_in_two_buckets_is_one_vote(void **state)
{
	struct fixture *f = *state;

	(void)world_publish_attested(&f->w, 0, f->handle, BYTES_OF(body));
	world_attest(&f->w, world_publish_attested(&f->w, 1, f->handle, BYTES_OF(body)), 0,
		     f->handle, BYTES_OF(body), 4);
	world_allow(&f->w, f->handle);
	insert(f, 1);
	start(f);
	sim_run(&f->w.sim, 5000);
	assert_string_equal(world_state(&f->w, 1), "ready");
	assert_int_equal(f->w.core.sends, 0);
}

static void test_forged_and_foreign_attestations_do_not_count(void **state)
{
	struct fixture *f = *state;
	struct sim_object *forged, *other;

	(void)world_publish_attested(&f->w, 0, f->handle, BYTES_OF(body));
	/* Signed for another handle: does not recover to its signer. */
	forged = world_publish_attested(&f->w, 1, f->handle, BYTES_OF(body));
	world_attest(&f->w, forged, 1, world_handle(9, 5), BYTES_OF(body), 4);
	/* A good signature of somebody who is not registered. */
	other = world_publish_attested(&f->w, 2, f->handle, BYTES_OF(body));
	world_attest(&f->w, other, 2, f->handle, BYTES_OF(body), 4);
	memset(f->w.signers[2].b, 0xee, sizeof(f->w.signers[2].b));
	world_allow(&f->w, f->handle);
	insert(f, 1);
	start(f);
	sim_run(&f->w.sim, 5000);
	assert_string_equal(world_state(&f->w, 1), "ready");
	assert_int_equal(f->w.core.sends, 0);
}

static void test_majority_against_a_wrong_one(void **state)
{
	struct fixture *f = *state;
	static const uint8_t wrong[] = "what one coprocessor computed wrongly";

	(void)world_publish_attested(&f->w, 0, f->handle, BYTES_OF(wrong));
	world_publish_attested(&f->w, 1, f->handle, BYTES_OF(body))->delay_ms = 20;
	world_publish_attested(&f->w, 2, f->handle, BYTES_OF(body))->delay_ms = 40;
	world_allow(&f->w, f->handle);
	insert(f, 1);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(f->w.buckets[0].gets, 0);
}

static void test_too_big_a_ciphertext_is_not_fetched(void **state)
{
	struct fixture *f = *state;

	f->w.config.s3_max_ciphertext_size = 8;
	ready_to_answer(f);
	start(f);
	sim_run(&f->w.sim, 5000);
	assert_string_equal(world_state(&f->w, 1), "ready");
	assert_int_equal(f->w.buckets[0].gets + f->w.buckets[1].gets, 0);
}

/* ---- buckets that lie about sizes ---- */

static void two_handles(struct fixture *f, unsigned committers)
{
	struct hash32 handles[] = {f->handle, world_handle(2, 5)};

	f->w.config.s3_max_ciphertext_size = 66 << 20;
	for (size_t i = 0; i < ARRAY_LEN(handles); i++) {
		world_allow(&f->w, handles[i]);
		if (committers != 0)
			continue;
		world_publish_attested(&f->w, 0, handles[i], BYTES_OF(body))->size_said = 60 << 20;
		(void)world_publish_attested(&f->w, 1, handles[i], BYTES_OF(body));
	}
	if (committers != 0) {
		world_publish_committed(&f->w, 0, BYTES_OF(body))->size_said = 60 << 20;
		world_publish_committed(&f->w, 1, BYTES_OF(body))->delay_ms = 30;
	}
	world_insert(&f->w, 1, handles, 2, BYTES_LIT("\0"), committers, BYTES_OF(body));
	start(f);
}

/* The fastest bucket says that each has 60 MiB: together more than one request may have. */
static void test_committed_sizes_that_are_lies(void **state)
{
	struct fixture *f = *state;

	two_handles(f, 3);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
}

static void test_attested_sizes_that_are_lies(void **state)
{
	struct fixture *f = *state;

	two_handles(f, 0);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
}

/* The second source of a handle says the absurd size, after the first gave wrong bytes. */
static void test_lie_of_the_second_source(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[] = {f->handle, world_handle(2, 5)};

	f->w.config.s3_max_ciphertext_size = 66 << 20;
	for (size_t i = 0; i < ARRAY_LEN(handles); i++) {
		struct sim_object *o[3];

		world_allow(&f->w, handles[i]);
		for (unsigned k = 0; k < 3; k++)
			o[k] = world_publish_attested(&f->w, k, handles[i], BYTES_OF(body));
		o[0]->corrupt = true;
		o[1]->size_said = 60 << 20;
	}
	f->w.threshold = 3;
	world_insert(&f->w, 1, handles, 2, BYTES_NONE, 0, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	/* One of the two fits beside the other's true size. */
	assert_in_range(f->w.buckets[1].gets, 0, 1);
}

static void test_what_never_fits_is_given_up(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[] = {f->handle, world_handle(2, 5)};

	f->w.config.s3_max_ciphertext_size = 66 << 20;
	f->w.config.max_decryption_attempts = 2;
	for (size_t i = 0; i < ARRAY_LEN(handles); i++) {
		world_allow(&f->w, handles[i]);
		for (unsigned k = 0; k < 3; k++)
			world_publish_attested(&f->w, k, handles[i], BYTES_OF(body))->size_said =
				60 << 20;
	}
	world_insert(&f->w, 1, handles, 2, BYTES_NONE, 0, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "failed", 10000));
	assert_non_null(
		strstr(world_reason(&f->w, 1), "more than one request to the core may have"));
	assert_int_equal(f->w.buckets[0].gets, 0);
}

/* ---- large ones ---- */

static struct bytes large_body(struct fixture *f)
{
	enum {
		SIZE = 1000000
	};
	uint8_t *p = arena_alloc(&f->w.kept, SIZE);

	assert_non_null(p);
	memset(p, 0x5a, SIZE);
	return bytes_from(p, SIZE);
}

static void test_large_ciphertext_is_hashed_whole(void **state)
{
	struct fixture *f = *state;
	struct bytes large = large_body(f);

	world_publish_attested(&f->w, 0, f->handle, large)->corrupt = true;
	(void)world_publish_attested(&f->w, 1, f->handle, large);
	world_allow(&f->w, f->handle);
	insert(f, 1);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_S3_RETRIEVAL_ERRORS][0], 1);
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_CIPHERTEXT_BYTES][0], 0);
}

static bool count_down(void *ctx)
{
	unsigned *n = ctx;

	return (*n)-- == 0;
}

static void test_stop_at_any_step(void **state)
{
	struct fixture *f = *state;
	struct bytes large = large_body(f);

	(void)world_publish_attested(&f->w, 0, f->handle, large);
	(void)world_publish_attested(&f->w, 1, f->handle, large);
	world_allow(&f->w, f->handle);
	for (unsigned steps = 0, done = 0; !done; steps++) {
		struct store_batch b = store_batch_make(1 << 12);
		unsigned n = steps;

		assert_true(steps < 500);
		restart(f);
		insert(f, 1);
		(void)sim_run_until(&f->w.sim, count_down, &n, 2000);
		stop(f);
		done = is_in(f, "answered");
		assert_int_equal(STORE_ADD(&b, STORE_ONE, "DELETE FROM operation"), ERR_OK);
		assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	}
	/* Stops after the fetch have fetched again. */
	assert_true(f->w.buckets[0].gets + f->w.buckets[1].gets > 2);
}

static void test_unsupported_type_is_refused(void **state)
{
	struct fixture *f = *state;

	f->handle = world_handle(1, 9);
	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "refused", 1000));
	assert_int_equal(f->w.core.sends, 0);
}

static void test_different_keys_are_refused(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[] = {f->handle, world_handle(2, 5)};

	publish(f);
	for (unsigned i = 0; i < 2; i++)
		world_attest(&f->w, world_publish_attested(&f->w, i, handles[1], BYTES_OF(body)), i,
			     handles[1], BYTES_OF(body), 5);
	world_allow(&f->w, handles[0]);
	world_allow(&f->w, handles[1]);
	world_insert(&f->w, 1, handles, 2, BYTES_NONE, 0, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "refused", 1000));
	assert_non_null(strstr(world_reason(&f->w, 1), "different keys"));
	assert_int_equal(f->w.core.sends, 0);
}

static void test_registry_outage_only_delays(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	f->w.gateway.down = ERR_TIMEOUT;
	start(f);
	sim_run(&f->w.sim, 30000);
	assert_string_equal(world_state(&f->w, 1), "ready");
	f->w.gateway.down = ERR_OK;
	assert_true(world_wait_state(&f->w, 1, "answered", 120000));
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
}

/* ---- what outlives a request ---- */

/* The same ciphertext under two requests is fetched once. */
static void test_cache_by_digest(void **state)
{
	struct fixture *f = *state;

	f->w.config.ciphertext_cache_size = 1 << 20;
	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	insert(f, 2);
	assert_true(world_wait_state(&f->w, 2, "answered", 1000));
	assert_int_equal(f->w.buckets[0].gets + f->w.buckets[1].gets, 1);
	assert_int_equal(f->w.core.sends, 2);
}

static void test_no_cache(void **state)
{
	struct fixture *f = *state;

	ready_to_answer(f);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	insert(f, 2);
	assert_true(world_wait_state(&f->w, 2, "answered", 1000));
	assert_int_equal(f->w.buckets[0].gets + f->w.buckets[1].gets, 2);
}

/* A bucket that answers nothing is left alone: others are asked, and it is seen in the status. */
static void test_bucket_that_fails_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct sim_object *dead;
	bool found = false;

	publish(f);
	world_allow(&f->w, f->handle);
	dead = world_publish_attested(&f->w, 2, f->handle, BYTES_OF(body));
	dead->err = ERR_UNAVAILABLE;
	f->w.threshold = 3;
	for (uint64_t id = 1; id <= 20; id++)
		insert(f, id);
	start(f);
	sim_run(&f->w.sim, 30000);
	assert_string_equal(world_state(&f->w, 1), "ready");
	for (size_t i = 0; i < worker_parts_n(f->worker); i++) {
		const struct worker_part p = worker_part(f->worker, i);

		if (strcmp(p.name, f->w.urls[2]) != 0)
			continue;
		found = true;
		assert_string_equal(p.part, "bucket");
		assert_int_not_equal(p.breaker, BREAKER_CLOSED);
	}
	assert_true(found);
	assert_true(f->w.buckets[2].heads < f->w.buckets[0].heads / 2);
	dead->err = ERR_OK;
	for (uint64_t id = 1; id <= 20; id++)
		assert_true(world_wait_state(&f->w, id, "answered", 130000));
}

/* In a public bucket 403 is what S3 says of an object that is not there yet, for a while. */
static void test_a_403_may_be_an_object_that_is_late(void **state)
{
	struct fixture *f = *state;
	struct sim_object *objects[2];

	f->w.config.ciphertext_cache_size = 0;
	world_log_keep(&f->w);
	for (unsigned i = 0; i < 2; i++)
		objects[i] = world_publish_attested(&f->w, i, f->handle, BYTES_OF(body));
	world_allow(&f->w, f->handle);
	insert(f, 1);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 130000)); /* it serves */
	for (unsigned i = 0; i < 2; i++)
		objects[i]->status = 403;
	insert(f, 2);
	sim_run(&f->w.sim, 4 * 60000);
	assert_string_equal(world_state(&f->w, 2), "ready");
	assert_non_null(strstr(world_reason(&f->w, 2), "HTTP 403"));
	assert_int_equal(world_log_count(&f->w, "refuses a read"), 0);
	sim_run(&f->w.sim, 10 * 60000);
	assert_true(world_log_count(&f->w, "refuses a read") > 0);
}

/* Why a private bucket does not serve is for people to read, until it does. */
static void test_a_refusal_is_told(void **state)
{
	struct fixture *f = *state;
	char *named[] = {(char *)(uintptr_t)f->w.urls[0]};
	struct sim_object *objects[2];

	for (unsigned i = 0; i < 2; i++) {
		objects[i] = world_publish_attested(&f->w, i, f->handle, BYTES_OF(body));
		objects[i]->status = 403;
	}
	world_allow(&f->w, f->handle);
	insert(f, 1);
	start(f);
	sim_run(&f->w.sim, 10000);
	assert_string_equal(world_state(&f->w, 1), "ready");
	assert_non_null(strstr(world_reason(&f->w, 1), f->w.urls[0]));
	assert_non_null(strstr(world_reason(&f->w, 1),
			       "HTTP 403: no permission to read it (or no permission to list the "
			       "bucket, where it is not there); reads of it are not signed "
			       "(s3_signed_buckets)"));
	f->w.config.s3_signed_buckets = (struct config_strings){named, 1};
	sim_run(&f->w.sim, 60000);
	assert_null(strstr(world_reason(&f->w, 1), "not signed"));
	assert_non_null(strstr(world_reason(&f->w, 1), "HTTP 403"));
	objects[0]->status = objects[1]->status = 0;
	assert_true(world_wait_state(&f->w, 1, "answered", 130000));
}

/* A coprocessor without a URL: what only it has waits and says so, everything else goes on. */
static void test_no_url_and_no_fallback(void **state)
{
	struct fixture *f = *state;
	struct hash32 other = world_handle(2, 5);

	f->w.urls[0] = "";
	f->w.config.copro_registry_refresh_ms = 1000;
	world_allow(&f->w, f->handle);
	world_allow(&f->w, other);
	(void)world_publish_committed(&f->w, 0, BYTES_OF(body));
	(void)world_publish_attested(&f->w, 1, other, BYTES_OF(body));
	(void)world_publish_attested(&f->w, 2, other, BYTES_OF(body));
	world_insert(&f->w, 1, &f->handle, 1, BYTES_LIT("\0"), 1, BYTES_OF(body));
	world_insert(&f->w, 2, &other, 1, BYTES_LIT("\0"), 0, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 2, "answered", 1000));
	sim_run(&f->w.sim, 3600 * 1000);
	assert_string_equal(world_state(&f->w, 1), "ready");
	assert_non_null(strstr(world_reason(&f->w, 1), "no bucket URL, and no s3_config"));
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT max(attempts) FROM operation"), 0);
}

static void test_fallback_of_a_coprocessor_without_url(void **state)
{
	struct fixture *f = *state;

	f->w.urls[0] = "";
	f->w.config.s3_fallback_url = "http://s3/a";
	world_allow(&f->w, f->handle);
	(void)world_publish_committed(&f->w, 0, BYTES_OF(body));
	world_insert(&f->w, 1, &f->handle, 1, BYTES_LIT("\0"), 1, BYTES_OF(body));
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
}

/* verify_coprocessors: and without it the digest is proven all the same. */
static void test_coprocessors_must_be_registered_where_that_is_wanted(void **state)
{
	struct fixture *f = *state;

	f->w.config.verify_coprocessors = true;
	world_allow(&f->w, f->handle);
	(void)world_publish_committed(&f->w, 0, BYTES_OF(body));
	(void)world_publish_committed(&f->w, 1, BYTES_OF(body));
	world_insert(&f->w, 1, &f->handle, 1, BYTES_LIT("\0"), 3, BYTES_OF(body));
	memset(f->w.tx_senders[1].b, 0xbb, sizeof(f->w.tx_senders[1].b));
	start(f);
	sim_run(&f->w.sim, 60000);
	assert_string_equal(world_state(&f->w, 1), "ready");
	assert_non_null(strstr(world_reason(&f->w, 1), "is not registered in GatewayConfig"));
	assert_int_equal(f->w.core.sends, 0);
	stop(f);
	f->w.config.verify_coprocessors = false;
	restart(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 70000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_cache_by_digest),
		T(test_no_cache),
		T(test_bucket_that_fails_is_left_alone),
		T(test_a_refusal_is_told),
		T(test_a_403_may_be_an_object_that_is_late),
		T(test_no_url_and_no_fallback),
		T(test_fallback_of_a_coprocessor_without_url),
		T(test_coprocessors_must_be_registered_where_that_is_wanted),
		T(test_commitment_scheme),
		T(test_wrong_bytes_in_one_bucket_and_right_in_another),
		T(test_wrong_bytes_everywhere_never_reach_the_core),
		T(test_commitment_that_fails_falls_back_to_attestations),
		T(test_slow_bucket_does_not_hold_up_a_majority),
		T(test_no_majority_waits),
		T(test_one_signer_in_two_buckets_is_one_vote),
		T(test_forged_and_foreign_attestations_do_not_count),
		T(test_majority_against_a_wrong_one),
		T(test_too_big_a_ciphertext_is_not_fetched),
		T(test_committed_sizes_that_are_lies),
		T(test_attested_sizes_that_are_lies),
		T(test_lie_of_the_second_source),
		T(test_what_never_fits_is_given_up),
		T(test_large_ciphertext_is_hashed_whole),
		T(test_stop_at_any_step),
		T(test_unsupported_type_is_refused),
		T(test_different_keys_are_refused),
		T(test_registry_outage_only_delays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

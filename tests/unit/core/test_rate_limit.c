/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The bucket of tokens: by itself, and in front of a node. */
#include "support_keygen.h"

static struct buf ciphertext; /* of VALUE_U64 under KEY_TEST */

static uint64_t used(const struct fixture *f)
{
	return core_service_gauges(node_service(f->node)).rate_tokens_used;
}

/* Other numbers are for who starts the node next. */
static void restart(struct fixture *f, uint64_t bucket, uint64_t cost)
{
	node_down(f);
	f->config.rate.bucket_size = bucket;
	f->config.rate.pub_decrypt = cost;
	node_up(f);
}

static void test_bucket(void **state)
{
	struct rate_limit r = {.config = rate_limit_defaults};
	uint64_t preproc[3], crsgen, epoch, claimed;

	(void)state;
	assert_true(rate_limit_take(&r, REQUEST_KEYGEN_PREPROC, &preproc[0]));
	assert_int_equal(r.used, 25000);
	assert_true(rate_limit_take(&r, REQUEST_KEYGEN_PREPROC, &preproc[1]));
	assert_int_equal(r.used, 50000);
	assert_false(rate_limit_take(&r, REQUEST_KEYGEN_PREPROC, &preproc[2]));
	assert_int_equal(preproc[2], 0);
	assert_false(rate_limit_take(&r, REQUEST_CRSGEN, &crsgen));
	assert_false(rate_limit_take(&r, RATE_NEW_EPOCH, &epoch));
	rate_limit_give(&r, &preproc[2]); /* nothing */
	assert_int_equal(r.used, 50000);

	/* What must be done goes beyond, and then nothing starts until there is room again. */
	claimed = rate_limit_claim(&r, REQUEST_KEYGEN);
	assert_int_equal(r.used, 51000);
	assert_false(rate_limit_take(&r, REQUEST_USER_DECRYPTION, &epoch));
	rate_limit_give(&r, &claimed);
	rate_limit_give(&r, &claimed); /* once */
	assert_int_equal(r.used, 50000);
	rate_limit_give(&r, &preproc[0]);
	assert_true(rate_limit_take(&r, REQUEST_CRSGEN, &crsgen));
	assert_true(rate_limit_take(&r, RATE_NEW_EPOCH, &epoch));
	assert_int_equal(r.used, 25101);
	rate_limit_give(&r, &crsgen);
	rate_limit_give(&r, &epoch);
	rate_limit_give(&r, &preproc[1]);
	assert_int_equal(r.used, 0);
}

/* Who is known gets what there is, and needs no token; who is not is told to come again. */
static void test_known_needs_none(void **state)
{
	struct fixture *f = *state;
	struct buf first = {0}, again = {0}, message;
	struct request done, other, fresh;
	struct call c;

	node_up(f);
	request_init(&done, 1, buf_view(&ciphertext));
	request_init(&other, 1, buf_view(&ciphertext));
	other.handles[0][0] ^= 1;
	request_init(&fresh, 2, buf_view(&ciphertext));
	assert_int_equal(call_request(f, RPC_DECRYPT, &done), GRPC_OK);
	assert_int_equal(call_result(f, 1, &first), GRPC_OK);
	assert_int_equal(used(f), 0);

	restart(f, 1, 2);
	message = request_pack(&done);
	assert_int_equal(call_once(f, RPC_SYNC, buf_view(&message), &again), GRPC_OK);
	assert_true(bytes_eq_var(buf_view(&first), buf_view(&again)));
	buf_free(&message);
	assert_int_equal(call_request(f, RPC_DECRYPT, &done), GRPC_ALREADY_EXISTS);
	assert_int_equal(call_request(f, RPC_DECRYPT, &other), GRPC_FAILED_PRECONDITION);
	message = request_pack(&fresh);
	call_start(&c, f->loop, f->channel, RPC_DECRYPT, buf_view(&message), 20000);
	call_wait(&c);
	assert_int_equal(c.status, GRPC_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(c.text, "rate limit"));
	call_free(&c);
	buf_free(&message);
	assert_int_equal(call_result(f, 2, NULL), GRPC_NOT_FOUND);
	assert_int_equal(used(f), 0);

	/* Nothing was kept of the one that was refused. */
	restart(f, 1, 1);
	assert_int_equal(call_request(f, RPC_DECRYPT, &fresh), GRPC_OK);
	assert_int_equal(call_result(f, 2, NULL), GRPC_OK);
	assert_int_equal(used(f), 0);
	buf_free(&first);
	buf_free(&again);
}

enum {
	CALLS = 60,
	ROOM = 10
};

/* Far more than the bucket holds: as many as there are tokens are accepted at once, and all tokens
 * come back. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	static struct call calls[CALLS];
	unsigned accepted = 0;

	f->config.rate.bucket_size = ROOM;
	node_up(f);
	for (unsigned i = 0; i < CALLS; i++) {
		struct request q;
		struct buf message;

		request_init(&q, i + 1, buf_view(&ciphertext));
		message = request_pack(&q);
		call_start(&calls[i], f->loop, f->channel, RPC_SYNC, buf_view(&message), 60000);
		buf_free(&message);
	}
	for (unsigned i = 0; i < CALLS; i++) {
		call_wait(&calls[i]);
		assert_true(used(f) <= ROOM);
		accepted += calls[i].status == GRPC_OK;
		assert_true(calls[i].status == GRPC_OK ||
			    calls[i].status == GRPC_RESOURCE_EXHAUSTED);
		call_free(&calls[i]);
	}
	assert_true(accepted >= ROOM);
	assert_int_equal(used(f), 0);
}

/* Each kind has its own cost; refused ones are told of their own faults first. */
static void test_keys(void **state)
{
	struct fixture *f = *state;
	struct key_call c = key_call_make(1);

	f->config.rate.bucket_size = 100;
	f->config.rate.preproc = 100;
	node_up(f);
	assert_int_equal(key_call_preproc(f, &c), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &c, NULL), GRPC_OK);
	assert_int_equal(used(f), 0);
	assert_int_equal(key_call_keygen(f, &c), GRPC_RESOURCE_EXHAUSTED); /* 1000 */
	c.preproc_id.b[5] ^= 1;
	assert_int_equal(key_call_keygen(f, &c), GRPC_NOT_FOUND);
	assert_int_equal(used(f), 0);
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, key_setup, key_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket),
		CASE(test_known_needs_none),
		CASE(test_many),
		CASE(test_keys),
	};

	ciphertext = vector_read("tfhe/nat_test_csq64.bin");

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&ciphertext);
	return failed;
}

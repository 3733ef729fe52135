/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* User decryption by a whole node, asked by the real gRPC client. */
#include <stdlib.h>

#include "base/limits.h"
#include "core/request_store.h"
#include "net/protobuf.h"
#include "support.h"

static struct buf ciphertext; /* of VALUE_U64 under KEY_TEST */
static struct test_user user, other_user;

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_make(f, KEY_TEST);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static uint64_t computed(const struct fixture *f)
{
	return core_service_metrics(node_service(f->node))->operations[METRICS_USER_DECRYPT_INNER];
}

static void test_request_and_result(void **state)
{
	struct fixture *f = *state;
	struct buf reply = {0};
	struct request q;

	node_up(f);
	request_init_user(&q, 1, buf_view(&ciphertext), &user);
	q.m.n_ciphertexts = 3;
	q.m.extra_data = protobuf_borrow(BYTES_LIT("\0"));
	q.m.n_signing_schemes = 1;
	q.items[2].external_handle.len = 7; /* shorter than a handle: as received in the answer */
	assert_int_equal(call_request(f, RPC_USER_DECRYPT, &q), GRPC_OK);
	assert_int_equal(call_user_result(f, 1, &reply), GRPC_OK);
	user_answer_check(buf_view(&reply), &q, &user, VALUE_U64);
	buf_free(&reply);
}

/* One run, one answer: sealing again would make another. */
static void test_repeated(void **state)
{
	struct fixture *f = *state;
	struct buf first = {0}, message;
	struct request same, other;

	node_up(f);
	request_init_user(&same, 1, buf_view(&ciphertext), &user);
	request_init_user(&other, 1, buf_view(&ciphertext), &other_user);
	message = request_pack(&same);
	assert_int_equal(call_once(f, RPC_USER_SYNC, buf_view(&message), &first), GRPC_OK);
	user_answer_check(buf_view(&first), &same, &user, VALUE_U64);
	for (unsigned restart = 0; restart < 2; restart++) {
		struct buf again = {0}, polled = {0};

		assert_int_equal(call_request(f, RPC_USER_DECRYPT, &same), GRPC_ALREADY_EXISTS);
		assert_int_equal(call_request(f, RPC_USER_DECRYPT, &other),
				 GRPC_FAILED_PRECONDITION);
		assert_int_equal(call_request(f, RPC_USER_SYNC, &other), GRPC_FAILED_PRECONDITION);
		assert_int_equal(call_once(f, RPC_USER_SYNC, buf_view(&message), &again), GRPC_OK);
		assert_int_equal(call_user_result(f, 1, &polled), GRPC_OK);
		assert_true(bytes_eq_var(buf_view(&first), buf_view(&again)));
		assert_true(bytes_eq_var(buf_view(&first), buf_view(&polled)));
		assert_int_equal(computed(f), restart == 0 ? 1 : 0);
		buf_free(&again);
		buf_free(&polled);
		node_down(f);
		node_up(f);
	}
	buf_free(&message);
	buf_free(&first);
}

/* The kinds share ids and the database, and nothing else. */
static void test_kinds_apart(void **state)
{
	struct fixture *f = *state;
	struct buf reply = {0};
	struct request public, for_user;

	f->config.dec_capacity = 1;
	f->config.min_dec_cache = 1;
	node_up(f);
	request_init(&public, 1, buf_view(&ciphertext));
	request_init_user(&for_user, 1, buf_view(&ciphertext), &user);
	assert_int_equal(call_user_result(f, 1, NULL), GRPC_NOT_FOUND);
	assert_int_equal(call_request(f, RPC_DECRYPT, &public), GRPC_OK);
	assert_int_equal(call_result(f, 1, NULL), GRPC_OK);
	assert_int_equal(call_user_result(f, 1, NULL), GRPC_NOT_FOUND);
	/* Full of public decryptions, there is room for one of a user. */
	assert_int_equal(call_request(f, RPC_USER_DECRYPT, &for_user), GRPC_OK);
	assert_int_equal(call_user_result(f, 1, &reply), GRPC_OK);
	user_answer_check(buf_view(&reply), &for_user, &user, VALUE_U64);
	request_init_user(&for_user, 2, buf_view(&ciphertext), &user);
	assert_int_equal(call_request(f, RPC_USER_DECRYPT, &for_user), GRPC_RESOURCE_EXHAUSTED);
	/* A message of the other kind is not one of this. */
	assert_int_equal(call_request(f, RPC_DECRYPT, &for_user), GRPC_INVALID_ARGUMENT);
	assert_int_equal(call_request(f, RPC_USER_DECRYPT, &public), GRPC_INVALID_ARGUMENT);
	buf_free(&reply);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct request q;

	node_up(f);
	request_init_user(&q, 1, buf_view(&ciphertext), &user);
	q.client = q.domain.verifying_contract;
	assert_int_equal(call_request(f, RPC_USER_DECRYPT, &q), GRPC_INVALID_ARGUMENT);
	request_init_user(&q, 1, buf_view(&ciphertext), &user);
	q.enc_key.n--;
	assert_int_equal(call_request(f, RPC_USER_DECRYPT, &q), GRPC_INVALID_ARGUMENT);
	request_init_user(&q, 1, buf_view(&ciphertext), &user);
	q.key_text[62] = '7';
	assert_int_equal(call_request(f, RPC_USER_DECRYPT, &q), GRPC_NOT_FOUND);
	assert_int_equal(call_once(f, RPC_USER_RESULT, BYTES_LIT("\x0a\x02zz"), NULL),
			 GRPC_INVALID_ARGUMENT);
	assert_int_equal(computed(f), 0);
	assert_int_equal(core_service_metrics(node_service(f->node))
				 ->errors[METRICS_USER_DECRYPT_REQUEST][GRPC_INVALID_ARGUMENT],
			 2);
}

/* ---- restart ---- */

static void admitted(void *ctx, const struct store_result *result)
{
	struct request_admission a;

	OK(request_store_admitted(&a, result));
	assert_true(a.inserted);
	loop_stop(ctx);
}

/* A row without a result: what a node leaves that was killed after accepting. */
static void leave_pending(struct fixture *f, struct store *store, const struct request *q)
{
	struct key_ring_entry entry = {.epoch_id = request_id_default_epoch,
				       .key_id = test_key_id,
				       .key = (struct fhe_client_key *)(void *)f};
	const struct key_ring ring = {.v = &entry, .n = 1};
	struct buf message = request_pack(q);
	struct arena memory = protobuf_arena(buf_view(&message));
	struct decryption_request r;

	OK(decryption_request_read(&r, q->kind, &ring, buf_view(&message), &memory, NULL));
	const struct request_offer offer = {
		.name = {.kind = q->kind, .id = r.id},
		.digest = r.digest,
		.message = buf_view(&message),
		.now_ms = 1,
	};

	OK(request_store_admit(store, &offer, admitted, f->loop));
	OK(loop_run(f->loop));
	arena_free(&memory);
	buf_free(&message);
}

enum {
	LEFT = 150
};

/* Both kinds, same ids, resumed as what they are; asked for all at once, while they are computed.
 */
static void test_restart_resumes(void **state)
{
	static struct call calls[LEFT + 1][REQUEST_KINDS];
	static const char *const paths[REQUEST_KINDS] = {[REQUEST_PUBLIC_DECRYPTION] = RPC_RESULT,
							 [REQUEST_USER_DECRYPTION] =
								 RPC_USER_RESULT};
	struct fixture *f = *state;
	struct store *store;
	struct request q;

	OK(request_store_open(&store, f->loop, f->config.request_store_path, NULL));
	for (unsigned i = 1; i <= LEFT; i++) {
		request_init_user(&q, i, buf_view(&ciphertext), &user);
		leave_pending(f, store, &q);
		request_init(&q, i, buf_view(&ciphertext));
		leave_pending(f, store, &q);
	}
	store_free(store);
	node_up(f);
	for (unsigned i = LEFT; i >= 1; i--)
		for (enum request_kind k = REQUEST_PUBLIC_DECRYPTION; k <= REQUEST_USER_DECRYPTION;
		     k++) {
			struct buf id = id_pack(request_number(i));

			call_start(&calls[i][k], f->loop, f->channel, paths[k], buf_view(&id),
				   60000);
			buf_free(&id);
		}
	for (unsigned i = 1; i <= LEFT; i++) {
		struct call *public = &calls[i][REQUEST_PUBLIC_DECRYPTION],
			    *of_user = &calls[i][REQUEST_USER_DECRYPTION];

		call_wait(public);
		call_wait(of_user);
		assert_int_equal(public->status, GRPC_OK);
		assert_int_equal(of_user->status, GRPC_OK);
		/* A sealed value alone is longer than an answer to everybody. */
		assert_true(public->reply.n < SIGNCRYPT_OVERHEAD &&
			    of_user->reply.n > SIGNCRYPT_OVERHEAD);
		if (i % 50 == 0) {
			request_init_user(&q, i, buf_view(&ciphertext), &user);
			user_answer_check(buf_view(&of_user->reply), &q, &user, VALUE_U64);
			request_init(&q, i, buf_view(&ciphertext));
			answer_check(buf_view(&public->reply), &q, VALUE_U64);
		}
		call_free(public);
		call_free(of_user);
	}

	const struct metrics_gauges g = core_service_gauges(node_service(f->node));

	assert_int_equal(computed(f), LEFT);
	for (enum request_kind k = REQUEST_PUBLIC_DECRYPTION; k <= REQUEST_USER_DECRYPTION; k++) {
		assert_int_equal(g.requests[k].pending, 0);
		assert_int_equal(g.requests[k].running, 0);
		assert_int_equal(g.requests[k].stored, LEFT);
	}
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_request_and_result), CASE(test_repeated),        CASE(test_kinds_apart),
		CASE(test_refusals),           CASE(test_restart_resumes),
	};

	ciphertext = vector_read("tfhe/nat_test_csq64.bin");
	test_user_make(&user, 1);
	test_user_make(&other_user, 2);

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&ciphertext);
	return failed;
}

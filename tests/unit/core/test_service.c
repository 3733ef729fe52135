/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A whole node in this process, asked by the real gRPC client. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "core/decryption_request.h"
#include "core/request_store.h"
#include "grpc.health.v1.pb-c.h"
#include "net/protobuf.h"
#include "support.h"

static struct buf ciphertext; /* of VALUE_U64 under KEY_TEST */

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
	return core_service_metrics(node_service(f->node))
		->operations[METRICS_PUBLIC_DECRYPT_INNER];
}

static void test_request_and_result(void **state)
{
	struct fixture *f = *state;
	struct buf reply = {0};
	struct request q;

	node_up(f);
	request_init(&q, 1, buf_view(&ciphertext));
	q.m.n_ciphertexts = 2;
	q.m.extra_data = protobuf_borrow(BYTES_LIT("\0"));
	q.m.n_signing_schemes = 1;
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_OK);
	assert_int_equal(call_result(f, 1, &reply), GRPC_OK);
	answer_check(buf_view(&reply), &q, VALUE_U64);
	buf_free(&reply);
}

static void test_sync(void **state)
{
	struct fixture *f = *state;
	struct buf reply = {0}, again = {0}, message;
	struct request q;

	node_up(f);
	request_init(&q, 1, buf_view(&ciphertext));
	message = request_pack(&q);
	assert_int_equal(call_once(f, RPC_SYNC, buf_view(&message), &reply), GRPC_OK);
	answer_check(buf_view(&reply), &q, VALUE_U64);
	assert_int_equal(call_once(f, RPC_SYNC, buf_view(&message), &again), GRPC_OK);
	assert_true(bytes_eq_var(buf_view(&reply), buf_view(&again)));
	assert_int_equal(computed(f), 1);
	buf_free(&message);
	buf_free(&reply);
	buf_free(&again);
}

/* One id, one content, one run, one answer; also after a restart. */
static void test_repeated(void **state)
{
	struct fixture *f = *state;
	struct buf first = {0};
	struct request same, other;

	node_up(f);
	request_init(&same, 1, buf_view(&ciphertext));
	request_init(&other, 1, buf_view(&ciphertext));
	other.handles[0][0] ^= 1;
	assert_int_equal(call_request(f, RPC_DECRYPT, &same), GRPC_OK);
	assert_int_equal(call_request(f, RPC_DECRYPT, &other), GRPC_FAILED_PRECONDITION);
	assert_int_equal(call_result(f, 1, &first), GRPC_OK);
	for (unsigned restart = 0; restart < 2; restart++) {
		for (unsigned i = 0; i < 2; i++) {
			struct buf again = {0};

			assert_int_equal(call_request(f, RPC_DECRYPT, &same), GRPC_ALREADY_EXISTS);
			assert_int_equal(call_request(f, RPC_DECRYPT, &other),
					 GRPC_FAILED_PRECONDITION);
			assert_int_equal(call_request(f, RPC_SYNC, &other),
					 GRPC_FAILED_PRECONDITION);
			assert_int_equal(call_result(f, 1, &again), GRPC_OK);
			assert_true(bytes_eq_var(buf_view(&first), buf_view(&again)));
			buf_free(&again);
		}
		assert_int_equal(computed(f), restart == 0 ? 1 : 0);
		node_down(f);
		node_up(f);
	}
	buf_free(&first);
}

enum {
	IDS = 100,
	COPIES = 3
};

/* Many at once, each three times: exactly one of the three is accepted, and one run answers it. */
static void test_concurrent(void **state)
{
	struct fixture *f = *state;
	static struct call calls[IDS][COPIES];

	node_up(f);
	for (unsigned c = 0; c < COPIES; c++)
		for (unsigned i = 0; i < IDS; i++) {
			struct request q;

			request_init(&q, i + 1, buf_view(&ciphertext));
			struct buf message = request_pack(&q);

			call_start(&calls[i][c], f->loop, f->channel, RPC_DECRYPT,
				   buf_view(&message), 60000);
			buf_free(&message);
		}
	for (unsigned i = 0; i < IDS; i++) {
		unsigned accepted = 0, known = 0;

		for (unsigned c = 0; c < COPIES; c++) {
			call_wait(&calls[i][c]);
			accepted += calls[i][c].status == GRPC_OK;
			known += calls[i][c].status == GRPC_ALREADY_EXISTS;
			call_free(&calls[i][c]);
		}
		assert_int_equal(accepted, 1);
		assert_int_equal(known, COPIES - 1);
	}
	for (unsigned i = 0; i < IDS; i++) {
		struct buf reply = {0};
		struct request q;

		request_init(&q, i + 1, buf_view(&ciphertext));
		assert_int_equal(call_result(f, i + 1, &reply), GRPC_OK);
		if (i % 25 == 0)
			answer_check(buf_view(&reply), &q, VALUE_U64);
		buf_free(&reply);
	}
	assert_int_equal(computed(f), IDS);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct request q;
	struct buf message, id;

	node_up(f);
	assert_int_equal(call_result(f, 77, NULL), GRPC_NOT_FOUND);
	assert_int_equal(call_once(f, RPC_RESULT, BYTES_NONE, NULL), GRPC_INVALID_ARGUMENT);
	assert_int_equal(call_once(f, RPC_RESULT, BYTES_LIT("\x0a\x02zz"), NULL),
			 GRPC_INVALID_ARGUMENT);
	assert_int_equal(call_once(f, RPC_RESULT, BYTES_LIT("\x0a\x7f"), NULL),
			 GRPC_INVALID_ARGUMENT);

	request_init(&q, 1, buf_view(&ciphertext));
	q.m.key_id = NULL;
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_INVALID_ARGUMENT);
	request_init(&q, 1, buf_view(&ciphertext));
	q.key_text[62] = '7';
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_NOT_FOUND);
	request_init(&q, 1, buf_view(&ciphertext));
	q.schemes[0] = KMS__V1__SIGNING_SCHEME_TYPE__ED25519;
	q.m.n_signing_schemes = 1;
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_UNIMPLEMENTED);

	/* Nothing of this was kept: the id is still free. */
	request_init(&q, 1, buf_view(&ciphertext));
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_OK);

	/* rpcs of the service that this node does not have */
	static const char *const others[] = {"NewMpcEpoch", "NewMpcContext", "InsecureKeyGen", "X"};

	message = request_pack(&q);
	id = id_pack(request_number(1));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "/" CORE_SERVICE_NAME "/%s", others[i]);
		assert_int_equal(call_once(f, path, buf_view(&id), NULL), GRPC_UNIMPLEMENTED);
	}
	buf_free(&message);
	buf_free(&id);
}

/* What the client reads says which field, and nothing about the node. */
static void test_texts(void **state)
{
	struct fixture *f = *state;
	struct request q;
	struct call c;
	struct buf message;

	node_up(f);
	request_init(&q, 1, buf_view(&ciphertext));
	q.domain.verifying_contract = q.id_text;
	message = request_pack(&q);
	call_start(&c, f->loop, f->channel, RPC_DECRYPT, buf_view(&message), 10000);
	call_wait(&c);
	assert_string_equal(c.text, "domain.verifying_contract is not an EIP-55 address");
	call_free(&c);
	buf_free(&message);
}

static void test_hostile(void **state)
{
	struct fixture *f = *state;
	struct buf bomb = buf_make(16 << 20), message;
	struct request q;

	f->config.message_size_max = 8 << 20;
	node_up(f);
	for (size_t i = 0; i < 3 << 20; i++)
		OK(buf_add(&bomb, BYTES_LIT("\x12\x00")));
	assert_int_equal(call_once(f, RPC_DECRYPT, buf_view(&bomb), NULL), GRPC_INVALID_ARGUMENT);
	OK(buf_add_zero(&bomb, 3 << 20)); /* 9 MiB: too long to be taken at all */
	assert_int_equal(call_once(f, RPC_DECRYPT, buf_view(&bomb), NULL), GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(call_once(f, RPC_RESULT, bytes_sub(buf_view(&bomb), 0, 1 << 16), NULL),
			 GRPC_RESOURCE_EXHAUSTED);

	request_init(&q, 1, buf_view(&ciphertext));
	message = request_pack(&q);
	for (size_t n = 0; n < message.n; n += 97)
		assert_int_equal(
			call_once(f, RPC_DECRYPT, bytes_sub(buf_view(&message), 0, n), NULL),
			GRPC_INVALID_ARGUMENT);
	assert_int_equal(call_once(f, RPC_DECRYPT, buf_view(&message), NULL), GRPC_OK);
	buf_free(&message);
	buf_free(&bomb);
}

/* A ciphertext that does not decrypt: the id was never answered, so it may come again, even with
 * other content. */
static void test_failed_then_repaired(void **state)
{
	struct fixture *f = *state;
	struct buf large = buf_make(4 << 20), reply = {0};
	struct request bad, good;

	node_up(f);
	OK(buf_add_zero(&large, 2 << 20)); /* checked in the pool */
	request_init(&bad, 1, buf_view(&large));
	request_init(&good, 1, buf_view(&ciphertext));
	assert_int_equal(call_request(f, RPC_DECRYPT, &bad), GRPC_OK);
	assert_int_equal(call_result(f, 1, NULL), GRPC_INTERNAL);
	assert_int_equal(call_result(f, 1, NULL), GRPC_INTERNAL);
	assert_int_equal(call_request(f, RPC_DECRYPT, &bad), GRPC_OK);
	assert_int_equal(call_result(f, 1, NULL), GRPC_INTERNAL);
	node_down(f);
	node_up(f);
	assert_int_equal(call_result(f, 1, NULL), GRPC_INTERNAL);
	assert_int_equal(call_request(f, RPC_DECRYPT, &good), GRPC_OK);
	assert_int_equal(call_result(f, 1, &reply), GRPC_OK);
	answer_check(buf_view(&reply), &good, VALUE_U64);
	assert_int_equal(call_request(f, RPC_DECRYPT, &bad), GRPC_FAILED_PRECONDITION);
	assert_int_equal(call_request(f, RPC_DECRYPT, &good), GRPC_ALREADY_EXISTS);
	buf_free(&reply);
	buf_free(&large);
}

/* ---- restart ---- */

static void admitted(void *ctx, const struct store_result *result)
{
	struct request_admission a;

	OK(request_store_admitted(&a, result));
	assert_true(a.inserted);
	loop_stop(ctx);
}

/* What a node leaves that was killed after accepting: rows without results. */
static void leave_pending(struct fixture *f, unsigned n)
{
	struct store *store;

	OK(request_store_open(&store, f->loop, f->config.request_store_path, NULL));
	for (unsigned i = 1; i <= n; i++) {
		struct key_ring_entry entry = {.epoch_id = request_id_default_epoch,
					       .key_id = test_key_id,
					       .key = (struct fhe_client_key *)(void *)f};
		const struct key_ring ring = {.v = &entry, .n = 1};
		struct decryption_request r;
		struct request q;

		request_init(&q, i, buf_view(&ciphertext));
		struct buf message = request_pack(&q);
		struct arena memory = protobuf_arena(buf_view(&message));

		OK(decryption_request_read(&r, q.kind, &ring, buf_view(&message), &memory, NULL));
		const struct request_offer offer = {
			.name = {.kind = REQUEST_PUBLIC_DECRYPTION, .id = r.id},
			.digest = r.digest,
			.message = buf_view(&message),
			.now_ms = 1,
		};

		OK(request_store_admit(store, &offer, admitted, f->loop));
		OK(loop_run(f->loop));
		arena_free(&memory);
		buf_free(&message);
	}
	store_free(store);
}

static void test_restart_resumes(void **state)
{
	struct fixture *f = *state;
	enum {
		LEFT = 150
	}; /* more than run at once */
	struct request q;

	leave_pending(f, LEFT);
	node_up(f);
	request_init(&q, 3, buf_view(&ciphertext));
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_ALREADY_EXISTS);
	for (unsigned i = LEFT; i >= 1; i--) {
		struct buf reply = {0};

		request_init(&q, i, buf_view(&ciphertext));
		assert_int_equal(call_result(f, i, &reply), GRPC_OK);
		if (i % 50 == 0)
			answer_check(buf_view(&reply), &q, VALUE_U64);
		buf_free(&reply);
	}
	assert_int_equal(computed(f), LEFT);
	assert_int_equal(core_service_gauges(node_service(f->node))
				 .requests[REQUEST_PUBLIC_DECRYPTION]
				 .pending,
			 0);
	assert_int_equal(core_service_gauges(node_service(f->node))
				 .requests[REQUEST_PUBLIC_DECRYPTION]
				 .stored,
			 LEFT);
}

/* ---- retention ---- */

static void stop_when_stored(void *ctx, const struct store_result *result)
{
	OK(result->err);
	loop_stop(ctx);
}

/* Whether a request was aborted is what was recorded, and not how its reason reads. */
static void test_aborted_is_recorded(void **state)
{
	struct fixture *f = *state;
	static const struct {
		struct request_failure failure;
		enum grpc_status status;
	} rows[] = {
		{{ERR_CANCELLED, "an operator withdrew it"}, GRPC_ABORTED},
		{{ERR_MALFORMED, "ciphertexts[0]: the decoder aborted"}, GRPC_INTERNAL},
		{{ERR_INTERNAL, "Abort"}, GRPC_INTERNAL},
	};
	struct store *store;
	struct request q;

	leave_pending(f, ARRAY_LEN(rows) + 1);
	OK(request_store_open(&store, f->loop, f->config.request_store_path, NULL));
	for (unsigned i = 0; i <= ARRAY_LEN(rows); i++) {
		const struct request_name name = {.kind = REQUEST_PUBLIC_DECRYPTION,
						  .id = request_number(i + 1)};
		const struct request_failure none = {ERR_INTERNAL, "abort"};

		OK(request_store_fail(store, name, i < ARRAY_LEN(rows) ? &rows[i].failure : &none,
				      1, stop_when_stored, f->loop));
		OK(loop_run(f->loop));
	}
	/* As an older version left it. */
	struct store_batch b = store_batch_make(1 << 16);

	OK(STORE_ADD(&b, STORE_ONE, "UPDATE request SET cause = NULL WHERE id = $1",
		     store_blob(BYTES_OF(request_number(ARRAY_LEN(rows) + 1).b))));
	OK(store_submit(store, &b, stop_when_stored, f->loop));
	store_batch_free(&b);
	OK(loop_run(f->loop));
	store_free(store);
	node_up(f);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(call_result(f, i + 1, NULL), rows[i].status);
	assert_int_equal(call_result(f, ARRAY_LEN(rows) + 1, NULL), GRPC_INTERNAL);
	request_init(&q, 1, buf_view(&ciphertext));
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_OK);
	assert_int_equal(call_result(f, 1, NULL), GRPC_OK);
}

static void test_eviction_leaves_tombstones(void **state)
{
	struct fixture *f = *state;
	struct request q;

	f->config.dec_capacity = 4;
	f->config.min_dec_cache = 2;
	node_up(f);
	for (unsigned i = 1; i <= 10; i++) {
		request_init(&q, i, buf_view(&ciphertext));
		assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_OK);
		assert_int_equal(call_result(f, i, NULL), GRPC_OK);
	}
	for (unsigned restart = 0; restart < 2; restart++) {
		assert_true(core_service_gauges(node_service(f->node))
				    .requests[REQUEST_PUBLIC_DECRYPTION]
				    .stored <= 4);
		assert_int_equal(call_result(f, 1, NULL), GRPC_NOT_FOUND);
		assert_int_equal(call_result(f, 10, NULL), GRPC_OK);
		request_init(&q, 1, buf_view(&ciphertext));
		assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_ALREADY_EXISTS);
		q.handles[0][0] ^= 1;
		assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_FAILED_PRECONDITION);
		node_down(f);
		node_up(f);
	}
}

static void test_full(void **state)
{
	struct fixture *f = *state;
	struct request q;

	f->config.dec_capacity = 2;
	f->config.min_dec_cache = 2;
	node_up(f);
	for (unsigned i = 1; i <= 2; i++) {
		request_init(&q, i, buf_view(&ciphertext));
		assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_OK);
		assert_int_equal(call_result(f, i, NULL), GRPC_OK);
	}
	request_init(&q, 3, buf_view(&ciphertext));
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(call_result(f, 3, NULL), GRPC_NOT_FOUND);
	request_init(&q, 2, buf_view(&ciphertext));
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_ALREADY_EXISTS);
	assert_int_equal(call_request(f, RPC_SYNC, &q), GRPC_OK);
}

/* ---- health ---- */

static void test_health(void **state)
{
	struct fixture *f = *state;
	struct buf reply = {0};
	static const uint8_t serving[] = {
		0x08, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING};
	struct buf named = buf_make(256), other = buf_make(256);
	Grpc__Health__V1__HealthCheckRequest m = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;

	node_up(f);
	m.service = (char *)(uintptr_t)CORE_SERVICE_NAME;
	OK(protobuf_pack(&named, &m.base));
	m.service = (char *)(uintptr_t) "other.v1.Service";
	OK(protobuf_pack(&other, &m.base));

	assert_int_equal(call_once(f, RPC_HEALTH, BYTES_NONE, &reply), GRPC_OK);
	assert_true(bytes_eq_var(buf_view(&reply), BYTES_OF(serving)));
	buf_free(&reply);
	assert_int_equal(call_once(f, RPC_HEALTH, buf_view(&named), &reply), GRPC_OK);
	assert_true(bytes_eq_var(buf_view(&reply), BYTES_OF(serving)));
	buf_free(&reply);
	assert_int_equal(call_once(f, RPC_HEALTH, buf_view(&other), NULL), GRPC_NOT_FOUND);
	buf_free(&named);
	buf_free(&other);

	struct arena memory = arena_make(1 << 20);
	ProtobufCMessage *u;

	assert_int_equal(call_once(f, "/" CORE_SERVICE_NAME "/GetHealthStatus", BYTES_NONE, &reply),
			 GRPC_OK);
	OK(protobuf_unpack(&u, &kms__v1__health_status_response__descriptor, buf_view(&reply),
			   &memory));

	const Kms__V1__HealthStatusResponse *status = (const Kms__V1__HealthStatusResponse *)u;
	char text[REQUEST_ID_TEXT_SIZE];

	request_id_text(text, test_key_id);
	assert_int_equal(status->n_my_fhe_key_ids, 1);
	assert_string_equal(status->my_fhe_key_ids[0], text);
	assert_int_equal(status->node_type, KMS__V1__NODE_TYPE__NODE_TYPE_CENTRALIZED);
	assert_int_equal(status->n_peers_from_all_contexts, 0);
	arena_free(&memory);
	buf_free(&reply);
}

/* Before the loop has run, nothing of an earlier run is known: not serving, and nothing is
 * accepted. */
static void test_not_serving_at_first(void **state)
{
	struct fixture *f = *state;
	const struct node_options options = {
		.loop = f->loop, .config = &f->config, .log = &f->log, .version = "test"};

	OK(node_start(&f->node, &options, NULL));
	assert_int_equal(core_service_phase(node_service(f->node)), CORE_STARTING);
	assert_false(core_service_gauges(node_service(f->node)).serving);
	node_free(f->node);
	f->node = NULL;
}

/* ---- waiting and stopping, with work that takes a while ---- */

enum {
	SLOW_ITEMS = 300
};

static struct buf slow_request(struct request *q, const struct buf *full)
{
	static Kms__V1__TypedCiphertext *list[SLOW_ITEMS];

	request_init(q, 1, buf_view(full));
	for (size_t i = 0; i < SLOW_ITEMS; i++)
		list[i] = &q->items[0];
	q->m.ciphertexts = list;
	q->m.n_ciphertexts = SLOW_ITEMS;
	return request_pack(q);
}

static void test_wait_and_stop(void **state)
{
	(void)state;
	struct fixture f;
	struct buf full = vector_read("tfhe/nat_full_csq64.bin"), message,
		   id = id_pack(request_number(1));
	struct call start, brief, patient;
	struct request q;

	fixture_make(&f, KEY_FULL);
	node_up(&f);
	message = slow_request(&q, &full);
	call_start(&start, f.loop, f.channel, RPC_DECRYPT, buf_view(&message), 60000);
	call_wait(&start);
	assert_int_equal(start.status, GRPC_OK);
	/* A client in a hurry hears "not yet" from us, before its own deadline. */
	for (int64_t ms = 80; ms < 5000;
	     ms *= 2) { /* on a machine that is slow to ask, a longer one */
		call_start(&brief, f.loop, f.channel, RPC_RESULT, buf_view(&id), ms);
		call_wait(&brief);
		if (brief.status != GRPC_DEADLINE_EXCEEDED)
			break;
		call_free(&brief);
	}
	assert_int_equal(brief.status, GRPC_UNAVAILABLE);
	/* A patient one is answered although the node is asked to stop meanwhile: what runs is
	 * finished. */
	call_start(&patient, f.loop, f.channel, RPC_RESULT, buf_view(&id), 60000);
	loop_pause(f.loop, 20);
	assert_false(patient.done);
	node_down(&f);
	assert_true(patient.done);
	assert_int_equal(patient.status, GRPC_OK);
	assert_true(patient.reply.n > SLOW_ITEMS * 8);

	node_up(&f); /* and it was stored */
	assert_int_equal(computed(&f), 0);
	assert_int_equal(call_result(&f, 1, NULL), GRPC_OK);
	call_free(&start);
	call_free(&brief);
	call_free(&patient);
	buf_free(&message);
	buf_free(&full);
	buf_free(&id);
	fixture_remove(&f);
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_request_and_result),
		CASE(test_sync),
		CASE(test_repeated),
		CASE(test_concurrent),
		CASE(test_refusals),
		CASE(test_texts),
		CASE(test_hostile),
		CASE(test_failed_then_repaired),
		CASE(test_aborted_is_recorded),
		CASE(test_restart_resumes),
		CASE(test_eviction_leaves_tombstones),
		CASE(test_full),
		CASE(test_health),
		CASE(test_not_serving_at_first),
		cmocka_unit_test(test_wait_and_stop),
	};

	ciphertext = vector_read("tfhe/nat_test_csq64.bin");

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&ciphertext);
	return failed;
}

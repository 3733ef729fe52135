/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The worker and what is no decryption: what must be proven before the core hears of it, and what
 * its statuses mean. The whole way is in tests/e2e/keygen.test.mjs. */
#include "connector/adapters/key_generation.h"
#include "crypto/keccak.h"
#include "net/protobuf.h"
#include "worker_fixture.h"

#include "kms.v1.pb-c.h"

struct key_world {
	struct fixture f; /* first: its setup is used */
	struct address generation;
	struct eip712_domain domain;
	enum grpc_status send, poll; /* what the core says */
	unsigned sends, polls;
	bool other_digest; /* it signs another id */
	char last[32];     /* method */
};

static enum grpc_status core(void *ctx, const char *method, struct bytes message, struct buf *reply)
{
	struct key_world *k = ctx;
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	Kms__V1__KeyGenPreprocResult m = KMS__V1__KEY_GEN_PREPROC_RESULT__INIT;
	const struct key_request r = {0};
	struct signature65 sig;
	struct hash32 digest;
	ProtobufCMessage *base;

	if (strncmp(method, "Get", 3) != 0) {
		k->sends++;
		(void)snprintf(k->last, sizeof(k->last), "%s", method);
		return k->send;
	}
	k->polls++;
	if (k->poll != GRPC_OK)
		return k->poll;
	assert_int_equal(protobuf_unpack(&base, &kms__v1__request_id__descriptor, message, &a),
			 ERR_OK);
	m.preprocessing_id = (Kms__V1__RequestId *)base;
	assert_int_equal(
		prep_keygen_digest(&digest, &k->domain, u256_from_u64(k->other_digest ? 2 : 1), &r),
		ERR_OK);
	assert_int_equal(ecdsa_sign65(k->f.w.ecdsa, &sig, &k->f.w.core.key, digest), ERR_OK);
	m.external_signature = protobuf_borrow(BYTES_OF(sig.b));
	assert_int_equal(protobuf_pack(reply, &m.base), ERR_OK);
	return GRPC_OK;
}

static int setup_keys(void **state)
{
	struct key_world *k = calloc(1, sizeof(*k));
	struct connector_config *c;

	assert_non_null(k);
	world_init(&k->f.w, 2);
	c = &k->f.w.config;
	memset(k->generation.b, 0x9e, sizeof(k->generation.b));
	c->kms_generation_contract = (struct contract_config){k->generation, "KMSGeneration", "1"};
	c->kms_generation_given = c->kms_generation_on_gateway = true;
	c->key_management_expiry_ms = 600 * 1000;
	k->domain = (struct eip712_domain){.name = BYTES_LIT("KMSGeneration"),
					   .version = BYTES_LIT("1"),
					   .chain_id = u256_from_u64(WORLD_GATEWAY_CHAIN),
					   .verifying_contract = k->generation};
	k->f.w.core.script = core;
	k->f.w.core.script_ctx = k;
	*state = k;
	return 0;
}

static int teardown_keys(void **state)
{
	return teardown(state);
}

static void insert_key(struct key_world *k, enum op_kind kind, uint64_t id, uint64_t first,
		       uint8_t params)
{
	struct buf content CLEANUP(buf_free) = buf_make(4096);
	const struct key_request r = {.first = u256_from_u64(first), .params = params};
	struct store_batch b = store_batch_make(1 << 16);
	struct operation op = {.block = {k->f.w.gateway.head}, .log_index = id};

	assert_int_equal(key_request_encode(&content, &r), ERR_OK);
	op.content = buf_view(&content);
	op.key = (struct op_key){{WORLD_GATEWAY_CHAIN},
				 k->generation,
				 kind,
				 u256_from_u64(id),
				 keccak256(op.content)};
	assert_int_equal(op_add_insert(&b, &op, clock_wall_ms(&k->f.w.sim.clock)), ERR_OK);
	assert_int_equal(store_submit(&k->f.w.sim.store.base, &b, NULL, NULL), ERR_OK);
	assert_int_equal(store_notify(&k->f.w.sim.store.base, OP_TOPIC_SEEN), ERR_OK);
	sim_run(&k->f.w.sim, 1);
}

static const char *reason_of(struct key_world *k, const char *state)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql), "SELECT reason FROM operation WHERE state = '%s'", state);
	return sim_sql_text(&k->f.w.sim, sql);
}

static void test_answered(void **state)
{
	struct key_world *k = *state;

	start(&k->f);
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	assert_true(world_wait_state(&k->f.w, 1, "answered", 1000));
	assert_string_equal(k->last, "KeyGenPreproc");
	assert_int_equal(k->sends, 1);
	assert_int_equal(sim_sql_int(&k->f.w.sim, "SELECT length(proof) > 0 FROM operation"), 1);
	assert_string_equal(
		sim_sql_text(&k->f.w.sim, "SELECT hex(substr(answer, 1, 4)) FROM operation"),
		"589ADB0E");
}

static void test_another_contract(void **state)
{
	struct key_world *k = *state;

	start(&k->f);
	k->f.w.config.kms_generation_contract.address.b[0] ^= 1;
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	assert_true(world_wait_state(&k->f.w, 1, "refused", 1000));
	assert_int_equal(k->sends, 0);
	assert_non_null(strstr(world_reason(&k->f.w, 1), "not the one that the configuration"));
}

static void test_another_chain(void **state)
{
	struct key_world *k = *state;

	k->f.w.config.kms_generation_on_gateway = false; /* since the row was stored */
	start(&k->f);
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	assert_true(world_wait_state(&k->f.w, 1, "refused", 1000));
	assert_int_equal(k->sends, 0);
}

static void test_id_with_other_content(void **state)
{
	struct key_world *k = *state;

	start(&k->f);
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	assert_true(world_wait_state(&k->f.w, 1, "answered", 1000));
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 0);
	sim_run(&k->f.w.sim, 2000);
	assert_string_equal(reason_of(k, "refused"),
			    "the core was given this id with other content before");
	assert_int_equal(k->sends, 1);
}

/* Both at once: one goes to the core, the other never. */
static void test_id_twice_at_once(void **state)
{
	struct key_world *k = *state;

	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 0);
	start(&k->f);
	sim_run(&k->f.w.sim, 5000);
	assert_int_equal(k->sends, 1);
	assert_int_equal(
		sim_sql_int(&k->f.w.sim, "SELECT count(*) FROM operation WHERE state = 'refused'"),
		1);
	assert_int_equal(
		sim_sql_int(&k->f.w.sim, "SELECT count(*) FROM operation WHERE state = 'answered'"),
		1);
}

static void test_not_served(void **state)
{
	struct key_world *k = *state;

	k->send = GRPC_UNIMPLEMENTED;
	start(&k->f);
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	assert_true(world_wait_state(&k->f.w, 1, "failed", 1000));
	assert_int_equal(k->sends, 1);
	assert_non_null(strstr(world_reason(&k->f.w, 1), "UNIMPLEMENTED"));
	sim_run(&k->f.w.sim, 60000);
	assert_int_equal(k->sends, 1);
}

/* What takes long is asked for now and then; only its age ends it. */
static void test_slow(void **state)
{
	struct key_world *k = *state;

	k->poll = GRPC_UNAVAILABLE;
	start(&k->f);
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	sim_run(&k->f.w.sim, 300 * 1000);
	assert_string_equal(world_state(&k->f.w, 1), "computing");
	assert_in_range(k->polls, 300 / 10, 300 * 2);
	assert_int_equal(k->sends, 1);
	/* A core that is computing is not one that fails: others are not kept from it. */
	insert_key(k, OP_KIND_PREP_KEYGEN, 3, 0, 1);
	sim_run(&k->f.w.sim, 100);
	assert_int_equal(k->sends, 2);
	k->poll = GRPC_OK;
	assert_true(world_wait_state(&k->f.w, 1, "answered", 10000));
	k->poll = GRPC_UNAVAILABLE;
	insert_key(k, OP_KIND_PREP_KEYGEN, 2, 0, 1);
	assert_true(world_wait_state(&k->f.w, 2, "expired", 700 * 1000));
}

static void test_forgotten(void **state)
{
	struct key_world *k = *state;

	k->poll = GRPC_UNAVAILABLE;
	start(&k->f);
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	sim_run(&k->f.w.sim, 5000);
	k->poll = GRPC_NOT_FOUND;
	sim_run(&k->f.w.sim, 20000);
	assert_true(k->sends > 1);
	k->poll = GRPC_ABORTED;
	assert_true(world_wait_state(&k->f.w, 1, "aborted", 120000));
}

static void test_other_signature(void **state)
{
	struct key_world *k = *state;

	k->other_digest = true;
	start(&k->f);
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	sim_run(&k->f.w.sim, 5000);
	assert_string_equal(world_state(&k->f.w, 1), "computing");
	assert_non_null(strstr(world_reason(&k->f.w, 1), "no KMS signer"));
}

/* An abort ends what runs, and what comes late; the core is told in any case. */
static void test_given_up(void **state)
{
	struct key_world *k = *state;

	k->poll = GRPC_UNAVAILABLE;
	start(&k->f);
	insert_key(k, OP_KIND_PREP_KEYGEN, 1, 0, 1);
	insert_key(k, OP_KIND_KEYGEN, 4, 1, 0);
	insert_key(k, OP_KIND_KEYGEN, 5, 2, 0); /* of another preprocessing */
	sim_run(&k->f.w.sim, 2000);
	assert_int_equal(k->sends, 3);
	k->send = GRPC_NOT_FOUND; /* nothing runs, says the core */
	insert_key(k, OP_KIND_ABORT_KEYGEN, 1, 0, 0);
	sim_run(&k->f.w.sim, 2000);
	assert_string_equal(k->last, "AbortKeyGen");
	assert_int_equal(sim_sql_int(&k->f.w.sim, "SELECT count(*) FROM operation WHERE state = "
						  "'aborted' AND reason = "
						  "'the chain has given it up'"),
			 2);
	assert_string_equal(world_state(&k->f.w, 4), "aborted");
	assert_string_equal(world_state(&k->f.w, 5), "computing");
	assert_int_equal(
		sim_sql_int(&k->f.w.sim, "SELECT count(*) FROM operation WHERE state = 'done'"), 1);
	unsigned before = k->sends;
	insert_key(k, OP_KIND_KEYGEN, 6, 1, 0);
	assert_true(world_wait_state(&k->f.w, 6, "aborted", 1000));
	assert_int_equal(k->sends, before);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_keys, teardown_keys)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_answered),
		T(test_another_contract),
		T(test_another_chain),
		T(test_id_with_other_content),
		T(test_id_twice_at_once),
		T(test_not_served),
		T(test_slow),
		T(test_forgotten),
		T(test_other_signature),
		T(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The worker and what is no decryption: what must agree before a core makes, gives up or forgets
 * anything. Each test first shows that the core is not asked, then that it would have been. */
#include "connector/adapters/key_generation.h"
#include "connector/adapters/protocol_config.h"
#include "crypto/keccak.h"
#include "net/protobuf.h"
#include "worker_fixture.h"

#include "kms.v1.pb-c.h"

static const struct address generation = {{0x9e}}, protocol = {{0x9c}}, stranger = {{0x99}};

/* What the contracts of the host chain say. */
struct said {
	struct world *world;
	bool done, live;
	struct u256 current_epoch;
	struct hash32 anchor;
};

static bool is_call(struct bytes data, const char *signature)
{
	uint8_t selector[4];

	abi_selector(selector, signature);
	return data.n >= 4 && memcmp(data.p, selector, 4) == 0;
}

static void give(struct buf *out, const struct u256 *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t be[32];

		u256_to_be(be, words[i]);
		assert_int_equal(buf_add(out, BYTES_OF(be)), ERR_OK);
	}
}

static bool says(void *ctx, struct address to, struct bytes data, uint64_t block,
		 struct buf *result)
{
	const struct said *s = ctx;
	struct u256 words[2] = {u256_from_u64(0), u256_from_u64(0)};
	size_t n = 1;

	(void)block;
	if (address_eq(to, generation) && is_call(data, "isRequestDone(uint256)")) {
		words[0] = u256_from_u64(s->done ? 1 : 0);
	} else if (address_eq(to, protocol) && is_call(data, "isLiveKmsContext(uint256)")) {
		words[0] = u256_from_u64(s->live ? 1 : 0);
	} else if (address_eq(to, protocol) &&
		   (is_call(data, "isValidKmsContext(uint256)") ||
		    is_call(data, "isValidEpochForContext(uint256,uint256)"))) {
		words[0] = u256_from_u64(1);
	} else if (address_eq(to, protocol) && is_call(data, "getKmsContextAnchor(uint256)")) {
		words[0] = u256_from_u64(1);
		words[1] = u256_from_be(s->anchor.b);
		n = 2;
	} else if (address_eq(to, protocol) && is_call(data, "getCurrentKmsContextAndEpoch()")) {
		words[1] = s->current_epoch;
		n = 2;
	} else if (address_eq(to, generation) && data.n == 4) { /* lists of ids: none */
		words[0] = u256_from_u64(32);
		n = 2;
	} else {
		return false;
	}
	give(result, words, n);
	return true;
}

static void configure(struct fixture *f, struct said *s)
{
	struct connector_config *c = &f->w.config;

	*s = (struct said){.world = &f->w};
	c->ethereum_chain_id = WORLD_HOST_CHAIN;
	c->kms_generation_given = c->protocol_config_given = true;
	c->kms_generation_contract = (struct contract_config){generation, "KMSGeneration", "1"};
	c->protocol_config_contract = (struct contract_config){protocol, "ProtocolConfig", "1"};
	c->key_management_expiry_ms = INT64_C(7) * 24 * 3600 * 1000;
	f->w.env.ethereum = f->w.host_provider;
	f->w.host.call = says;
	f->w.host.call_ctx = s;
	f->w.core.other_status = GRPC_UNAVAILABLE;
}

struct asked {
	enum op_kind kind;
	struct address contract;
	uint64_t chain, id;
	struct bytes content;
};

static void ask(struct fixture *f, const struct asked *q)
{
	struct store_batch b = store_batch_make(1 << 20);
	struct operation op = {
		.key = {.chain = {q->chain ? q->chain : WORLD_HOST_CHAIN},
			.contract = q->contract,
			.kind = q->kind,
			.request_id = u256_from_u64(q->id),
			.content_digest = keccak256(q->content)},
		.state = OP_SEEN,
		.block = {f->w.host.head},
		.block_hash = sim_block_hash(&f->w.host, f->w.host.head),
		.content = q->content,
	};

	assert_int_equal(op_add_insert(&b, &op, clock_wall_ms(&f->w.sim.clock)), ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	assert_int_equal(store_notify(&f->w.sim.store.base, OP_TOPIC_SEEN), ERR_OK);
}

static struct bytes key_content(struct fixture *f, uint64_t first)
{
	struct buf b CLEANUP(buf_free) = buf_make(1 << 12);
	const struct key_request r = {.host = true, .first = u256_from_u64(first), .params = 1};
	struct bytes kept;

	assert_int_equal(key_request_encode(&b, &r), ERR_OK);
	assert_int_equal(arena_copy(&f->w.kept, &kept, buf_view(&b)), ERR_OK);
	return kept;
}

static struct bytes id_content(struct fixture *f, uint64_t id)
{
	uint8_t *be = arena_alloc(&f->w.kept, 32);

	assert_non_null(be);
	u256_to_be(be, u256_from_u64(id));
	return bytes_from(be, 32);
}

static bool core_was_asked(void *ctx)
{
	return ((struct fixture *)ctx)->w.core.others > 0;
}

static void assert_asks(struct fixture *f, const char *method)
{
	if (!sim_run_until(&f->w.sim, core_was_asked, f, 120000))
		fail_msg("%s: %s", world_state(&f->w, 1), world_reason(&f->w, 1));
	assert_string_equal(strrchr(f->w.core.other_path, '/') + 1, method);
	assert_int_equal(f->w.core.spied, f->w.core.others);
}

/* Ends so, or waits in it, for this reason; the core is asked nothing. */
static void assert_is(struct fixture *f, const char *state, const char *reason)
{
	sim_run(&f->w.sim, 3000);
	if (strcmp(world_state(&f->w, 1), state) != 0 || !strstr(world_reason(&f->w, 1), reason))
		fail_msg("%s: %s", world_state(&f->w, 1), world_reason(&f->w, 1));
	assert_int_equal(f->w.core.others, 0);
}

/* ---- where it comes from ---- */

static void test_the_configured_contract(void **state)
{
	struct fixture *f = *state;
	struct said s;

	configure(f, &s);
	ask(f, &(struct asked){.kind = OP_KIND_PREP_KEYGEN,
			       .contract = generation,
			       .id = 1,
			       .content = key_content(f, 0)});
	start(f);
	assert_asks(f, "KeyGenPreproc");
}

static void test_another_contract_is_refused(void **state)
{
	struct fixture *f = *state;
	struct said s;

	configure(f, &s);
	ask(f, &(struct asked){.kind = OP_KIND_PREP_KEYGEN,
			       .contract = stranger,
			       .id = 1,
			       .content = key_content(f, 0)});
	start(f);
	assert_is(f, "refused", "is not the one that the configuration names");
}

static void test_another_chain_is_refused(void **state)
{
	struct fixture *f = *state;
	struct said s;

	configure(f, &s);
	ask(f, &(struct asked){.kind = OP_KIND_PREP_KEYGEN,
			       .contract = generation,
			       .chain = WORLD_GATEWAY_CHAIN,
			       .id = 1,
			       .content = key_content(f, 0)});
	start(f);
	assert_is(f, "refused", "is not the one that the configuration names");
}

/* ---- what the configuration says of keys ---- */

struct key_asked {
	Kms__V1__CompressedKeyConfig compressed;
	char name[32], version[32];
	unsigned n;
};

static enum grpc_status see_key(void *ctx, const char *method, struct bytes message,
				struct buf *reply)
{
	struct arena memory CLEANUP(arena_free) = arena_make(1 << 20);
	struct key_asked *a = ctx;
	ProtobufCMessage *base;

	(void)reply;
	if (strcmp(method, "KeyGenPreproc") != 0)
		return GRPC_UNAVAILABLE;
	assert_int_equal(protobuf_unpack(&base, &kms__v1__key_gen_preproc_request__descriptor,
					 message, &memory),
			 ERR_OK);
	const Kms__V1__KeyGenPreprocRequest *m = (const Kms__V1__KeyGenPreprocRequest *)base;
	a->n++;
	a->compressed = m->keyset_config->standard_keyset_config->compressed_key_config;
	(void)snprintf(a->name, sizeof(a->name), "%s", m->domain->name);
	(void)snprintf(a->version, sizeof(a->version), "%s", m->domain->version);
	return GRPC_OK;
}

/* Asks for a key of the context 7 and its epoch 9. */
static void see(struct fixture *f, struct said *s, struct key_asked *a)
{
	struct buf b CLEANUP(buf_free) = buf_make(1 << 12);
	uint8_t extra[65] = {2};
	const struct key_request r = {.host = true, .params = 1, .extra_data = BYTES_OF(extra)};

	extra[32] = 7;
	extra[64] = 9;
	configure(f, s);
	*a = (struct key_asked){0};
	f->w.core.script = see_key;
	f->w.core.script_ctx = a;
	assert_int_equal(key_request_encode(&b, &r), ERR_OK);
	ask(f, &(struct asked){.kind = OP_KIND_PREP_KEYGEN,
			       .contract = generation,
			       .id = 1,
			       .content = buf_view(&b)});
}

static void test_compressed_keys(void **state)
{
	struct fixture *f = *state;
	struct key_asked a;
	struct said s;

	see(f, &s, &a);
	f->w.config.compressed_keys = true;
	start(f);
	sim_run(&f->w.sim, 3000);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.compressed, KMS__V1__COMPRESSED_KEY_CONFIG__CompressedAll);
}

static void test_no_compressed_keys(void **state)
{
	struct fixture *f = *state;
	struct key_asked a;
	struct said s;

	see(f, &s, &a);
	f->w.config.compressed_keys = false;
	start(f);
	sim_run(&f->w.sim, 3000);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.compressed, KMS__V1__COMPRESSED_KEY_CONFIG__CompressedNone);
}

/* kms_generation_contract.domain_name and .domain_version: what the core is to sign for. */
static void test_domain_of_the_key_contract(void **state)
{
	struct fixture *f = *state;
	struct key_asked a;
	struct said s;

	see(f, &s, &a);
	f->w.config.kms_generation_contract.domain_name = "Another";
	f->w.config.kms_generation_contract.domain_version = "3";
	start(f);
	sim_run(&f->w.sim, 3000);
	assert_string_equal(a.name, "Another");
	assert_string_equal(a.version, "3");
}

static enum grpc_status see_epoch(void *ctx, const char *method, struct bytes message,
				  struct buf *reply)
{
	struct arena memory CLEANUP(arena_free) = arena_make(1 << 20);
	struct key_asked *a = ctx;
	ProtobufCMessage *base;

	(void)reply;
	if (strcmp(method, "NewMpcEpoch") != 0)
		return GRPC_UNAVAILABLE;
	assert_int_equal(protobuf_unpack(&base, &kms__v1__new_mpc_epoch_request__descriptor,
					 message, &memory),
			 ERR_OK);
	const Kms__V1__NewMpcEpochRequest *m = (const Kms__V1__NewMpcEpochRequest *)base;
	a->n++;
	(void)snprintf(a->name, sizeof(a->name), "%s", m->domain->name);
	(void)snprintf(a->version, sizeof(a->version), "%s", m->domain->version);
	return GRPC_OK;
}

/* protocol_config_contract.domain_name and .domain_version; of an epoch that takes nothing over. */
static void test_domain_of_the_protocol_contract(void **state)
{
	static const uint8_t content[3 * 32 + 8] = {[31] = 7, [63] = 7, [95] = 8};
	struct fixture *f = *state;
	struct key_asked a = {0};
	struct said s;

	configure(f, &s);
	s.live = true;
	f->w.core.script = see_epoch;
	f->w.core.script_ctx = &a;
	f->w.config.protocol_config_contract.domain_name = "Another";
	f->w.config.protocol_config_contract.domain_version = "3";
	ask(f, &(struct asked){.kind = OP_KIND_NEW_EPOCH,
			       .contract = protocol,
			       .id = 9,
			       .content = BYTES_OF(content)});
	start(f);
	sim_run(&f->w.sim, 3000);
	if (a.n != 1)
		fail_msg("%s", world_reason(&f->w, 9));
	assert_string_equal(a.name, "Another");
	assert_string_equal(a.version, "3");
}

/* ---- one id, one content ---- */

/* A core burns its ids: the second content of one would never be made, and might be a liar's. */
static void test_an_id_is_given_once(void **state)
{
	struct fixture *f = *state;
	struct said s;

	configure(f, &s);
	ask(f, &(struct asked){.kind = OP_KIND_CRSGEN,
			       .contract = generation,
			       .id = 1,
			       .content = key_content(f, 64)});
	start(f);
	assert_asks(f, "CrsGen");
	stop(f);
	unsigned others = f->w.core.others;

	ask(f, &(struct asked){.kind = OP_KIND_CRSGEN,
			       .contract = generation,
			       .id = 1,
			       .content = key_content(f, 128)});
	f->w.core.other_status = GRPC_INTERNAL;
	restart(f);
	sim_run(&f->w.sim, 30000);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation WHERE state ="
						" 'refused' AND reason LIKE '%other content%'"),
			 1);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation WHERE state ="
						" 'computing'"),
			 1);
	assert_true(f->w.core.others > others);
}

/* Two processes, each with one of the two contents, look at the same moment, when neither has a
 * proof yet: what the database stores first is what the core is given. */
static void test_two_processes_give_an_id_once(void **state)
{
	struct fixture *f = *state;
	struct connector_env other;
	struct connector_metrics metrics = {0};
	struct worker *second;
	struct said s;

	configure(f, &s);
	f->w.env.store_shared = true;
	f->w.config.events_batch_size = 1;
	f->w.config.task_limit = 1;
	ask(f, &(struct asked){.kind = OP_KIND_CRSGEN,
			       .contract = generation,
			       .id = 1,
			       .content = key_content(f, 64)});
	ask(f, &(struct asked){.kind = OP_KIND_CRSGEN,
			       .contract = generation,
			       .id = 1,
			       .content = key_content(f, 128)});
	other = f->w.env;
	other.owner = "another";
	other.metrics = &metrics;
	start(f);
	assert_int_equal(worker_start(&second, &other), ERR_OK);
	assert_asks(f, "CrsGen");
	sim_run(&f->w.sim, 5000);
	worker_stop(second);
	assert_true(metrics.cells[METRIC_WORKER_EVENT_RECEIVED][METRIC_EVENT_CRSGEN] > 0);
	assert_true(f->w.metrics.cells[METRIC_WORKER_EVENT_RECEIVED][METRIC_EVENT_CRSGEN] > 0);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation WHERE state ="
						" 'refused' AND reason LIKE '%other content%'"),
			 1);
	assert_int_equal(
		sim_sql_int(&f->w.sim, "SELECT count(*) FROM operation WHERE length(proof) > 0"),
		1);
}

static void test_what_is_given_up_is_not_asked(void **state)
{
	struct fixture *f = *state;
	struct said s;

	configure(f, &s);
	ask(f, &(struct asked){.kind = OP_KIND_ABORT_CRSGEN,
			       .contract = generation,
			       .id = 1,
			       .content = key_content(f, 0)});
	ask(f, &(struct asked){.kind = OP_KIND_CRSGEN,
			       .contract = generation,
			       .id = 1,
			       .content = key_content(f, 64)});
	start(f);
	sim_run(&f->w.sim, 30000);
	assert_string_equal(sim_sql_text(&f->w.sim, "SELECT state || ' ' || reason FROM operation"
						    " WHERE kind = 'crsgen_request'"),
			    "aborted the chain has given it up");
	assert_int_equal(f->w.core.others, 0);
}

/* The ceilings are of decryptions: this may take days, and only its age ends it. */
static void test_attempts_do_not_end_it(void **state)
{
	struct fixture *f = *state;
	struct said s;

	configure(f, &s);
	f->w.config.max_decryption_attempts = 2;
	f->w.config.key_management_expiry_ms = 3600 * 1000;
	f->w.core.other_status = GRPC_INTERNAL;
	ask(f, &(struct asked){.kind = OP_KIND_PREP_KEYGEN,
			       .contract = generation,
			       .id = 1,
			       .content = key_content(f, 0)});
	start(f);
	sim_run(&f->w.sim, 1800 * 1000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	assert_true(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation") > 10);
	sim_run(&f->w.sim, f->w.config.key_management_expiry_ms);
	assert_string_equal(world_state(&f->w, 1), "expired");
}

/* ---- the chain's state ---- */

static void test_an_abort_that_the_chain_does_not_know_waits(void **state)
{
	struct fixture *f = *state;
	struct said s;

	configure(f, &s);
	ask(f, &(struct asked){.kind = OP_KIND_ABORT_KEYGEN,
			       .contract = generation,
			       .id = 1,
			       .content = key_content(f, 0)});
	start(f);
	assert_is(f, "seen", "does not say that it was given up");
	s.done = true;
	assert_asks(f, "AbortKeyGen");
}

static void test_a_live_context_is_not_destroyed(void **state)
{
	struct fixture *f = *state;
	struct said s;

	configure(f, &s);
	s.live = true;
	ask(f, &(struct asked){.kind = OP_KIND_CONTEXT_DESTROYED,
			       .contract = protocol,
			       .id = 1,
			       .content = id_content(f, 1)});
	start(f);
	assert_is(f, "seen", "the context is not destroyed");
	s.live = false;
	assert_asks(f, "DestroyMpcContext");
}

static void test_the_current_epoch_is_not_destroyed(void **state)
{
	struct fixture *f = *state;
	struct said s;

	configure(f, &s);
	s.current_epoch = u256_from_u64(1);
	ask(f, &(struct asked){.kind = OP_KIND_EPOCH_DESTROYED,
			       .contract = protocol,
			       .id = 1,
			       .content = id_content(f, 1)});
	start(f);
	assert_is(f, "seen", "the epoch is the current one");
	s.current_epoch = u256_from_u64(2);
	assert_asks(f, "DestroyMpcEpoch");
}

/* One node, as the event has it. */
static struct bytes context_content(struct fixture *f)
{
	struct buf b CLEANUP(buf_free) = buf_make(1 << 14);
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	const struct abi_value node[] = {abi_address(protocol),
					 abi_address(generation),
					 abi_bytes(BYTES_LIT("host")),
					 abi_bytes(BYTES_LIT("s3")),
					 abi_uint(u256_from_u64(1)),
					 abi_bytes(BYTES_LIT("id")),
					 abi_bytes(BYTES_LIT("a certificate")),
					 abi_bytes(BYTES_LIT("p"))};
	const struct abi_value nodes[] = {abi_items(node, ARRAY_LEN(node))};
	const struct abi_value one = abi_uint(u256_from_u64(1));
	const struct abi_value thresholds[] = {one, one, one, one};
	const struct abi_value info[] = {abi_items(nodes, 1), abi_items(thresholds, 4),
					 abi_bytes(BYTES_LIT("1.0")), abi_items(NULL, 0)};
	const struct abi_value tuple = abi_items(info, 4);
	const struct abi_type *type;
	uint8_t previous[32] = {7};
	struct bytes kept;

	assert_int_equal(
		abi_type_parse(&a, &type,
			       "((address,address,string,string,int32,string,bytes,string)[],"
			       "(uint256,uint256,uint256,uint256),string,(bytes,bytes,bytes)[])"),
		ERR_OK);
	assert_int_equal(buf_add(&b, BYTES_OF(previous)), ERR_OK);
	assert_int_equal(abi_encode(&b, type, &tuple), ERR_OK);
	assert_int_equal(arena_copy(&f->w.kept, &kept, buf_view(&b)), ERR_OK);
	return kept;
}

static void test_a_context_of_another_hash_waits(void **state)
{
	struct fixture *f = *state;
	struct bytes content = context_content(f);
	struct said s;

	configure(f, &s);
	s.anchor.b[0] = 1;
	ask(f, &(struct asked){.kind = OP_KIND_NEW_CONTEXT,
			       .contract = protocol,
			       .id = 1,
			       .content = content});
	start(f);
	assert_is(f, "seen", "is not that of the event");
	s.anchor = new_context_info_hash(content);
	assert_false(sim_run_until(&f->w.sim, core_was_asked, f, 1));
	sim_run(&f->w.sim, 120000);
	if (strstr(world_reason(&f->w, 1), "is not that of the event"))
		fail_msg("%s: %s", world_state(&f->w, 1), world_reason(&f->w, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_the_configured_contract),
		T(test_another_contract_is_refused),
		T(test_another_chain_is_refused),
		T(test_compressed_keys),
		T(test_no_compressed_keys),
		T(test_domain_of_the_key_contract),
		T(test_domain_of_the_protocol_contract),
		T(test_an_id_is_given_once),
		T(test_two_processes_give_an_id_once),
		T(test_what_is_given_up_is_not_asked),
		T(test_attempts_do_not_end_it),
		T(test_an_abort_that_the_chain_does_not_know_waits),
		T(test_a_live_context_is_not_destroyed),
		T(test_the_current_epoch_is_not_destroyed),
		T(test_a_context_of_another_hash_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

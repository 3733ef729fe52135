/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Events, signed digests and calls of KMSGeneration and ProtocolConfig, against golden vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "connector/adapters/answer.h"
#include "connector/adapters/protocol_config.h"
#include "crypto/keccak.h"

static json_t *vectors;

static int load(void **state)
{
	char path[512];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/connector/management.json", getenv("VECTORS"));
	vectors = json_load_file(path, 0, NULL);
	return vectors ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

static const char *text(const char *group, const char *key)
{
	return json_string_value(json_object_get(json_object_get(vectors, group), key));
}

static struct hash32 hash_of(const char *hex)
{
	struct hash32 h;

	assert_int_equal(hex_decode_fixed(h.b, 32, bytes_str(hex)), ERR_OK);
	return h;
}

static struct buf bytes_of(const char *hex)
{
	struct buf b = buf_make(1 << 16);

	assert_non_null(hex);
	assert_int_equal(hex_decode(&b, bytes_str(hex)), ERR_OK);
	return b;
}

/* Ids carry their kind in the first byte. */
static struct u256 id_of(uint8_t kind, uint8_t n)
{
	uint8_t be[32] = {0};

	be[0] = kind;
	be[31] = n;
	return u256_from_be(be);
}

static struct address address_of(const char *name)
{
	struct address a;

	assert_int_equal(hex_decode_fixed(a.b, 20, bytes_str(text("constants", name))), ERR_OK);
	return a;
}

/* ---- events ---- */

static void test_topics(void **state)
{
	static const char *const want[] = {
		"fbf5274810b94f86970c1147e8ffaebed246ee9777d695a69004dc6256d1fe91",
		"3a116120cca5d4f073cc1fc31ff26133ab7b0499f2712fa010023b87d5a1f9ee",
		"8cf0151393f84fd694c5e315cb74cc05b247de0a454fd9e9129c661efdf9401d",
		"2b087b884b35a81d769d1a1e092880f1da56de964e4b339eabcb1f45f5fe3264",
		"384f90fefbcfaa68f22e00094aeaa52b2bc693936d2ce1afed1212520b59b58e",
		"02024007d96574dbc9d11328bfee9893e7c7bb4ef4aa806df33bfdf454eb5e60",
		"78b179176d1f19d7c28e80823deba2624da2ca2ec64b1701f3632a87c9aedc92",
		"3f038f6f88cb3031b7718588403a2ec220576a868be07dde4c02b846ca352ef5",
		"11db42c1878f2e2819241f5250984563f06cf22818e7adb86a66921d15d59d3f",
		"1ccb5545c4c8db50a0f5b416499526929f68534ed47f6cfd4c9f069075e60b45",
		"204d6b80121154cd87d99cf54c639a3dd0a53b3084277098de972ebdd34c6be9",
		"15aaaf475ef407543f5164f57dcf57f7f93816f55bae77ca09efc445ba40eef7",
		"da075d09198d207e3a918d4b8dfc87df2d60a00be703fd39eaac90962da0b7f0",
		"03436013075f8d1abb1781dbcaf418fc76fc797d1ab51c38664c1a51f3cd57f9",
	};
	const struct event_contract contracts[] = {{.source = EVENTS_KMS_GENERATION},
						   {.source = EVENTS_PROTOCOL_CONFIG}};
	struct arena a CLEANUP(arena_free) = arena_make(4096);
	const struct hash32 *topics;
	size_t n;

	(void)state;
	assert_int_equal(events_topics(&a, contracts, 2, &topics, &n), ERR_OK);
	assert_int_equal(n, ARRAY_LEN(want));
	for (size_t i = 0; i < n; i++)
		assert_memory_equal(topics[i].b, hash_of(want[i]).b, 32);
}

struct seen {
	struct arena a;
	struct buf data;
	struct event_log log;
	struct operation op;
	struct err_note note;
	enum err err;
};

static void seen_free(struct seen *s)
{
	arena_free(&s->a);
	buf_free(&s->data);
}

static void decode(struct seen *s, const char *contract)
{
	const struct event_contract contracts[] = {
		{address_of("KMSGeneration"), EVENTS_KMS_GENERATION},
		{address_of("ProtocolConfig"), EVENTS_PROTOCOL_CONFIG},
	};

	s->log.address = address_of(contract);
	s->log.data = buf_view(&s->data);
	s->err = events_decode_log(&s->a, &s->op, (struct chain_id){12345}, contracts, 2, &s->log,
				   &s->note);
}

static struct seen seen_empty(const char *signature)
{
	struct seen s = {.a = arena_make(4 << 20), .data = buf_make(1 << 16)};

	s.log = (struct event_log){.block = {7}, .log_index = 2, .topics_n = 1};
	s.log.topics[0] = abi_topic(signature);
	return s;
}

static struct seen golden(const char *name)
{
	const json_t *o = json_object_get(json_object_get(vectors, "logs"), name);
	const json_t *topics = json_object_get(o, "topics");
	struct seen s = seen_empty("");

	assert_non_null(o);
	assert_int_equal(
		hex_decode(&s.data, bytes_str(json_string_value(json_object_get(o, "data")))),
		ERR_OK);
	s.log.topics_n = (unsigned)json_array_size(topics);
	for (unsigned i = 0; i < s.log.topics_n; i++)
		s.log.topics[i] = hash_of(json_string_value(json_array_get(topics, i)));
	return s;
}

static void add_word(struct seen *s, struct u256 v)
{
	uint8_t be[32];

	u256_to_be(be, v);
	assert_int_equal(buf_add(&s->data, BYTES_OF(be)), ERR_OK);
}

static void assert_request(const struct seen *s, enum op_kind kind, struct u256 id,
			   struct key_request *ret)
{
	assert_int_equal(s->err, ERR_OK);
	assert_int_equal(s->op.key.kind, kind);
	assert_true(u256_eq(s->op.key.request_id, id));
	assert_int_equal(s->op.key.chain.v, 12345);
	struct hash32 digest = keccak256(s->op.content);
	assert_true(hash32_eq(s->op.key.content_digest, digest));
	assert_int_equal(key_request_decode(ret, s->op.content), ERR_OK);
}

static void test_events_of_the_host(void **state)
{
	struct seen prep CLEANUP(seen_free) = golden("PrepKeygenRequest");
	struct seen key CLEANUP(seen_free) = golden("KeygenRequest");
	struct seen crs CLEANUP(seen_free) = golden("CrsgenRequest");
	struct buf extra CLEANUP(buf_free) = bytes_of(text("constants", "extraDataV2"));
	struct key_request r;

	(void)state;
	decode(&prep, "KMSGeneration");
	assert_request(&prep, OP_KIND_PREP_KEYGEN, id_of(3, 1), &r);
	assert_true(r.host && bytes_eq_var(r.extra_data, buf_view(&extra)));
	decode(&key, "KMSGeneration");
	assert_request(&key, OP_KIND_KEYGEN, id_of(4, 1), &r);
	assert_true(r.host && u256_eq(r.first, id_of(3, 1)));
	assert_true(bytes_eq_var(r.extra_data, buf_view(&extra)));
	decode(&crs, "KMSGeneration");
	assert_request(&crs, OP_KIND_CRSGEN, id_of(5, 1), &r);
	assert_true(r.host && u256_eq(r.first, u256_from_u64(2048)));
}

static void test_events_of_a_gateway(void **state)
{
	struct seen prep CLEANUP(seen_free) =
		seen_empty("PrepKeygenRequest(uint256,uint256,uint8)");
	struct seen prss CLEANUP(seen_free) = seen_empty("PRSSInit()");
	struct seen share CLEANUP(seen_free) =
		seen_empty("KeyReshareSameSet(uint256,uint256,uint256,uint8)");
	struct key_request r;

	(void)state;
	add_word(&prep, id_of(3, 1));
	add_word(&prep, U256_ZERO);
	add_word(&prep, u256_from_u64(1));
	decode(&prep, "KMSGeneration");
	assert_request(&prep, OP_KIND_PREP_KEYGEN, id_of(3, 1), &r);
	assert_false(r.host);
	assert_int_equal(r.params, 1);
	decode(&prss, "KMSGeneration");
	assert_request(&prss, OP_KIND_PRSS_INIT, u256_from_u64(1), &r);
	add_word(&share, id_of(3, 1));
	add_word(&share, id_of(4, 1));
	add_word(&share, id_of(6, 1));
	add_word(&share, U256_ZERO);
	decode(&share, "KMSGeneration");
	assert_request(&share, OP_KIND_KEY_RESHARE, id_of(6, 1), &r);
	assert_true(u256_eq(r.first, id_of(3, 1)) && u256_eq(r.second, id_of(4, 1)));
}

/* A topic counts only in the table of the contract that it comes from. */
static void test_events_that_do_not_fit(void **state)
{
	struct seen prep CLEANUP(seen_free) =
		seen_empty("PrepKeygenRequest(uint256,uint256,uint8)");
	struct seen other CLEANUP(seen_free) = golden("PrepKeygenRequest");
	struct seen epoch CLEANUP(seen_free) = golden("NewKmsEpoch");

	(void)state;
	add_word(&prep, id_of(3, 1));
	add_word(&prep, U256_ZERO);
	add_word(&prep, u256_from_u64(2)); /* no such parameters */
	decode(&prep, "KMSGeneration");
	assert_int_equal(prep.err, ERR_MALFORMED);
	decode(&other, "ProtocolConfig");
	assert_int_equal(other.err, ERR_UNSUPPORTED);
	epoch.log.topics_n = 2;
	decode(&epoch, "ProtocolConfig");
	assert_int_equal(epoch.err, ERR_MALFORMED);
	assert_non_null(strstr(epoch.note.text, "2 topics, 3 expected"));
}

static void test_epoch(void **state)
{
	struct seen s CLEANUP(seen_free) = golden("NewKmsEpoch");
	struct new_epoch e;

	(void)state;
	decode(&s, "ProtocolConfig");
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.op.key.kind, OP_KIND_NEW_EPOCH);
	assert_true(u256_eq(s.op.key.request_id, id_of(8, 2)));
	assert_int_equal(new_epoch_decode(&e, s.op.content), ERR_OK);
	assert_true(u256_eq(e.context, id_of(7, 1)));
	assert_true(u256_eq(e.previous_epoch, id_of(8, 1)));
	assert_true(e.material_block.v > 0);
}

/* One node, one set of measurements. */
static struct seen context_event(struct u256 previous, int32_t party)
{
	struct seen s = seen_empty("");
	const struct abi_value node[] = {
		abi_address((struct address){{1}}),
		abi_address((struct address){{2}}),
		abi_bytes(BYTES_LIT("10.0.0.1")),
		abi_bytes(BYTES_LIT("https://store")),
		abi_uint(u256_from_u64((uint64_t)party)),
		abi_bytes(BYTES_LIT("node-1")),
		abi_bytes(BYTES_LIT("PEM")),
		abi_bytes(BYTES_LIT("PUB")),
	};
	const struct abi_value nodes[] = {abi_items(node, ARRAY_LEN(node))};
	const struct abi_value thresholds[] = {
		abi_uint(u256_from_u64(1)), abi_uint(u256_from_u64(2)), abi_uint(u256_from_u64(3)),
		abi_uint(u256_from_u64(4))};
	const struct abi_value pcr[] = {abi_bytes(BYTES_LIT("a")), abi_bytes(BYTES_LIT("b")),
					abi_bytes(BYTES_LIT("c"))};
	const struct abi_value pcrs[] = {abi_items(pcr, ARRAY_LEN(pcr))};
	const struct abi_value info[] = {abi_items(nodes, 1), abi_items(thresholds, 4),
					 abi_bytes(BYTES_LIT("v1")), abi_items(pcrs, 1)};
	const struct abi_value all = abi_items(info, ARRAY_LEN(info));
	const struct abi_type *type;

	s.log.topics[0] = new_context_topic();
	u256_to_be(s.log.topics[1].b, id_of(7, 2));
	u256_to_be(s.log.topics[2].b, previous);
	s.log.topics_n = 3;
	assert_int_equal(
		abi_type_parse(&s.a, &type,
			       "((address,address,string,string,int32,string,bytes,string)[],"
			       "(uint256,uint256,uint256,uint256),string,(bytes,bytes,bytes)[])"),
		ERR_OK);
	assert_int_equal(abi_encode(&s.data, type, &all), ERR_OK);
	return s;
}

static void test_context(void **state)
{
	struct seen s CLEANUP(seen_free) = context_event(id_of(7, 1), 5);
	struct seen first CLEANUP(seen_free) = context_event(id_of(7, 0), 5);
	struct new_context c;

	(void)state;
	decode(&s, "ProtocolConfig");
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.op.key.kind, OP_KIND_NEW_CONTEXT);
	assert_int_equal(new_context_decode(&s.a, &c, s.op.content), ERR_OK);
	assert_true(u256_eq(c.previous, id_of(7, 1)));
	assert_int_equal(c.nodes_n, 1);
	assert_int_equal(c.nodes[0].party_id, 5);
	assert_int_equal(c.nodes[0].tx_sender.b[0], 1);
	assert_int_equal(c.nodes[0].signer.b[0], 2);
	assert_true(bytes_eq_var(c.nodes[0].storage_prefix, BYTES_LIT("PUB")));
	assert_int_equal(c.threshold, 4);
	assert_true(bytes_eq_var(c.pcrs[0].pcr[2], BYTES_LIT("c")));
	/* abi.encode of the four is the data of the log: two of its arguments are topics. */
	struct hash32 info = new_context_info_hash(s.op.content), data = keccak256(s.log.data);
	assert_true(hash32_eq(info, data));
	/* The first context asks nothing of anybody. */
	decode(&first, "ProtocolConfig");
	assert_int_equal(first.err, ERR_OK);
	assert_int_equal(first.op.key.kind, 0);
	assert_true(first.op.content.n > 0);
}

/* ---- what is signed ---- */

static struct eip712_domain domain_of(const char *name, const char *address, uint64_t chain)
{
	return (struct eip712_domain){.name = bytes_str(name),
				      .version = BYTES_LIT("1"),
				      .chain_id = u256_from_u64(chain),
				      .verifying_contract = address_of(address)};
}

static void assert_hash(struct hash32 got, const char *want)
{
	assert_memory_equal(got.b, hash_of(want).b, 32);
}

static void test_digests(void **state)
{
	struct buf v1 CLEANUP(buf_free) = bytes_of(text("constants", "extraDataV1"));
	struct buf v2 CLEANUP(buf_free) = bytes_of(text("constants", "extraDataV2"));
	const struct eip712_domain gateway = domain_of("KMSGeneration", "KMSGeneration", 54321);
	const struct eip712_domain host = domain_of("KMSGeneration", "KMSGeneration", 12345);
	const struct eip712_domain config = domain_of("ProtocolConfig", "ProtocolConfig", 12345);
	const struct key_request old = {0}, one = {.host = true, .extra_data = buf_view(&v1)},
				 two = {.host = true, .extra_data = buf_view(&v2)};
	struct hash32 server, public, crs, got;
	const struct key_digest digests[] = {{0, BYTES_OF(server.b)}, {1, BYTES_OF(public.b)}};
	const struct u256 prep = id_of(3, 1), key = id_of(4, 1), id = id_of(5, 1),
			  bits = u256_from_u64(2048);

	(void)state;
	memset(server.b, 0xaa, 32);
	memset(public.b, 0xbb, 32);
	memset(crs.b, 0xcc, 32);
	assert_int_equal(prep_keygen_digest(&got, &gateway, prep, &old), ERR_OK);
	assert_hash(got, "c99160652f19a576558ae17c7e476089b72f517e3c5e337f410bd43f2b6c770a");
	assert_int_equal(keygen_digest(&got, &gateway, prep, key, digests, 2, &old), ERR_OK);
	assert_hash(got, "dffff2eca70f7c39717c140c67072193a6f4a61358f17bba71c14a3d4b112f5d");
	assert_int_equal(crsgen_digest(&got, &gateway, id, bits, BYTES_OF(crs.b), &old), ERR_OK);
	assert_hash(got, "c29159f9b8722924e9b2e41754fb369a16d80d3b03292ea58882b1deea29b199");
	assert_int_equal(prep_keygen_digest(&got, &host, prep, &one), ERR_OK);
	assert_hash(got, "9c50e0da2e214396c1cfc1f1571c30253b6bffda5489fd79774f4a3a695c2dea");
	assert_int_equal(prep_keygen_digest(&got, &host, prep, &two), ERR_OK);
	assert_hash(got, "68f4f3f47eb4c58cc03746fad5e302ab258300bc7f71385d2f4cc20061d3082b");
	assert_int_equal(keygen_digest(&got, &host, prep, key, digests, 2, &two), ERR_OK);
	assert_hash(got, "e089d20b948ad6b4f154a05c742696a810d1065c3855194fadc75d88fe62a103");
	assert_int_equal(crsgen_digest(&got, &host, id, bits, BYTES_OF(crs.b), &two), ERR_OK);
	assert_hash(got, "71253600d5fc42f950bf60122dd7c0ec549df6ed0787d5b5c1be93f39212fe30");
	assert_int_equal(keygen_digest(&got, &config, prep, key, digests, 2, &two), ERR_OK);
	assert_hash(got, "f19882235d1f9d4bcf5a53a62c320025f5a4e2279341c66cc952f839e3402195");
	assert_int_equal(crsgen_digest(&got, &config, id, bits, BYTES_OF(crs.b), &two), ERR_OK);
	assert_hash(got, "0d65648a188e255048e48f8262e5f9e5e0428bed6e1a9e6a032d0995555d47a9");
}

static void test_key_types(void **state)
{
	uint8_t type;
	const char *name;

	(void)state;
	assert_int_equal(key_type_from_name(&type, "CompressedXofKeySet"), ERR_OK);
	assert_int_equal(type, 3);
	assert_int_equal(key_type_from_name(&type, "DecompressionKey"), ERR_UNSUPPORTED);
	assert_int_equal(key_type_name(&name, 1), ERR_OK);
	assert_string_equal(name, "PublicKey");
	assert_int_equal(key_type_name(&name, 2), ERR_UNSUPPORTED);
	assert_int_equal(key_type_name(&name, 4), ERR_UNSUPPORTED);
}

/* ---- answers ---- */

/* The signature that ends at this word of a golden call: two words and a byte. */
static struct bytes signature_in(struct bytes call, size_t word)
{
	return bytes_sub(call, 4 + 32 * word, 65);
}

static void assert_call(enum op_kind kind, struct u256 id, const struct buf *got,
			const char *golden_name)
{
	struct buf want CLEANUP(buf_free) = bytes_of(text("calldata", golden_name));
	struct buf again CLEANUP(buf_free) = buf_make(1 << 16);

	assert_true(bytes_eq_var(buf_view(got), buf_view(&want)));
	assert_int_equal(answer_call(&again, kind, id, buf_view(got)), ERR_OK);
	assert_true(bytes_eq_var(buf_view(&again), buf_view(&want)));
	/* Another id, another kind: not an answer to that. */
	assert_int_equal(answer_call(&again, kind, id_of(9, 9), buf_view(got)), ERR_CORRUPT);
	assert_int_equal(answer_call(&again, OP_KIND_ABORT_KEYGEN, id, buf_view(got)), ERR_CORRUPT);
	assert_int_equal(answer_call(&again, kind, id, bytes_sub(buf_view(got), 0, 35)),
			 ERR_CORRUPT);
}

static void test_calls(void **state)
{
	struct buf prep CLEANUP(buf_free) = bytes_of(text("calldata", "prepKeygenResponse"));
	struct buf key CLEANUP(buf_free) = bytes_of(text("calldata", "keygenResponse"));
	struct buf crs CLEANUP(buf_free) = bytes_of(text("calldata", "crsgenResponse"));
	struct buf epoch CLEANUP(buf_free) = bytes_of(text("calldata", "confirmEpochActivation"));
	struct buf out CLEANUP(buf_free) = buf_make(1 << 16);
	struct hash32 server, public, digest;
	const struct key_digest digests[] = {{0, BYTES_OF(server.b)}, {1, BYTES_OF(public.b)}};

	(void)state;
	memset(server.b, 0xaa, 32);
	memset(public.b, 0xbb, 32);
	memset(digest.b, 0xcc, 32);
	assert_int_equal(
		prep_keygen_response_call(&out, id_of(3, 1), signature_in(buf_view(&prep), 3)),
		ERR_OK);
	assert_call(OP_KIND_PREP_KEYGEN, id_of(3, 1), &out, "prepKeygenResponse");
	buf_clear(&out);
	assert_int_equal(keygen_response_call(&out, id_of(4, 1), digests, 2,
					      signature_in(buf_view(&key), 15)),
			 ERR_OK);
	assert_call(OP_KIND_KEYGEN, id_of(4, 1), &out, "keygenResponse");
	buf_clear(&out);
	assert_int_equal(crsgen_response_call(&out, id_of(5, 1), BYTES_OF(digest.b),
					      signature_in(buf_view(&crs), 6)),
			 ERR_OK);
	assert_call(OP_KIND_CRSGEN, id_of(5, 1), &out, "crsgenResponse");
	buf_clear(&out);
	assert_int_equal(confirm_context_call(&out, id_of(7, 2)), ERR_OK);
	assert_call(OP_KIND_NEW_CONTEXT, id_of(7, 2), &out, "confirmKmsContextCreation");
	buf_clear(&out);

	const struct epoch_key keys[] = {{.prep_id = id_of(3, 1),
					  .key_id = id_of(4, 1),
					  .digests = digests,
					  .digests_n = 2,
					  .signature = signature_in(buf_view(&epoch), 21)}};
	const struct epoch_crs crss[] = {{.crs_id = id_of(5, 1),
					  .max_bits = u256_from_u64(2048),
					  .digest = BYTES_OF(digest.b),
					  .signature = signature_in(buf_view(&epoch), 33)}};
	assert_int_equal(confirm_epoch_call(&out, id_of(8, 1), keys, 1, crss, 1), ERR_OK);
	assert_call(OP_KIND_NEW_EPOCH, id_of(8, 1), &out, "confirmEpochActivation");
}

static void test_reverts(void **state)
{
	static const struct {
		const char *selector;
		enum err err;
		const char *name;
	} rows[] = {
		{"33ca1fe3", ERR_ALREADY_DONE, "KmsAlreadySignedForPrepKeygen"},
		{"98fb957d", ERR_ALREADY_DONE, "KmsAlreadySignedForKeygen"},
		{"fcf5a6e9", ERR_ALREADY_DONE, "KmsAlreadySignedForCrsgen"},
		{"62585cc8", ERR_ALREADY_DONE, "KmsContextCreationAlreadyConfirmed"},
		{"49417636", ERR_ALREADY_DONE, "EpochActivationAlreadyConfirmed"},
		{"3586efa1", ERR_ALREADY_DONE, "KmsContextNotPending"},
		{"7995bbcf", ERR_ALREADY_DONE, "InvalidKmsEpoch"},
		{"0ab7f687", ERR_TRANSIENT, "PrepKeygenNotRequested"},
		{"adfab904", ERR_TRANSIENT, "KeygenNotRequested"},
		{"8d8c940a", ERR_TRANSIENT, "CrsgenNotRequested"},
		{"6fbcdd2b", ERR_TRANSIENT, "KeyManagementRequestPending"},
		{"aee86323", ERR_TRANSIENT, "NotKmsTxSender"},
		{"2a7c6ef6", ERR_TRANSIENT, "NotKmsSigner"},
		{"f645eedf", ERR_BAD_REQUEST, "ECDSAInvalidSignature"},
		{"e6f9083b", ERR_BAD_REQUEST, "EmptyKeyDigests"},
		{"ce9440df", ERR_BAD_REQUEST, "EmptyEpochActivationAttestation"},
		{"12345678", ERR_TRANSIENT, "unknown revert"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf data CLEANUP(buf_free) = bytes_of(rows[i].selector);
		const char *name = NULL;

		assert_int_equal(answer_classify_revert(&name, OP_KIND_KEYGEN, buf_view(&data)),
				 rows[i].err);
		assert_string_equal(name, rows[i].name);
		const char *hint;
		enum revert_cause cause = answer_revert_cause(&hint, name);
		assert_int_equal(cause == REVERT_ANSWERED, rows[i].err == ERR_ALREADY_DONE);
		assert_int_equal(cause == REVERT_OTHER, !strcmp(name, "unknown revert"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_topics),
		cmocka_unit_test(test_events_of_the_host),
		cmocka_unit_test(test_events_of_a_gateway),
		cmocka_unit_test(test_events_that_do_not_fit),
		cmocka_unit_test(test_epoch),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_key_types),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_reverts),
	};

	return cmocka_run_group_tests(tests, load, unload);
}

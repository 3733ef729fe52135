/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The adapters against logs, call data and signatures that upstream's contracts accepted. */
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
#include "connector/adapters/decryption.h"
#include "connector/adapters/views.h"
#include "crypto/keccak.h"

static json_t *vectors;

static int load(void **state)
{
	char path[512];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/connector/public_decryption.json",
		       getenv("VECTORS"));
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

/* A golden log; its data lives in `data`. */
static struct event_log golden(const char *group, const char *name, struct buf *data)
{
	const json_t *o = json_object_get(json_object_get(vectors, group), name);
	const json_t *topics = json_object_get(o, "topics");
	struct event_log log = {.block = {7}, .log_index = 2};

	assert_non_null(o);
	*data = buf_make(1 << 16);
	assert_int_equal(hex_decode(data, bytes_str(json_string_value(json_object_get(o, "data")))),
			 ERR_OK);
	log.data = buf_view(data);
	log.topics_n = (unsigned)json_array_size(topics);
	for (unsigned i = 0; i < log.topics_n; i++)
		log.topics[i] = hash_of(json_string_value(json_array_get(topics, i)));
	assert_int_equal(
		hex_decode_fixed(log.address.b, 20, bytes_str(text("constants", "Decryption"))),
		ERR_OK);
	return log;
}

static void test_topics(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(4096);
	static const char *const want[] = {
		"9bb088a53f1fe13ec84fa0a1d7b578b589e193268baaccc5e23f7ab785aa3dae",
		"22db480a39bd72556438aadb4a32a3d2a6638b87c03bbec5fef6997e109587ff",
		"c71e32c80f3109c673a9adfcded0b3b2093212ab284084a0e03a281dee2bdd5f",
		"f9011bd6ba0da6049c520d70fe5971f17ed7ab795486052544b51019896c596b",
		"8ed4fab8b1d050676cd7d7d9fa448d5d22113375fab8ad4dc690e54593c527bf",
		"1f80a47b51979837976f999a7735fdccbbe570e0d40081644ec88f8ed76c9612",
	};
	const struct event_contract from = {.source = EVENTS_DECRYPTION};
	const struct hash32 *topics;
	size_t n;

	(void)state;
	assert_int_equal(events_topics(&a, &from, 1, &topics, &n), ERR_OK);
	assert_int_equal(n, ARRAY_LEN(want));
	for (size_t i = 0; i < n; i++)
		assert_true(hash32_eq(topics[i], hash_of(want[i])));
}

static void test_golden_logs_are_one_operation(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf d1 CLEANUP(buf_free), d2 CLEANUP(buf_free);
	struct event_log l1 = golden("logs", "PublicDecryptionRequest handle-only", &d1);
	struct event_log l2 = golden("logs", "PublicDecryptionRequest legacy", &d2);
	struct operation o1, o2;
	struct decryption_request p;
	const struct sns_material *m;
	struct address coprocessor;
	size_t n;

	(void)state;
	assert_int_equal(event_table_decode(&event_tables[EVENTS_DECRYPTION], &a, &o1,
					    (struct chain_id){54321}, &l1, NULL),
			 ERR_OK);
	assert_int_equal(event_table_decode(&event_tables[EVENTS_DECRYPTION], &a, &o2,
					    (struct chain_id){54321}, &l2, NULL),
			 ERR_OK);
	assert_true(hash32_eq(o1.key.content_digest, o2.key.content_digest));
	assert_true(u256_eq(o1.key.request_id, o2.key.request_id));
	assert_true(hash32_eq(o1.key.content_digest, keccak256(o1.content)));
	assert_int_equal(o1.materials.n, 0);
	assert_int_equal(o1.block.v, 7);

	assert_int_equal(decryption_request_decode(&a, &p, OP_KIND_PUBLIC_DECRYPTION, o2.content),
			 ERR_OK);
	assert_int_equal(p.handles_n, 1);
	assert_true(hash32_eq(p.handles[0], hash_of(text("constants", "h1"))));
	assert_int_equal(p.extra_data.n, 1);
	assert_int_equal(handle_chain_id(&p.handles[0]).v, 12345);
	assert_int_equal(handle_fhe_type(&p.handles[0]), 5);

	assert_int_equal(sns_materials_decode(&a, &m, &n, o2.materials), ERR_OK);
	assert_int_equal(n, 1);
	assert_true(hash32_eq(
		m[0].digest,
		hash_of("f2ee15ea639b73fa3db9b34a245bdfa015c260c598b211bf05a1ecc4b3e3b4f2")));
	assert_int_equal(m[0].coprocessors_n, 1);
	assert_int_equal(hex_decode_fixed(coprocessor.b, 20, bytes_str(text("keys", "copAddr"))),
			 ERR_OK);
	assert_true(address_eq(m[0].coprocessors[0], coprocessor));
	assert_int_equal(m[0].key_id.w[3] >> 56, 4);
}

static void test_other_events_are_not_ours(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf data CLEANUP(buf_free);
	struct event_log keygen = golden("otherLogs", "KeygenRequest", &data);
	struct operation op;

	(void)state;
	assert_int_equal(event_table_decode(&event_tables[EVENTS_DECRYPTION], &a, &op,
					    (struct chain_id){1}, &keygen, NULL),
			 ERR_UNSUPPORTED);
	keygen.topics_n = 0;
	assert_int_equal(event_table_decode(&event_tables[EVENTS_DECRYPTION], &a, &op,
					    (struct chain_id){1}, &keygen, NULL),
			 ERR_UNSUPPORTED);
}

/* Every truncation and every flipped bit is either refused as malformed or another, well-formed
 * request. */
static void test_damaged_logs(void **state)
{
	static const char *const names[] = {"PublicDecryptionRequest handle-only",
					    "PublicDecryptionRequest legacy"};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		struct buf data CLEANUP(buf_free);
		struct event_log log = golden("logs", names[k], &data);
		struct operation op;

		for (size_t n = 0; n < data.n; n++) {
			struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
			struct err_note note = {0};

			log.data = bytes_sub(buf_view(&data), 0, n);
			assert_int_equal(event_table_decode(&event_tables[EVENTS_DECRYPTION], &a,
							    &op, (struct chain_id){1}, &log, &note),
					 ERR_MALFORMED);
			assert_true(note.text[0] != '\0');
		}
		log.data = buf_view(&data);
		for (size_t bit = 0; bit < data.n * 8; bit++) {
			struct arena a CLEANUP(arena_free) = arena_make(1 << 20);

			data.p[bit / 8] ^= (uint8_t)(1 << (bit % 8));
			enum err e = event_table_decode(&event_tables[EVENTS_DECRYPTION], &a, &op,
							(struct chain_id){1}, &log, NULL);
			assert_true(e == ERR_OK || e == ERR_MALFORMED);
			data.p[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		}
		log.topics_n = 1;
		struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
		assert_int_equal(event_table_decode(&event_tables[EVENTS_DECRYPTION], &a, &op,
						    (struct chain_id){1}, &log, NULL),
				 ERR_MALFORMED);
	}
}

static void test_extra_data(void **state)
{
	struct buf v1 CLEANUP(buf_free) = buf_make(128), v2 CLEANUP(buf_free) = buf_make(128);
	struct extra_data x;

	(void)state;
	assert_int_equal(hex_decode(&v1, bytes_str(text("constants", "extraDataV1"))), ERR_OK);
	assert_int_equal(hex_decode(&v2, bytes_str(text("constants", "extraDataV2"))), ERR_OK);
	assert_int_equal(extra_data_parse(&x, BYTES_NONE), ERR_OK);
	assert_false(x.has_context || x.has_epoch);
	assert_int_equal(extra_data_parse(&x, BYTES_LIT("\0anything")), ERR_OK);
	assert_false(x.has_context || x.has_epoch);
	assert_int_equal(extra_data_parse(&x, buf_view(&v1)), ERR_OK);
	assert_true(x.has_context && !x.has_epoch);
	assert_int_equal(x.context.w[3] >> 56, 7);
	assert_int_equal(x.context.w[0], 1);
	assert_int_equal(extra_data_parse(&x, buf_view(&v2)), ERR_OK);
	assert_true(x.has_context && x.has_epoch);
	assert_int_equal(x.epoch.w[3] >> 56, 8);
	assert_int_equal(extra_data_parse(&x, bytes_sub(buf_view(&v1), 0, 32)), ERR_BAD_REQUEST);
	assert_int_equal(extra_data_parse(&x, bytes_sub(buf_view(&v2), 0, 64)), ERR_BAD_REQUEST);
	assert_int_equal(extra_data_parse(&x, BYTES_LIT("\3")), ERR_BAD_REQUEST);

	assert_int_equal(extra_data_for_core(BYTES_LIT("\0")).n, 0);
	assert_int_equal(extra_data_for_core(BYTES_LIT("\0\0")).n, 2);
	assert_int_equal(extra_data_for_core(buf_view(&v1)).n, 33);
	assert_int_equal(extra_data_for_core(BYTES_NONE).n, 0);
}

static void test_response_call_is_the_golden_one(void **state)
{
	const json_t *calls = json_object_get(vectors, "calldata");
	const json_t *e = json_array_get(json_object_get(vectors, "eip712"), 0);
	struct buf want CLEANUP(buf_free) = buf_make(1 << 12),
			got CLEANUP(buf_free) = buf_make(1 << 12);
	struct buf sig CLEANUP(buf_free) = buf_make(128),
		       stored CLEANUP(buf_free) = buf_make(1 << 12);
	uint8_t id[32] = {1}, word[32] = {0};
	struct decryption_answer a, back;

	(void)state;
	id[31] = 1;
	word[31] = 0x2a;
	const char *hex = json_string_value(
		json_object_iter_value(json_object_iter((json_t *)(uintptr_t)calls)));
	assert_int_equal(hex_decode(&want, bytes_str(hex)), ERR_OK);
	assert_int_equal(
		hex_decode(&sig, bytes_str(json_string_value(json_object_get(e, "signature")))),
		ERR_OK);
	a = (struct decryption_answer){.result = BYTES_OF(word), .signature = buf_view(&sig)};
	assert_int_equal(decryption_answer_encode(&stored, &a), ERR_OK);
	assert_int_equal(
		decryption_answer_decode(&back, OP_KIND_PUBLIC_DECRYPTION, buf_view(&stored)),
		ERR_OK);
	assert_int_equal(
		decryption_response_call(&got, OP_KIND_PUBLIC_DECRYPTION, u256_from_be(id), &back),
		ERR_OK);
	assert_true(bytes_eq_var(buf_view(&got), buf_view(&want)));
	for (size_t n = 0; n < stored.n; n++)
		assert_int_equal(decryption_answer_decode(&back, OP_KIND_PUBLIC_DECRYPTION,
							  bytes_sub(buf_view(&stored), 0, n)),
				 ERR_CORRUPT);
}

static void test_reverts(void **state)
{
	static const struct {
		const char *selector;
		const char *name;
		enum err err;
	} cases[] = {
		{"99ec48d9", "KmsNodeAlreadySigned", ERR_ALREADY_DONE},
		{"33ca1fe3", "KmsAlreadySignedForPrepKeygen", ERR_ALREADY_DONE},
		{"98fb957d", "KmsAlreadySignedForKeygen", ERR_ALREADY_DONE},
		{"fcf5a6e9", "KmsAlreadySignedForCrsgen", ERR_ALREADY_DONE},
		{"62585cc8", "KmsContextCreationAlreadyConfirmed", ERR_ALREADY_DONE},
		{"49417636", "EpochActivationAlreadyConfirmed", ERR_ALREADY_DONE},
		{"3586efa1", "KmsContextNotPending", ERR_ALREADY_DONE},
		{"7995bbcf", "InvalidKmsEpoch", ERR_ALREADY_DONE},
		{"0ab7f687", "PrepKeygenNotRequested", ERR_TRANSIENT},
		{"adfab904", "KeygenNotRequested", ERR_TRANSIENT},
		{"8d8c940a", "CrsgenNotRequested", ERR_TRANSIENT},
		{"6fbcdd2b", "KeyManagementRequestPending", ERR_TRANSIENT},
		{"d48af942", "DecryptionNotRequested", ERR_TRANSIENT},
		{"aee86323", "NotKmsTxSender", ERR_TRANSIENT},
		{"2a7c6ef6", "NotKmsSigner", ERR_TRANSIENT},
		{"abb5f486", "DecryptionContextMismatch", ERR_BAD_REQUEST},
		{"77ddbe81", "InvalidKmsContext", ERR_TRANSIENT},
		{"f645eedf", "ECDSAInvalidSignature", ERR_BAD_REQUEST},
		{"fce698f7", "ECDSAInvalidSignatureLength", ERR_BAD_REQUEST},
		{"d78bce0c", "ECDSAInvalidSignatureS", ERR_BAD_REQUEST},
		{"d93c0665", "EnforcedPause", ERR_TRANSIENT},
		{"08c379a0", "Error", ERR_TRANSIENT},
		{"4e487b71", "Panic", ERR_TRANSIENT},
		{"deadbeef", "unknown revert", ERR_TRANSIENT},
		{"99ec", "unknown revert", ERR_TRANSIENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf data CLEANUP(buf_free) = buf_make(64);
		const char *name = NULL;

		assert_int_equal(hex_decode(&data, bytes_str(cases[i].selector)), ERR_OK);
		assert_int_equal(decryption_classify_revert(&name, buf_view(&data)), cases[i].err);
		assert_string_equal(name, cases[i].name);
		/* Every error that the contracts have tells whose trouble it is. */
		const char *hint;
		enum revert_cause cause = answer_revert_cause(&hint, name);
		assert_int_equal(cause == REVERT_ANSWERED, cases[i].err == ERR_ALREADY_DONE);
		assert_int_equal(cause == REVERT_OTHER, !strcmp(name, "Error") ||
								!strcmp(name, "Panic") ||
								!strcmp(name, "unknown revert"));
	}
}

static void expect_selector(struct buf *data, const char *selector)
{
	char hex[9];

	assert_true(data->n >= 4);
	hex_encode(hex, bytes_sub(buf_view(data), 0, 4));
	assert_string_equal(hex, selector);
	buf_clear(data);
}

static void test_views(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf data CLEANUP(buf_free) = buf_make(1 << 12);
	struct hash32 h = hash_of(text("constants", "h1"));
	uint8_t word[32] = {0};
	const struct address *list;
	struct coprocessor c;
	size_t n;
	bool v = false;

	(void)state;
	assert_int_equal(acl_is_allowed_for_decryption_call(&data, &h), ERR_OK);
	expect_selector(&data, "c0d02943");
	assert_int_equal(config_is_valid_kms_context_call(&data, u256_from_u64(1)), ERR_OK);
	expect_selector(&data, "bf9b16c8");
	assert_int_equal(
		config_is_valid_epoch_for_context_call(&data, u256_from_u64(1), u256_from_u64(2)),
		ERR_OK);
	expect_selector(&data, "cceac019");
	assert_int_equal(gateway_config_signers_call(&data), ERR_OK);
	expect_selector(&data, "9164d0ae");
	assert_int_equal(gateway_config_tx_senders_call(&data), ERR_OK);
	expect_selector(&data, "1ea5bd42");
	assert_int_equal(gateway_config_threshold_call(&data), ERR_OK);
	expect_selector(&data, "6799ef52");
	assert_int_equal(gateway_config_coprocessor_call(&data, (struct address){{1}}), ERR_OK);
	expect_selector(&data, "ef6997f9");

	assert_int_equal(gateway_config_is_kms_signer_call(&data, (struct address){{1}}), ERR_OK);
	expect_selector(&data, "203d0114");
	assert_int_equal(gateway_config_is_kms_signer_for_context_call(&data, u256_from_u64(1),
								       (struct address){{1}}),
			 ERR_OK);
	expect_selector(&data, "9447cfd4");

	assert_int_equal(view_bool_result(&v, BYTES_NONE), ERR_MALFORMED);
	assert_int_equal(view_bool_result(&v, BYTES_OF(word)), ERR_OK);
	assert_false(v);
	word[31] = 1;
	assert_int_equal(view_bool_result(&v, BYTES_OF(word)), ERR_OK);
	assert_true(v);
	word[31] = 2;
	assert_int_not_equal(view_bool_result(&v, BYTES_OF(word)), ERR_OK);
	assert_int_equal(gateway_config_threshold_result(&n, BYTES_OF(word)), ERR_OK);
	assert_int_equal(n, 2);
	word[31] = 0;
	assert_int_equal(gateway_config_threshold_result(&n, BYTES_OF(word)), ERR_MISMATCH);
	word[0] = 1;
	assert_int_equal(gateway_config_threshold_result(&n, BYTES_OF(word)), ERR_MISMATCH);
	assert_int_equal(gateway_config_addresses_result(&a, &list, &n, BYTES_NONE), ERR_MALFORMED);
	assert_int_equal(err_class(gateway_config_coprocessor_result(&a, &c, BYTES_OF(word))),
			 ERR_CLASS_SOURCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_topics),
		cmocka_unit_test(test_golden_logs_are_one_operation),
		cmocka_unit_test(test_other_events_are_not_ours),
		cmocka_unit_test(test_damaged_logs),
		cmocka_unit_test(test_extra_data),
		cmocka_unit_test(test_response_call_is_the_golden_one),
		cmocka_unit_test(test_reverts),
		cmocka_unit_test(test_views),
	};

	return cmocka_run_group_tests(tests, load, unload);
}

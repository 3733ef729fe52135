/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* User decryption in the adapters: logs, call data and signatures that the contracts accepted. */
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
#include "connector/adapters/user_decryption.h"
#include "connector/adapters/views.h"
#include "crypto/ecdsa.h"
#include "crypto/keccak.h"

static json_t *vectors;

static int load(void **state)
{
	char path[512];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/contracts/user_decryption.json", getenv("VECTORS"));
	vectors = json_load_file(path, 0, NULL);
	return vectors ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

static const json_t *in(const char *group, const char *key)
{
	const json_t *o = json_object_get(json_object_get(vectors, group), key);

	assert_non_null(o);
	return o;
}

static struct buf hex_of(const json_t *text)
{
	struct buf b = buf_make(1 << 16);

	assert_int_equal(hex_decode(&b, bytes_str(json_string_value(text))), ERR_OK);
	return b;
}

static struct address address_of(const char *group, const char *key)
{
	struct address a;

	assert_int_equal(hex_decode_fixed(a.b, 20, bytes_str(json_string_value(in(group, key)))),
			 ERR_OK);
	return a;
}

static struct hash32 hash_of(const json_t *text)
{
	struct hash32 h;

	assert_int_equal(hex_decode_fixed(h.b, 32, bytes_str(json_string_value(text))), ERR_OK);
	return h;
}

static struct event_log golden(const char *name, struct buf *data)
{
	const json_t *o = in("logs", name), *topics = json_object_get(o, "topics");
	struct event_log log = {.address = address_of("constants", "Decryption"), .topics_n = 2};

	*data = hex_of(json_object_get(o, "data"));
	log.data = buf_view(data);
	assert_int_equal(json_array_size(topics), 2);
	for (unsigned i = 0; i < 2; i++)
		log.topics[i] = hash_of(json_array_get(topics, i));
	return log;
}

static enum err decode(struct arena *a, struct operation *op, const struct event_log *log)
{
	return event_table_decode(&event_tables[EVENTS_DECRYPTION], a, op, (struct chain_id){54321},
				  log, NULL);
}

static void content_of(struct arena *a, struct decryption_request *r, const struct operation *op)
{
	assert_int_equal(op->key.kind, OP_KIND_USER_DECRYPTION);
	assert_true(hash32_eq(op->key.content_digest, keccak256(op->content)));
	assert_int_equal(decryption_request_decode(a, r, op->key.kind, op->content), ERR_OK);
	assert_non_null(r->user);
	assert_int_equal(r->handles_n, 1);
	assert_true(hash32_eq(r->handles[0], hash_of(in("constants", "h1"))));
	assert_true(address_eq(r->user->user, address_of("keys", "userAddr")));

	struct buf key CLEANUP(buf_free) = hex_of(in("constants", "publicKey"));
	assert_true(bytes_eq_var(r->user->public_key, buf_view(&key)));
}

static void test_pairs_log(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf data CLEANUP(buf_free);
	struct event_log log = golden("pairs", &data);
	struct decryption_request r;
	struct operation op;

	(void)state;
	assert_int_equal(decode(&a, &op, &log), ERR_OK);
	content_of(&a, &r, &op);
	assert_false(r.user->unified);
	assert_int_equal(op.materials.n, 0);
	assert_int_equal(op.key.request_id.w[3] >> 56, 2);
}

static void test_unified_log(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf data CLEANUP(buf_free);
	struct event_log log = golden("unified", &data);
	struct decryption_request r;
	struct operation op;

	(void)state;
	assert_int_equal(decode(&a, &op, &log), ERR_OK);
	content_of(&a, &r, &op);
	assert_true(r.user->unified);
	assert_true(address_eq(r.user->entries[0].contract, address_of("constants", "dapp")));
	assert_true(address_eq(r.user->entries[0].owner, address_of("keys", "userAddr")));
	assert_int_equal(r.user->allowed_contracts_n, 1);
	assert_true(address_eq(r.user->allowed_contracts[0], address_of("constants", "dapp")));
	assert_true(u256_eq(r.user->start_s, u256_from_u64(1760000000)));
	assert_true(u256_eq(r.user->duration_s, u256_from_u64(864000)));
	assert_int_equal(r.user->signature.n, 65);
}

/* ---- the other generation: the same with materials in front ---- */

#define MATERIALS "(bytes32,uint256,bytes32,address[])[]"
#define ENTRIES   "(bytes32,address,address)[]"
#define PAYLOAD   "(address,bytes,address[],(uint256,uint256),bytes,bytes)"

/* `type` and topic are the golden log's with the handles replaced by, or preceded by, materials. */
static struct event_log with_materials(struct arena *a, const struct event_log *log,
				       const char *type, const char *signature,
				       const char *new_type, bool replaced, struct hash32 handle,
				       size_t rows_n, struct buf *out)
{
	const struct abi_type *t;
	const struct abi_value *v;
	struct address coprocessor = address_of("keys", "copAddr");
	struct hash32 digest = {{7}};
	const struct abi_value list = abi_address(coprocessor);
	const struct abi_value fields[] = {abi_hash(&handle), abi_uint(u256_from_u64(4)),
					   abi_hash(&digest), abi_items(&list, 1)};
	const struct abi_value row = abi_items(fields, 4), rows[] = {row, row};
	struct abi_value args[8] = {abi_items(rows, rows_n)};
	size_t n = 1;
	struct event_log other = *log;

	assert_int_equal(abi_type_parse(a, &t, type), ERR_OK);
	assert_int_equal(abi_decode(a, &v, t, log->data), ERR_OK);
	for (size_t i = replaced ? 1 : 0; i < v->items_n; i++)
		args[n++] = v->items[i];
	assert_int_equal(abi_type_parse(a, &t, new_type), ERR_OK);
	*out = buf_make(1 << 16);
	const struct abi_value tuple = abi_items(args, n);
	assert_int_equal(abi_encode(out, t, &tuple), ERR_OK);
	other.topics[0] = abi_topic(signature);
	other.data = buf_view(out);
	return other;
}

static void assert_one_operation(struct arena *a, const struct event_log *l1,
				 const struct event_log *l2)
{
	struct operation o1, o2;
	const struct sns_material *m;
	size_t n;

	assert_int_equal(decode(a, &o1, l1), ERR_OK);
	assert_int_equal(decode(a, &o2, l2), ERR_OK);
	assert_true(hash32_eq(o1.key.content_digest, o2.key.content_digest));
	assert_int_equal(sns_materials_decode(a, &m, &n, o2.materials), ERR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(m[0].digest.b[0], 7);
	assert_true(hash32_eq(m[0].handle, hash_of(in("constants", "h1"))));
}

static void test_both_generations_are_one_operation(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf d1 CLEANUP(buf_free), d2 CLEANUP(buf_free), out CLEANUP(buf_free),
		out2 CLEANUP(buf_free), out3 CLEANUP(buf_free);
	struct event_log pairs = golden("pairs", &d1), unified = golden("unified", &d2);
	struct hash32 handle = hash_of(in("constants", "h1")),
		      other = hash_of(in("constants", "h2"));
	struct event_log log;
	struct operation op;

	(void)state;
	log = with_materials(&a, &pairs, "(bytes32[],address,bytes,bytes)",
			     "UserDecryptionRequest(uint256," MATERIALS ",address,bytes,bytes)",
			     "(" MATERIALS ",address,bytes,bytes)", true, handle, 1, &out);
	assert_one_operation(&a, &pairs, &log);
	log = with_materials(&a, &unified, "(" ENTRIES "," PAYLOAD ")",
			     "UserDecryptionRequest(uint256," MATERIALS "," ENTRIES "," PAYLOAD ")",
			     "(" MATERIALS "," ENTRIES "," PAYLOAD ")", false, handle, 1, &out2);
	assert_one_operation(&a, &unified, &log);
	/* Materials of another handle belong to nothing. */
	log = with_materials(&a, &unified, "(" ENTRIES "," PAYLOAD ")",
			     "UserDecryptionRequest(uint256," MATERIALS "," ENTRIES "," PAYLOAD ")",
			     "(" MATERIALS "," ENTRIES "," PAYLOAD ")", false, other, 1, &out3);
	assert_int_equal(decode(&a, &op, &log), ERR_MALFORMED);
	/* Nor do too few or too many. */
	for (size_t n = 0; n <= 2; n += 2) {
		struct buf some CLEANUP(buf_free) = {0};

		log = with_materials(
			&a, &unified, "(" ENTRIES "," PAYLOAD ")",
			"UserDecryptionRequest(uint256," MATERIALS "," ENTRIES "," PAYLOAD ")",
			"(" MATERIALS "," ENTRIES "," PAYLOAD ")", false, handle, n, &some);
		assert_int_equal(decode(&a, &op, &log), ERR_MALFORMED);
	}
}

/* Every truncation is malformed; every flipped bit gives malformed or another content. */
static void test_damaged_logs(void **state)
{
	static const char *const names[] = {"pairs", "unified"};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		struct arena first CLEANUP(arena_free) = arena_make(1 << 20);
		struct buf data CLEANUP(buf_free);
		struct event_log log = golden(names[k], &data);
		struct operation good, op;

		assert_int_equal(decode(&first, &good, &log), ERR_OK);
		for (size_t n = 0; n < data.n; n += 3) {
			struct arena a CLEANUP(arena_free) = arena_make(1 << 20);

			log.data = bytes_sub(buf_view(&data), 0, n);
			assert_int_equal(decode(&a, &op, &log), ERR_MALFORMED);
		}
		log.data = buf_view(&data);
		for (size_t bit = 0; bit < data.n * 8; bit++) {
			struct arena a CLEANUP(arena_free) = arena_make(1 << 20);

			data.p[bit / 8] ^= (uint8_t)(1 << (bit % 8));
			enum err e = decode(&a, &op, &log);
			if (e == ERR_OK)
				assert_false(
					hash32_eq(op.key.content_digest, good.key.content_digest));
			else
				assert_int_equal(e, ERR_MALFORMED);
			data.p[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		}
	}
}

/* What is stored decodes in one way only. */
static void test_stored_content(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf data CLEANUP(buf_free), longer CLEANUP(buf_free) = buf_make(1 << 16);
	struct event_log log = golden("unified", &data);
	struct decryption_request r;
	struct operation op;

	(void)state;
	assert_int_equal(decode(&a, &op, &log), ERR_OK);
	for (size_t n = 0; n < op.content.n; n++)
		assert_int_equal(decryption_request_decode(&a, &r, OP_KIND_USER_DECRYPTION,
							   bytes_sub(op.content, 0, n)),
				 ERR_CORRUPT);
	assert_int_equal(decryption_request_decode(&a, &r, OP_KIND_PUBLIC_DECRYPTION, op.content),
			 ERR_CORRUPT);
	assert_int_equal(buf_add(&longer, op.content), ERR_OK);
	assert_int_equal(buf_add_u8(&longer, 0), ERR_OK);
	assert_int_equal(
		decryption_request_decode(&a, &r, OP_KIND_USER_DECRYPTION, buf_view(&longer)),
		ERR_CORRUPT);
}

static void test_too_many_contracts(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf data CLEANUP(buf_free), out CLEANUP(buf_free) = buf_make(1 << 16);
	struct event_log log = golden("unified", &data);
	struct abi_value allowed[USER_CONTRACTS_MAX + 1], payload[6], args[2];
	const struct abi_type *t;
	const struct abi_value *v;
	struct operation op;

	(void)state;
	assert_int_equal(abi_type_parse(&a, &t, "(" ENTRIES "," PAYLOAD ")"), ERR_OK);
	assert_int_equal(abi_decode(&a, &v, t, log.data), ERR_OK);
	memcpy(payload, v->items[1].items, sizeof(payload));
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		allowed[i] = payload[2].items[0];
	args[0] = v->items[0];
	args[1] = abi_items(payload, 6);
	for (size_t n = USER_CONTRACTS_MAX; n <= USER_CONTRACTS_MAX + 1; n++) {
		payload[2] = abi_items(allowed, n);
		buf_clear(&out);
		const struct abi_value tuple = abi_items(args, 2);
		assert_int_equal(abi_encode(&out, t, &tuple), ERR_OK);
		log.data = buf_view(&out);
		assert_int_equal(decode(&a, &op, &log),
				 n > USER_CONTRACTS_MAX ? ERR_MALFORMED : ERR_OK);
	}
}

/* ---- calldata ---- */

static void test_calldata(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf direct CLEANUP(buf_free) = hex_of(in("calldata", "direct")),
			  delegated CLEANUP(buf_free) = hex_of(in("calldata", "delegated")),
			  unified CLEANUP(buf_free) = hex_of(in("calldata", "unified")),
			  data CLEANUP(buf_free);
	struct event_log log = golden("pairs", &data);
	struct decryption_request r;
	struct user_calldata c;
	struct operation op;

	(void)state;
	assert_int_equal(decode(&a, &op, &log), ERR_OK);
	content_of(&a, &r, &op);
	assert_int_equal(user_calldata_decode(&a, &c, buf_view(&direct)), ERR_OK);
	assert_false(c.delegated);
	assert_int_equal(c.pairs_n, 1);
	assert_true(address_eq(c.pairs[0].contract, address_of("constants", "dapp")));
	assert_true(user_calldata_is_of(&c, &r));
	assert_int_equal(user_calldata_decode(&a, &c, buf_view(&delegated)), ERR_OK);
	assert_true(c.delegated);
	assert_true(address_eq(c.delegator, address_of("constants", "delegator")));
	assert_true(address_eq(c.user, address_of("keys", "userAddr")));
	assert_true(user_calldata_is_of(&c, &r));
	assert_int_equal(user_calldata_decode(&a, &c, buf_view(&unified)), ERR_UNSUPPORTED);
	assert_int_equal(user_calldata_decode(&a, &c, BYTES_NONE), ERR_UNSUPPORTED);
	assert_int_equal(user_calldata_decode(&a, &c, bytes_sub(buf_view(&direct), 0, 4)),
			 ERR_TRUNCATED);
}

/* Every part that the contract takes over into the event must be the event's. */
static void test_calldata_of_another_request(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf direct CLEANUP(buf_free) = hex_of(in("calldata", "direct")),
			  data CLEANUP(buf_free);
	struct event_log log = golden("pairs", &data);
	struct decryption_request r, other;
	struct user_request user;
	struct user_calldata c;
	struct operation op;
	struct hash32 h2 = hash_of(in("constants", "h2")), two[2];

	(void)state;
	assert_int_equal(decode(&a, &op, &log), ERR_OK);
	content_of(&a, &r, &op);
	assert_int_equal(user_calldata_decode(&a, &c, buf_view(&direct)), ERR_OK);
	other = r;
	other.handles = &h2;
	assert_false(user_calldata_is_of(&c, &other));
	two[0] = two[1] = r.handles[0];
	other.handles = two;
	other.handles_n = 2;
	assert_false(user_calldata_is_of(&c, &other));
	other = r;
	user = *r.user;
	other.user = &user;
	assert_true(user_calldata_is_of(&c, &other));
	user.user.b[0] ^= 1;
	assert_false(user_calldata_is_of(&c, &other));
	user = *r.user;
	user.public_key.n--;
	assert_false(user_calldata_is_of(&c, &other));
	other = r;
	other.extra_data = BYTES_NONE;
	assert_false(user_calldata_is_of(&c, &other));
}

/* More contracts than the maximum are not taken. */
static void test_calldata_with_too_many_contracts(void **state)
{
	static const char type[] = "((bytes32,address)[],(uint256,uint256),(uint256,address[]),"
				   "address,bytes,bytes,bytes)";
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf direct CLEANUP(buf_free) = hex_of(in("calldata", "direct"));
	struct abi_value contracts[USER_CONTRACTS_MAX + 1], info[2], args[7];
	const struct abi_type *t;
	const struct abi_value *v;
	struct user_calldata c;

	(void)state;
	assert_int_equal(abi_type_parse(&a, &t, type), ERR_OK);
	assert_int_equal(abi_decode(&a, &v, t, bytes_sub(buf_view(&direct), 4, direct.n - 4)),
			 ERR_OK);
	memcpy(args, v->items, sizeof(args));
	memcpy(info, v->items[2].items, sizeof(info));
	for (size_t i = 0; i < ARRAY_LEN(contracts); i++)
		contracts[i] = info[1].items[0];
	for (size_t n = USER_CONTRACTS_MAX; n <= USER_CONTRACTS_MAX + 1; n++) {
		struct buf out CLEANUP(buf_free) = buf_make(1 << 16);

		info[1] = abi_items(contracts, n);
		args[2] = abi_items(info, 2);
		const struct abi_value tuple = abi_items(args, 7);
		assert_int_equal(buf_add(&out, bytes_sub(buf_view(&direct), 0, 4)), ERR_OK);
		assert_int_equal(abi_encode(&out, t, &tuple), ERR_OK);
		assert_int_equal(user_calldata_decode(&a, &c, buf_view(&out)),
				 n > USER_CONTRACTS_MAX ? ERR_TOO_BIG : ERR_OK);
	}
}

static void test_damaged_calldata(void **state)
{
	struct buf data CLEANUP(buf_free) = hex_of(in("calldata", "delegated"));
	struct user_calldata c;

	(void)state;
	for (size_t n = 4; n < data.n; n++) {
		struct arena a CLEANUP(arena_free) = arena_make(1 << 20);

		assert_int_not_equal(user_calldata_decode(&a, &c, bytes_sub(buf_view(&data), 0, n)),
				     ERR_OK);
	}
	for (size_t bit = 0; bit < data.n * 8; bit++) {
		struct arena a CLEANUP(arena_free) = arena_make(1 << 20);

		data.p[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		enum err e = user_calldata_decode(&a, &c, buf_view(&data));
		assert_true(bit >= 32 || e == ERR_UNSUPPORTED);
		data.p[bit / 8] ^= (uint8_t)(1 << (bit % 8));
	}
}

/* ---- signatures and calls ---- */

static void test_unified_signature(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf data CLEANUP(buf_free);
	struct event_log log = golden("unified", &data);
	const uint8_t blind[32] = {5};
	const struct eip712_domain domain = {
		.name = BYTES_LIT("Decryption"),
		.version = BYTES_LIT("1"),
		.chain_id = u256_from_u64(12345),
		.verifying_contract = address_of("constants", "Decryption"),
	};
	struct decryption_request r;
	struct address signer;
	struct hash32 digest;
	struct ecdsa *ecdsa;
	struct operation op;

	(void)state;
	assert_int_equal(ecdsa_new(&ecdsa, blind), ERR_OK);
	assert_int_equal(decode(&a, &op, &log), ERR_OK);
	content_of(&a, &r, &op);
	assert_int_equal(user_signature_digest(&digest, &domain, &r), ERR_OK);
	assert_true(hash32_eq(digest, hash_of(json_object_get(in("eip712", "unified"), "digest"))));
	assert_int_equal(ecdsa_recover(ecdsa, &signer, r.user->signature, digest), ERR_OK);
	assert_true(address_eq(signer, r.user->user));
	ecdsa_free(ecdsa);
}

/* Signatures that the contract accepted; nothing that they cover can change. */
static void test_calldata_signature(void **state)
{
	static const char *const names[] = {"direct", "delegated"};
	const uint8_t blind[32] = {5};
	struct eip712_domain domain = {
		.name = BYTES_LIT("Decryption"),
		.version = BYTES_LIT("1"),
		.chain_id = u256_from_u64(12345),
		.verifying_contract = address_of("constants", "Decryption"),
	};
	struct address signer, user = address_of("keys", "userAddr");
	struct hash32 want, digest;
	struct ecdsa *ecdsa;

	(void)state;
	assert_int_equal(ecdsa_new(&ecdsa, blind), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
		struct buf data CLEANUP(buf_free) = hex_of(in("calldata", names[i]));
		struct user_calldata c, d;

		assert_int_equal(user_calldata_decode(&a, &c, buf_view(&data)), ERR_OK);
		assert_true(u256_eq(c.chain_id, domain.chain_id));
		assert_true(u256_eq(c.start_s, u256_from_u64(1760000000)));
		assert_true(u256_eq(c.duration_days, u256_from_u64(10)));
		assert_int_equal(c.contracts_n, 1);
		assert_true(address_eq(c.contracts[0], address_of("constants", "dapp")));
		assert_true(bytes_eq_var(c.extra_data, BYTES_LIT("\0")));
		want = hash_of(json_object_get(in("eip712", names[i]), "digest"));
		assert_int_equal(user_calldata_digest(&digest, &domain, &c), ERR_OK);
		assert_true(hash32_eq(digest, want));
		assert_int_equal(ecdsa_recover(ecdsa, &signer, c.signature, digest), ERR_OK);
		assert_true(address_eq(signer, user));

#define CHANGED(change)                                                                            \
	do {                                                                                       \
		d = c;                                                                             \
		change;                                                                            \
		assert_int_equal(user_calldata_digest(&digest, &domain, &d), ERR_OK);              \
		assert_false(hash32_eq(digest, want));                                             \
	} while (0)
		CHANGED(d.public_key.n--);
		CHANGED(d.contracts_n = 0);
		CHANGED(d.start_s.w[0]++);
		CHANGED(d.duration_days.w[0]++);
		CHANGED(d.extra_data = BYTES_NONE);
		CHANGED(d.delegated = !d.delegated);
		if (c.delegated)
			CHANGED(d.delegator.b[0] ^= 1);
#undef CHANGED
	}
	ecdsa_free(ecdsa);
}

static void test_response_call(void **state)
{
	struct buf want CLEANUP(buf_free) = hex_of(in("calldata", "response")),
			got CLEANUP(buf_free) = buf_make(1 << 12),
			stored CLEANUP(buf_free) = buf_make(1 << 12);
	struct buf share CLEANUP(buf_free) = hex_of(in("constants", "share")),
			 signature CLEANUP(buf_free) =
				 hex_of(json_object_get(in("eip712", "response"), "signature"));
	const struct decryption_answer a = {buf_view(&share), buf_view(&signature), BYTES_NONE};
	struct decryption_answer back;
	uint8_t id[32] = {2};

	(void)state;
	id[31] = 1;
	assert_int_equal(decryption_answer_encode(&stored, &a), ERR_OK);
	assert_int_equal(
		decryption_answer_decode(&back, OP_KIND_USER_DECRYPTION, buf_view(&stored)),
		ERR_OK);
	assert_int_equal(
		decryption_response_call(&got, OP_KIND_USER_DECRYPTION, u256_from_be(id), &back),
		ERR_OK);
	assert_true(bytes_eq_var(buf_view(&got), buf_view(&want)));
	/* 70 bytes are no words of 32. */
	assert_int_equal(
		decryption_answer_decode(&back, OP_KIND_PUBLIC_DECRYPTION, buf_view(&stored)),
		ERR_CORRUPT);
}

static void assert_selector(const struct buf *data, const char *selector, size_t n)
{
	uint8_t want[4];

	assert_int_equal(hex_decode_fixed(want, 4, bytes_str(selector)), ERR_OK);
	assert_int_equal(data->n, n);
	assert_memory_equal(data->p, want, 4);
}

static void test_views(void **state)
{
	struct buf data CLEANUP(buf_free) = buf_make(1 << 10);
	const struct address x = {{1}}, y = {{2}}, z = {{3}};
	const struct hash32 h = {{9}};
	uint8_t word[32] = {0x16, 0x26, 0xba, 0x7e};
	struct u256 v;

	(void)state;
	assert_int_equal(acl_is_allowed_call(&data, &h, x), ERR_OK);
	assert_selector(&data, "82027b6d", 4 + 64);
	assert_int_equal(data.p[4], 9);
	assert_int_equal(data.p[36 + 12], 1);
	buf_clear(&data);
	assert_int_equal(acl_is_delegated_call(&data, x, y, z, &h), ERR_OK);
	assert_selector(&data, "d09c0dee", 4 + 128);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(data.p[4 + 32 * i + 12], i + 1);
	assert_int_equal(data.p[4 + 96], 9);
	buf_clear(&data);
	assert_int_equal(acl_signatures_void_before_call(&data, x), ERR_OK);
	assert_selector(&data, "0dff1525", 4 + 32);
	buf_clear(&data);
	assert_int_equal(account_is_valid_signature_call(&data, &h, BYTES_LIT("sig")), ERR_OK);
	assert_selector(&data, "1626ba7e", 4 + 32 * 4);

	assert_true(account_says_valid(BYTES_OF(word)));
	assert_false(account_says_valid(bytes_sub(BYTES_OF(word), 0, 31)));
	assert_false(account_says_valid(BYTES_NONE));
	word[3] ^= 1;
	assert_false(account_says_valid(BYTES_OF(word)));
	assert_int_equal(view_u256_result(&v, BYTES_OF(word)), ERR_OK);
	assert_int_equal(v.w[3] >> 56, 0x16);
	assert_int_equal(view_u256_result(&v, BYTES_NONE), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs_log),
		cmocka_unit_test(test_unified_log),
		cmocka_unit_test(test_both_generations_are_one_operation),
		cmocka_unit_test(test_damaged_logs),
		cmocka_unit_test(test_stored_content),
		cmocka_unit_test(test_too_many_contracts),
		cmocka_unit_test(test_calldata),
		cmocka_unit_test(test_calldata_of_another_request),
		cmocka_unit_test(test_calldata_with_too_many_contracts),
		cmocka_unit_test(test_damaged_calldata),
		cmocka_unit_test(test_calldata_signature),
		cmocka_unit_test(test_unified_signature),
		cmocka_unit_test(test_response_call),
		cmocka_unit_test(test_views),
	};

	return cmocka_run_group_tests(tests, load, unload);
}

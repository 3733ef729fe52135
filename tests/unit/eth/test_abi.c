/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "base/rng.h"
#include "support.h"

enum {
	ARENA_MAX = 64 << 20
};

static struct arena arena_new(void)
{
	return arena_make(ARENA_MAX);
}

static const struct abi_type *type_of(struct arena *a, const char *text)
{
	const struct abi_type *t = NULL;

	assert_ok(abi_type_parse(a, &t, text));
	return t;
}

/* ---- types ---- */

static void test_types_good(void **state)
{
	static const struct {
		const char *text;
		enum abi_kind kind;
		unsigned size;
		bool dynamic;
		size_t head_size;
	} rows[] = {
		{"uint8", ABI_UINT, 8, false, 32},
		{"uint256", ABI_UINT, 256, false, 32},
		{"int24", ABI_INT, 24, false, 32},
		{"address", ABI_ADDRESS, 0, false, 32},
		{"bool", ABI_BOOL, 0, false, 32},
		{"bytes1", ABI_FIXED_BYTES, 1, false, 32},
		{"bytes32", ABI_FIXED_BYTES, 32, false, 32},
		{"bytes", ABI_BYTES, 0, true, 32},
		{"string", ABI_STRING, 0, true, 32},
		{"bytes32[]", ABI_ARRAY, 0, true, 32},
		{"uint8[7]", ABI_ARRAY, 7, false, 224},
		{"uint8[7][2]", ABI_ARRAY, 2, false, 448},
		{"string[2]", ABI_ARRAY, 2, true, 32},
		{"(bool,uint8[3])", ABI_TUPLE, 0, false, 128},
		{"(bool,string)[4]", ABI_ARRAY, 4, true, 32},
		{"()", ABI_TUPLE, 0, false, 0},
		{"(((((((bool)))))))", ABI_TUPLE, 0, false, 32},
	};
	struct arena a = arena_new();
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct abi_type *t = type_of(&a, rows[i].text);

		assert_int_equal(t->kind, rows[i].kind);
		assert_int_equal(t->size, rows[i].size);
		assert_int_equal(t->dynamic, rows[i].dynamic);
		assert_int_equal(t->head_size, rows[i].head_size);
	}
	arena_free(&a);
}

static void test_types_bad(void **state)
{
	static const struct {
		const char *text;
		enum err err;
	} rows[] = {
		{"", ERR_MALFORMED},
		{"uint", ERR_MALFORMED},
		{"int", ERR_MALFORMED},
		{"uint0", ERR_MALFORMED},
		{"uint7", ERR_MALFORMED},
		{"uint08", ERR_MALFORMED},
		{"uint264", ERR_MALFORMED},
		{"bytes0", ERR_MALFORMED},
		{"bytes33", ERR_MALFORMED},
		{"addresses", ERR_MALFORMED},
		{"boolx", ERR_MALFORMED},
		{"float8", ERR_MALFORMED},
		{" bool", ERR_MALFORMED},
		{"bool ", ERR_MALFORMED},
		{"bool]", ERR_MALFORMED},
		{"]", ERR_MALFORMED},
		{"[]", ERR_MALFORMED},
		{"bool[", ERR_MALFORMED},
		{"bool[0]", ERR_MALFORMED},
		{"bool[01]", ERR_MALFORMED},
		{"bool[-1]", ERR_MALFORMED},
		{"bool[4097]", ERR_TOO_BIG},
		{"bool[99999999999]", ERR_TOO_BIG},
		{"bool[4096][4096][4096]", ERR_TOO_BIG},
		{"(bool", ERR_MALFORMED},
		{"bool)", ERR_MALFORMED},
		{"(bool,)", ERR_MALFORMED},
		{"(,bool)", ERR_MALFORMED},
		{"(bool,,bool)", ERR_MALFORMED},
		{"(bool)(bool)", ERR_MALFORMED},
		{"(bool),(bool)", ERR_MALFORMED},
		{"()[]", ERR_MALFORMED},
		{"(())", ERR_MALFORMED},
		{"(bool[4096][16],bool)", ERR_TOO_BIG},
		{"bool[][][][][][][][][]", ERR_TOO_BIG},
		{"(((((((((bool)))))))))", ERR_TOO_BIG},
	};
	struct arena a = arena_new();
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct abi_type *t = NULL;
		enum err err = abi_type_parse(&a, &t, rows[i].text);

		if (err != rows[i].err)
			fail_msg("\"%s\": %s, not %s", rows[i].text, err_name(err),
				 err_name(rows[i].err));
		assert_null(t);
	}
	arena_free(&a);
}

static void test_signatures(void **state)
{
	static const char *const bad[] = {"",         "f",        "(bool)",    "1f(bool)",
					  "f (bool)", "f(bool)x", "f(bool)[]", "f-(bool)"};
	struct arena a = arena_new();
	const struct abi_type *t = NULL;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(abi_signature_parse(&a, &t, bad[i]), ERR_MALFORMED);
	assert_null(t);
	assert_ok(abi_signature_parse(&a, &t, "_f$1(bool,(bytes,uint8)[])"));
	assert_int_equal(t->of_n, 2);
	arena_free(&a);
}

/* ---- selectors ---- */

static void test_selectors(void **state)
{
	json_t *v = vectors_load("signatures.json");
	static const char *const lists[] = {"functions", "errors"};
	size_t seen = 0;
	(void)state;

	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const json_t *list = json_object_get(v, lists[l]);

		for (size_t i = 0; i < json_array_size(list); i++, seen++) {
			const json_t *o = json_array_get(list, i);
			uint8_t got[4], want[4];

			abi_selector(got, text_at(o, "signature"));
			assert_ok(hex_decode_fixed(want, 4, bytes_str(text_at(o, "selector"))));
			assert_memory_equal(got, want, 4);
		}
	}
	const json_t *events = json_object_get(v, "events");
	for (size_t i = 0; i < json_array_size(events); i++, seen++) {
		const json_t *o = json_array_get(events, i);
		struct arena a = arena_new();
		const struct abi_type *t;

		assert_true(hash32_eq(abi_topic(text_at(o, "signature")),
				      hex_hash(text_at(o, "topic"))));
		assert_ok(abi_signature_parse(&a, &t, text_at(o, "signature")));
		arena_free(&a);
	}
	assert_int_equal(seen, 29 + 29 + 25);
	json_decref(v);
}

/* ---- calls ---- */

/* Encodes to the vector; the vector decodes to the values. */
static void check_call(const json_t *o)
{
	const char *signature = text_at(o, "signature");
	struct arena a = arena_new();
	struct buf out = buf_make(1 << 20);
	const struct abi_type *t;
	const struct abi_value *got;

	assert_ok(abi_signature_parse(&a, &t, signature));
	struct abi_value want = value_from_json(&a, t, json_object_get(o, "values"));
	struct bytes data = hex_bytes(&a, text_at(o, "data"));
	assert_ok(abi_encode_call(&a, &out, signature, want.items, want.items_n));
	assert_bytes_equal(buf_view(&out), data);

	assert_ok(abi_decode(&a, &got, t, bytes_sub(data, 4, data.n - 4)));
	assert_value_equal(t, got, &want);
	buf_free(&out);
	arena_free(&a);
}

static void test_calls(void **state)
{
	json_t *v = vectors_load("abi.json");
	json_t *c = vectors_load("contracts.json");
	const json_t *calls = json_object_get(c, "calldata");
	(void)state;

	/* The Solidity documentation prints these selectors. */
	assert_memory_equal(text_at(json_array_get(v, 0), "data"), "0xcdcd77c0", 10);
	assert_memory_equal(text_at(json_array_get(v, 1), "data"), "0xa5643bf2", 10);
	assert_memory_equal(text_at(json_array_get(v, 2), "data"), "0x8be65246", 10);
	assert_memory_equal(text_at(json_array_get(v, 3), "data"), "0x2289b18c", 10);
	assert_int_equal(json_array_size(v), 10);
	assert_int_equal(json_array_size(calls), 11);
	for (size_t i = 0; i < json_array_size(v); i++)
		check_call(json_array_get(v, i));
	for (size_t i = 0; i < json_array_size(calls); i++)
		check_call(json_array_get(calls, i));
	json_decref(v);
	json_decref(c);
}

/* ---- events ---- */

static void check_log(const json_t *o)
{
	const json_t *topics = json_object_get(o, "topics");
	struct hash32 topic[4];
	struct arena a = arena_new();
	const struct abi_type *t;
	const struct abi_value *got = NULL;
	uint32_t indexed = (uint32_t)json_integer_value(json_object_get(o, "indexed"));
	size_t n = json_array_size(topics);

	assert_in_range(n, 1, 4);
	for (size_t i = 0; i < n; i++)
		topic[i] = hex_hash(json_string_value(json_array_get(topics, i)));
	assert_true(hash32_eq(abi_topic(text_at(o, "signature")), topic[0]));
	assert_ok(abi_signature_parse(&a, &t, text_at(o, "signature")));
	struct bytes data = hex_bytes(&a, text_at(o, "data"));

	assert_err(abi_decode_event(&a, &got, t, indexed, &topic[1], n, data), ERR_MALFORMED);
	assert_err(abi_decode_event(&a, &got, t, indexed | 1U << t->of_n, &topic[1], n, data),
		   ERR_RANGE);
	assert_null(got);
	assert_ok(abi_decode_event(&a, &got, t, indexed, &topic[1], n - 1, data));
	struct abi_value want = value_from_json(&a, t, json_object_get(o, "values"));
	assert_value_equal(t, got, &want);
	arena_free(&a);
}

static void test_events(void **state)
{
	json_t *c = vectors_load("contracts.json");
	const json_t *logs = json_object_get(c, "logs");
	(void)state;

	assert_int_equal(json_array_size(logs), 8);
	for (size_t i = 0; i < json_array_size(logs); i++)
		check_log(json_array_get(logs, i));
	json_decref(c);
}

static void test_event_indexed_kinds(void **state)
{
	struct arena a = arena_new();
	const struct abi_type *t = type_of(&a, "(bool,bytes,uint8[2],bytes4)");
	struct hash32 topics[] = {{{[31] = 1}}, {{0xaa, [31] = 0xbb}}, {{0xcc}}, {{1, 2, 3, 4}}};
	const struct abi_value *v = NULL;
	(void)state;

	assert_ok(abi_decode_event(&a, &v, t, 0xf, topics, 4, BYTES_NONE));
	assert_int_equal(v->items[0].word.w[0], 1);
	assert_memory_equal(v->items[1].bytes.p, topics[1].b, 32);
	assert_int_equal(v->items[2].bytes.n, 32);
	assert_bytes_equal(v->items[3].bytes, bytes_from("\1\2\3\4", 4));
	topics[0].b[31] = 2;
	assert_err(abi_decode_event(&a, &v, t, 0xf, topics, 4, BYTES_NONE), ERR_MALFORMED);
	topics[0].b[31] = 1;
	topics[3].b[4] = 1;
	assert_err(abi_decode_event(&a, &v, t, 0xf, topics, 4, BYTES_NONE), ERR_MALFORMED);
	arena_free(&a);
}

/* ---- refusals ---- */

static void test_values_out_of_range(void **state)
{
	static const struct {
		const char *types;
		struct abi_value value;
	} rows[] = {
		{"(uint8)", {.word = {{256}}}},
		{"(uint64)", {.word = {{0, 1}}}},
		{"(int8)", {.word = {{128}}}},
		{"(int8)", {.word = {{0xff}}}},
		{"(bool)", {.word = {{2}}}},
		{"(address)", {.word = {{0, 0, 1ULL << 32}}}},
		{"(bytes4)", {.bytes = {(const uint8_t *)"abc", 3}}},
		{"(bytes4)", {.bytes = {(const uint8_t *)"abcde", 5}}},
		{"(uint8[2])", {.items_n = 0}},
		{"((uint8,bool))", {.items_n = 0}},
	};
	struct arena a = arena_new();
	struct buf out = buf_make(1 << 20);
	(void)state;

	assert_ok(buf_add_u8(&out, 7));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct abi_value args = abi_items(&rows[i].value, 1);

		assert_err(abi_encode(&out, type_of(&a, rows[i].types), &args), ERR_RANGE);
		assert_int_equal(out.n, 1);
	}
	assert_err(abi_encode(&out, type_of(&a, "bool"), &rows[0].value), ERR_RANGE);
	assert_err(abi_encode_call(&a, &out, "f(bool)", NULL, 0), ERR_RANGE);
	assert_int_equal(out.n, 1);
	buf_free(&out);
	arena_free(&a);
}

#define W(digits) "00000000000000000000000000000000000000000000000000000000000000" digits

static void test_decode_refusals(void **state)
{
	static const struct {
		const char *types, *data;
		enum err err;
	} rows[] = {
		{"(uint8)", "0x", ERR_TRUNCATED},
		{"(uint8)", "0x" W("01") "00", ERR_MALFORMED},
		{"(uint8)",
		 "0x01"
		 "00000000000000000000000000000000000000000000000000000000000001",
		 ERR_MALFORMED},
		{"(bool)", "0x" W("02"), ERR_MALFORMED},
		{"(bytes)", "0x" W("20"), ERR_TRUNCATED},
		{"(bytes)", "0x" W("20") W("01"), ERR_TRUNCATED},
		/* dirty padding */
		{"(bytes)",
		 "0x" W("20")
			 W("01") "0101000000000000000000000000000000000000000000000000000000000000",
		 ERR_MALFORMED},
		/* an offset back to the head, a gap, an offset outside */
		{"(bytes)", "0x" W("00") W("00"), ERR_MALFORMED},
		{"(bytes)", "0x" W("40") W("00") W("00"), ERR_MALFORMED},
		{"(bytes)", "0x" W("ff") W("00"), ERR_MALFORMED},
		{"(bytes)",
		 "0x80000000000000000000000000000000000000000000000000000000000000"
		 "20" W("00"),
		 ERR_TOO_BIG},
		/* two offsets to one tail */
		{"(bytes,bytes)", "0x" W("40") W("40") W("00"), ERR_MALFORMED},
		/* tails out of order */
		{"(bytes,bytes)", "0x" W("60") W("40") W("00") W("00"), ERR_MALFORMED},
		/* lengths */
		{"(bool[])", "0x" W("20") W("02") W("01"), ERR_TRUNCATED},
		{"(bool[])",
		 "0x" W("20") "0000000000000000000000000000000000000000000000000000000000001001",
		 ERR_TOO_BIG},
		{"(bytes)",
		 "0x" W("20") "0000000000000000000000000000000000000000000000000000000000100001",
		 ERR_TOO_BIG},
		{"(bytes)",
		 "0x" W("20") "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		 ERR_TOO_BIG},
	};
	struct arena a = arena_new();
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct abi_value *v = NULL;
		struct bytes data = hex_bytes(&a, rows[i].data);
		enum err err = abi_decode(&a, &v, type_of(&a, rows[i].types), data);

		if (err != rows[i].err)
			fail_msg("row %zu: %s, not %s", i, err_name(err), err_name(rows[i].err));
		assert_null(v);
	}
	arena_free(&a);
}

/* Nested arrays of empty arrays: the cheapest way to many values. The budget ends it, not the
 * machine. */
static void test_decode_budget(void **state)
{
	struct arena a = arena_new();
	struct buf out = buf_make(32 << 20);
	const struct abi_type *t = type_of(&a, "(uint8[][])");
	struct abi_value inner[4096] = {{.items_n = 0}};
	struct abi_value ones[16] = {{.items_n = 0}};
	struct abi_value outer = abi_items(inner, ARRAY_LEN(inner)), args = abi_items(&outer, 1);
	const struct abi_value *v = NULL;
	uint8_t *place;
	(void)state;

	assert_ok(abi_encode(&out, t, &args));
	assert_ok(abi_decode(&a, &v, t, buf_view(&out)));
	for (size_t i = 0; i < ARRAY_LEN(inner); i++)
		inner[i] = abi_items(ones, ARRAY_LEN(ones));
	assert_err(abi_encode(&out, t, &args), ERR_RANGE);

	/* By hand, since the encoder refuses: 4096 arrays of 16. */
	buf_clear(&out);
	assert_ok(buf_add_space(&out, 64 + 4096 * (32 + 17 * 32), &place));
	memset(place, 0, out.n);
	place[31] = 0x20;
	place[62] = 0x10;
	for (size_t i = 0; i < 4096; i++) {
		u256_to_be(&place[64 + 32 * i], u256_from_u64(32 * 4096 + i * 17 * 32));
		place[64 + 32 * 4096 + i * 17 * 32 + 31] = 16;
	}
	v = NULL;
	assert_err(abi_decode(&a, &v, t, buf_view(&out)), ERR_TOO_BIG);
	assert_null(v);

	/* A small arena is full before that. */
	struct arena small = arena_make(16 << 10);
	assert_err(abi_decode(&small, &v, t, buf_view(&out)), ERR_NOMEM);
	arena_free(&small);
	buf_free(&out);
	arena_free(&a);
}

/* ---- mutations ---- */

static void mutate(struct rng *rng, struct buf *b)
{
	size_t at = (size_t)rng_below(rng, b->n);

	switch (rng_below(rng, 5)) {
	case 0: /* a bit */
		b->p[at] ^= (uint8_t)(1U << rng_below(rng, 8));
		break;
	case 1: /* a byte */
		rng_fill(rng, &b->p[at], 1);
		break;
	case 2: /* a small number at the end of a word: offsets and lengths */
		b->p[at / 32 * 32 + 31 < b->n ? at / 32 * 32 + 31 : at] =
			(uint8_t)(rng_below(rng, 8) * 32);
		break;
	case 3: /* cut */
		b->n = at;
		break;
	default: /* one word over another */
		if (b->n >= 64) {
			size_t to = (size_t)rng_below(rng, b->n / 32) * 32;

			memmove(&b->p[to], &b->p[at / 32 * 32 + 32 <= b->n ? at / 32 * 32 : 0], 32);
		}
	}
}

/* Whatever decodes is the canonical encoding of what it decodes to. */
static size_t check_mutations(struct rng *rng, const json_t *o, unsigned rounds)
{
	struct arena a = arena_new();
	struct buf work = buf_make(1 << 20), again = buf_make(1 << 20);
	const struct abi_type *t;
	size_t accepted = 0;

	assert_ok(abi_signature_parse(&a, &t, text_at(o, "signature")));
	struct bytes data = hex_bytes(&a, text_at(o, "data"));
	for (unsigned i = 0; i < rounds && data.n > 4; i++) {
		struct arena round = arena_new();
		const struct abi_value *v;

		buf_clear(&work);
		assert_ok(buf_add(&work, bytes_sub(data, 4, data.n - 4)));
		for (uint64_t k = 0; k <= rng_below(rng, 3) && work.n > 0; k++)
			mutate(rng, &work);
		if (abi_decode(&round, &v, t, buf_view(&work)) == ERR_OK) {
			buf_clear(&again);
			assert_ok(abi_encode(&again, t, v));
			assert_bytes_equal(buf_view(&again), buf_view(&work));
			accepted++;
		}
		arena_free(&round);
	}
	buf_free(&work);
	buf_free(&again);
	arena_free(&a);
	return accepted;
}

static void test_mutations(void **state)
{
	const char *given = getenv("TEST_SEED");
	struct rng_seeded seeded;
	uint64_t seed;
	size_t accepted = 0;
	(void)state;

	rng_fill(rng_system(), (uint8_t *)&seed, sizeof(seed));
	if (given)
		seed = strtoull(given, NULL, 10);
	print_message("# TEST_SEED=%llu\n", (unsigned long long)seed);
	struct rng *rng = rng_seeded_init(&seeded, seed);
	json_t *v = vectors_load("abi.json");
	json_t *c = vectors_load("contracts.json");
	const json_t *calls = json_object_get(c, "calldata");
	for (size_t i = 0; i < json_array_size(v); i++)
		accepted += check_mutations(rng, json_array_get(v, i), 3000);
	for (size_t i = 0; i < json_array_size(calls); i++)
		accepted += check_mutations(rng, json_array_get(calls, i), 3000);
	/* Changes inside of values are legal: a test that accepts nothing looks at nothing. */
	assert_true(accepted > 1000);
	json_decref(v);
	json_decref(c);
}

static void test_constructors(void **state)
{
	struct address address = hex_address("0x00112233445566778899aabbccddeeff01234567");
	struct hash32 hash = {{1, [31] = 2}};
	(void)state;

	struct abi_value v = abi_address(address);
	assert_true(address_eq(abi_as_address(&v), address));
	v = abi_hash(&hash);
	assert_true(hash32_eq(abi_as_hash(&v), hash));
	v = abi_uint(u256_from_be(hash.b));
	assert_true(hash32_eq(abi_as_hash(&v), hash));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types_good),
		cmocka_unit_test(test_types_bad),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_event_indexed_kinds),
		cmocka_unit_test(test_values_out_of_range),
		cmocka_unit_test(test_decode_refusals),
		cmocka_unit_test(test_decode_budget),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_constructors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

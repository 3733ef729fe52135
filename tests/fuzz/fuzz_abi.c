/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * ABI types and data. What decodes encodes to the same bytes, and each type that is accepted can be
 * written again from its tree. An event with the same arguments decodes to the same values.
 *
 * Input: line: type list || u8 mask of indexed arguments || data.
 */
#include <stdlib.h>

#include "eth/abi.h"
#include "fuzz.h"

enum {
	MEMORY_MAX = 64 << 20
};

static void put_type(struct buf *out, const struct abi_type *t)
{
	static const char *const names[] = {
		[ABI_UINT] = "uint",     [ABI_INT] = "int",           [ABI_ADDRESS] = "address",
		[ABI_BOOL] = "bool",     [ABI_FIXED_BYTES] = "bytes", [ABI_BYTES] = "bytes",
		[ABI_STRING] = "string",
	};

	if (t->kind == ABI_TUPLE) {
		FUZZ_OK(buf_add_str(out, "("));
		for (size_t i = 0; i < t->of_n; i++) {
			FUZZ_OK(buf_add_str(out, i ? "," : ""));
			put_type(out, &t->of[i]);
		}
		FUZZ_OK(buf_add_str(out, ")"));
		return;
	}
	if (t->kind == ABI_ARRAY) {
		put_type(out, t->of);
		FUZZ_OK(buf_add_str(out, "["));
	} else {
		FUZZ_OK(buf_add_str(out, names[t->kind]));
	}
	if (t->size > 0)
		FUZZ_OK(buf_addf(out, "%u", t->size));
	if (t->kind == ABI_ARRAY)
		FUZZ_OK(buf_add_str(out, "]"));
}

static void check_same(const struct abi_value *a, const struct abi_value *b)
{
	CHECK(u256_eq(a->word, b->word) && bytes_eq_var(a->bytes, b->bytes));
	CHECK(a->items_n == b->items_n);
	for (size_t i = 0; i < a->items_n; i++)
		check_same(&a->items[i], &b->items[i]);
}

/* The static leaves that the mask names go into topics, the rest into data. */
static void check_event(const struct abi_type *t, uint32_t mask, const struct abi_value *v)
{
	CLEANUP(arena_free) struct arena arena = arena_make(MEMORY_MAX);
	CLEANUP(buf_free) struct buf data = buf_make(8 << 20), topic = buf_make(64);
	struct abi_type members[32], rest = {.kind = ABI_TUPLE, .of = members};
	struct abi_value values[32], rest_value = {.items = values};
	struct hash32 topics[32];
	const struct abi_value *again;
	size_t topics_n = 0;

	if (t->of_n > 32)
		return;
	mask &= t->of_n == 32 ? UINT32_MAX : (1U << t->of_n) - 1;
	for (size_t i = 0; i < t->of_n; i++) {
		const struct abi_type one = {.kind = ABI_TUPLE, .of = &t->of[i], .of_n = 1};
		const struct abi_value one_value = {.items = &v->items[i], .items_n = 1};

		if (t->of[i].dynamic || t->of[i].kind >= ABI_ARRAY)
			mask &= ~(1U << i);
		if (mask >> i & 1) {
			buf_clear(&topic);
			FUZZ_OK(abi_encode(&topic, &one, &one_value));
			memcpy(topics[topics_n++].b, topic.p, 32);
		} else {
			members[rest.of_n++] = t->of[i];
			values[rest_value.items_n++] = v->items[i];
		}
	}
	FUZZ_OK(abi_encode(&data, &rest, &rest_value));
	FUZZ_OK(abi_decode_event(&arena, &again, t, mask, topics, topics_n, buf_view(&data)));
	check_same(v, again);
	CHECK(abi_decode_event(&arena, &again, t, mask, topics, topics_n + 1, buf_view(&data)) ==
	      ERR_MALFORMED);
}

/* Any 32 bytes are the topic of an argument that is there as a hash only. */
static void try_event(struct arena *a, const struct abi_type *t, uint32_t mask, struct bytes data)
{
	const struct abi_value *v;
	struct hash32 topics[8] = {0};

	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		struct bytes b = bytes_sub(data, data.n > 8 ? i : 0, data.n > 40 ? 32 : 0);

		if (b.n == 32)
			memcpy(topics[i].b, b.p, 32);
	}
	if (abi_decode_event(a, &v, t, mask, topics, (size_t)__builtin_popcount(mask), data) ==
	    ERR_OK)
		CHECK(v->items_n == t->of_n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena arena = arena_make(MEMORY_MAX);
	CLEANUP(buf_free) struct buf out = buf_make(8 << 20), named = buf_make(1 << 20);
	struct bytes in = bytes_from(p, n);
	struct bytes line = fuzz_line(&in);
	const struct abi_type *t;
	const struct abi_value *v;
	const char *name;

	if (line.n > 0 && memchr(line.p, 0, line.n))
		return 0;

	uint32_t mask = fuzz_u8(&in);
	char *text = fuzz_cstr(line);
	struct bytes data = fuzz_copy(in);
	enum err e = abi_type_parse(&arena, &t, text);

	if (e == ERR_OK) {
		put_type(&named, t);
		CHECK(bytes_eq_var(buf_view(&named), bytes_str(text)));
		if (abi_decode(&arena, &v, t, data) == ERR_OK) {
			FUZZ_OK(abi_encode(&out, t, v));
			CHECK(bytes_eq_var(buf_view(&out), data));
			check_event(t, mask, v);
		}
		try_event(&arena, t, mask, data);
		buf_clear(&named);
		FUZZ_OK(buf_addf(&named, "f%s", text));
		FUZZ_OK(buf_cstr(&named, &name));
		FUZZ_SAME(abi_signature_parse(&arena, &t, name),
			  t->kind == ABI_TUPLE ? ERR_OK : ERR_MALFORMED);
	} else {
		(void)!abi_signature_parse(&arena, &t, text);
	}
	free(text);
	fuzz_free(data);
	return 0;
}

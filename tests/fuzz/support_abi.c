/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support_abi.h"

enum {
	DATA_MAX = 4 << 20
};

static struct u256 number(const struct abi_type *t, struct bytes *in)
{
	struct bytes b = fuzz_take(in, fuzz_u8(in) % 33);
	size_t max = t->kind == ABI_ADDRESS ? 20 : t->kind == ABI_BOOL ? 1 : t->size / 8;
	struct u256 v;

	b = bytes_sub(b, 0, b.n < max ? b.n : max);
	FUZZ_OK(u256_from_bytes_be(&v, b));
	if (t->kind == ABI_INT && b.n == max && b.n < 32 && b.p[0] & 0x80) {
		/* sign extension */
		struct u256 one = U256_ZERO;

		one.w[max / 8] = (uint64_t)1 << (8 * (max % 8));
		(void)u256_sub(&one, U256_ZERO, one);
		(void)u256_add(&v, v, one);
	}
	if (t->kind == ABI_BOOL)
		v = u256_from_u64(v.w[0] & 1);
	return v;
}

void fuzz_abi_value(struct arena *a, struct abi_value *ret_value, const struct abi_type *t,
		    struct bytes *in)
{
	struct abi_value v = {0};
	size_t n = t->of_n;

	if (t->kind == ABI_ARRAY && t->size > 0) {
		n = t->size;
	} else if (t->kind == ABI_ARRAY) {
		n = fuzz_u8(in);
		n = n == 255 ? 70 : n % 6;
	}
	if (t->kind == ABI_BYTES || t->kind == ABI_STRING) {
		v.bytes = fuzz_part(in);
	} else if (t->kind == ABI_FIXED_BYTES) {
		struct bytes b = fuzz_take(in, t->size);
		uint8_t *full = arena_alloc(a, t->size);

		CHECK(full);
		memcpy(full, b.n ? b.p : full, b.n);
		v.bytes = bytes_from(full, t->size);
	} else if (t->kind == ABI_ARRAY || t->kind == ABI_TUPLE) {
		struct abi_value *items = arena_alloc_array(a, n, sizeof(*items));

		CHECK(items);
		for (size_t i = 0; i < n; i++)
			fuzz_abi_value(a, &items[i], &t->of[t->kind == ABI_TUPLE ? i : 0], in);
		v.items = items;
		v.items_n = n;
	} else {
		v.word = number(t, in);
	}
	*ret_value = v;
}

struct bytes fuzz_abi_data_of(const struct abi_type *t, struct bytes in)
{
	CLEANUP(arena_free) struct arena arena = arena_make(DATA_MAX);
	CLEANUP(buf_free) struct buf data = buf_make(DATA_MAX);
	struct abi_value v;
	struct bytes part;

	if (fuzz_u8(&in) == 0)
		return fuzz_copy(in);
	part = fuzz_part(&in);
	fuzz_abi_value(&arena, &v, t, &part);
	FUZZ_OK(abi_encode(&data, t, &v));
	return fuzz_patch(buf_view(&data), in);
}

struct bytes fuzz_abi_data(const char *text, struct bytes in)
{
	CLEANUP(arena_free) struct arena arena = arena_make(DATA_MAX);
	const struct abi_type *t;

	FUZZ_OK(abi_type_parse(&arena, &t, text));
	return fuzz_abi_data_of(t, in);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * EIP-712 type strings. A struct of plain members hashes to what the EIP says, put together by
 * hand; struct members hash to the hash of their own type string; nothing else is accepted.
 *
 * Input: line: type string || bytes for the values.
 */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "eth/eip712.h"
#include "fuzz.h"

enum {
	VALUES_MAX = 12,
	LEVELS = 4
};

/* Values of any shape: u8 says how many items, then a word and bytes. */
static void make_value(struct arena *a, struct abi_value *v, struct bytes *in, unsigned depth)
{
	size_t n = depth < LEVELS ? fuzz_u8(in) % 5 : 0;
	struct abi_value *items = arena_alloc_array(a, n, sizeof(*items));

	CHECK(items);
	for (size_t i = 0; i < n; i++)
		make_value(a, &items[i], in, depth + 1);
	v->items = items;
	v->items_n = n;
	v->word = u256_from_u64(fuzz_u8(in));
	v->bytes = fuzz_take(in, fuzz_u8(in));
}

/* "T(uint256 a,bytes b,…)" with these types only: out = its hash. False: something else is in it.
 */
static bool simple_hash(struct hash32 *out, const char *text, const struct abi_value *v, size_t n)
{
	const char *at = strchr(text, '(');
	struct keccak256 k;
	struct hash32 h = keccak256(bytes_str(text));

	if (!at || strchr(text, ')') != text + strlen(text) - 1)
		return false;
	keccak256_init(&k);
	keccak256_add(&k, BYTES_OF(h.b));
	for (size_t i = 0; i < n; i++) {
		const char *type = at + 1, *space = strchr(type, ' ');

		if (!space)
			return false;
		if (strncmp(type, "uint256 ", 8) == 0 || strncmp(type, "uint8 ", 6) == 0)
			u256_to_be(h.b, v[i].word);
		else if (strncmp(type, "bytes ", 6) == 0 || strncmp(type, "string ", 7) == 0)
			h = keccak256(v[i].bytes);
		else
			return false;
		keccak256_add(&k, BYTES_OF(h.b));
		at = strpbrk(space, ",)");
	}
	*out = keccak256_final(&k);
	return at && strcmp(at, ")") == 0;
}

/* As encodeType wants it: a name, then members between parentheses, and so on to the end. */
static void check_form(const char *text)
{
	size_t open = 0, close = 0;

	for (const char *c = text; *c; c++) {
		open += *c == '(';
		close += *c == ')';
		CHECK(open == close || open == close + 1);
		/* arrays: brackets around digits, nothing between them and the name */
		CHECK(*c != '[' || c[1 + strspn(c + 1, "0123456789")] == ']');
		CHECK(*c != ']' || c[1] == '[' || c[1] == ' ');
	}
	CHECK(open > 0 && open <= 16 && open == close && text[strlen(text) - 1] == ')');
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	struct bytes in = bytes_from(p, n);
	struct bytes line = fuzz_line(&in);
	struct abi_value values[VALUES_MAX] = {0};
	size_t values_n = fuzz_u8(&in) % (VALUES_MAX + 1);
	struct hash32 hash, want, digest;

	if (n > 2048 || (line.n > 0 && memchr(line.p, 0, line.n)))
		return 0;

	char *text = fuzz_cstr(line);

	for (size_t i = 0; i < values_n; i++)
		make_value(&arena, &values[i], &in, 0);

	enum err e = eip712_struct_hash(&hash, text, values, values_n);

	if (e == ERR_OK) {
		const struct eip712_domain d = {.name = line, .has_salt = values_n > 3};

		check_form(text);
		CHECK(!simple_hash(&want, text, values, values_n) || hash32_eq(want, hash));
		FUZZ_OK(eip712_digest(&digest, &d, text, values, values_n));
	} else if (simple_hash(&want, text, values, values_n)) {
		CHECK(e == ERR_MALFORMED || e == ERR_RANGE || e == ERR_TOO_BIG);
	}
	free(text);
	return 0;
}

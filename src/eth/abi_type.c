/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Type texts of the Solidity contract ABI specification, "Types". */
#include "eth/abi.h"
#include "eth/abi_word.h"

static bool has_prefix(struct bytes text, struct bytes prefix)
{
	return bytes_eq_var(bytes_sub(text, 0, prefix.n), prefix);
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* 1..9999, canonical: no sign, no leading zero. */
static enum err parse_number(unsigned *ret_number, struct bytes digits)
{
	unsigned v = 0;

	if (digits.n == 0 || digits.p[0] == '0')
		return ERR_MALFORMED;
	for (size_t i = 0; i < digits.n; i++) {
		if (!is_digit(digits.p[i]))
			return ERR_MALFORMED;
		if (i >= 4)
			return ERR_TOO_BIG;
		v = v * 10 + (unsigned)(digits.p[i] - '0');
	}
	*ret_number = v;
	return ERR_OK;
}

enum err abi_length_parse(unsigned *ret_length, struct bytes digits)
{
	unsigned length = 0;

	if (digits.n > 0)
		TRY(parse_number(&length, digits));
	if (length > ABI_ARRAY_MAX)
		return ERR_TOO_BIG;
	*ret_length = length;
	return ERR_OK;
}

/* Leaves: whole words first, then the families with a size behind the name. */
static const struct {
	struct bytes name;
	enum abi_kind kind;
	unsigned size_max; /* 0: the name stands alone */
	unsigned size_step;
	bool dynamic;
} leaves[] = {
	{BYTES_LIT("address"), ABI_ADDRESS, 0, 0, false},
	{BYTES_LIT("bool"), ABI_BOOL, 0, 0, false},
	{BYTES_LIT("bytes"), ABI_BYTES, 0, 0, true},
	{BYTES_LIT("string"), ABI_STRING, 0, 0, true},
	{BYTES_LIT("uint"), ABI_UINT, 256, 8, false},
	{BYTES_LIT("int"), ABI_INT, 256, 8, false},
	{BYTES_LIT("bytes"), ABI_FIXED_BYTES, 32, 1, false},
};

enum err abi_leaf_parse(struct abi_type *ret_type, struct bytes text)
{
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		struct bytes name = leaves[i].name;
		unsigned size = 0;

		if (!has_prefix(text, name))
			continue;
		struct bytes rest = bytes_sub(text, name.n, text.n - name.n);
		if (leaves[i].size_max == 0 && rest.n != 0)
			continue;
		if (leaves[i].size_max != 0 &&
		    (parse_number(&size, rest) != ERR_OK || size > leaves[i].size_max ||
		     size % leaves[i].size_step != 0))
			continue;
		*ret_type = (struct abi_type){
			.kind = leaves[i].kind,
			.size = size,
			.dynamic = leaves[i].dynamic,
			.head_size = ABI_WORD,
		};
		return ERR_OK;
	}
	return ERR_MALFORMED;
}

static enum err parse(struct arena *a, struct abi_type *t, struct bytes text, unsigned depth);

static enum err parse_array(struct arena *a, struct abi_type *t, struct bytes text, unsigned depth)
{
	size_t open = text.n - 1;
	unsigned length;

	while (open > 0 && text.p[open] != '[')
		open--;
	TRY(abi_length_parse(&length, bytes_sub(text, open + 1, text.n - open - 2)));

	struct abi_type *element = arena_alloc(a, sizeof(*element));
	if (!element)
		return ERR_NOMEM;
	TRY(parse(a, element, bytes_sub(text, 0, open), depth + 1));

	bool dynamic = length == 0 || element->dynamic;
	size_t head = ABI_WORD;
	if (!dynamic && (__builtin_mul_overflow(element->head_size, length, &head) ||
			 head > (size_t)ABI_VALUES_MAX * ABI_WORD))
		return ERR_TOO_BIG;
	*t = (struct abi_type){
		.kind = ABI_ARRAY,
		.size = length,
		.of = element,
		.of_n = 1,
		.dynamic = dynamic,
		.head_size = head,
	};
	return ERR_OK;
}

/* Length of the member that starts at `at`: up to a comma of this level or the end. */
static size_t member_length(struct bytes inside, size_t at)
{
	size_t end = at;

	for (int open = 0; end < inside.n; end++) {
		if (open == 0 && inside.p[end] == ',')
			break;
		open += inside.p[end] == '(' ? 1 : inside.p[end] == ')' ? -1 : 0;
	}
	return end - at;
}

static enum err parse_tuple(struct arena *a, struct abi_type *t, struct bytes text, unsigned depth)
{
	struct bytes inside = bytes_sub(text, 1, text.n - 2);
	size_t n = inside.n == 0 ? 0 : 1;

	if (n == 0 && depth > 0)
		return ERR_MALFORMED;
	for (size_t at = member_length(inside, 0); at < inside.n;
	     at += 1 + member_length(inside, at + 1))
		n++;

	struct abi_type *members = arena_alloc_array(a, n, sizeof(*members));
	if (!members)
		return ERR_NOMEM;

	bool dynamic = false;
	size_t head = 0;
	for (size_t i = 0, at = 0; i < n; i++) {
		size_t length = member_length(inside, at);

		TRY(parse(a, &members[i], bytes_sub(inside, at, length), depth + 1));
		dynamic |= members[i].dynamic;
		head += members[i].head_size;
		if (head > (size_t)ABI_VALUES_MAX * ABI_WORD)
			return ERR_TOO_BIG;
		at += length + 1;
	}
	*t = (struct abi_type){
		.kind = ABI_TUPLE,
		.of = members,
		.of_n = n,
		.dynamic = dynamic,
		.head_size = dynamic ? (size_t)ABI_WORD : head,
	};
	return ERR_OK;
}

static enum err parse(struct arena *a, struct abi_type *t, struct bytes text, unsigned depth)
{
	if (depth > ABI_DEPTH_MAX)
		return ERR_TOO_BIG;
	if (text.n >= 2 && text.p[text.n - 1] == ']')
		return parse_array(a, t, text, depth);
	if (text.n >= 2 && text.p[0] == '(' && text.p[text.n - 1] == ')')
		return parse_tuple(a, t, text, depth);
	return abi_leaf_parse(t, text);
}

enum err abi_type_parse(struct arena *a, const struct abi_type **ret_type, const char *text)
{
	struct abi_type *t = arena_alloc(a, sizeof(*t));

	if (!t)
		return ERR_NOMEM;
	TRY(parse(a, t, bytes_str(text), 0));
	*ret_type = t;
	return ERR_OK;
}

static bool is_name(struct bytes name)
{
	if (name.n == 0 || is_digit(name.p[0]))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    c != '_' && c != '$')
			return false;
	}
	return true;
}

enum err abi_signature_parse(struct arena *a, const struct abi_type **ret_type,
			     const char *signature)
{
	const char *open = strchr(signature, '(');
	const struct abi_type *t;

	if (!open || !is_name(bytes_from(signature, (size_t)(open - signature))))
		return ERR_MALFORMED;
	TRY(abi_type_parse(a, &t, open));
	if (t->kind != ABI_TUPLE)
		return ERR_MALFORMED;
	*ret_type = t;
	return ERR_OK;
}

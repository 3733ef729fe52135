/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* EIP-712: encodeType, hashStruct, domain separator. */
#include "eth/eip712.h"

#include "crypto/keccak.h"
#include "eth/abi_word.h"

enum {
	STRUCTS_MAX = 16, /* in one type string; a set of them is a mask */
};

/* One definition of a type string: views into it. */
struct definition {
	struct bytes name;
	struct bytes members; /* between the parentheses */
	struct bytes text;    /* the whole definition */
};

struct typed {
	struct definition of[STRUCTS_MAX]; /* [0] is the primary type */
	size_t n;
};

struct member {
	struct bytes type;
	struct bytes name;
};

static size_t find(struct bytes text, size_t from, uint8_t c)
{
	while (from < text.n && text.p[from] != c)
		from++;
	return from;
}

static bool is_identifier(struct bytes name)
{
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];
		bool letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';

		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return name.n > 0;
}

/* The member that starts at *at; moves *at behind it and its comma. */
static enum err next_member(struct member *ret_member, struct bytes members, size_t *at)
{
	size_t end = find(members, *at, ',');
	struct bytes text = bytes_sub(members, *at, end - *at);
	size_t space = find(text, 0, ' ');

	if (space == text.n)
		return ERR_MALFORMED;
	struct member m = {
		.type = bytes_sub(text, 0, space),
		.name = bytes_sub(text, space + 1, text.n - space - 1),
	};
	/* A comma with nothing behind it is one member too few. */
	if (!is_identifier(m.name) || end + 1 == members.n)
		return ERR_MALFORMED;
	*ret_member = m;
	*at = end + 1;
	return ERR_OK;
}

/* Index of the struct, typed->n if there is none of that name. */
static size_t find_struct(const struct typed *typed, struct bytes name)
{
	size_t i = 0;

	while (i < typed->n && !bytes_eq_var(typed->of[i].name, name))
		i++;
	return i;
}

static struct bytes element_name(struct bytes type)
{
	return bytes_sub(type, 0, find(type, 0, '['));
}

/* What follows the name of an array's element: "[2][]". */
static enum err check_brackets(struct bytes text)
{
	unsigned length;

	for (size_t at = 0; at < text.n;) {
		size_t close = find(text, at, ']');

		if (text.p[at] != '[' || close == text.n)
			return ERR_MALFORMED;
		TRY(abi_length_parse(&length, bytes_sub(text, at + 1, close - at - 1)));
		at = close + 1;
	}
	return ERR_OK;
}

/* The struct and all that it refers to, as a mask. */
static enum err collect(const struct typed *typed, uint32_t *set, size_t index)
{
	struct bytes members = typed->of[index].members;
	struct abi_type leaf;
	struct member m;

	*set |= 1U << index;
	for (size_t at = 0; at < members.n;) {
		TRY(next_member(&m, members, &at));
		struct bytes name = element_name(m.type);
		size_t i = find_struct(typed, name);

		TRY(check_brackets(bytes_sub(m.type, name.n, m.type.n - name.n)));
		if (i == typed->n)
			TRY(abi_leaf_parse(&leaf, name));
		else if (!(*set >> i & 1))
			TRY(collect(typed, set, i));
	}
	return ERR_OK;
}

static bool name_less(struct bytes a, struct bytes b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c != 0 ? c < 0 : a.n < b.n;
}

/* encodeType: the struct, then what it refers to, by name. The hash of that is typeHash. */
static enum err type_hash(struct hash32 *ret_hash, const struct typed *typed, size_t index)
{
	struct keccak256 k;
	uint32_t set = 0;

	TRY(collect(typed, &set, index));
	keccak256_init(&k);
	for (size_t next = index; next < typed->n;) {
		keccak256_add(&k, typed->of[next].text);
		set &= ~(1U << next);
		next = typed->n;
		for (size_t i = 0; i < typed->n; i++)
			if (set >> i & 1 && (next == typed->n ||
					     name_less(typed->of[i].name, typed->of[next].name)))
				next = i;
	}
	*ret_hash = keccak256_final(&k);
	return ERR_OK;
}

/* Order and completeness of the string are checked by hashing it against what encodeType makes of
 * its parts. */
static enum err typed_parse(struct typed *ret_typed, struct bytes text)
{
	struct typed typed = {0};
	struct hash32 hash;

	for (size_t at = 0; at < text.n;) {
		size_t open = find(text, at, '('), close = find(text, open, ')');

		if (close == text.n || typed.n == STRUCTS_MAX)
			return close == text.n ? ERR_MALFORMED : ERR_TOO_BIG;
		struct bytes name = bytes_sub(text, at, open - at);
		if (!is_identifier(name) || find_struct(&typed, name) < typed.n)
			return ERR_MALFORMED;
		typed.of[typed.n++] = (struct definition){
			.name = name,
			.members = bytes_sub(text, open + 1, close - open - 1),
			.text = bytes_sub(text, at, close + 1 - at),
		};
		at = close + 1;
	}
	if (typed.n == 0)
		return ERR_MALFORMED;
	TRY(type_hash(&hash, &typed, 0));
	struct hash32 given = keccak256(text);
	if (!hash32_eq(hash, given))
		return ERR_MALFORMED;
	*ret_typed = typed;
	return ERR_OK;
}

static enum err hash_struct(struct hash32 *ret_hash, const struct typed *typed, size_t index,
			    const struct abi_value *values, size_t values_n, unsigned depth);

/* encodeData of one member: always one word. */
static enum err encode_member(uint8_t out[ABI_WORD], const struct typed *typed, struct bytes type,
			      const struct abi_value *v, unsigned depth);

static enum err encode_array(struct hash32 *ret_hash, const struct typed *typed, struct bytes type,
			     const struct abi_value *v, unsigned depth)
{
	size_t open = type.n - 1;
	unsigned length;
	struct keccak256 k;

	while (open > 0 && type.p[open] != '[')
		open--;
	TRY(abi_length_parse(&length, bytes_sub(type, open + 1, type.n - open - 2)));
	if ((length > 0 && v->items_n != length) || v->items_n > ABI_ARRAY_MAX)
		return ERR_RANGE;

	struct bytes element = bytes_sub(type, 0, open);
	keccak256_init(&k);
	for (size_t i = 0; i < v->items_n; i++) {
		uint8_t word[ABI_WORD];

		TRY(encode_member(word, typed, element, &v->items[i], depth + 1));
		keccak256_add(&k, BYTES_OF(word));
	}
	*ret_hash = keccak256_final(&k);
	return ERR_OK;
}

static enum err encode_member(uint8_t out[ABI_WORD], const struct typed *typed, struct bytes type,
			      const struct abi_value *v, unsigned depth)
{
	struct hash32 hash;
	struct abi_type leaf;

	if (depth > ABI_DEPTH_MAX)
		return ERR_TOO_BIG;
	size_t index = find_struct(typed, type);
	if (type.n > 0 && type.p[type.n - 1] == ']') {
		TRY(encode_array(&hash, typed, type, v, depth));
	} else if (index < typed->n) {
		TRY(hash_struct(&hash, typed, index, v->items, v->items_n, depth + 1));
	} else {
		TRY(abi_leaf_parse(&leaf, type));
		if (!leaf.dynamic)
			return abi_word_encode(out, &leaf, v);
		hash = keccak256(v->bytes);
	}
	memcpy(out, hash.b, sizeof(hash.b));
	return ERR_OK;
}

static enum err hash_struct(struct hash32 *ret_hash, const struct typed *typed, size_t index,
			    const struct abi_value *values, size_t values_n, unsigned depth)
{
	struct bytes members = typed->of[index].members;
	struct hash32 type;
	struct keccak256 k;
	struct member m;
	size_t n = 0;

	TRY(type_hash(&type, typed, index));
	keccak256_init(&k);
	keccak256_add(&k, BYTES_OF(type.b));
	for (size_t at = 0; at < members.n; n++) {
		uint8_t word[ABI_WORD];

		TRY(next_member(&m, members, &at));
		if (n >= values_n)
			return ERR_RANGE;
		TRY(encode_member(word, typed, m.type, &values[n], depth));
		keccak256_add(&k, BYTES_OF(word));
	}
	if (n != values_n)
		return ERR_RANGE;
	*ret_hash = keccak256_final(&k);
	return ERR_OK;
}

enum err eip712_struct_hash(struct hash32 *ret_hash, const char *type_string,
			    const struct abi_value *values, size_t values_n)
{
	struct typed typed;

	TRY(typed_parse(&typed, bytes_str(type_string)));
	return hash_struct(ret_hash, &typed, 0, values, values_n, 0);
}

struct hash32 eip712_domain_separator(const struct eip712_domain *d)
{
	static const char plain[] = "EIP712Domain(string name,string version,uint256 chainId,"
				    "address verifyingContract)";
	static const char salted[] = "EIP712Domain(string name,string version,uint256 chainId,"
				     "address verifyingContract,bytes32 salt)";
	const struct abi_value values[] = {
		abi_bytes(d->name),    abi_bytes(d->version),
		abi_uint(d->chain_id), abi_address(d->verifying_contract),
		abi_hash(&d->salt),
	};
	struct hash32 out;

	/* Both strings are ours and every value fits its type. */
	CHECK(eip712_struct_hash(&out, d->has_salt ? salted : plain, values, d->has_salt ? 5 : 4) ==
	      ERR_OK);
	return out;
}

enum err eip712_digest(struct hash32 *ret_digest, const struct eip712_domain *d,
		       const char *type_string, const struct abi_value *values, size_t values_n)
{
	static const uint8_t prefix[] = {0x19, 0x01};
	struct hash32 hash;
	struct keccak256 k;

	TRY(eip712_struct_hash(&hash, type_string, values, values_n));
	struct hash32 separator = eip712_domain_separator(d);
	keccak256_init(&k);
	keccak256_add(&k, BYTES_OF(prefix));
	keccak256_add(&k, BYTES_OF(separator.b));
	keccak256_add(&k, BYTES_OF(hash.b));
	*ret_digest = keccak256_final(&k);
	return ERR_OK;
}

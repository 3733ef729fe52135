/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Encoding of the Solidity contract ABI: heads, then tails in the same order, no gaps. */
#include "crypto/keccak.h"
#include "eth/abi.h"
#include "eth/abi_word.h"

enum err abi_word_encode(uint8_t out[ABI_WORD], const struct abi_type *t, const struct abi_value *v)
{
	uint8_t word[ABI_WORD] = {0};
	struct abi_value echo;

	if (t->kind == ABI_FIXED_BYTES) {
		if (v->bytes.n != t->size)
			return ERR_RANGE;
		memcpy(word, v->bytes.p, t->size);
	} else {
		u256_to_be(word, v->word);
		/* What fits is what the strict decoder takes. */
		if (abi_word_decode(&echo, t, BYTES_OF(word)) != ERR_OK)
			return ERR_RANGE;
	}
	memcpy(out, word, sizeof(word));
	return ERR_OK;
}

static enum err add_size(struct buf *out, size_t v)
{
	TRY(buf_add_zero(out, ABI_WORD - 8));
	return buf_add_u64be(out, v);
}

static enum err encode_bytes(struct buf *out, struct bytes v)
{
	if (v.n > ABI_BYTES_MAX)
		return ERR_RANGE;
	TRY(add_size(out, v.n));
	TRY(buf_add(out, v));
	return buf_add_zero(out, (ABI_WORD - v.n % ABI_WORD) % ABI_WORD);
}

struct encoder {
	struct buf *out;
	size_t values_n;
};

static enum err encode_value(struct encoder *e, const struct abi_type *t,
			     const struct abi_value *v);

/* `each` says how far `types` steps from one value to the next: 0 for arrays, 1 for tuples. */
static enum err encode_items(struct encoder *e, const struct abi_type *types, size_t each, size_t n,
			     const struct abi_value *v)
{
	struct buf *out = e->out;
	size_t start = out->n, heads = 0;
	size_t at = start;
	uint8_t word[ABI_WORD];

	if (v->items_n != n)
		return ERR_RANGE;
	e->values_n += n;
	if (e->values_n > ABI_VALUES_MAX)
		return ERR_RANGE;
	for (size_t i = 0; i < n; i++)
		heads += types[i * each].head_size;
	/* Static values are appended where their head is; offsets of dynamic ones are filled in
	 * afterwards. */
	for (size_t i = 0; i < n; i++) {
		if (types[i * each].dynamic)
			TRY(buf_add_zero(out, ABI_WORD));
		else
			TRY(encode_value(e, &types[i * each], &v->items[i]));
	}
	CHECK(out->n - start == heads);
	for (size_t i = 0; i < n; i++) {
		if (types[i * each].dynamic) {
			u256_to_be(word, u256_from_u64(out->n - start));
			memcpy(&out->p[at], word, sizeof(word));
			TRY(encode_value(e, &types[i * each], &v->items[i]));
		}
		at += types[i * each].head_size;
	}
	return ERR_OK;
}

static enum err encode_value(struct encoder *e, const struct abi_type *t, const struct abi_value *v)
{
	uint8_t word[ABI_WORD];

	switch (t->kind) {
	case ABI_BYTES:
	case ABI_STRING:
		return encode_bytes(e->out, v->bytes);
	case ABI_TUPLE:
		return encode_items(e, t->of, 1, t->of_n, v);
	case ABI_ARRAY:
		if (t->size > 0)
			return encode_items(e, t->of, 0, t->size, v);
		if (v->items_n > ABI_ARRAY_MAX)
			return ERR_RANGE;
		TRY(add_size(e->out, v->items_n));
		return encode_items(e, t->of, 0, v->items_n, v);
	default:
		TRY(abi_word_encode(word, t, v));
		return buf_add(e->out, BYTES_OF(word));
	}
}

enum err abi_encode(struct buf *out, const struct abi_type *type, const struct abi_value *value)
{
	struct encoder e = {.out = out};
	size_t start = out->n;

	if (type->kind != ABI_TUPLE)
		return ERR_RANGE;
	enum err err = encode_items(&e, type->of, 1, type->of_n, value);
	if (err != ERR_OK)
		out->n = start;
	return err;
}

struct hash32 abi_topic(const char *signature)
{
	return keccak256(bytes_str(signature));
}

void abi_selector(uint8_t out[4], const char *signature)
{
	struct hash32 h = abi_topic(signature);

	memcpy(out, h.b, 4);
}

enum err abi_encode_call(struct arena *a, struct buf *out, const char *signature,
			 const struct abi_value *args, size_t args_n)
{
	const struct abi_value all = abi_items(args, args_n);
	const struct abi_type *type;
	size_t start = out->n;
	uint8_t selector[4];

	TRY(abi_signature_parse(a, &type, signature));
	abi_selector(selector, signature);
	TRY(buf_add(out, BYTES_OF(selector)));
	enum err err = abi_encode(out, type, &all);
	if (err != ERR_OK)
		out->n = start;
	return err;
}

/* ---- constructors ---- */

struct abi_value abi_uint(struct u256 v)
{
	return (struct abi_value){.word = v};
}

struct abi_value abi_bool(bool v)
{
	return abi_uint(u256_from_u64(v ? 1 : 0));
}

struct abi_value abi_address(struct address v)
{
	uint8_t word[ABI_WORD] = {0};

	memcpy(&word[ABI_WORD - sizeof(v.b)], v.b, sizeof(v.b));
	return abi_uint(u256_from_be(word));
}

struct abi_value abi_hash(const struct hash32 *v)
{
	return abi_bytes(BYTES_OF(v->b));
}

struct abi_value abi_bytes(struct bytes v)
{
	return (struct abi_value){.bytes = v};
}

struct abi_value abi_items(const struct abi_value *items, size_t items_n)
{
	return (struct abi_value){.items = items, .items_n = items_n};
}

struct address abi_as_address(const struct abi_value *v)
{
	uint8_t word[ABI_WORD];
	struct address out;

	u256_to_be(word, v->word);
	memcpy(out.b, &word[ABI_WORD - sizeof(out.b)], sizeof(out.b));
	return out;
}

/* bytes32 lies in `bytes`; a uint256 that is used as an identifier lies in `word`. */
struct hash32 abi_as_hash(const struct abi_value *v)
{
	struct hash32 out = {{0}};

	if (v->bytes.n == sizeof(out.b))
		memcpy(out.b, v->bytes.p, sizeof(out.b));
	else
		u256_to_be(out.b, v->word);
	return out;
}

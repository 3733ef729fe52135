/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Decoding of the Solidity contract ABI, "Formal Specification of the Encoding" and its strict
 * mode. */
#include "eth/abi.h"
#include "eth/abi_word.h"

struct decoder {
	struct arena *arena;
	size_t values_n; /* so far, of ABI_VALUES_MAX */
};

static bool all_are(struct bytes b, uint8_t c)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] != c)
			return false;
	return true;
}

enum err abi_word_decode(struct abi_value *ret_value, const struct abi_type *t, struct bytes word)
{
	size_t used = ABI_WORD;
	uint8_t fill = 0;

	if (word.n != ABI_WORD)
		return ERR_TRUNCATED;
	if (t->kind == ABI_FIXED_BYTES) {
		if (!all_are(bytes_sub(word, t->size, ABI_WORD - t->size), 0))
			return ERR_MALFORMED;
		*ret_value = (struct abi_value){.bytes = bytes_sub(word, 0, t->size)};
		return ERR_OK;
	}

	if (t->kind == ABI_ADDRESS)
		used = sizeof(struct address);
	else if (t->kind == ABI_BOOL)
		used = 1;
	else
		used = t->size / 8;
	if (t->kind == ABI_INT && word.p[ABI_WORD - used] & 0x80)
		fill = 0xff;
	if (!all_are(bytes_sub(word, 0, ABI_WORD - used), fill))
		return ERR_MALFORMED;
	if (t->kind == ABI_BOOL && word.p[ABI_WORD - 1] > 1)
		return ERR_MALFORMED;
	*ret_value = (struct abi_value){.word = u256_from_be(word.p)};
	return ERR_OK;
}

/* A length or an offset at `at`: whatever does not fit into 32 bits is too big for any of our
 * limits. */
static enum err read_size(size_t *ret_size, struct bytes data, size_t at)
{
	struct bytes word = bytes_sub(data, at, ABI_WORD);
	uint64_t v;

	if (word.n != ABI_WORD)
		return ERR_TRUNCATED;
	if (u256_to_u64(&v, u256_from_be(word.p)) != ERR_OK || v > UINT32_MAX)
		return ERR_TOO_BIG;
	*ret_size = (size_t)v;
	return ERR_OK;
}

static enum err decode_bytes(struct abi_value *v, struct bytes data, size_t *ret_used)
{
	size_t length;

	TRY(read_size(&length, data, 0));
	if (length > ABI_BYTES_MAX)
		return ERR_TOO_BIG;

	size_t padded = (length + ABI_WORD - 1) / ABI_WORD * ABI_WORD;
	if (padded > data.n - ABI_WORD)
		return ERR_TRUNCATED;
	if (!all_are(bytes_sub(data, ABI_WORD + length, padded - length), 0))
		return ERR_MALFORMED;
	*v = (struct abi_value){.bytes = bytes_sub(data, ABI_WORD, length)};
	*ret_used = ABI_WORD + padded;
	return ERR_OK;
}

static enum err decode_value(struct decoder *d, struct abi_value *v, const struct abi_type *t,
			     struct bytes data, size_t *ret_used);

/* n values side by side: heads first, then the tails in the same order. `each` says how far `types`
 * steps: 0 or 1. */
static enum err decode_items(struct decoder *d, struct abi_value *v, const struct abi_type *types,
			     size_t each, size_t n, struct bytes data, size_t *ret_used)
{
	size_t heads = 0;

	for (size_t i = 0; i < n; i++)
		heads += types[i * each].head_size;
	if (heads > data.n)
		return ERR_TRUNCATED;
	d->values_n += n;
	if (d->values_n > ABI_VALUES_MAX)
		return ERR_TOO_BIG;

	struct abi_value *items = arena_alloc_array(d->arena, n, sizeof(*items));
	if (!items)
		return ERR_NOMEM;

	size_t tail = heads;
	for (size_t i = 0, at = 0; i < n; i++) {
		const struct abi_type *t = &types[i * each];
		struct bytes from = bytes_sub(data, at, t->head_size);
		size_t offset, used;

		if (t->dynamic) {
			TRY(read_size(&offset, data, at));
			if (offset != tail)
				return ERR_MALFORMED;
			from = bytes_sub(data, tail, data.n - tail);
		}
		TRY(decode_value(d, &items[i], t, from, &used));
		tail += t->dynamic ? used : 0;
		at += t->head_size;
	}
	*v = (struct abi_value){.items = items, .items_n = n};
	*ret_used = tail;
	return ERR_OK;
}

/* Depth is bounded by the type, which the parser bounded. */
static enum err decode_value(struct decoder *d, struct abi_value *v, const struct abi_type *t,
			     struct bytes data, size_t *ret_used)
{
	size_t length, used;

	switch (t->kind) {
	case ABI_BYTES:
	case ABI_STRING:
		return decode_bytes(v, data, ret_used);
	case ABI_TUPLE:
		return decode_items(d, v, t->of, 1, t->of_n, data, ret_used);
	case ABI_ARRAY:
		if (t->size > 0)
			return decode_items(d, v, t->of, 0, t->size, data, ret_used);
		TRY(read_size(&length, data, 0));
		if (length > ABI_ARRAY_MAX)
			return ERR_TOO_BIG;
		TRY(decode_items(d, v, t->of, 0, length,
				 bytes_sub(data, ABI_WORD, data.n - ABI_WORD), &used));
		*ret_used = ABI_WORD + used;
		return ERR_OK;
	default:
		*ret_used = ABI_WORD;
		return abi_word_decode(v, t, data);
	}
}

enum err abi_decode(struct arena *a, const struct abi_value **ret_value,
		    const struct abi_type *type, struct bytes data)
{
	struct decoder d = {.arena = a};
	size_t used;

	if (type->kind != ABI_TUPLE)
		return ERR_RANGE;

	struct abi_value *v = arena_alloc(a, sizeof(*v));
	if (!v)
		return ERR_NOMEM;
	TRY(decode_items(&d, v, type->of, 1, type->of_n, data, &used));
	if (used != data.n)
		return ERR_MALFORMED;
	*ret_value = v;
	return ERR_OK;
}

/* The arguments that are in the data: a tuple type of its own. */
static enum err data_members(struct arena *a, struct abi_type *ret_type,
			     const struct abi_type *type, uint32_t indexed)
{
	struct abi_type *members = arena_alloc_array(a, type->of_n, sizeof(*members));
	size_t n = 0;

	if (!members)
		return ERR_NOMEM;
	for (size_t i = 0; i < type->of_n; i++)
		if (!(indexed >> i & 1))
			members[n++] = type->of[i];
	*ret_type = (struct abi_type){.kind = ABI_TUPLE, .of = members, .of_n = n};
	return ERR_OK;
}

static enum err decode_topic(struct abi_value *v, const struct abi_type *t,
			     const struct hash32 *topic)
{
	if (!t->dynamic && t->kind != ABI_ARRAY && t->kind != ABI_TUPLE)
		return abi_word_decode(v, t, BYTES_OF(topic->b));
	*v = (struct abi_value){.bytes = BYTES_OF(topic->b)};
	return ERR_OK;
}

enum err abi_decode_event(struct arena *a, const struct abi_value **ret_value,
			  const struct abi_type *type, uint32_t indexed,
			  const struct hash32 *topics, size_t topics_n, struct bytes data)
{
	const struct abi_value *rest;
	struct abi_type rest_type;
	size_t topic = 0, other = 0;

	/* An event has at most 17 arguments that a stack can hold; 32 is where the mask ends. */
	if (type->kind != ABI_TUPLE || type->of_n > 32 ||
	    (type->of_n < 32 && indexed >> type->of_n != 0))
		return ERR_RANGE;
	if (topics_n != (size_t)__builtin_popcount(indexed))
		return ERR_MALFORMED;
	TRY(data_members(a, &rest_type, type, indexed));
	TRY(abi_decode(a, &rest, &rest_type, data));

	struct abi_value *v = arena_alloc(a, sizeof(*v));
	struct abi_value *items = arena_alloc_array(a, type->of_n, sizeof(*items));
	if (!v || !items)
		return ERR_NOMEM;
	for (size_t i = 0; i < type->of_n; i++) {
		if (indexed >> i & 1)
			TRY(decode_topic(&items[i], &type->of[i], &topics[topic++]));
		else
			items[i] = rest->items[other++];
	}
	*v = (struct abi_value){.items = items, .items_n = type->of_n};
	*ret_value = v;
	return ERR_OK;
}

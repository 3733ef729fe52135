/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Solidity ABI, driven by the signature text: one walker encodes, decodes and names everything.
 *
 * A type list such as "(uint256,(bytes32,uint256,bytes32,address[])[],bytes)" is parsed once into
 * an `abi_type` tree (in an arena); values are trees of the same shape. Decoding is strict: it
 * accepts exactly what the encoder makes, which is what the Solidity compiler makes. Every offset
 * points at the first byte that nothing used yet, so data can neither be shared nor skipped;
 * padding is zero, bool 0 or 1, addresses 20 bytes, nothing follows the last tail. Lengths are
 * bounded (ABI_BYTES_MAX, ABI_ARRAY_MAX, ABI_DEPTH_MAX, ABI_VALUES_MAX).
 */
#ifndef ETH_ABI_H
#define ETH_ABI_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/u256.h"

/* Values of all levels in one decoded or encoded tree. */
enum {
	ABI_VALUES_MAX = 16 * ABI_ARRAY_MAX
};

enum abi_kind {
	ABI_UINT,
	ABI_INT,
	ABI_ADDRESS,
	ABI_BOOL,
	ABI_FIXED_BYTES,
	ABI_BYTES,
	ABI_STRING,
	ABI_ARRAY,
	ABI_TUPLE
};

struct abi_type {
	enum abi_kind kind;
	unsigned size; /* bits of (u)int, bytes of bytesN; fixed arrays: length, 0 = dynamic */
	const struct abi_type *of; /* ARRAY: one element type; TUPLE: members */
	size_t of_n;
	bool dynamic;
	size_t head_size; /* bytes in the head of the enclosing tuple or array; 32 for dynamic types
			   */
};

/* Values: words for static leaves, bytes for dynamic ones, items for arrays and tuples. */
struct abi_value {
	struct u256 word;   /* UINT, INT (two's complement), ADDRESS, BOOL */
	struct bytes bytes; /* BYTES, STRING, FIXED_BYTES (n bytes) */
	const struct abi_value *items;
	size_t items_n;
};

/*
 * "uint256", "(bytes32,address[])[]" … in canonical form (no "uint", no spaces). "()" only at the
 * top. ERR_MALFORMED, ERR_TOO_BIG (depth, fixed lengths), ERR_NOMEM.
 */
enum err abi_type_parse(struct arena *a, const struct abi_type **ret_type,
			const char *text) MUST_USE;

/* The tuple of arguments of "name(types)": a function, event or error signature. Errors as above.
 */
enum err abi_signature_parse(struct arena *a, const struct abi_type **ret_type,
			     const char *signature) MUST_USE;

/*
 * Decode `data` as the tuple `type` (function arguments, results, event data are tuples). Views
 * point into `data`. ERR_MALFORMED, ERR_TRUNCATED, ERR_TOO_BIG, ERR_NOMEM (the arena is full);
 * ERR_RANGE: `type` is no tuple.
 */
enum err abi_decode(struct arena *a, const struct abi_value **ret_value,
		    const struct abi_type *type, struct bytes data) MUST_USE;

/*
 * Decode an event. `type` is the tuple of all its arguments, bit i of `indexed` says that argument
 * i is a topic; `topics` are those after topic 0 (borrowed by the result). The values come in the
 * order of the signature. An indexed argument of bytes, string, array or tuple is on chain as a
 * hash only: its value is those 32 bytes. ERR_MALFORMED also when the number of topics is another;
 * further errors as abi_decode.
 */
enum err abi_decode_event(struct arena *a, const struct abi_value **ret_value,
			  const struct abi_type *type, uint32_t indexed,
			  const struct hash32 *topics, size_t topics_n, struct bytes data) MUST_USE;

/* Append the encoding of the tuple. ERR_RANGE when a value does not fit its type; `out` is
 * unchanged on failure. */
enum err abi_encode(struct buf *out, const struct abi_type *type,
		    const struct abi_value *value) MUST_USE;

/* keccak256 of a canonical signature: event topic; first four bytes: function or error selector. */
struct hash32 abi_topic(const char *signature);
void abi_selector(uint8_t out[4], const char *signature);

/* Encode a call: selector of "name(types)" and the arguments of its type list. The arena holds the
 * parsed type. */
enum err abi_encode_call(struct arena *a, struct buf *out, const char *signature,
			 const struct abi_value *args, size_t args_n) MUST_USE;

/* Small constructors. */
struct abi_value abi_uint(struct u256 v);
struct abi_value abi_address(struct address v);
struct abi_value abi_hash(const struct hash32 *v); /* borrowed */
struct abi_value abi_bytes(struct bytes v);
struct abi_value abi_bool(bool v);
struct abi_value abi_items(const struct abi_value *items,
			   size_t items_n); /* arrays and tuples; borrowed */
struct address abi_as_address(const struct abi_value *v);
struct hash32 abi_as_hash(const struct abi_value *v);

#endif

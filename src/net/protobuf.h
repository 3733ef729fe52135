/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Protocol buffers from outside, within bounds.
 *
 * protobuf-c alone lets a message of N bytes cost 60 N of memory (a repeated field of empty
 * messages), cuts strings at a NUL and takes any bytes for UTF-8. Therefore every message is first
 * scanned against its descriptor without allocating anything: nesting, number of fields, lengths,
 * text. Then it is unpacked into a capped arena.
 *
 *	CLEANUP(arena_free) struct arena memory = protobuf_arena(in);
 *	ProtobufCMessage *m;
 *
 *	TRY(protobuf_unpack(&m, &kms__v1__request_id__descriptor, in, &memory));
 *	const Kms__V1__RequestId *id = (const Kms__V1__RequestId *)m;
 *
 * Pure functions, any thread. What takes long is the caller's to place: above PROTOBUF_INLINE_MAX
 * bytes a message is unpacked on a pool thread, not on the loop.
 */
#ifndef NET_PROTOBUF_H
#define NET_PROTOBUF_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/bytes.h"

enum {
	PROTOBUF_INLINE_MAX = 1 << 20,
	PROTOBUF_ARENA_EXTRA = 1 << 20,
};

/* The memory that unpacking `in` may take: twice the message and 1 MiB. */
static inline struct arena protobuf_arena(struct bytes in)
{
	return arena_make(2 * in.n + PROTOBUF_ARENA_EXTRA);
}

/*
 * The message lives in `memory`; it is never freed by itself. It is a copy: `in` may go away.
 * Fields that the descriptor does not know are accepted and kept, as proto3 asks. ERR_MALFORMED:
 * not this message; ERR_TOO_BIG: more than PROTOBUF_FIELDS_MAX fields, PROTOBUF_DEPTH_MAX levels or
 * the arena's maximum; ERR_NOMEM.
 */
enum err protobuf_unpack(ProtobufCMessage **ret_message,
			 const ProtobufCMessageDescriptor *descriptor, struct bytes in,
			 struct arena *memory) MUST_USE;

/*
 * The next field of a message as it stands, without a descriptor: for messages of a few large bytes
 * fields, which are then not copied. False at the end, and when it is not a field: r->err is
 * ERR_MALFORMED or ERR_TRUNCATED then.
 */
struct protobuf_field {
	uint32_t number;
	bool is_bytes; /* then `bytes`, a view; else `value`: a varint, fixed64 or fixed32 */
	bool is_varint;
	uint64_t value;
	struct bytes bytes;
};
bool protobuf_next(struct reader *r, struct protobuf_field *ret_field);

/* A bytes field, key and length first; nothing when it is empty, as proto3 has it. */
enum err protobuf_put_bytes(struct buf *out, uint32_t number, struct bytes value) MUST_USE;

/* Appended to `out`. Errors as every writer of buf. */
enum err protobuf_pack(struct buf *out, const ProtobufCMessage *message) MUST_USE;

/* A bytes field as a view, and back: the message borrows. */
static inline struct bytes protobuf_view(ProtobufCBinaryData b)
{
	return (struct bytes){b.data, b.len};
}
static inline ProtobufCBinaryData protobuf_borrow(struct bytes b)
{
	return (ProtobufCBinaryData){.len = b.n, .data = (uint8_t *)(uintptr_t)b.p};
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/protobuf.h"

#include "base/limits.h"

/* Wire types of the protocol buffers encoding; 3 and 4 are groups, which proto3 does not have. */
enum {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5,
};

enum {
	KEY_SIZE_MAX = 5 /* a varint of 32 bits */
};

static uint64_t varint_read(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t b = reader_u8(r);

		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	reader_fail(r, ERR_MALFORMED);
	return 0;
}

bool protobuf_next(struct reader *r, struct protobuf_field *ret_field)
{
	struct protobuf_field f = {0};
	size_t before = r->in.n;
	uint64_t key;

	if (r->err != ERR_OK || r->in.n == 0)
		return false;
	key = varint_read(r);
	/* Longer than 32 bits need, it is refused as the libraries of protobuf do. */
	if (r->err == ERR_OK &&
	    (key >> 3 == 0 || key >> 32 != 0 || before - r->in.n > KEY_SIZE_MAX))
		reader_fail(r, ERR_MALFORMED);
	f.number = (uint32_t)(key >> 3);
	switch (key & 7) {
	case WIRE_VARINT:
		f.is_varint = true;
		f.value = varint_read(r);
		break;
	case WIRE_FIXED64:
		f.value = reader_u64le(r);
		break;
	case WIRE_FIXED32:
		f.value = reader_u32le(r);
		break;
	case WIRE_BYTES:
		f.is_bytes = true;
		f.bytes = reader_bytes(r, varint_read(r));
		break;
	default:
		reader_fail(r, ERR_MALFORMED);
	}
	if (r->err != ERR_OK)
		return false;
	*ret_field = f;
	return true;
}

static enum err varint_put(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		TRY(buf_add_u8(out, (uint8_t)(v | 0x80)));
	return buf_add_u8(out, (uint8_t)v);
}

enum err protobuf_put_bytes(struct buf *out, uint32_t number, struct bytes value)
{
	if (value.n == 0)
		return ERR_OK;
	TRY(varint_put(out, (uint64_t)number << 3 | WIRE_BYTES));
	TRY(varint_put(out, value.n));
	return buf_add(out, value);
}

/* proto3 text is UTF-8; protobuf-c hands it out as a C string, so that a NUL would cut it. */
static enum err text_check(struct bytes text)
{
	for (size_t at = 0; at < text.n;) {
		size_t step =
			text.p[at] == 0 ? 0 : bytes_utf8_step(bytes_sub(text, at, text.n - at));

		if (step == 0)
			return ERR_MALFORMED;
		at += step;
	}
	return ERR_OK;
}

/* Values in a packed repeated field; each becomes one element of an array. */
static size_t packed_count(struct bytes value, ProtobufCType type)
{
	size_t n = 0;

	switch (type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return value.n / 4;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return value.n / 8;
	default:
		for (size_t i = 0; i < value.n; i++)
			n += !(value.p[i] & 0x80);
		return n;
	}
}

struct scan {
	size_t fields_left;
	unsigned depth_left;
};

static enum err message_scan(struct scan *s, const ProtobufCMessageDescriptor *d, struct bytes in);

static enum err delimited_scan(struct scan *s, const ProtobufCFieldDescriptor *field,
			       struct bytes value)
{
	if (!field)
		return ERR_OK;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return message_scan(s, field->descriptor, value);
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return text_check(value);
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ERR_OK;

	size_t n = packed_count(value, field->type);

	if (n > s->fields_left)
		return ERR_TOO_BIG;
	s->fields_left -= n;
	return ERR_OK;
}

static enum err message_scan(struct scan *s, const ProtobufCMessageDescriptor *d, struct bytes in)
{
	struct reader r = reader_of(in);
	struct protobuf_field f;

	if (s->depth_left == 0)
		return ERR_TOO_BIG;
	s->depth_left--;
	while (protobuf_next(&r, &f)) {
		if (s->fields_left == 0)
			return ERR_TOO_BIG;
		s->fields_left--;
		if (f.is_bytes)
			TRY(delimited_scan(s, protobuf_c_message_descriptor_get_field(d, f.number),
					   f.bytes));
	}
	s->depth_left++;
	return r.err == ERR_OK ? ERR_OK : ERR_MALFORMED;
}

/* ---- the allocator that protobuf-c is given ---- */

struct allocation {
	struct arena *memory;
	enum err err; /* why it gave NULL */
};

static void *arena_hook(void *ctx, size_t n)
{
	struct allocation *a = ctx;
	void *p = arena_alloc(a->memory, n);

	if (!p)
		a->err = arena_fits(a->memory, n) ? ERR_NOMEM : ERR_TOO_BIG;
	return p;
}

static void nothing_hook(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

enum err protobuf_unpack(ProtobufCMessage **ret_message,
			 const ProtobufCMessageDescriptor *descriptor, struct bytes in,
			 struct arena *memory)
{
	static const uint8_t nothing[1];
	struct scan scan = {.fields_left = PROTOBUF_FIELDS_MAX, .depth_left = PROTOBUF_DEPTH_MAX};
	struct allocation allocation = {.memory = memory};
	ProtobufCAllocator allocator = {
		.alloc = arena_hook, .free = nothing_hook, .allocator_data = &allocation};

	TRY(message_scan(&scan, descriptor, in));

	ProtobufCMessage *m =
		protobuf_c_message_unpack(descriptor, &allocator, in.n, in.n ? in.p : nothing);

	if (!m)
		return allocation.err != ERR_OK ? allocation.err : ERR_MALFORMED;
	*ret_message = m;
	return ERR_OK;
}

enum err protobuf_pack(struct buf *out, const ProtobufCMessage *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	uint8_t *place;

	TRY(buf_add_space(out, n, &place));
	CHECK(n == 0 || protobuf_c_message_pack(message, place) == n);
	return ERR_OK;
}

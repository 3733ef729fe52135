/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/peer_wire.h"

#include "codec/bincode.h"
#include "net/protobuf.h"

enum {
	FIELD_TAG = 1,   /* of both requests */
	FIELD_VALUE = 2, /* or payload */
	FIELD_STATUS = 1,
	FIELD_ANSWER = 1,
	TAG_SIZE_MAX = MPC_SESSION_ID_SIZE + 8 + MPC_NAME_SIZE + 8
};

/* As proto3 has it: what is missing is empty, of what is there twice the last counts, what nobody
 * knows is passed over. */
static enum err fields_read(struct bytes *ret_tag, struct bytes *ret_value, struct bytes in)
{
	struct bytes tag = BYTES_NONE, value = BYTES_NONE;
	struct reader r = reader_of(in);
	struct protobuf_field f;

	while (protobuf_next(&r, &f)) {
		if (f.number != FIELD_TAG && f.number != FIELD_VALUE)
			continue;
		if (!f.is_bytes)
			return ERR_MALFORMED;
		*(f.number == FIELD_TAG ? &tag : &value) = f.bytes;
	}
	TRY(r.err);
	*ret_tag = tag;
	*ret_value = value;
	return ERR_OK;
}

/* A name that could be an identity: anything else would only be carried into logs. */
static void sender_read(struct reader *r, char ret_sender[MPC_NAME_SIZE])
{
	struct bytes name = bincode_vec(r, MPC_NAME_SIZE - 1);

	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f)
			reader_fail(r, ERR_MALFORMED);
	if (name.n == 0)
		reader_fail(r, ERR_MALFORMED);
	if (r->err != ERR_OK)
		return;
	memcpy(ret_sender, name.p, name.n);
	ret_sender[name.n] = '\0';
}

enum err peer_wire_read(struct peer_message *ret, struct bytes in)
{
	struct peer_message m = {0};
	struct bytes tag, id;
	struct reader r;

	TRY(fields_read(&tag, &m.value, in));
	r = reader_of(tag);
	id = reader_bytes(&r, MPC_SESSION_ID_SIZE);
	sender_read(&r, m.sender);
	m.round = reader_u64le(&r);
	TRY(reader_end(&r));
	memcpy(m.session.le, id.p, sizeof(m.session.le));
	*ret = m;
	return ERR_OK;
}

enum err peer_wire_write(struct buf *out, const struct peer_message *m)
{
	CLEANUP(buf_free) struct buf tag = buf_make(TAG_SIZE_MAX);
	struct bincode_writer w = {.out = &tag};

	bincode_put_raw(&w, BYTES_OF(m->session.le));
	bincode_put_str(&w, m->sender);
	bincode_put_u64(&w, m->round);
	TRY(bincode_end(&w));
	TRY(protobuf_put_bytes(out, FIELD_TAG, buf_view(&tag)));
	return protobuf_put_bytes(out, FIELD_VALUE, m->value);
}

enum err peer_wire_read_health(char ret_sender[MPC_NAME_SIZE], struct bytes *ret_payload,
			       struct bytes in)
{
	char sender[MPC_NAME_SIZE] = "";
	struct bytes tag, payload;
	struct reader r;

	TRY(fields_read(&tag, &payload, in));
	r = reader_of(tag);
	sender_read(&r, sender);
	TRY(reader_end(&r));
	memcpy(ret_sender, sender, sizeof(sender));
	*ret_payload = payload;
	return ERR_OK;
}

enum err peer_wire_write_answer(struct buf *out, struct bytes answer)
{
	return answer.n > 0 ? protobuf_put_bytes(out, FIELD_ANSWER, answer) : ERR_OK;
}

enum err peer_wire_read_answer(struct bytes *ret_answer, struct bytes in)
{
	struct bytes answer = BYTES_NONE;
	struct reader r = reader_of(in);
	struct protobuf_field f;

	while (protobuf_next(&r, &f))
		if (f.number == FIELD_ANSWER && f.is_bytes)
			answer = f.bytes;
	TRY(r.err);
	*ret_answer = answer;
	return ERR_OK;
}

enum err peer_wire_write_health(struct buf *out, const char *sender, struct bytes payload)
{
	CLEANUP(buf_free) struct buf tag = buf_make(TAG_SIZE_MAX);
	struct bincode_writer w = {.out = &tag};

	bincode_put_str(&w, sender);
	TRY(bincode_end(&w));
	TRY(protobuf_put_bytes(out, FIELD_TAG, buf_view(&tag)));
	return protobuf_put_bytes(out, FIELD_VALUE, payload);
}

enum err peer_wire_read_status(enum peer_status *ret, struct bytes in)
{
	struct reader r = reader_of(in);
	struct protobuf_field f;
	uint64_t status = PEER_ACTIVE;

	while (protobuf_next(&r, &f)) {
		if (f.number != FIELD_STATUS)
			continue;
		if (!f.is_varint)
			return ERR_MALFORMED;
		status = f.value;
	}
	TRY(r.err);
	if (status > PEER_COMPLETED)
		return ERR_UNSUPPORTED;
	*ret = (enum peer_status)status;
	return ERR_OK;
}

struct bytes peer_wire_status(enum peer_status s)
{
	static const char *const WIRE[] = {"", "\x08\x01", "\x08\x02"};

	return bytes_str(WIRE[s]);
}

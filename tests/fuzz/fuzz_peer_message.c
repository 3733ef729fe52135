/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What nodes say to each other, read in place. A message that is taken is what protobuf-c reads as
 * well, with a tag that a second reading takes apart to the same; written again it is read again as
 * the same. What protobuf-c takes and has such a tag is taken.
 *
 * Input: u8: 0 SendValueRequest, 1 HealthCheckRequest, 2 SendValueResponse || the message.
 */
#include <stdlib.h>

#include "core/peer_wire.h"
#include "ddec_networking.pb-c.h"
#include "fuzz.h"
#include "net/protobuf.h"

/* [id ||] u64 length || name [|| u64 round], and nothing else. */
static bool tag_is(struct bytes tag, bool with_session, const struct peer_message *m)
{
	size_t name_n = strlen(m->sender), at = with_session ? sizeof(m->session.le) : 0;
	uint8_t number[8];

	if (tag.n != at + 8 + name_n + (with_session ? 8 : 0))
		return false;
	for (size_t i = 0; i < 8; i++)
		number[i] = (uint8_t)((uint64_t)name_n >> 8 * i);
	if (!bytes_eq_var(bytes_sub(tag, 0, at), bytes_from(m->session.le, at)) ||
	    !bytes_eq_var(bytes_sub(tag, at, 8), BYTES_OF(number)) ||
	    !bytes_eq_var(bytes_sub(tag, at + 8, name_n), bytes_str(m->sender)))
		return false;
	for (size_t i = 0; i < 8; i++)
		number[i] = (uint8_t)(m->round >> 8 * i);
	return !with_session || bytes_eq_var(bytes_sub(tag, tag.n - 8, 8), BYTES_OF(number));
}

/* A tag that must be taken: a name of plain characters at its place. */
static bool tag_is_sound(struct bytes tag, bool with_session)
{
	size_t at = with_session ? 16 : 0, rest = at + 8 + (with_session ? 8 : 0);
	uint64_t n = 0;

	if (tag.n <= rest)
		return false;
	for (size_t i = 8; i > 0; i--)
		n = n << 8 | tag.p[at + i - 1];
	if (n != tag.n - rest || n >= MPC_NAME_SIZE)
		return false;
	for (size_t i = 0; i < n; i++)
		if (tag.p[at + 8 + i] <= ' ' || tag.p[at + 8 + i] >= 0x7f)
			return false;
	return true;
}

static void send_value(struct bytes in)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(in);
	const DdecNetworking__SendValueRequest *request;
	struct peer_message m, again;
	ProtobufCMessage *other;
	enum err e = peer_wire_read(&m, in);
	enum err e_other = protobuf_unpack(&other, &ddec_networking__send_value_request__descriptor,
					   in, &memory);

	if (e != ERR_OK) {
		request =
			e_other == ERR_OK ? (const DdecNetworking__SendValueRequest *)other : NULL;
		CHECK(!request || !tag_is_sound(protobuf_view(request->tag), true));
		return;
	}
	CHECK(e_other == ERR_OK || e_other == ERR_TOO_BIG);
	if (e_other == ERR_OK) {
		request = (const DdecNetworking__SendValueRequest *)other;
		CHECK(tag_is(protobuf_view(request->tag), true, &m));
		CHECK(bytes_eq_var(protobuf_view(request->value), m.value));
	}

	struct buf out = buf_make(m.value.n + PEER_WIRE_EXTRA);

	FUZZ_OK(peer_wire_write(&out, &m));
	FUZZ_OK(peer_wire_read(&again, buf_view(&out)));
	CHECK(memcmp(&again.session, &m.session, sizeof(m.session)) == 0 &&
	      strcmp(again.sender, m.sender) == 0 && again.round == m.round &&
	      bytes_eq_var(again.value, m.value));
	buf_free(&out);
}

static void health(struct bytes in)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(in);
	struct peer_message m = {0};
	struct bytes payload, payload_again;
	char again[MPC_NAME_SIZE];
	ProtobufCMessage *other;
	enum err e = peer_wire_read_health(m.sender, &payload, in);
	enum err e_other = protobuf_unpack(
		&other, &ddec_networking__health_check_request__descriptor, in, &memory);
	struct buf out = buf_make(in.n + PEER_WIRE_EXTRA);
	const DdecNetworking__HealthCheckRequest *request =
		e_other == ERR_OK ? (const DdecNetworking__HealthCheckRequest *)other : NULL;

	if (e != ERR_OK) {
		CHECK(!request || !tag_is_sound(protobuf_view(request->tag), false));
		return;
	}
	CHECK(request || e_other == ERR_TOO_BIG);
	CHECK(!request || tag_is(protobuf_view(request->tag), false, &m));
	FUZZ_OK(peer_wire_write_health(&out, m.sender, in));
	FUZZ_OK(peer_wire_read_health(again, &payload_again, buf_view(&out)));
	CHECK(strcmp(again, m.sender) == 0 && bytes_eq_var(payload_again, in));
	buf_free(&out);
}

static void answer(struct bytes in)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(in);
	ProtobufCMessage *other;
	struct bytes found;

	if (peer_wire_read_answer(&found, in) == ERR_OK &&
	    protobuf_unpack(&other, &ddec_networking__health_check_response__descriptor, in,
			    &memory) == ERR_OK)
		CHECK(bytes_eq_var(
			found,
			protobuf_view(
				((const DdecNetworking__HealthCheckResponse *)other)->answer)));
}

static void status(struct bytes in)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(in);
	ProtobufCMessage *other;
	enum peer_status s, again;
	enum err e = peer_wire_read_status(&s, in);
	enum err e_other = protobuf_unpack(
		&other, &ddec_networking__send_value_response__descriptor, in, &memory);

	if (e != ERR_OK)
		return;
	CHECK(e_other == ERR_OK || e_other == ERR_TOO_BIG);
	if (e_other == ERR_OK)
		CHECK((int)((const DdecNetworking__SendValueResponse *)other)->status == (int)s);
	FUZZ_OK(peer_wire_read_status(&again, peer_wire_status(s)));
	CHECK(again == s);
}

static void reply(struct bytes in)
{
	status(in);
	answer(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n < 4096 ? n : 4096);
	uint8_t what = fuzz_u8(&in);
	struct bytes exact = fuzz_copy(in);

	if (what % 3 == 0)
		send_value(exact);
	else if (what % 3 == 1)
		health(exact);
	else
		reply(exact);
	fuzz_free(exact);
	return 0;
}

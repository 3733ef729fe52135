/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Messages of kms.v1. What is unpacked is what protobuf-c alone makes of it, and packs to bytes
 * that unpack and pack to themselves. What is refused has a reason: protobuf-c refuses too, or a
 * limit or the text rules of proto3 are broken.
 *
 * Input: u8 which message || the message.
 */
#include "base/limits.h"
#include "fuzz.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

static const ProtobufCMessageDescriptor *const descriptors[] = {
	&kms__v1__public_decryption_request__descriptor,
	&kms__v1__user_decryption_request__descriptor,
	&kms__v1__public_decryption_response__descriptor,
	&kms__v1__user_decryption_response__descriptor,
	&kms__v1__request_id__descriptor,
	&kms__v1__typed_ciphertext__descriptor,
	&kms__v1__eip712_domain_msg__descriptor,
};

static void pack(struct buf *out, const ProtobufCMessage *m)
{
	FUZZ_OK(protobuf_pack(out, m));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(buf_free)
	struct buf ours = buf_make(1 << 20), theirs = buf_make(1 << 20), again = buf_make(1 << 20);
	struct bytes in = bytes_from(p, n < 1 << 16 ? n : 1 << 16);
	const ProtobufCMessageDescriptor *d = descriptors[fuzz_u8(&in) % ARRAY_LEN(descriptors)];
	struct bytes message = fuzz_copy(in);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	CLEANUP(arena_free) struct arena memory2 = arena_make(8 << 20);
	ProtobufCMessage *m, *m2;
	enum err e = protobuf_unpack(&m, d, message, &memory);

	CHECK(memory.used <= memory.size_max);
	if (e == ERR_OK) {
		ProtobufCMessage *other = protobuf_c_message_unpack(d, NULL, message.n, message.p);

		CHECK(other && protobuf_c_message_check(m));
		pack(&ours, m);
		pack(&theirs, other);
		CHECK(bytes_eq_var(buf_view(&ours), buf_view(&theirs)));
		protobuf_c_message_free_unpacked(other, NULL);

		/* one text and nothing else: nothing of it is lost */
		if (d == &kms__v1__request_id__descriptor && message.n >= 2 &&
		    message.p[0] == 0x0a && message.p[1] == message.n - 2 && message.n < 0x80)
			CHECK(strlen(((Kms__V1__RequestId *)m)->request_id) == message.n - 2);

		FUZZ_OK(protobuf_unpack(&m2, d, buf_view(&ours), &memory2));
		pack(&again, m2);
		CHECK(bytes_eq_var(buf_view(&ours), buf_view(&again)));
	} else {
		CHECK(e == ERR_MALFORMED || e == ERR_TOO_BIG);
	}
	fuzz_free(message);
	return 0;
}

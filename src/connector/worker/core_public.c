/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The core's reply to a public decryption: one plaintext per handle, of its type and width. */
#include "base/hex.h"
#include "connector/worker/internal.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

enum {
	WORD = 32,
};

/* Bits of each FHE type that a public decryption returns; 0 = not one of them. */
static const unsigned type_bits[] = {
	[0] = 1, [2] = 8, [3] = 16, [4] = 32, [5] = 64, [6] = 128, [7] = 160, [8] = 256,
};

/* Little-endian plaintext -> big-endian word; false when the value has more bits than its type. */
static bool word_of(uint8_t word[WORD], struct bytes le, unsigned bits)
{
	memset(word, 0, WORD);
	if (le.n == 0 || le.n > WORD)
		return false;
	for (size_t i = 0; i < le.n; i++) {
		unsigned low = (unsigned)i * 8; /* first bit of this byte */

		if (low >= bits ? le.p[i] != 0 : bits - low < 8 && le.p[i] >> (bits - low) != 0)
			return false;
		word[WORD - 1 - i] = le.p[i];
	}
	return true;
}

static enum err read_result(struct arena *a, struct bytes *ret_result, const struct job *j,
			    const Kms__V1__PublicDecryptionResponsePayload *payload,
			    struct err_note *note)
{
	size_t n = j->request.handles_n;

	if (payload->n_plaintexts != n)
		return err_say(note, ERR_MISMATCH, "%zu plaintexts for %zu handles",
			       payload->n_plaintexts, n);
	uint8_t(*words)[WORD] = arena_alloc_array(a, n, WORD);
	if (!words)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const Kms__V1__TypedPlaintext *p = payload->plaintexts[i];
		unsigned type = handle_fhe_type(&j->request.handles[i]);

		if (p->fhe_type < 0 || (unsigned)p->fhe_type != type ||
		    type >= ARRAY_LEN(type_bits) || type_bits[type] == 0)
			return err_say(note, ERR_MISMATCH,
				       "plaintext %zu has FHE type %d, its handle %u", i,
				       (int)p->fhe_type, type);
		if (!word_of(words[i], protobuf_view(p->bytes), type_bits[type]))
			return err_say(note, ERR_MISMATCH, "plaintext %zu does not fit FHE type %u",
				       i, type);
	}
	*ret_result = bytes_from(words, n * WORD);
	return ERR_OK;
}

/* A core that echoes the id must echo ours. */
static enum err check_id(const struct job *j, const Kms__V1__RequestId *id, struct err_note *note)
{
	struct u256 want = j->op.key.request_id;
	uint8_t be[WORD];

	if (!id)
		return ERR_OK;
	if (hex_decode_fixed(be, sizeof(be), bytes_str(id->request_id)) != ERR_OK ||
	    !u256_eq(u256_from_be(be), want))
		return err_say(note, ERR_MISMATCH, "it names another request");
	return ERR_OK;
}

static enum err digest_of(struct core_reply *r, struct arena *a, const struct job *j)
{
	const struct eip712_domain domain = core_domain(j);
	struct abi_value handles;

	TRY(core_handles_value(&handles, a, j));

	const struct abi_value values[] = {handles, abi_bytes(r->result), abi_bytes(r->extra_data)};

	return eip712_digest(&r->digest, &domain, EIP712_PUBLIC_DECRYPT, values, ARRAY_LEN(values));
}

enum err public_reply_read(struct core_reply *ret, struct arena *a, const struct job *j,
			   struct bytes message, struct err_note *note)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	struct core_reply r = {0};
	ProtobufCMessage *base;

	enum err e = protobuf_unpack(&base, &kms__v1__public_decryption_response__descriptor,
				     message, &memory);
	if (e != ERR_OK)
		return err_say(note, e, "it cannot be read: %s", err_name(e));

	const Kms__V1__PublicDecryptionResponse *m =
		(const Kms__V1__PublicDecryptionResponse *)base;
	if (!m->payload)
		return err_say(note, ERR_MISMATCH, "it has no payload");
	TRY(check_id(j, m->payload->request_id, note));
	TRY(read_result(a, &r.result, j, m->payload, note));
	TRY(arena_copy(a, &r.extra_data, protobuf_view(m->extra_data)));
	TRY(arena_copy(a, &r.external_signature, protobuf_view(m->external_signature)));
	TRY(arena_copy(a, &r.verification_key, protobuf_view(m->payload->verification_key)));
	TRY(digest_of(&r, a, j));
	*ret = r;
	return ERR_OK;
}

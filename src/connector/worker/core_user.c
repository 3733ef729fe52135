/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The core's reply to a user decryption: one sealed value per handle, of its type, tied to this
 * request and this user by the link. What goes on chain is the payload in the bincode form that the
 * client library reads; it is sealed, so that nobody here can look into it.
 */
#include "connector/worker/internal.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

enum {
	PAYLOAD_BYTES_MAX = 2 << 20
};

static enum err vec_add(struct buf *out, struct bytes v)
{
	TRY(buf_add_u64le(out, v.n));
	return buf_add(out, v);
}

/* bincode: fields in order, lengths as u64, all little endian. */
static enum err payload_encode(struct buf *out, const Kms__V1__UserDecryptionResponsePayload *p)
{
	TRY(vec_add(out, protobuf_view(p->verification_key)));
	TRY(vec_add(out, protobuf_view(p->digest)));
	TRY(buf_add_u64le(out, p->n_signcrypted_ciphertexts));
	for (size_t i = 0; i < p->n_signcrypted_ciphertexts; i++) {
		const Kms__V1__TypedSigncryptedCiphertext *c = p->signcrypted_ciphertexts[i];

		TRY(buf_add_u32le(out, (uint32_t)c->fhe_type));
		TRY(vec_add(out, protobuf_view(c->signcrypted_ciphertext)));
		TRY(vec_add(out, protobuf_view(c->external_handle)));
		TRY(buf_add_u32le(out, c->packing_factor));
	}
	TRY(buf_add_u32le(out, p->party_id));
	return buf_add_u32le(out, p->degree);
}

static enum err check_values(const struct job *j, const Kms__V1__UserDecryptionResponsePayload *p,
			     struct err_note *note)
{
	size_t n = j->request.handles_n;

	if (p->n_signcrypted_ciphertexts != n)
		return err_say(note, ERR_MISMATCH, "%zu sealed values for %zu handles",
			       p->n_signcrypted_ciphertexts, n);
	for (size_t i = 0; i < n; i++) {
		const Kms__V1__TypedSigncryptedCiphertext *c = p->signcrypted_ciphertexts[i];
		const struct hash32 *handle = &j->request.handles[i];

		if (c->fhe_type < 0 || (unsigned)c->fhe_type != handle_fhe_type(handle))
			return err_say(note, ERR_MISMATCH,
				       "sealed value %zu has FHE type %d, its handle %u", i,
				       (int)c->fhe_type, handle_fhe_type(handle));
		if (!bytes_eq_var(protobuf_view(c->external_handle), BYTES_OF(handle->b)))
			return err_say(note, ERR_MISMATCH, "sealed value %zu is of another handle",
				       i);
		if (c->signcrypted_ciphertext.len == 0)
			return err_say(note, ERR_MISMATCH, "sealed value %zu is empty", i);
	}
	return ERR_OK;
}

static enum err check_link(struct arena *a, const struct job *j, struct bytes link,
			   struct err_note *note)
{
	const struct user_request *u = j->request.user;
	const struct eip712_domain domain = core_domain(j);
	struct abi_value handles;
	struct hash32 want;

	TRY(core_handles_value(&handles, a, j));

	const struct abi_value values[] = {abi_bytes(u->public_key), handles, abi_address(u->user)};

	TRY(eip712_digest(&want, &domain, EIP712_USER_LINKER, values, ARRAY_LEN(values)));
	if (!bytes_eq_var(link, BYTES_OF(want.b)))
		return err_say(note, ERR_MISMATCH, "it is for another request or user");
	return ERR_OK;
}

static enum err digest_of(struct core_reply *r, struct arena *a, const struct job *j)
{
	const struct eip712_domain domain = core_domain(j);
	struct abi_value handles;

	TRY(core_handles_value(&handles, a, j));

	const struct abi_value values[] = {abi_bytes(j->request.user->public_key), handles,
					   abi_bytes(r->result), abi_bytes(r->extra_data)};

	return eip712_digest(&r->digest, &domain, EIP712_USER_RESPONSE, values, ARRAY_LEN(values));
}

enum err user_reply_read(struct core_reply *ret, struct arena *a, const struct job *j,
			 struct bytes message, struct err_note *note)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	struct buf payload CLEANUP(buf_free) = buf_make(PAYLOAD_BYTES_MAX);
	struct core_reply r = {0};
	ProtobufCMessage *base;

	enum err e = protobuf_unpack(&base, &kms__v1__user_decryption_response__descriptor, message,
				     &memory);
	if (e != ERR_OK)
		return err_say(note, e, "it cannot be read: %s", err_name(e));

	const Kms__V1__UserDecryptionResponse *m = (const Kms__V1__UserDecryptionResponse *)base;
	if (!m->payload)
		return err_say(note, ERR_MISMATCH, "it has no payload");
	TRY(check_values(j, m->payload, note));
	TRY(check_link(a, j, protobuf_view(m->payload->digest), note));
	TRY(payload_encode(&payload, m->payload));
	TRY(arena_copy(a, &r.result, buf_view(&payload)));
	TRY(arena_copy(a, &r.extra_data, protobuf_view(m->extra_data)));
	TRY(arena_copy(a, &r.external_signature, protobuf_view(m->external_signature)));
	TRY(arena_copy(a, &r.verification_key, protobuf_view(m->payload->verification_key)));
	TRY(digest_of(&r, a, j));
	*ret = r;
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The core's user decryptions: what it seals, nobody here can open. */
#include "core_internal.h"
#include "eth/text.h"

enum {
	SHARE_MAX = 1 << 16
};

enum grpc_status core_send_user(struct sim *s, const struct core_rpc *rpc, struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	struct hash32 handles[HANDLES_MAX];
	const Kms__V1__UserDecryptionRequest *q = (const void *)core_unpack(
		&memory, &kms__v1__user_decryption_request__descriptor, message);
	uint64_t id = core_id(s, q->request_id);
	const struct request *r =
		core_spy(s, rpc->kind, id, q->typed_ciphertexts, q->n_typed_ciphertexts, handles);
	char user[ADDRESS_TEXT_SIZE];

	(void)core_context(s, r, q->context_id);
	if (r) {
		address_to_text(user, r->user->user);
		if (strcmp(q->client_address, user) != 0 ||
		    !bytes_eq_var(protobuf_view(q->enc_key), r->user->public_key))
			sim_fail(s, "the core was asked to seal request %llu for another user",
				 (unsigned long long)id);
	}
	if (fault(s, FAULT_CORE_FAILS))
		return sim_chance(s, 50) ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL;
	return core_remember(s, rpc->kind, id, request_content(handles, q->n_typed_ciphertexts),
			     message);
}

static void add_vec(struct buf *out, struct bytes b)
{
	CHECK(buf_add_u64le(out, b.n) == ERR_OK);
	CHECK(buf_add(out, b) == ERR_OK);
}

/* bincode of a payload. */
static void encode_payload(struct buf *out, const Kms__V1__UserDecryptionResponsePayload *p)
{
	add_vec(out, protobuf_view(p->verification_key));
	add_vec(out, protobuf_view(p->digest));
	CHECK(buf_add_u64le(out, p->n_signcrypted_ciphertexts) == ERR_OK);
	for (size_t i = 0; i < p->n_signcrypted_ciphertexts; i++) {
		const Kms__V1__TypedSigncryptedCiphertext *c = p->signcrypted_ciphertexts[i];

		CHECK(buf_add_u32le(out, (uint32_t)c->fhe_type) == ERR_OK);
		add_vec(out, protobuf_view(c->signcrypted_ciphertext));
		add_vec(out, protobuf_view(c->external_handle));
		CHECK(buf_add_u32le(out, c->packing_factor) == ERR_OK);
	}
	CHECK(buf_add_u32le(out, p->party_id) == ERR_OK);
	CHECK(buf_add_u32le(out, p->degree) == ERR_OK);
}

/* What ties the values to request and user. */
static struct hash32 link_of(const struct sim *s, const Kms__V1__UserDecryptionRequest *q,
			     struct abi_value handles)
{
	struct address user;
	struct hash32 link;

	CHECK(address_parse_checksum(&user, bytes_str(q->client_address)) == ERR_OK);
	const struct abi_value v[] = {abi_bytes(protobuf_view(q->enc_key)), handles,
				      abi_address(user)};
	CHECK(eip712_digest(&link, &s->domain, EIP712_USER_LINKER, v, 3) == ERR_OK);
	return link;
}

void core_respond_user(struct sim *s, const struct core_known *k, struct buf *out)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(buf_view(&k->message));
	CLEANUP(buf_free) struct buf share = buf_make(SHARE_MAX);
	Kms__V1__UserDecryptionResponse m = KMS__V1__USER_DECRYPTION_RESPONSE__INIT;
	Kms__V1__UserDecryptionResponsePayload payload =
		KMS__V1__USER_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedSigncryptedCiphertext values[HANDLES_MAX], *list[HANDLES_MAX];
	struct abi_value items[HANDLES_MAX];
	struct hash32 handles[HANDLES_MAX], link, digest;
	struct signature65 sig;
	uint8_t key[41];
	const Kms__V1__UserDecryptionRequest *q = (const void *)core_unpack(
		&memory, &kms__v1__user_decryption_request__descriptor, buf_view(&k->message));
	size_t n = q->n_typed_ciphertexts, context = core_context(s, NULL, NULL);

	if (q->context_id)
		(void)context_find(s, core_id(s, q->context_id), &context);
	core_key(s, key, context);
	for (size_t i = 0; i < n; i++) {
		memcpy(handles[i].b, q->typed_ciphertexts[i]->external_handle.data, 32);
		items[i] = abi_hash(&handles[i]);
		kms__v1__typed_signcrypted_ciphertext__init(&values[i]);
		values[i].fhe_type = q->typed_ciphertexts[i]->fhe_type;
		values[i].signcrypted_ciphertext = protobuf_borrow(BYTES_LIT("sealed"));
		values[i].external_handle = q->typed_ciphertexts[i]->external_handle;
		values[i].packing_factor = 1;
		list[i] = &values[i];
	}
	link = link_of(s, q, abi_items(items, n));
	payload.verification_key = protobuf_borrow(BYTES_OF(key));
	payload.digest = protobuf_borrow(BYTES_OF(link.b));
	payload.signcrypted_ciphertexts = list;
	payload.n_signcrypted_ciphertexts = n;
	payload.party_id = 1;
	encode_payload(&share, &payload);
	const struct abi_value signed_values[] = {abi_bytes(protobuf_view(q->enc_key)),
						  abi_items(items, n), abi_bytes(buf_view(&share)),
						  abi_bytes(protobuf_view(q->extra_data))};
	CHECK(eip712_digest(&digest, &s->domain, EIP712_USER_RESPONSE, signed_values, 4) == ERR_OK);
	core_sign(s, &sig, context, digest);
	m.payload = &payload;
	m.external_signature = protobuf_borrow(BYTES_OF(sig.b));
	m.extra_data = q->extra_data;
	CHECK(protobuf_pack(out, &m.base) == ERR_OK);
}

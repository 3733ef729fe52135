/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/user_decryption.h"

#include "base/rng.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

/* Parts of the answer; `sealed` owns what the items look at. */
struct parts {
	struct arena memory;
	struct buf sealed, payload_bytes;
	struct signcrypted *items;
	uint8_t verification_key[VERIFICATION_KEY_SIZE];
	struct signcrypt_payload payload;
	struct signature64 internal;
	struct signature65 external;
};

static struct parts parts_make(void)
{
	return (struct parts){
		.memory = arena_make(HANDLES_PER_REQUEST_MAX *
				     (2 * sizeof(struct signcrypted) +
				      2 * sizeof(Kms__V1__TypedSigncryptedCiphertext) + 128)),
		.sealed = buf_make(USER_DECRYPTION_ANSWER_MAX),
		.payload_bytes = buf_make(USER_DECRYPTION_ANSWER_MAX),
	};
}

static void parts_free(struct parts *p)
{
	arena_free(&p->memory);
	buf_free(&p->sealed);
	buf_free(&p->payload_bytes);
}

static enum err handles_of(const struct hash32 **ret_handles, struct arena *memory,
			   const struct decryption_request *r)
{
	struct hash32 *handles = arena_alloc_array(memory, r->items_n, sizeof(*handles));

	if (!handles)
		return ERR_NOMEM;
	for (size_t i = 0; i < r->items_n; i++)
		handles[i] = r->items[i].handle;
	*ret_handles = handles;
	return ERR_OK;
}

static enum err items_seal(struct parts *p, const struct decryption_request *r,
			   const struct fhe_plaintext *values, const struct signcrypt *s,
			   struct rng *rng)
{
	p->items = arena_alloc_array(&p->memory, r->items_n, sizeof(*p->items));
	if (!p->items)
		return ERR_NOMEM;
	/* At once: the items look into it. */
	TRY(buf_reserve(&p->sealed, r->items_n * (sizeof(values->le) + SIGNCRYPT_OVERHEAD)));
	for (size_t i = 0; i < r->items_n; i++) {
		size_t before = p->sealed.n;

		TRY(signcrypt_seal(&p->sealed, s, r->items[i].type,
				   bytes_from(values[i].le, values[i].n), rng));
		p->items[i] = (struct signcrypted){
			.type = r->items[i].type,
			.sealed = bytes_sub(buf_view(&p->sealed), before, p->sealed.n - before),
			.external_handle = r->items[i].external_handle,
			.packing_factor = 1,
		};
	}
	return ERR_OK;
}

static enum err parts_fill(struct parts *p, const struct decryption_request *r,
			   const struct fhe_plaintext *values, const struct signing_key *signer,
			   struct rng *rng)
{
	CLEANUP(secret32_wipe) struct secret32 key = signing_key_scalar(signer);
	const struct hash32 *handles;
	struct signcrypt s;
	struct hash32 link, digest;

	TRY(handles_of(&handles, &p->memory, r));
	TRY(signcrypt_link(&link, &r->domain, &r->enc_key, handles, r->items_n, r->user));
	TRY(signcrypt_begin(&s, signer, &r->enc_key, r->user, link));
	TRY(items_seal(p, r, values, &s, rng));
	signing_key_verification_key(p->verification_key, signer);
	p->payload = (struct signcrypt_payload){
		.verification_key = p->verification_key,
		.link = link,
		.items = p->items,
		.items_n = r->items_n,
		.party_id = 1,
		.degree = 0,
	};
	TRY(signcrypt_payload_encode(&p->payload_bytes, &p->payload));
	TRY(ecdsa_sign_kms(signer->ecdsa, &p->internal, &key, "USER_DEC",
			   buf_view(&p->payload_bytes)));
	TRY(signcrypt_response_digest(&digest, &r->domain, &r->enc_key, handles, r->items_n,
				      buf_view(&p->payload_bytes), r->extra_data));
	return ecdsa_sign65(signer->ecdsa, &p->external, &key, digest);
}

static enum err parts_pack(struct buf *answer, struct parts *p, const struct decryption_request *r)
{
	size_t n = p->payload.items_n;
	Kms__V1__TypedSigncryptedCiphertext *items =
		arena_alloc_array(&p->memory, n, sizeof(*items));
	Kms__V1__TypedSigncryptedCiphertext **list =
		arena_alloc_array(&p->memory, n, sizeof(*list));
	Kms__V1__UserDecryptionResponse response = KMS__V1__USER_DECRYPTION_RESPONSE__INIT;
	Kms__V1__UserDecryptionResponsePayload payload =
		KMS__V1__USER_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedSignature typed = KMS__V1__TYPED_SIGNATURE__INIT, *typed_list[] = {&typed};

	if (!items || !list)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct signcrypted *from = &p->payload.items[i];

		kms__v1__typed_signcrypted_ciphertext__init(&items[i]);
		items[i].fhe_type = (int32_t)from->type;
		items[i].signcrypted_ciphertext = protobuf_borrow(from->sealed);
		items[i].external_handle = protobuf_borrow(from->external_handle);
		items[i].packing_factor = from->packing_factor;
		list[i] = &items[i];
	}
	payload.verification_key = protobuf_borrow(BYTES_OF(p->verification_key));
	payload.digest = protobuf_borrow(BYTES_OF(p->payload.link.b));
	payload.signcrypted_ciphertexts = list;
	payload.n_signcrypted_ciphertexts = n;
	payload.party_id = p->payload.party_id;
	payload.degree = p->payload.degree;
	typed.scheme = KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1;
	typed.signature = protobuf_borrow(BYTES_OF(p->external.b));
	response.signature = protobuf_borrow(BYTES_OF(p->internal.b));
	response.external_signature = typed.signature;
	response.payload = &payload;
	response.extra_data = protobuf_borrow(r->extra_data);
	response.signatures = typed_list;
	response.n_signatures = r->wants_ecdsa ? 1 : 0;
	return protobuf_pack(answer, &response.base);
}

enum err user_decryption_sign(struct buf *answer, const struct decryption_request *r,
			      const struct fhe_plaintext *values, const struct signing_key *signer,
			      struct rng *rng)
{
	CLEANUP(parts_free) struct parts p = parts_make();

	TRY(parts_fill(&p, r, values, signer, rng));
	return parts_pack(answer, &p, r);
}

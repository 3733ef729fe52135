/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/public_decryption.h"

#include "codec/bincode.h"
#include "core/request_id.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

enum {
	WORD_SIZE = 32
};

/* The contract reads each value as one uint256: Booleans and addresses too. */
static enum err words_add(struct buf *out, const struct decryption_request *r,
			  const struct fhe_plaintext *values)
{
	for (size_t i = 0; i < r->items_n; i++) {
		uint8_t *word;

		if (values[i].n > WORD_SIZE)
			return ERR_RANGE;
		TRY(buf_add_space(out, WORD_SIZE, &word));
		memset(word, 0, WORD_SIZE);
		for (size_t b = 0; b < values[i].n; b++)
			word[WORD_SIZE - 1 - b] = values[i].le[b];
	}
	return ERR_OK;
}

enum err public_decryption_digest(struct hash32 *ret_digest, const struct decryption_request *r,
				  const struct fhe_plaintext *values)
{
	CLEANUP(buf_wipe) struct buf words = buf_make((size_t)HANDLES_PER_REQUEST_MAX * WORD_SIZE);
	CLEANUP(arena_free)
	struct arena memory = arena_make(HANDLES_PER_REQUEST_MAX * 2 * sizeof(struct abi_value));
	struct abi_value *handles = arena_alloc_array(&memory, r->items_n, sizeof(*handles));

	if (!handles)
		return ERR_NOMEM;
	TRY(buf_reserve(&words, r->items_n * WORD_SIZE)); /* no growing: no unwiped copy */
	TRY(words_add(&words, r, values));
	for (size_t i = 0; i < r->items_n; i++)
		handles[i] = abi_hash(&r->items[i].handle);

	const struct abi_value members[] = {
		{.items = handles, .items_n = r->items_n},
		abi_bytes(buf_view(&words)),
		abi_bytes(r->extra_data),
	};

	return eip712_digest(ret_digest, &r->domain, EIP712_PUBLIC_DECRYPT, members,
			     ARRAY_LEN(members));
}

enum err public_decryption_payload(struct buf *out, const struct decryption_request *r,
				   const struct fhe_plaintext *values,
				   const struct signing_key *signer)
{
	uint8_t verification_key[VERIFICATION_KEY_SIZE];
	char id[REQUEST_ID_TEXT_SIZE];
	struct bincode_writer w = {.out = out};

	signing_key_verification_key(verification_key, signer);
	request_id_text(id, r->id);
	bincode_put_vec(&w, BYTES_OF(verification_key));
	bincode_put_u64(&w, r->items_n);
	for (size_t i = 0; i < r->items_n; i++) {
		bincode_put_vec(&w, bytes_from(values[i].le, values[i].n));
		bincode_put_u32(&w, r->items[i].type); /* i32 upstream; types are small */
	}
	bincode_put_u8(&w, 1); /* Some(RequestId) */
	bincode_put_str(&w, id);
	return bincode_end(&w);
}

struct signatures {
	struct signature64 internal;
	struct signature65 external;
};

static enum err signatures_make(struct signatures *ret, const struct decryption_request *r,
				const struct fhe_plaintext *values,
				const struct signing_key *signer)
{
	CLEANUP(secret32_wipe) struct secret32 key = signing_key_scalar(signer);
	CLEANUP(buf_wipe) struct buf payload = buf_make(PUBLIC_DECRYPTION_ANSWER_MAX);
	struct hash32 digest;

	TRY(buf_reserve(&payload, PUBLIC_DECRYPTION_ANSWER_MAX));
	TRY(public_decryption_payload(&payload, r, values, signer));
	TRY(ecdsa_sign_kms(signer->ecdsa, &ret->internal, &key, "PUBL_DEC", buf_view(&payload)));
	TRY(public_decryption_digest(&digest, r, values));
	return ecdsa_sign65(signer->ecdsa, &ret->external, &key, digest);
}

enum err public_decryption_sign(struct buf *answer, const struct decryption_request *r,
				const struct fhe_plaintext *values,
				const struct signing_key *signer)
{
	CLEANUP(arena_free)
	struct arena memory =
		arena_make(HANDLES_PER_REQUEST_MAX * 2 * sizeof(Kms__V1__TypedPlaintext));
	Kms__V1__TypedPlaintext *plaintexts =
		arena_alloc_array(&memory, r->items_n, sizeof(*plaintexts));
	Kms__V1__TypedPlaintext **list = arena_alloc_array(&memory, r->items_n, sizeof(*list));
	Kms__V1__PublicDecryptionResponse response = KMS__V1__PUBLIC_DECRYPTION_RESPONSE__INIT;
	Kms__V1__PublicDecryptionResponsePayload payload =
		KMS__V1__PUBLIC_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedSignature typed = KMS__V1__TYPED_SIGNATURE__INIT, *typed_list[] = {&typed};
	Kms__V1__RequestId id = KMS__V1__REQUEST_ID__INIT;
	uint8_t verification_key[VERIFICATION_KEY_SIZE];
	char id_text[REQUEST_ID_TEXT_SIZE];
	struct signatures signatures;

	if (!plaintexts || !list)
		return ERR_NOMEM;
	TRY(signatures_make(&signatures, r, values, signer));
	for (size_t i = 0; i < r->items_n; i++) {
		kms__v1__typed_plaintext__init(&plaintexts[i]);
		plaintexts[i].bytes = protobuf_borrow(bytes_from(values[i].le, values[i].n));
		plaintexts[i].fhe_type = (int32_t)r->items[i].type;
		list[i] = &plaintexts[i];
	}
	signing_key_verification_key(verification_key, signer);
	request_id_text(id_text, r->id);
	id.request_id = id_text;
	payload.verification_key = protobuf_borrow(BYTES_OF(verification_key));
	payload.plaintexts = list;
	payload.n_plaintexts = r->items_n;
	payload.request_id = &id;
	typed.scheme = KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1;
	typed.signature = protobuf_borrow(BYTES_OF(signatures.external.b));
	response.signature = protobuf_borrow(BYTES_OF(signatures.internal.b));
	response.external_signature = typed.signature;
	response.payload = &payload;
	response.extra_data = protobuf_borrow(r->extra_data);
	response.signatures = typed_list;
	response.n_signatures = r->wants_ecdsa ? 1 : 0;
	return protobuf_pack(answer, &response.base);
}

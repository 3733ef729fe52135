/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/key_generation.h"

#include "core/request_id.h"
#include "net/protobuf.h"

/* KeyType of the contracts, and the name in answers, of each public object. */
static const struct object_row {
	uint32_t pub_data;
	uint8_t key_type;
	const char *name;
} object_rows[] = {
	{FHE_PUB_SERVER_KEY, 0, "ServerKey"},
	{FHE_PUB_PUBLIC_KEY, 1, "PublicKey"},
	{FHE_PUB_COMPRESSED_XOF_KEY_SET, 3, "CompressedXofKeySet"},
};

static const struct object_row *object_find(uint32_t pub_data)
{
	for (size_t i = 0; i < ARRAY_LEN(object_rows); i++)
		if (object_rows[i].pub_data == pub_data)
			return &object_rows[i];
	return NULL;
}

static enum err digest_sign(struct signature65 *ret, struct hash32 digest,
			    const struct signing_key *signer)
{
	CLEANUP(secret32_wipe) struct secret32 key = signing_key_scalar(signer);

	return ecdsa_sign65(signer->ecdsa, ret, &key, digest);
}

/* ---- preprocessing ---- */

enum err key_preproc_digest(struct hash32 *ret_digest, const struct key_request *r)
{
	const struct abi_value values[] = {abi_uint(u256_from_be(r->id.b)),
					   abi_bytes(r->extra_data)};

	return eip712_digest(ret_digest, &r->domain,
			     "PrepKeygenVerification(uint256 prepKeygenId,bytes extraData)", values,
			     ARRAY_LEN(values));
}

enum err key_preproc_answer(struct buf *answer, const struct key_request *r,
			    const struct signing_key *signer)
{
	Kms__V1__KeyGenPreprocResult m = KMS__V1__KEY_GEN_PREPROC_RESULT__INIT;
	Kms__V1__TypedSignature typed = KMS__V1__TYPED_SIGNATURE__INIT, *typed_list[] = {&typed};
	Kms__V1__RequestId id = KMS__V1__REQUEST_ID__INIT;
	char id_text[REQUEST_ID_TEXT_SIZE];
	struct signature65 signature;
	struct hash32 digest;

	TRY(key_preproc_digest(&digest, r));
	TRY(digest_sign(&signature, digest, signer));
	request_id_text(id_text, r->id);
	id.request_id = id_text;
	m.preprocessing_id = &id;
	m.external_signature = protobuf_borrow(BYTES_OF(signature.b));
	typed.scheme = KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1;
	typed.signature = m.external_signature;
	m.signatures = typed_list;
	m.n_signatures = r->wants_ecdsa ? 1 : 0;
	return protobuf_pack(answer, &m.base);
}

/* ---- key ---- */

enum err key_generation_digest(struct hash32 *ret_digest, const struct key_request *r,
			       const struct fhe_key_metadata *m)
{
	struct abi_value fields[FHE_KEY_DIGESTS_MAX][2], rows[FHE_KEY_DIGESTS_MAX];

	for (size_t i = 0; i < m->digests_n; i++) {
		const struct object_row *object = object_find(m->digests[i].pub_data);

		if (!object)
			return ERR_UNSUPPORTED;
		fields[i][0] = abi_uint(u256_from_u64(object->key_type));
		fields[i][1] = abi_bytes(BYTES_OF(m->digests[i].digest.b));
		rows[i] = abi_items(fields[i], ARRAY_LEN(fields[i]));
	}

	const struct abi_value values[] = {
		abi_uint(u256_from_be(r->preproc_id.b)),
		abi_uint(u256_from_be(r->id.b)),
		abi_items(rows, m->digests_n),
		abi_bytes(r->extra_data),
	};

	return eip712_digest(ret_digest, &r->domain,
			     "KeygenVerification(uint256 prepKeygenId,uint256 keyId,"
			     "KeyDigest[] keyDigests,bytes extraData)"
			     "KeyDigest(uint8 keyType,bytes digest)",
			     values, ARRAY_LEN(values));
}

enum err key_generation_sign(struct fhe_key_metadata *m, const struct key_request *r,
			     const struct signing_key *signer)
{
	struct signature65 signature;
	struct hash32 digest;

	TRY(key_generation_digest(&digest, r, m));
	TRY(digest_sign(&signature, digest, signer));
	memcpy(m->external_signature, signature.b, sizeof(signature.b));
	m->external_signature_n = sizeof(signature.b);
	return ERR_OK;
}

enum err key_generation_answer(struct buf *answer, const struct key_request *r,
			       const struct fhe_key_metadata *m)
{
	Kms__V1__KeyGenResult out = KMS__V1__KEY_GEN_RESULT__INIT;
	Kms__V1__TypedSignature typed = KMS__V1__TYPED_SIGNATURE__INIT, *typed_list[] = {&typed};
	Kms__V1__KeyDigest digests[FHE_KEY_DIGESTS_MAX], *list[FHE_KEY_DIGESTS_MAX];
	Kms__V1__RequestId id = KMS__V1__REQUEST_ID__INIT, preproc = KMS__V1__REQUEST_ID__INIT;
	char id_text[REQUEST_ID_TEXT_SIZE], preproc_text[REQUEST_ID_TEXT_SIZE];

	for (size_t i = 0; i < m->digests_n; i++) {
		const struct object_row *object = object_find(m->digests[i].pub_data);

		if (!object)
			return ERR_UNSUPPORTED;
		kms__v1__key_digest__init(&digests[i]);
		digests[i].key_type = (char *)(uintptr_t)object->name;
		digests[i].digest = protobuf_borrow(BYTES_OF(m->digests[i].digest.b));
		list[i] = &digests[i];
	}
	request_id_text(id_text, r->id);
	request_id_text(preproc_text, r->preproc_id);
	id.request_id = id_text;
	preproc.request_id = preproc_text;
	out.request_id = &id;
	out.preprocessing_id = &preproc;
	out.key_digests = list;
	out.n_key_digests = m->digests_n;
	out.external_signature =
		protobuf_borrow(bytes_from(m->external_signature, m->external_signature_n));
	typed.scheme = KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1;
	typed.signature = out.external_signature;
	out.signatures = typed_list;
	out.n_signatures = r->wants_ecdsa ? 1 : 0;
	return protobuf_pack(answer, &out.base);
}

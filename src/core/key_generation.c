/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/key_generation.h"

#include "base/limits.h"
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

const char *key_object_type(uint32_t pub_data)
{
	const struct object_row *row = object_find(pub_data);

	return row ? row->name : NULL;
}

/* ---- attestations ---- */

void key_attestation_begin(struct fhe_attestation *a, const struct key_request *r)
{
	_Static_assert(CORE_EXTRA_DATA_MAX <= FHE_KEY_EXTRA_SIZE_MAX, "extra data is stored whole");
	*a = (struct fhe_attestation){.has_extra = true, .extra_n = r->extra_data.n};
	if (r->extra_data.n > 0)
		memcpy(a->extra, r->extra_data.p, r->extra_data.n);
}

bool key_attestation_fits(const struct fhe_attestation *a, const struct key_request *r)
{
	return bytes_eq_var(bytes_from(a->extra, a->extra_n), r->extra_data);
}

static struct bytes attestation_signature(const struct fhe_attestation *a)
{
	return bytes_from(a->signature, a->signature_n);
}

static enum err attestation_check(const struct fhe_attestation *a, struct hash32 digest,
				  const struct signing_key *signer, struct err_note *note)
{
	struct address who;

	if (ecdsa_recover(signer->ecdsa, &who, attestation_signature(a), digest) != ERR_OK ||
	    !address_eq(who, signer->address))
		return err_say(note, ERR_STATE_MOVED,
			       "request_id was used before with other content");
	return ERR_OK;
}

static enum err digest_sign(struct signature65 *ret, struct hash32 digest,
			    const struct signing_key *signer)
{
	CLEANUP(secret32_wipe) struct secret32 key = signing_key_scalar(signer);

	return ecdsa_sign65(signer->ecdsa, ret, &key, digest);
}

static enum err attestation_sign(struct fhe_attestation *a, struct hash32 digest,
				 const struct signing_key *signer)
{
	struct signature65 signature;

	TRY(digest_sign(&signature, digest, signer));
	memcpy(a->signature, signature.b, sizeof(signature.b));
	a->signature_n = sizeof(signature.b);
	return ERR_OK;
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
	struct hash32 digest;

	TRY(key_generation_digest(&digest, r, m));
	return attestation_sign(&m->attestation, digest, signer);
}

enum err key_generation_check(const struct key_request *r, const struct fhe_key_metadata *m,
			      const struct signing_key *signer, struct err_note *note)
{
	struct hash32 digest;

	TRY(key_generation_digest(&digest, r, m));
	return attestation_check(&m->attestation, digest, signer, note);
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
	out.external_signature = protobuf_borrow(attestation_signature(&m->attestation));
	typed.scheme = KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1;
	typed.signature = out.external_signature;
	out.signatures = typed_list;
	out.n_signatures = r->wants_ecdsa ? 1 : 0;
	return protobuf_pack(answer, &out.base);
}

/* ---- CRS ---- */

enum err crs_generation_digest(struct hash32 *ret_digest, const struct key_request *r,
			       const struct fhe_crs_metadata *m)
{
	const struct abi_value values[] = {
		abi_uint(u256_from_be(r->id.b)),
		abi_uint(u256_from_u64(m->bits_max)),
		abi_bytes(BYTES_OF(m->digest.b)),
		abi_bytes(r->extra_data),
	};

	return eip712_digest(ret_digest, &r->domain,
			     "CrsgenVerification(uint256 crsId,uint256 maxBitLength,"
			     "bytes crsDigest,bytes extraData)",
			     values, ARRAY_LEN(values));
}

enum err crs_generation_sign(struct fhe_crs_metadata *m, const struct key_request *r,
			     const struct signing_key *signer)
{
	struct hash32 digest;

	TRY(crs_generation_digest(&digest, r, m));
	return attestation_sign(&m->attestation, digest, signer);
}

enum err crs_generation_check(const struct key_request *r, const struct fhe_crs_metadata *m,
			      const struct signing_key *signer, struct err_note *note)
{
	struct hash32 digest;

	TRY(crs_generation_digest(&digest, r, m));
	if (r->bits_max != m->bits_max)
		return err_say(note, ERR_STATE_MOVED,
			       "request_id was used before with other content");
	return attestation_check(&m->attestation, digest, signer, note);
}

enum err crs_generation_answer(struct buf *answer, const struct key_request *r,
			       const struct fhe_crs_metadata *m)
{
	Kms__V1__CrsGenResult out = KMS__V1__CRS_GEN_RESULT__INIT;
	Kms__V1__TypedSignature typed = KMS__V1__TYPED_SIGNATURE__INIT, *typed_list[] = {&typed};
	Kms__V1__RequestId id = KMS__V1__REQUEST_ID__INIT;
	char id_text[REQUEST_ID_TEXT_SIZE];

	request_id_text(id_text, r->id);
	id.request_id = id_text;
	out.request_id = &id;
	out.crs_digest = protobuf_borrow(BYTES_OF(m->digest.b));
	out.max_num_bits = m->bits_max;
	out.external_signature = protobuf_borrow(attestation_signature(&m->attestation));
	typed.scheme = KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1;
	typed.signature = out.external_signature;
	out.signatures = typed_list;
	out.n_signatures = r->wants_ecdsa ? 1 : 0;
	return protobuf_pack(answer, &out.base);
}

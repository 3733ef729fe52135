/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys and CRSs: what the core is asked, and whether its reply is what contracts take. */
#include "connector/worker/core_parts.h"
#include "net/protobuf.h"

/* The keyset of every generation since v0.13: all values are zero, but the message is there. */
struct keyset {
	Kms__V1__KeySetConfig m;
	Kms__V1__StandardKeySetConfig standard;
};

static Kms__V1__KeySetConfig *keyset(struct keyset *k, const struct job *j)
{
	if (!j->key.host)
		return NULL;
	kms__v1__key_set_config__init(&k->m);
	kms__v1__standard_key_set_config__init(&k->standard);
	/* v0.13 names no epoch in its extra data. */
	if (!j->worker->env.config->compressed_keys || !j->extra.has_epoch)
		k->standard.compressed_key_config = KMS__V1__COMPRESSED_KEY_CONFIG__CompressedNone;
	k->m.standard_keyset_config = &k->standard;
	return &k->m;
}

static Kms__V1__FheParameter params(const struct job *j)
{
	return j->key.params == 1 ? KMS__V1__FHE_PARAMETER__test : KMS__V1__FHE_PARAMETER__default;
}

enum err prep_keygen_pack(struct job *j, struct buf *out)
{
	Kms__V1__KeyGenPreprocRequest m = KMS__V1__KEY_GEN_PREPROC_REQUEST__INIT;
	struct id_message id;
	struct signing_parts p;
	struct keyset k;

	signing_parts(&p, j);
	m.request_id = id_message(&id, j->op.key.request_id);
	m.params = params(j);
	m.keyset_config = keyset(&k, j);
	m.domain = &p.domain;
	m.context_id = p.context_id;
	m.epoch_id = p.epoch_id;
	m.extra_data = protobuf_borrow(j->key.extra_data);
	return protobuf_pack(out, &m.base);
}

enum err keygen_pack(struct job *j, struct buf *out)
{
	Kms__V1__KeyGenRequest m = KMS__V1__KEY_GEN_REQUEST__INIT;
	struct id_message id, preproc;
	struct signing_parts p;
	struct keyset k;

	signing_parts(&p, j);
	m.request_id = id_message(&id, j->op.key.request_id);
	m.preproc_id = id_message(&preproc, j->key.first);
	m.keyset_config = keyset(&k, j);
	m.domain = &p.domain;
	m.context_id = p.context_id;
	m.epoch_id = p.epoch_id;
	m.extra_data = protobuf_borrow(j->key.extra_data);
	return protobuf_pack(out, &m.base);
}

enum err crsgen_pack(struct job *j, struct buf *out)
{
	Kms__V1__CrsGenRequest m = KMS__V1__CRS_GEN_REQUEST__INIT;
	struct id_message id;
	struct signing_parts p;
	uint64_t bits;

	if (u256_to_u64(&bits, j->key.first) != ERR_OK || bits > UINT32_MAX)
		return ERR_BAD_REQUEST;
	signing_parts(&p, j);
	m.request_id = id_message(&id, j->op.key.request_id);
	m.params = params(j);
	m.max_num_bits_presence_case = KMS__V1__CRS_GEN_REQUEST__MAX_NUM_BITS_PRESENCE_MAX_NUM_BITS;
	m.max_num_bits = (uint32_t)bits;
	m.domain = &p.domain;
	m.context_id = p.context_id;
	m.epoch_id = p.epoch_id;
	m.extra_data = protobuf_borrow(j->key.extra_data);
	return protobuf_pack(out, &m.base);
}

enum err id_pack(struct job *j, struct buf *out)
{
	return core_id_pack(out, j->op.key.request_id);
}

enum err prss_init_pack(struct job *j, struct buf *out)
{
	Kms__V1__InitRequest m = KMS__V1__INIT_REQUEST__INIT;
	struct id_message id;

	m.request_id = id_message(&id, j->op.key.request_id);
	return protobuf_pack(out, &m.base);
}

enum err reshare_pack(struct job *j, struct buf *out)
{
	Kms__V1__InitiateResharingRequest m = KMS__V1__INITIATE_RESHARING_REQUEST__INIT;
	struct id_message id, key, preproc;
	struct signing_parts p;

	signing_parts(&p, j);
	m.request_id = id_message(&id, j->op.key.request_id);
	m.key_id = id_message(&key, j->key.second);
	m.key_parameters = params(j);
	m.domain = &p.domain;
	m.preproc_id = id_message(&preproc, j->key.first);
	return protobuf_pack(out, &m.base);
}

/* ---- replies ---- */

static enum err unpack(ProtobufCMessage **ret, const ProtobufCMessageDescriptor *d,
		       struct bytes message, struct arena *memory, struct err_note *note)
{
	enum err e = protobuf_unpack(ret, d, message, memory);

	return e == ERR_OK ? e : err_say(note, e, "it cannot be read: %s", err_name(e));
}

enum err prep_keygen_accept(struct job *j, struct bytes message, struct err_note *note)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	const struct eip712_domain domain = core_domain(j);
	struct u256 id = j->op.key.request_id;
	struct hash32 digest;
	ProtobufCMessage *base;

	TRY(unpack(&base, &kms__v1__key_gen_preproc_result__descriptor, message, &memory, note));

	const Kms__V1__KeyGenPreprocResult *m = (const Kms__V1__KeyGenPreprocResult *)base;
	struct bytes signature = protobuf_view(m->external_signature);

	TRY(id_check(m->preprocessing_id, id, note));
	TRY(prep_keygen_digest(&digest, &domain, id, &j->key));
	TRY(core_signer(&j->signer, j, signature, digest, note));
	return prep_keygen_response_call(&j->answer_bytes, id, signature);
}

enum err core_key_digests(struct arena *a, const struct key_digest **ret_digests,
			  const Kms__V1__KeyGenResult *m, struct err_note *note)
{
	struct key_digest *d = arena_alloc_array(a, m->n_key_digests, sizeof(*d));

	if (!d)
		return ERR_NOMEM;
	if (m->n_key_digests == 0)
		return err_say(note, ERR_MISMATCH, "it has no digests of the key");
	for (size_t i = 0; i < m->n_key_digests; i++) {
		if (key_type_from_name(&d[i].type, m->key_digests[i]->key_type) != ERR_OK)
			return err_say(note, ERR_MISMATCH, "a part of the key is unknown");
		d[i].digest = protobuf_view(m->key_digests[i]->digest);
	}
	*ret_digests = d;
	return ERR_OK;
}

enum err keygen_accept(struct job *j, struct bytes message, struct err_note *note)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	const struct eip712_domain domain = core_domain(j);
	struct u256 id = j->op.key.request_id;
	const struct key_digest *digests;
	struct hash32 digest;
	ProtobufCMessage *base;

	TRY(unpack(&base, &kms__v1__key_gen_result__descriptor, message, &memory, note));

	const Kms__V1__KeyGenResult *m = (const Kms__V1__KeyGenResult *)base;
	struct bytes signature = protobuf_view(m->external_signature);

	TRY(id_check(m->request_id, id, note));
	TRY(id_check(m->preprocessing_id, j->key.first, note));
	TRY(core_key_digests(&memory, &digests, m, note));
	TRY(keygen_digest(&digest, &domain, j->key.first, id, digests, m->n_key_digests, &j->key));
	TRY(core_signer(&j->signer, j, signature, digest, note));
	return keygen_response_call(&j->answer_bytes, id, digests, m->n_key_digests, signature);
}

enum err crsgen_accept(struct job *j, struct bytes message, struct err_note *note)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	const struct eip712_domain domain = core_domain(j);
	struct u256 id = j->op.key.request_id;
	struct hash32 digest;
	ProtobufCMessage *base;

	TRY(unpack(&base, &kms__v1__crs_gen_result__descriptor, message, &memory, note));

	const Kms__V1__CrsGenResult *m = (const Kms__V1__CrsGenResult *)base;
	struct bytes signature = protobuf_view(m->external_signature);
	struct bytes crs = protobuf_view(m->crs_digest);

	TRY(id_check(m->request_id, id, note));
	if (crs.n == 0)
		return err_say(note, ERR_MISMATCH, "it has no digest of the CRS");
	TRY(crsgen_digest(&digest, &domain, id, j->key.first, crs, &j->key));
	TRY(core_signer(&j->signer, j, signature, digest, note));
	return crsgen_response_call(&j->answer_bytes, id, crs, signature);
}

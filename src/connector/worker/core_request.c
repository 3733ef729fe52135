/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the core is asked, packed: one function for each kind of request. */
#include "base/hex.h"
#include "connector/worker/ciphertext.h"
#include "connector/worker/core_parts.h"
#include "net/protobuf.h"

enum {
	REQUEST_BYTES_MAX = 1 << 20,
};

/* ---- parts of every message ---- */

Kms__V1__RequestId *id_message(struct id_message *id, struct u256 v)
{
	uint8_t be[32];

	u256_to_be(be, v);
	hex_encode(id->text, BYTES_OF(be));
	id->m = (Kms__V1__RequestId)KMS__V1__REQUEST_ID__INIT;
	id->m.request_id = id->text;
	return &id->m;
}

enum err id_read(struct u256 *ret, const Kms__V1__RequestId *id)
{
	uint8_t be[32];

	if (!id || hex_decode_fixed(be, sizeof(be), bytes_str(id->request_id)) != ERR_OK)
		return ERR_MISMATCH;
	*ret = u256_from_be(be);
	return ERR_OK;
}

enum err id_check(const Kms__V1__RequestId *id, struct u256 want, struct err_note *note)
{
	struct u256 v;

	if (!id)
		return ERR_OK;
	if (id_read(&v, id) != ERR_OK || !u256_eq(v, want))
		return err_say(note, ERR_MISMATCH, "it names another request");
	return ERR_OK;
}

void signing_parts(struct signing_parts *p, const struct job *j)
{
	const struct contract_config *c = job_contract(j);

	*p = (struct signing_parts){0};
	kms__v1__eip712_domain_msg__init(&p->domain);
	u256_to_be(p->chain_id, u256_from_u64(j->op.key.chain.v));
	address_to_text(p->contract, j->op.key.contract);
	p->domain.name = (char *)(uintptr_t)c->domain_name;
	p->domain.version = (char *)(uintptr_t)c->domain_version;
	p->domain.chain_id = protobuf_borrow(BYTES_OF(p->chain_id));
	p->domain.verifying_contract = p->contract;
	if (j->extra.has_context)
		p->context_id = id_message(&p->context, j->extra.context);
	if (j->extra.has_epoch)
		p->epoch_id = id_message(&p->epoch, j->extra.epoch);
}

enum err core_id_pack(struct buf *out, struct u256 id)
{
	struct id_message m;

	return protobuf_pack(out, &id_message(&m, id)->base);
}

/* The parts that every decryption request has. */
struct parts {
	struct id_message request_id, key_id;
	struct signing_parts signing;
	Kms__V1__TypedCiphertext **ciphertexts;
	ProtobufCBinaryData extra_data;
};

static enum err ciphertexts_of(Kms__V1__TypedCiphertext ***ret_list, struct job *j, struct arena *a)
{
	size_t n = j->request.handles_n;
	Kms__V1__TypedCiphertext *v = arena_alloc_array(a, n, sizeof(*v));
	Kms__V1__TypedCiphertext **list = arena_alloc_array(a, n, sizeof(*list));

	if (!v || !list)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		v[i] = (Kms__V1__TypedCiphertext)KMS__V1__TYPED_CIPHERTEXT__INIT;
		v[i].ciphertext = protobuf_borrow(buf_view(&j->cts[i].body));
		v[i].fhe_type = (int32_t)handle_fhe_type(&j->request.handles[i]);
		v[i].external_handle = protobuf_borrow(BYTES_OF(j->request.handles[i].b));
		v[i].ciphertext_format = ct_format_compressed(j->cts[i].format)
						 ? KMS__V1__CIPHERTEXT_FORMAT__BigCompressed
						 : KMS__V1__CIPHERTEXT_FORMAT__BigExpanded;
		list[i] = &v[i];
	}
	*ret_list = list;
	return ERR_OK;
}

/* Fills `p`, which points into itself. */
static enum err parts_fill(struct parts *p, struct job *j, struct arena *a)
{
	*p = (struct parts){0};
	signing_parts(&p->signing, j);
	(void)id_message(&p->request_id, j->op.key.request_id);
	(void)id_message(&p->key_id, j->cts[0].key_id);
	p->extra_data = protobuf_borrow(extra_data_for_core(j->request.extra_data));
	return ciphertexts_of(&p->ciphertexts, j, a);
}

enum err public_request_pack(struct job *j, struct buf *out)
{
	struct arena a CLEANUP(arena_free) = arena_make(REQUEST_BYTES_MAX);
	Kms__V1__PublicDecryptionRequest m = KMS__V1__PUBLIC_DECRYPTION_REQUEST__INIT;
	struct parts p;

	TRY(parts_fill(&p, j, &a));
	m.request_id = &p.request_id.m;
	m.key_id = &p.key_id.m;
	m.domain = &p.signing.domain;
	m.extra_data = p.extra_data;
	m.context_id = p.signing.context_id;
	m.epoch_id = p.signing.epoch_id;
	m.ciphertexts = p.ciphertexts;
	m.n_ciphertexts = j->request.handles_n;
	return protobuf_pack(out, &m.base);
}

enum err user_request_pack(struct job *j, struct buf *out)
{
	struct arena a CLEANUP(arena_free) = arena_make(REQUEST_BYTES_MAX);
	Kms__V1__UserDecryptionRequest m = KMS__V1__USER_DECRYPTION_REQUEST__INIT;
	char user[ADDRESS_TEXT_SIZE];
	struct parts p;

	TRY(parts_fill(&p, j, &a));
	address_to_text(user, j->request.user->user);
	m.request_id = &p.request_id.m;
	m.key_id = &p.key_id.m;
	m.domain = &p.signing.domain;
	m.extra_data = p.extra_data;
	m.context_id = p.signing.context_id;
	m.epoch_id = p.signing.epoch_id;
	m.typed_ciphertexts = p.ciphertexts;
	m.n_typed_ciphertexts = j->request.handles_n;
	m.client_address = user;
	m.enc_key = protobuf_borrow(j->request.user->public_key);
	return protobuf_pack(out, &m.base);
}

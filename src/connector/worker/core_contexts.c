/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Contexts and epochs: what the core is asked, and what is confirmed to the chain. */
#include "connector/worker/core_parts.h"
#include "net/protobuf.h"

enum {
	MESSAGE_ARENA_MAX = 8 << 20
};

/* ---- contexts ---- */

static enum err text(struct arena *a, char **ret, struct bytes b)
{
	*ret = arena_strndup(a, b);
	return *ret ? ERR_OK : ERR_NOMEM;
}

/* The account that sends for a node is another address by which it may be known. */
static enum err node(struct arena *a, Kms__V1__MpcNode *m, const struct kms_node_params *n)
{
	ProtobufCBinaryData *extra = arena_alloc(a, sizeof(*extra));

	if (!extra)
		return ERR_NOMEM;
	kms__v1__mpc_node__init(m);
	TRY(text(a, &m->mpc_identity, n->mpc_identity));
	m->party_id = n->party_id;
	m->signer_address_presence_case = KMS__V1__MPC_NODE__SIGNER_ADDRESS_PRESENCE_SIGNER_ADDRESS;
	m->signer_address = protobuf_borrow(BYTES_OF(n->signer.b));
	TRY(text(a, &m->external_url, n->ip_address));
	m->ca_cert_presence_case = KMS__V1__MPC_NODE__CA_CERT_PRESENCE_CA_CERT;
	m->ca_cert = protobuf_borrow(n->ca_cert);
	TRY(text(a, &m->public_storage_url, n->storage_url));
	m->public_storage_prefix_presence_case =
		KMS__V1__MPC_NODE__PUBLIC_STORAGE_PREFIX_PRESENCE_PUBLIC_STORAGE_PREFIX;
	TRY(text(a, &m->public_storage_prefix, n->storage_prefix));
	*extra = protobuf_borrow(BYTES_OF(n->tx_sender.b));
	m->extra_signer_addresses = extra;
	m->n_extra_signer_addresses = 1;
	return ERR_OK;
}

static enum err lists(struct arena *a, Kms__V1__MpcContext *m, const struct new_context *c)
{
	Kms__V1__MpcNode *nodes = arena_alloc_array(a, c->nodes_n, sizeof(*nodes));
	Kms__V1__PcrValues *pcrs = arena_alloc_array(a, c->pcrs_n, sizeof(*pcrs));

	m->mpc_nodes = arena_alloc_array(a, c->nodes_n, sizeof(*m->mpc_nodes));
	m->pcr_values = arena_alloc_array(a, c->pcrs_n, sizeof(*m->pcr_values));
	if (!nodes || !pcrs || !m->mpc_nodes || !m->pcr_values)
		return ERR_NOMEM;
	for (size_t i = 0; i < c->nodes_n; i++) {
		TRY(node(a, &nodes[i], &c->nodes[i]));
		m->mpc_nodes[i] = &nodes[i];
	}
	for (size_t i = 0; i < c->pcrs_n; i++) {
		kms__v1__pcr_values__init(&pcrs[i]);
		pcrs[i].pcr0 = protobuf_borrow(c->pcrs[i].pcr[0]);
		pcrs[i].pcr1 = protobuf_borrow(c->pcrs[i].pcr[1]);
		pcrs[i].pcr2 = protobuf_borrow(c->pcrs[i].pcr[2]);
		m->pcr_values[i] = &pcrs[i];
	}
	m->n_mpc_nodes = c->nodes_n;
	m->n_pcr_values = c->pcrs_n;
	return ERR_OK;
}

static enum err pack_one(struct buf *out, struct u256 id, const struct new_context *c)
{
	struct arena a CLEANUP(arena_free) = arena_make(MESSAGE_ARENA_MAX);
	Kms__V1__NewMpcContextRequest m = KMS__V1__NEW_MPC_CONTEXT_REQUEST__INIT;
	Kms__V1__MpcContext context = KMS__V1__MPC_CONTEXT__INIT;
	struct id_message context_id;

	context.context_id = id_message(&context_id, id);
	context.threshold = c->threshold;
	TRY(text(&a, &context.software_version, c->software_version));
	TRY(lists(&a, &context, c));
	m.new_context = &context;
	return protobuf_pack(out, &m.base);
}

enum err context_pack(struct job *j, struct buf *out)
{
	return pack_one(out, j->op.key.request_id, &j->context);
}

/* Resharing needs both: a core that is new here has not heard of the one before. */
enum err context_pack_before(struct job *j, struct buf *out)
{
	return pack_one(out, j->context.previous, &j->previous);
}

enum err context_accept(struct job *j, struct bytes message, struct err_note *note)
{
	(void)message;
	(void)note;
	return confirm_context_call(&j->answer_bytes, j->op.key.request_id);
}

enum err context_destroyed_pack(struct job *j, struct buf *out)
{
	Kms__V1__DestroyMpcContextRequest m = KMS__V1__DESTROY_MPC_CONTEXT_REQUEST__INIT;
	struct id_message id;

	m.context_id = id_message(&id, j->op.key.request_id);
	return protobuf_pack(out, &m.base);
}

/* ---- epochs ---- */

static enum err key_info(struct arena *a, Kms__V1__KeyInfo *m, const struct key_info *k)
{
	struct id_message *ids = arena_alloc_array(a, 2, sizeof(*ids));
	Kms__V1__KeyDigest *digests = arena_alloc_array(a, k->digests_n, sizeof(*digests));

	kms__v1__key_info__init(m);
	m->key_digests = arena_alloc_array(a, k->digests_n, sizeof(*m->key_digests));
	if (!ids || !digests || !m->key_digests)
		return ERR_NOMEM;
	m->key_id = id_message(&ids[0], k->key_id);
	m->preproc_id = id_message(&ids[1], k->prep_id);
	m->key_parameters =
		k->params == 1 ? KMS__V1__FHE_PARAMETER__test : KMS__V1__FHE_PARAMETER__default;
	for (size_t i = 0; i < k->digests_n; i++) {
		const char *name;

		TRY(key_type_name(&name, k->digests[i].type));
		kms__v1__key_digest__init(&digests[i]);
		digests[i].key_type = (char *)(uintptr_t)name;
		digests[i].digest = protobuf_borrow(k->digests[i].digest);
		m->key_digests[i] = &digests[i];
	}
	m->n_key_digests = k->digests_n;
	return ERR_OK;
}

static enum err materials(struct arena *a, Kms__V1__PreviousEpochInfo *m, const struct job *j)
{
	Kms__V1__KeyInfo *keys = arena_alloc_array(a, j->keys_n, sizeof(*keys));
	Kms__V1__CrsInfo *crss = arena_alloc_array(a, j->crss_n, sizeof(*crss));
	struct id_message *ids = arena_alloc_array(a, j->crss_n, sizeof(*ids));

	m->keys_info = arena_alloc_array(a, j->keys_n, sizeof(*m->keys_info));
	m->crs_info = arena_alloc_array(a, j->crss_n, sizeof(*m->crs_info));
	if (!keys || !crss || !ids || !m->keys_info || !m->crs_info)
		return ERR_NOMEM;
	for (size_t i = 0; i < j->keys_n; i++) {
		TRY(key_info(a, &keys[i], &j->keys[i]));
		m->keys_info[i] = &keys[i];
	}
	for (size_t i = 0; i < j->crss_n; i++) {
		kms__v1__crs_info__init(&crss[i]);
		crss[i].crs_id = id_message(&ids[i], j->crss[i].crs_id);
		crss[i].crs_digest = protobuf_borrow(j->crss[i].digest);
		m->crs_info[i] = &crss[i];
	}
	m->n_keys_info = j->keys_n;
	m->n_crs_info = j->crss_n;
	return ERR_OK;
}

enum err epoch_pack(struct job *j, struct buf *out)
{
	struct arena a CLEANUP(arena_free) = arena_make(MESSAGE_ARENA_MAX);
	Kms__V1__NewMpcEpochRequest m = KMS__V1__NEW_MPC_EPOCH_REQUEST__INIT;
	Kms__V1__PreviousEpochInfo previous = KMS__V1__PREVIOUS_EPOCH_INFO__INIT;
	struct id_message context, epoch, previous_context, previous_epoch;
	uint8_t extra[EPOCH_EXTRA_DATA_SIZE];
	struct signing_parts p;

	signing_parts(&p, j);
	epoch_extra_data(extra, j->epoch.context, j->op.key.request_id);
	previous.context_id = id_message(&previous_context, j->epoch.previous_context);
	previous.epoch_id = id_message(&previous_epoch, j->epoch.previous_epoch);
	TRY(materials(&a, &previous, j));
	m.context_id = id_message(&context, j->epoch.context);
	m.epoch_id = id_message(&epoch, j->op.key.request_id);
	m.previous_epoch = &previous;
	m.domain = &p.domain;
	m.extra_data = protobuf_borrow(BYTES_OF(extra));
	return protobuf_pack(out, &m.base);
}

enum err epoch_destroyed_pack(struct job *j, struct buf *out)
{
	Kms__V1__DestroyMpcEpochRequest m = KMS__V1__DESTROY_MPC_EPOCH_REQUEST__INIT;
	struct id_message id;

	m.epoch_id = id_message(&id, j->op.key.request_id);
	return protobuf_pack(out, &m.base);
}

/* ---- the result of an epoch: every part is signed, all by one key ---- */

struct attested {
	struct eip712_domain domain;
	struct key_request extra; /* what is signed besides */
	bool known;
	struct address signer;
};

static enum err attest(struct attested *t, const struct job *j, struct bytes signature,
		       struct hash32 digest, struct err_note *note)
{
	struct address signer;

	TRY(core_signer(&signer, j, signature, digest, note));
	if (t->known && !address_eq(signer, t->signer))
		return err_say(note, ERR_MISMATCH, "its parts are not signed by one key");
	t->known = true;
	t->signer = signer;
	return ERR_OK;
}

static enum err read_key(struct arena *a, struct epoch_key *ret, struct attested *t,
			 const struct job *j, const Kms__V1__KeyGenResult *m, struct err_note *note)
{
	struct epoch_key k = {.digests_n = m->n_key_digests,
			      .signature = protobuf_view(m->external_signature)};
	struct hash32 digest;

	if (id_read(&k.key_id, m->request_id) != ERR_OK ||
	    id_read(&k.prep_id, m->preprocessing_id) != ERR_OK)
		return err_say(note, ERR_MISMATCH, "a key has no id");
	TRY(core_key_digests(a, &k.digests, m, note));
	TRY(keygen_digest(&digest, &t->domain, k.prep_id, k.key_id, k.digests, k.digests_n,
			  &t->extra));
	TRY(attest(t, j, k.signature, digest, note));
	*ret = k;
	return ERR_OK;
}

static enum err read_crs(struct epoch_crs *ret, struct attested *t, const struct job *j,
			 const Kms__V1__CrsGenResult *m, struct err_note *note)
{
	struct epoch_crs c = {
		.max_bits = u256_from_u64(m->max_num_bits),
		.digest = protobuf_view(m->crs_digest),
		.signature = protobuf_view(m->external_signature),
	};
	struct hash32 digest;

	if (id_read(&c.crs_id, m->request_id) != ERR_OK)
		return err_say(note, ERR_MISMATCH, "a CRS has no id");
	TRY(crsgen_digest(&digest, &t->domain, c.crs_id, c.max_bits, c.digest, &t->extra));
	TRY(attest(t, j, c.signature, digest, note));
	*ret = c;
	return ERR_OK;
}

enum err epoch_accept(struct job *j, struct bytes message, struct err_note *note)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	uint8_t extra[EPOCH_EXTRA_DATA_SIZE];
	struct attested t = {.domain = core_domain(j), .extra = {.host = true}};
	ProtobufCMessage *base;

	TRY(protobuf_unpack(&base, &kms__v1__epoch_result_response__descriptor, message, &memory));

	const Kms__V1__EpochResultResponse *m = (const Kms__V1__EpochResultResponse *)base;
	size_t keys_n = m->n_reshare_responses, crss_n = m->n_crs_responses;
	if (keys_n == 0 || crss_n == 0 || keys_n > EPOCH_MATERIALS_MAX ||
	    crss_n > EPOCH_MATERIALS_MAX)
		return err_say(note, ERR_MISMATCH, "it has %zu keys and %zu CRSs", keys_n, crss_n);
	epoch_extra_data(extra, j->epoch.context, j->op.key.request_id);
	t.extra.extra_data = BYTES_OF(extra);

	struct epoch_key *keys = arena_alloc_array(&memory, keys_n, sizeof(*keys));
	struct epoch_crs *crss = arena_alloc_array(&memory, crss_n, sizeof(*crss));
	if (!keys || !crss)
		return ERR_NOMEM;
	for (size_t i = 0; i < keys_n; i++)
		TRY(read_key(&memory, &keys[i], &t, j, m->reshare_responses[i], note));
	for (size_t i = 0; i < crss_n; i++)
		TRY(read_crs(&crss[i], &t, j, m->crs_responses[i], note));
	j->signer = t.signer;
	return confirm_epoch_call(&j->answer_bytes, j->op.key.request_id, keys, keys_n, crss,
				  crss_n);
}

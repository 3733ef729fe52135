/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys, CRSs, contexts and epochs in the core. It is asked for nothing that the chain did not ask
 * for, and for nothing any more that it was told to give up. */
#include "connector/adapters/protocol_config.h"
#include "core_internal.h"
#include "crypto/keccak.h"

enum {
	MATERIALS_N_MAX = 64,
	FIRST_CRS = 2
};

/* ---- the spy ---- */

/* On whatever branch: a node may have told of it. */
static struct request *asked(struct sim *s, enum op_kind kind, uint64_t id)
{
	for (size_t i = 0; i < s->requests_n; i++)
		if (s->requests[i]->kind == kind && s->requests[i]->id == id)
			return s->requests[i];
	sim_fail(s, "the core was asked for %s %llu, and no chain did", op_kind_name(kind),
		 (unsigned long long)id);
	return NULL;
}

static bool was_told_to_abort(const struct sim *s, uint64_t id)
{
	for (size_t i = 0; i < s->core.aborted_n; i++)
		if (s->core.aborted[i] == id)
			return true;
	return false;
}

/* A database of some time ago does not know what was given up since. */
static void check_alive(struct sim *s, enum op_kind kind, uint64_t id)
{
	if (s->restores == 0 && was_told_to_abort(s, id))
		sim_fail(s, "the core was asked for %s %llu after its end", op_kind_name(kind),
			 (unsigned long long)id);
}

static void check_extra(struct sim *s, const struct request *r, ProtobufCBinaryData extra)
{
	if (r && !bytes_eq_var(protobuf_view(extra), r->key.extra_data))
		sim_fail(s, "the core was asked for %s %llu with other extra data",
			 op_kind_name(r->kind), (unsigned long long)r->id);
}

static enum grpc_status taken(struct sim *s, enum op_kind kind, uint64_t id, struct bytes message)
{
	if (fault(s, FAULT_CORE_FAILS))
		return GRPC_INTERNAL;
	return core_remember(s, kind, id, keccak256(BYTES_LIT("one id, one content")), message);
}

/* ---- requests ---- */

static enum grpc_status send_prep(struct sim *s, const struct core_rpc *rpc, struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	const Kms__V1__KeyGenPreprocRequest *q = (const void *)core_unpack(
		&memory, &kms__v1__key_gen_preproc_request__descriptor, message);
	uint64_t id = core_id(s, q->request_id);

	check_extra(s, asked(s, rpc->kind, id), q->extra_data);
	check_alive(s, rpc->kind, id);
	return taken(s, rpc->kind, id, message);
}

static enum grpc_status send_keygen(struct sim *s, const struct core_rpc *rpc, struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	const Kms__V1__KeyGenRequest *q =
		(const void *)core_unpack(&memory, &kms__v1__key_gen_request__descriptor, message);
	uint64_t id = core_id(s, q->request_id), prep = core_id(s, q->preproc_id);
	const struct request *r = asked(s, rpc->kind, id);

	check_extra(s, r, q->extra_data);
	check_alive(s, rpc->kind, prep);
	if (r && r->key.first.w[0] != prep)
		sim_fail(s, "the core was asked for key %llu of another preprocessing",
			 (unsigned long long)id);
	return taken(s, rpc->kind, id, message);
}

static enum grpc_status send_crsgen(struct sim *s, const struct core_rpc *rpc, struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	const Kms__V1__CrsGenRequest *q =
		(const void *)core_unpack(&memory, &kms__v1__crs_gen_request__descriptor, message);
	uint64_t id = core_id(s, q->request_id);
	const struct request *r = asked(s, rpc->kind, id);

	check_extra(s, r, q->extra_data);
	check_alive(s, rpc->kind, id);
	if (r && r->key.first.w[0] != q->max_num_bits)
		sim_fail(s, "the core was asked for CRS %llu of another size",
			 (unsigned long long)id);
	return taken(s, rpc->kind, id, message);
}

static enum grpc_status send_abort(struct sim *s, const struct core_rpc *rpc, struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	uint64_t id = core_id(
		s, (const void *)core_unpack(&memory, &kms__v1__request_id__descriptor, message));
	bool key = rpc->kind == OP_KIND_ABORT_KEYGEN;
	const struct request *r = asked(s, key ? OP_KIND_PREP_KEYGEN : OP_KIND_CRSGEN, id);
	struct core_known *k;

	(void)asked(s, rpc->kind, id);
	if (r && !r->given_up)
		sim_fail(s, "the core was told to give up %llu, which the chain has not",
			 (unsigned long long)id);
	if (fault(s, FAULT_CORE_FAILS))
		return GRPC_INTERNAL;
	if (!was_told_to_abort(s, id)) {
		CHECK(s->core.aborted_n < ARRAY_LEN(s->core.aborted));
		s->core.aborted[s->core.aborted_n++] = id;
	}
	k = core_known(s, key ? OP_KIND_PREP_KEYGEN : OP_KIND_CRSGEN, id);
	if (!k || k->ready_ms <= s->loop.now_ms)
		return GRPC_NOT_FOUND;
	k->aborted = true;
	return GRPC_OK;
}

/* The one before comes first, and then the new one; both are known to the chain. */
static enum grpc_status send_context(struct sim *s, const struct core_rpc *rpc,
				     struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	const Kms__V1__NewMpcContextRequest *q = (const void *)core_unpack(
		&memory, &kms__v1__new_mpc_context_request__descriptor, message);
	uint64_t id = core_id(s, q->new_context->context_id);
	size_t i;

	(void)rpc;
	if (!context_find(s, id, &i))
		sim_fail(s, "the core was told of context %llu, which nobody made",
			 (unsigned long long)id);
	else if (q->new_context->n_mpc_nodes != 1 ||
		 !bytes_eq_var(protobuf_view(q->new_context->mpc_nodes[0]->signer_address),
			       BYTES_OF(s->contexts[i].signer.b)))
		sim_fail(s, "the core was told of other nodes of context %llu",
			 (unsigned long long)id);
	return fault(s, FAULT_CORE_FAILS) ? GRPC_INTERNAL : GRPC_OK;
}

static enum grpc_status send_epoch(struct sim *s, const struct core_rpc *rpc, struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	const Kms__V1__NewMpcEpochRequest *q = (const void *)core_unpack(
		&memory, &kms__v1__new_mpc_epoch_request__descriptor, message);
	uint64_t id = core_id(s, q->epoch_id);
	const struct request *r = asked(s, rpc->kind, id);

	check_extra(s, r, q->extra_data);
	if (r && core_id(s, q->context_id) != s->contexts[r->context].id)
		sim_fail(s, "the core was asked for epoch %llu of another context",
			 (unsigned long long)id);
	if (q->previous_epoch->n_keys_info == 0 || q->previous_epoch->n_crs_info == 0)
		sim_fail(s, "the core was asked for epoch %llu without keys",
			 (unsigned long long)id);
	return taken(s, rpc->kind, id, message);
}

/* No chain waits for what comes of it. */
static enum grpc_status send_id(struct sim *s, const struct core_rpc *rpc, struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	const Kms__V1__InitRequest *q =
		(const void *)core_unpack(&memory, &kms__v1__init_request__descriptor, message);

	/* The messages of all that come here begin with an id, and nothing else is looked at. */
	(void)asked(s, rpc->kind, core_id(s, q->request_id));
	return fault(s, FAULT_CORE_FAILS) ? GRPC_INTERNAL : GRPC_OK;
}

/* ---- answers ---- */

static struct key_request signed_with(const struct request *r)
{
	return r->key;
}

static void respond_prep(struct sim *s, const struct core_known *k, struct buf *out)
{
	Kms__V1__KeyGenPreprocResult m = KMS__V1__KEY_GEN_PREPROC_RESULT__INIT;
	const struct request *r = asked(s, k->kind, k->id);
	const struct eip712_domain d = key_domain(s, r->chain, false);
	const struct key_request q = signed_with(r);
	struct signature65 sig;
	struct hash32 digest;

	CHECK(prep_keygen_digest(&digest, &d, u256_from_u64(k->id), &q) == ERR_OK);
	core_sign(s, &sig, r->context, digest);
	m.external_signature = protobuf_borrow(BYTES_OF(sig.b));
	CHECK(protobuf_pack(out, &m.base) == ERR_OK);
}

/* A key's result; everything that it points to is in `p`. */
struct key_parts {
	Kms__V1__KeyDigest digest, *digests[1];
	Kms__V1__RequestId key_id, prep_id;
	char key_text[65], prep_text[65];
	struct hash32 material;
	struct signature65 sig;
};

static void id_text(Kms__V1__RequestId *m, char text[65], uint64_t id)
{
	kms__v1__request_id__init(m);
	(void)snprintf(text, 65, "%064llx", (unsigned long long)id);
	m->request_id = text;
}

static void key_result(struct sim *s, Kms__V1__KeyGenResult *m, struct key_parts *p, uint64_t id,
		       uint64_t prep, const struct request *r, const struct eip712_domain *d)
{
	const struct key_request q = signed_with(r);
	struct key_digest digests[1];
	struct hash32 digest;

	p->material = key_material(id);
	kms__v1__key_gen_result__init(m);
	kms__v1__key_digest__init(&p->digest);
	p->digest.key_type = (char *)(uintptr_t) "ServerKey";
	p->digest.digest = protobuf_borrow(BYTES_OF(p->material.b));
	p->digests[0] = &p->digest;
	m->key_digests = p->digests;
	m->n_key_digests = 1;
	id_text(&p->key_id, p->key_text, id);
	id_text(&p->prep_id, p->prep_text, prep);
	m->request_id = &p->key_id;
	m->preprocessing_id = &p->prep_id;
	digests[0] = (struct key_digest){0, BYTES_OF(p->material.b)};
	CHECK(keygen_digest(&digest, d, u256_from_u64(prep), u256_from_u64(id), digests, 1, &q) ==
	      ERR_OK);
	core_sign(s, &p->sig, r->context, digest);
	m->external_signature = protobuf_borrow(BYTES_OF(p->sig.b));
}

static void respond_keygen(struct sim *s, const struct core_known *k, struct buf *out)
{
	const struct request *r = asked(s, k->kind, k->id);
	const struct eip712_domain d = key_domain(s, r->chain, false);
	Kms__V1__KeyGenResult m;
	struct key_parts p;

	key_result(s, &m, &p, k->id, r->key.first.w[0], r, &d);
	CHECK(protobuf_pack(out, &m.base) == ERR_OK);
}

struct crs_parts {
	Kms__V1__RequestId id;
	char text[65];
	struct hash32 material;
	struct signature65 sig;
};

static void crs_result(struct sim *s, Kms__V1__CrsGenResult *m, struct crs_parts *p, uint64_t id,
		       uint32_t bits, const struct request *r, const struct eip712_domain *d)
{
	const struct key_request q = signed_with(r);
	struct hash32 digest;

	p->material = key_material(id);
	kms__v1__crs_gen_result__init(m);
	id_text(&p->id, p->text, id);
	m->request_id = &p->id;
	m->crs_digest = protobuf_borrow(BYTES_OF(p->material.b));
	m->max_num_bits = bits;
	CHECK(crsgen_digest(&digest, d, u256_from_u64(id), u256_from_u64(bits),
			    BYTES_OF(p->material.b), &q) == ERR_OK);
	core_sign(s, &p->sig, r->context, digest);
	m->external_signature = protobuf_borrow(BYTES_OF(p->sig.b));
}

static void respond_crsgen(struct sim *s, const struct core_known *k, struct buf *out)
{
	const struct request *r = asked(s, k->kind, k->id);
	const struct eip712_domain d = key_domain(s, r->chain, false);
	Kms__V1__CrsGenResult m;
	struct crs_parts p;

	crs_result(s, &m, &p, k->id, (uint32_t)r->key.first.w[0], r, &d);
	CHECK(protobuf_pack(out, &m.base) == ERR_OK);
}

/* What the epoch before had, signed for the new one. */
static void respond_epoch(struct sim *s, const struct core_known *k, struct buf *out)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(buf_view(&k->message));
	const Kms__V1__NewMpcEpochRequest *q = (const void *)core_unpack(
		&memory, &kms__v1__new_mpc_epoch_request__descriptor, buf_view(&k->message));
	Kms__V1__EpochResultResponse m = KMS__V1__EPOCH_RESULT_RESPONSE__INIT;
	const struct request *r = asked(s, k->kind, k->id);
	const struct eip712_domain d = key_domain(s, r->chain, true);
	Kms__V1__KeyGenResult keys[MATERIALS_N_MAX], *key_list[MATERIALS_N_MAX];
	Kms__V1__CrsGenResult crss[MATERIALS_N_MAX], *crs_list[MATERIALS_N_MAX];
	static struct key_parts key_parts[MATERIALS_N_MAX];
	static struct crs_parts crs_parts[MATERIALS_N_MAX];
	const Kms__V1__PreviousEpochInfo *before = q->previous_epoch;

	CHECK(before->n_keys_info <= MATERIALS_N_MAX && before->n_crs_info <= MATERIALS_N_MAX);
	for (size_t i = 0; i < before->n_keys_info; i++) {
		key_result(s, &keys[i], &key_parts[i], core_id(s, before->keys_info[i]->key_id),
			   core_id(s, before->keys_info[i]->preproc_id), r, &d);
		key_list[i] = &keys[i];
	}
	for (size_t i = 0; i < before->n_crs_info; i++) {
		crs_result(s, &crss[i], &crs_parts[i], core_id(s, before->crs_info[i]->crs_id),
			   2048, r, &d);
		crs_list[i] = &crss[i];
	}
	m.reshare_responses = key_list;
	m.n_reshare_responses = before->n_keys_info;
	m.crs_responses = crs_list;
	m.n_crs_responses = before->n_crs_info;
	CHECK(protobuf_pack(out, &m.base) == ERR_OK);
}

const struct core_rpc core_key_rpcs[] = {
	{"KeyGenPreproc", OP_KIND_PREP_KEYGEN, send_prep, NULL},
	{"GetKeyGenPreprocResult", OP_KIND_PREP_KEYGEN, NULL, respond_prep},
	{"KeyGen", OP_KIND_KEYGEN, send_keygen, NULL},
	{"GetKeyGenResult", OP_KIND_KEYGEN, NULL, respond_keygen},
	{"CrsGen", OP_KIND_CRSGEN, send_crsgen, NULL},
	{"GetCrsGenResult", OP_KIND_CRSGEN, NULL, respond_crsgen},
	{"AbortKeyGen", OP_KIND_ABORT_KEYGEN, send_abort, NULL},
	{"AbortCrsGen", OP_KIND_ABORT_CRSGEN, send_abort, NULL},
	{"NewMpcContext", OP_KIND_NEW_CONTEXT, send_context, NULL},
	{"NewMpcEpoch", OP_KIND_NEW_EPOCH, send_epoch, NULL},
	{"GetEpochResult", OP_KIND_NEW_EPOCH, NULL, respond_epoch},
	{"DestroyMpcContext", OP_KIND_CONTEXT_DESTROYED, send_id, NULL},
	{"DestroyMpcEpoch", OP_KIND_EPOCH_DESTROYED, send_id, NULL},
	{"Init", OP_KIND_PRSS_INIT, send_id, NULL},
	{"InitiateResharing", OP_KIND_KEY_RESHARE, send_id, NULL},
};
const size_t core_key_rpcs_n = ARRAY_LEN(core_key_rpcs);

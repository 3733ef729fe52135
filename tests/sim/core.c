/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A KMS core: it takes a request once, is busy with it for a while, and signs the answer. It is
 * also the spy: what it is asked without a permission that the chain gave, or with bytes that are
 * not the handle's ciphertext, fails the run.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "core_internal.h"
#include "crypto/keccak.h"

#define CORE "/kms_service.v1.CoreServiceEndpoint/"

/* ---- memory ---- */

struct core_known *core_known(struct sim *s, enum op_kind kind, uint64_t id)
{
	for (size_t i = 0; i < s->core.n; i++)
		if (s->core.v[i].id == id && s->core.v[i].kind == kind && !s->core.v[i].forgotten)
			return &s->core.v[i];
	return NULL;
}

/* Keys and the like are on its disk once they are made. */
void core_forget(struct sim *s)
{
	for (size_t i = 0; i < s->core.n && !s->core.durable; i++)
		if (!op_kind_is_slow(s->core.v[i].kind) || s->core.v[i].ready_ms > s->loop.now_ms)
			s->core.v[i].forgotten = true;
}

struct hash32 request_content(const struct hash32 *handles, size_t n)
{
	return keccak256(bytes_from(handles, n * sizeof(*handles)));
}

bool core_asked_other(const struct sim *s, const struct request *r)
{
	struct hash32 handles[HANDLES_MAX];

	for (size_t i = 0; i < r->cts_n; i++)
		handles[i] = r->cts[i]->handle;
	struct hash32 content = request_content(handles, r->cts_n);
	for (size_t i = 0; i < s->core.n; i++)
		if (s->core.v[i].id == r->id && s->core.v[i].kind == r->kind &&
		    !hash32_eq(s->core.v[i].content, content))
			return true;
	return false;
}

uint64_t core_id(struct sim *s, const Kms__V1__RequestId *m)
{
	uint8_t be[32];
	uint64_t id;

	if (!m || hex_decode_fixed(be, 32, bytes_str(m->request_id)) != ERR_OK ||
	    u256_to_u64(&id, u256_from_be(be)) != ERR_OK) {
		sim_fail(s, "the core was asked for an id that nobody made: %s",
			 m ? m->request_id : "none");
		return 0;
	}
	return id;
}

const ProtobufCMessage *core_unpack(struct arena *memory, const ProtobufCMessageDescriptor *d,
				    struct bytes message)
{
	ProtobufCMessage *base;

	CHECK(protobuf_unpack(&base, d, message, memory) == ERR_OK);
	return base;
}

/* ---- the spy ---- */

static bool permitted(const struct sim *s, const struct ciphertext *ct)
{
	return ct->allowed_from <= s->host.head;
}

static struct request *was_requested(const struct sim *s, enum op_kind kind, uint64_t id,
				     const struct hash32 *handles, size_t n)
{
	for (size_t i = 0; i < s->requests_n; i++) {
		struct request *r = s->requests[i];
		bool same = r->id == id && r->kind == kind && r->cts_n == n;

		for (size_t k = 0; same && k < n; k++)
			same = hash32_eq(r->cts[k]->handle, handles[k]);
		if (same)
			return r;
	}
	return NULL;
}

struct request *core_spy(struct sim *s, enum op_kind kind, uint64_t id,
			 Kms__V1__TypedCiphertext *const *cts, size_t n,
			 struct hash32 handles[HANDLES_MAX])
{
	struct request *r;

	CHECK(n <= HANDLES_MAX);
	for (size_t i = 0; i < n; i++) {
		const Kms__V1__TypedCiphertext *c = cts[i];
		const struct ciphertext *ct;

		memcpy(handles[i].b, c->external_handle.data, 32);
		ct = ciphertext_of(s, &handles[i]);
		if (!ct || !permitted(s, ct))
			sim_fail(s, "the core was asked for request %llu without permission",
				 (unsigned long long)id);
		else if (!bytes_eq_var(protobuf_view(c->ciphertext), buf_view(&ct->body)))
			sim_fail(s,
				 "the core was given bytes that are not the ciphertext, for %llu",
				 (unsigned long long)id);
	}
	r = was_requested(s, kind, id, handles, n);
	if (!r)
		sim_fail(s, "the core was asked for %llu, which nobody requested like that",
			 (unsigned long long)id);
	else if (!r->allowed)
		sim_fail(s, "the core was asked for %llu, which may not be",
			 (unsigned long long)id);
	return r;
}

size_t core_context(struct sim *s, const struct request *r, const Kms__V1__RequestId *context)
{
	size_t i = context_current(s, &s->gateway, s->gateway.head);

	if (!r)
		return i;
	if ((r->extra_data.n > 0) != (context != NULL) ||
	    (context && (!context_find(s, core_id(s, context), &i) || i != r->context)))
		sim_fail(s, "the core was asked for %llu in another context",
			 (unsigned long long)r->id);
	return i;
}

/* ---- requests ---- */

enum grpc_status core_remember(struct sim *s, enum op_kind kind, uint64_t id, struct hash32 content,
			       struct bytes message)
{
	struct core *c = &s->core;
	const struct core_known *k = core_known(s, kind, id);

	if (k)
		return hash32_eq(k->content, content) ? GRPC_ALREADY_EXISTS
						      : GRPC_FAILED_PRECONDITION;
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->v = realloc(c->v, c->cap * sizeof(*c->v));
		CHECK(c->v != NULL);
	}
	c->v[c->n] = (struct core_known){
		.kind = kind,
		.id = id,
		.content = content,
		.ready_ms = s->loop.now_ms + (fault(s, FAULT_CORE_SLOW)
						      ? fault_length(s, SECOND, 2 * MINUTE)
						      : sim_between(s, 5, 300)),
		.message = buf_make(GRPC_MESSAGE_MAX),
	};
	CHECK(buf_add(&c->v[c->n++].message, message) == ERR_OK);
	sim_trace(s, "core: %s %llu", op_kind_name(kind), (unsigned long long)id);
	return GRPC_OK;
}

static enum grpc_status send_public(struct sim *s, const struct core_rpc *rpc, struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	struct hash32 handles[HANDLES_MAX];
	const Kms__V1__PublicDecryptionRequest *q = (const void *)core_unpack(
		&memory, &kms__v1__public_decryption_request__descriptor, message);
	uint64_t id = core_id(s, q->request_id);
	const struct request *r =
		core_spy(s, rpc->kind, id, q->ciphertexts, q->n_ciphertexts, handles);

	(void)core_context(s, r, q->context_id);
	if (fault(s, FAULT_CORE_FAILS))
		return sim_chance(s, 50) ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL;
	return core_remember(s, rpc->kind, id, request_content(handles, q->n_ciphertexts), message);
}

/* ---- answers ---- */

void core_sign(struct sim *s, struct signature65 *ret_sig, size_t context, struct hash32 digest)
{
	struct secret32 key = s->contexts[context].key;

	key.b[31] ^= fault(s, FAULT_CORE_LIES) ? 1 : 0;
	CHECK(ecdsa_sign65(s->ecdsa, ret_sig, &key, digest) == ERR_OK);
}

void core_key(const struct sim *s, uint8_t key[41], size_t context)
{
	struct public_key33 pk;

	memset(key, 0, 41);
	key[0] = sizeof(pk.b);
	CHECK(ecdsa_public_key(s->ecdsa, &pk, &s->contexts[context].key) == ERR_OK);
	memcpy(&key[8], pk.b, sizeof(pk.b));
}

static void respond_public(struct sim *s, const struct core_known *k, struct buf *out)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(buf_view(&k->message));
	Kms__V1__PublicDecryptionResponse m = KMS__V1__PUBLIC_DECRYPTION_RESPONSE__INIT;
	Kms__V1__PublicDecryptionResponsePayload payload =
		KMS__V1__PUBLIC_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedPlaintext plain[HANDLES_MAX], *list[HANDLES_MAX];
	uint8_t value[HANDLES_MAX][32] = {{0}}, result[HANDLES_MAX][32] = {{0}}, key[41];
	struct abi_value items[HANDLES_MAX];
	struct hash32 handles[HANDLES_MAX], digest;
	struct signature65 sig;
	const Kms__V1__PublicDecryptionRequest *q = (const void *)core_unpack(
		&memory, &kms__v1__public_decryption_request__descriptor, buf_view(&k->message));
	size_t n = q->n_ciphertexts, context = core_context(s, NULL, NULL);

	if (q->context_id)
		(void)context_find(s, core_id(s, q->context_id), &context);
	for (size_t i = 0; i < n; i++) {
		memcpy(handles[i].b, q->ciphertexts[i]->external_handle.data, 32);
		items[i] = abi_hash(&handles[i]);
		kms__v1__typed_plaintext__init(&plain[i]);
		for (size_t b = 0; b < 8; b++)
			value[i][b] = result[i][31 - b] = (uint8_t)(PLAINTEXT >> 8 * b);
		plain[i].fhe_type = q->ciphertexts[i]->fhe_type;
		plain[i].bytes = (ProtobufCBinaryData){.len = 8, .data = value[i]};
		list[i] = &plain[i];
	}
	struct bytes extra = protobuf_view(q->extra_data);
	const struct abi_value values[] = {abi_items(items, n),
					   abi_bytes(bytes_from(result, 32 * n)), abi_bytes(extra)};

	CHECK(eip712_digest(&digest, &s->domain, EIP712_PUBLIC_DECRYPT, values, 3) == ERR_OK);
	core_sign(s, &sig, context, digest);
	core_key(s, key, context);
	payload.verification_key = protobuf_borrow(BYTES_OF(key));
	payload.n_plaintexts = n;
	payload.plaintexts = list;
	payload.request_id = q->request_id;
	m.payload = &payload;
	m.external_signature = protobuf_borrow(BYTES_OF(sig.b));
	m.extra_data = protobuf_borrow(extra);
	CHECK(protobuf_pack(out, &m.base) == ERR_OK);
}

static enum grpc_status poll(struct sim *s, const struct core_rpc *rpc, struct bytes message,
			     struct buf *out)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	const struct core_known *k;

	s->core.polls++;
	k = core_known(s, rpc->kind,
		       core_id(s, (const void *)core_unpack(
					  &memory, &kms__v1__request_id__descriptor, message)));
	if (!k)
		return GRPC_NOT_FOUND;
	if (k->aborted)
		return GRPC_ABORTED;
	if (k->ready_ms > s->loop.now_ms)
		return GRPC_UNAVAILABLE;
	if (fault(s, FAULT_CORE_FAILS))
		return GRPC_INTERNAL;
	rpc->respond(s, k, out);
	return GRPC_OK;
}

/* ---- all functions ---- */

static const struct core_rpc decryption_rpcs[] = {
	{"PublicDecrypt", OP_KIND_PUBLIC_DECRYPTION, send_public, NULL},
	{"GetPublicDecryptionResult", OP_KIND_PUBLIC_DECRYPTION, NULL, respond_public},
	{"UserDecrypt", OP_KIND_USER_DECRYPTION, core_send_user, NULL},
	{"GetUserDecryptionResult", OP_KIND_USER_DECRYPTION, NULL, core_respond_user},
};

static const struct core_rpc *rpc_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(decryption_rpcs); i++)
		if (strcmp(decryption_rpcs[i].name, name) == 0)
			return &decryption_rpcs[i];
	for (size_t i = 0; i < core_key_rpcs_n; i++)
		if (strcmp(core_key_rpcs[i].name, name) == 0)
			return &core_key_rpcs[i];
	CHECK(false);
}

enum grpc_status core_serve(struct sim *s, const char *path, struct bytes message,
			    struct buf *reply)
{
	const struct core_rpc *rpc;

	CHECK(strncmp(path, CORE, strlen(CORE)) == 0);
	rpc = rpc_find(&path[strlen(CORE)]);
	if (rpc->respond)
		return poll(s, rpc, message, reply);
	s->core.sends++;
	return rpc->send(s, rpc, message);
}

void core_init(struct sim *s)
{
	s->core.durable = sim_chance(s, 50);
}

void core_free(struct sim *s)
{
	for (size_t i = 0; i < s->core.n; i++)
		buf_free(&s->core.v[i].message);
	free(s->core.v);
}

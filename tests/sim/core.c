/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A KMS core: it takes a request once, is busy with it for a while, and signs the answer. It is
 * also the spy: what it is asked without a permission that the chain gave, or with bytes that are
 * not the handle's ciphertext, fails the run.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "crypto/keccak.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "sim.h"

#define CORE "/kms_service.v1.CoreServiceEndpoint/"

/* ---- memory ---- */

static struct core_known *known(struct sim *s, uint64_t id)
{
	for (size_t i = 0; i < s->core.n; i++)
		if (s->core.v[i].id == id && !s->core.v[i].forgotten)
			return &s->core.v[i];
	return NULL;
}

void core_forget(struct sim *s)
{
	for (size_t i = 0; i < s->core.n && !s->core.durable; i++)
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
		if (s->core.v[i].id == r->id && !hash32_eq(s->core.v[i].content, content))
			return true;
	return false;
}

static uint64_t id_of(struct sim *s, const char *text)
{
	uint8_t be[32];
	uint64_t id;

	if (hex_decode_fixed(be, 32, bytes_str(text)) != ERR_OK ||
	    u256_to_u64(&id, u256_from_be(be)) != ERR_OK) {
		sim_fail(s, "the core was asked for an id that nobody made: %s", text);
		return 0;
	}
	return id;
}

/* ---- the spy ---- */

static bool permitted(const struct sim *s, const struct ciphertext *ct)
{
	return ct->allowed_from <= s->host.head;
}

static bool was_requested(const struct sim *s, uint64_t id, const struct hash32 *handles, size_t n)
{
	for (size_t i = 0; i < s->requests_n; i++) {
		const struct request *r = s->requests[i];
		bool same = r->id == id && r->cts_n == n;

		for (size_t k = 0; same && k < n; k++)
			same = hash32_eq(r->cts[k]->handle, handles[k]);
		if (same)
			return true;
	}
	return false;
}

static void spy(struct sim *s, uint64_t id, const Kms__V1__PublicDecryptionRequest *q,
		struct hash32 handles[HANDLES_MAX])
{
	for (size_t i = 0; i < q->n_ciphertexts; i++) {
		const Kms__V1__TypedCiphertext *c = q->ciphertexts[i];
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
	if (!was_requested(s, id, handles, q->n_ciphertexts))
		sim_fail(s, "the core was asked for %llu, which nobody requested like that",
			 (unsigned long long)id);
}

/* ---- requests ---- */

static enum grpc_status remember(struct sim *s, uint64_t id, struct hash32 content,
				 struct bytes message)
{
	struct core *c = &s->core;
	const struct core_known *k = known(s, id);

	if (k)
		return hash32_eq(k->content, content) ? GRPC_ALREADY_EXISTS
						      : GRPC_FAILED_PRECONDITION;
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->v = realloc(c->v, c->cap * sizeof(*c->v));
		CHECK(c->v != NULL);
	}
	c->v[c->n] = (struct core_known){
		.id = id,
		.content = content,
		.ready_ms = s->loop.now_ms + (fault(s, FAULT_CORE_SLOW)
						      ? fault_length(s, SECOND, 2 * MINUTE)
						      : sim_between(s, 5, 300)),
		.message = buf_make(GRPC_MESSAGE_MAX),
	};
	CHECK(buf_add(&c->v[c->n++].message, message) == ERR_OK);
	sim_trace(s, "core: request %llu", (unsigned long long)id);
	return GRPC_OK;
}

static enum grpc_status send_public(struct sim *s, struct bytes message)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	struct hash32 handles[HANDLES_MAX];
	ProtobufCMessage *base;

	s->core.sends++;
	CHECK(protobuf_unpack(&base, &kms__v1__public_decryption_request__descriptor, message,
			      &memory) == ERR_OK);
	const Kms__V1__PublicDecryptionRequest *q = (const void *)base;
	uint64_t id = id_of(s, q->request_id->request_id);

	CHECK(q->n_ciphertexts <= HANDLES_MAX);
	spy(s, id, q, handles);
	if (fault(s, FAULT_CORE_FAILS))
		return sim_chance(s, 50) ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL;
	return remember(s, id, request_content(handles, q->n_ciphertexts), message);
}

/* ---- answers ---- */

static void sign(struct sim *s, struct signature65 *ret_sig, const struct abi_value *values,
		 bool wrong)
{
	struct secret32 key = s->core.key;
	struct hash32 digest;

	CHECK(eip712_digest(&digest, &s->domain, EIP712_PUBLIC_DECRYPT, values, 3) == ERR_OK);
	key.b[31] ^= wrong ? 1 : 0;
	CHECK(ecdsa_sign65(s->ecdsa, ret_sig, &key, digest) == ERR_OK);
}

static void key_of(const struct sim *s, uint8_t key[41])
{
	struct public_key33 pk;

	memset(key, 0, 41);
	key[0] = sizeof(pk.b);
	CHECK(ecdsa_public_key(s->ecdsa, &pk, &s->core.key) == ERR_OK);
	memcpy(&key[8], pk.b, sizeof(pk.b));
}

static void respond(struct sim *s, const struct core_known *k, struct buf *out)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(buf_view(&k->message));
	Kms__V1__PublicDecryptionResponse m = KMS__V1__PUBLIC_DECRYPTION_RESPONSE__INIT;
	Kms__V1__PublicDecryptionResponsePayload payload =
		KMS__V1__PUBLIC_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedPlaintext plain[HANDLES_MAX], *list[HANDLES_MAX];
	uint8_t value[HANDLES_MAX][32] = {{0}}, result[HANDLES_MAX][32] = {{0}}, key[41];
	struct abi_value items[HANDLES_MAX];
	struct hash32 handles[HANDLES_MAX];
	struct signature65 sig;
	ProtobufCMessage *base;

	CHECK(protobuf_unpack(&base, &kms__v1__public_decryption_request__descriptor,
			      buf_view(&k->message), &memory) == ERR_OK);
	const Kms__V1__PublicDecryptionRequest *q = (const void *)base;
	size_t n = q->n_ciphertexts;

	for (size_t i = 0; i < n; i++) {
		memcpy(handles[i].b, q->ciphertexts[i]->external_handle.data, 32);
		items[i] = abi_hash(&handles[i]);
		kms__v1__typed_plaintext__init(&plain[i]);
		value[i][0] = result[i][31] = 42;
		plain[i].fhe_type = q->ciphertexts[i]->fhe_type;
		plain[i].bytes = (ProtobufCBinaryData){.len = 8, .data = value[i]};
		list[i] = &plain[i];
	}
	struct bytes extra = protobuf_view(q->extra_data);
	const struct abi_value values[] = {abi_items(items, n),
					   abi_bytes(bytes_from(result, 32 * n)), abi_bytes(extra)};

	sign(s, &sig, values, fault(s, FAULT_CORE_LIES));
	key_of(s, key);
	payload.verification_key = protobuf_borrow(BYTES_OF(key));
	payload.n_plaintexts = n;
	payload.plaintexts = list;
	payload.request_id = q->request_id;
	m.payload = &payload;
	m.external_signature = protobuf_borrow(BYTES_OF(sig.b));
	m.extra_data = protobuf_borrow(extra);
	CHECK(protobuf_pack(out, &m.base) == ERR_OK);
}

static enum grpc_status poll(struct sim *s, struct bytes message, struct buf *out)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	ProtobufCMessage *base;

	s->core.polls++;
	CHECK(protobuf_unpack(&base, &kms__v1__request_id__descriptor, message, &memory) == ERR_OK);
	const struct core_known *k =
		known(s, id_of(s, ((const Kms__V1__RequestId *)(const void *)base)->request_id));

	if (!k)
		return GRPC_NOT_FOUND;
	if (k->ready_ms > s->loop.now_ms)
		return GRPC_UNAVAILABLE;
	if (fault(s, FAULT_CORE_FAILS))
		return GRPC_INTERNAL;
	respond(s, k, out);
	return GRPC_OK;
}

enum grpc_status core_serve(struct sim *s, const char *path, struct bytes message,
			    struct buf *reply)
{
	if (strcmp(path, CORE "PublicDecrypt") == 0)
		return send_public(s, message);
	CHECK(strcmp(path, CORE "GetPublicDecryptionResult") == 0);
	return poll(s, message, reply);
}

void core_init(struct sim *s)
{
	memset(s->core.key.b, 0x11, sizeof(s->core.key.b));
	CHECK(ecdsa_address(s->ecdsa, &s->core.signer, &s->core.key) == ERR_OK);
	s->core.durable = sim_chance(s, 50);
}

void core_free(struct sim *s)
{
	for (size_t i = 0; i < s->core.n; i++)
		buf_free(&s->core.v[i].message);
	free(s->core.v);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/limits.h"
#include "eth/eip712.h"
#include "eth/text.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "standin.h"

#define CORE "/kms_service.v1.CoreServiceEndpoint/"

enum {
	VALUES_MAX = 16,
	PLAINTEXT = 42,
	REPLY_MAX = 1 << 12,
	RESULT_MAX = VALUES_MAX * 32
};

/* What the answer to a request needs, without its ciphertexts. */
struct kept {
	char id[65];
	uint8_t n, extra_n;
	uint8_t extra[80];
	struct hash32 handles[VALUES_MAX];
	int32_t types[VALUES_MAX];
	char name[32], version[8];
	struct eip712_domain domain;
};

struct standin_core {
	const struct ecdsa *ecdsa;
	struct secret32 key;
	uint8_t verification_key[41];
	struct kept *kept; /* at the end of its id */
	uint64_t served, bytes;
};

static struct kept *slot(struct standin_core *c, const char *id)
{
	CHECK(strlen(id) == 64); /* ids count up */
	return &c->kept[strtoull(&id[56], NULL, 16) % STANDIN_CORE_KEPT];
}

static void keep_domain(struct kept *k, const Kms__V1__Eip712DomainMsg *d)
{
	uint8_t chain[32] = {0};

	CHECK(strlen(d->name) < sizeof(k->name) && strlen(d->version) < sizeof(k->version) &&
	      d->chain_id.len <= sizeof(chain));
	memcpy(k->name, d->name, strlen(d->name) + 1);
	memcpy(k->version, d->version, strlen(d->version) + 1);
	memcpy(&chain[sizeof(chain) - d->chain_id.len], d->chain_id.data, d->chain_id.len);
	k->domain = (struct eip712_domain){.name = bytes_str(k->name),
					   .version = bytes_str(k->version),
					   .chain_id = u256_from_be(chain)};
	CHECK(address_parse_checksum(&k->domain.verifying_contract,
				     bytes_str(d->verifying_contract)) == ERR_OK);
}

static void on_send(void *ctx, struct grpc_call *call)
{
	struct standin_core *c = ctx;
	struct bytes message = grpc_call_request(call);
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	ProtobufCMessage *base;

	CHECK(protobuf_unpack(&base, &kms__v1__public_decryption_request__descriptor, message,
			      &memory) == ERR_OK);
	const Kms__V1__PublicDecryptionRequest *q = (const Kms__V1__PublicDecryptionRequest *)base;
	const char *id = q->request_id->request_id;
	struct kept *k = slot(c, id);

	c->served++;
	c->bytes += message.n;
	if (strcmp(k->id, id) == 0) {
		grpc_call_fail(call, GRPC_ALREADY_EXISTS, "known");
		return;
	}
	CHECK(q->n_ciphertexts <= VALUES_MAX && q->extra_data.len <= sizeof(k->extra));
	memcpy(k->id, id, sizeof(k->id));
	k->n = (uint8_t)q->n_ciphertexts;
	k->extra_n = (uint8_t)q->extra_data.len;
	if (k->extra_n > 0)
		memcpy(k->extra, q->extra_data.data, k->extra_n);
	for (size_t i = 0; i < k->n; i++) {
		memcpy(k->handles[i].b, q->ciphertexts[i]->external_handle.data, 32);
		k->types[i] = q->ciphertexts[i]->fhe_type;
	}
	keep_domain(k, q->domain);
	grpc_call_reply(call, BYTES_NONE);
}

static void answer(struct standin_core *c, const struct kept *k, struct buf *out)
{
	Kms__V1__PublicDecryptionResponse m = KMS__V1__PUBLIC_DECRYPTION_RESPONSE__INIT;
	Kms__V1__PublicDecryptionResponsePayload payload =
		KMS__V1__PUBLIC_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedPlaintext plaintexts[VALUES_MAX], *list[VALUES_MAX];
	struct abi_value items[VALUES_MAX];
	uint8_t words[RESULT_MAX] = {0}, value = PLAINTEXT;
	struct signature65 sig;
	struct hash32 digest;

	for (size_t i = 0; i < k->n; i++) {
		kms__v1__typed_plaintext__init(&plaintexts[i]);
		plaintexts[i].fhe_type = k->types[i];
		plaintexts[i].bytes = (ProtobufCBinaryData){.len = 1, .data = &value};
		list[i] = &plaintexts[i];
		items[i] = abi_hash(&k->handles[i]);
		words[32 * i + 31] = PLAINTEXT;
	}
	const struct abi_value values[] = {abi_items(items, k->n),
					   abi_bytes(bytes_from(words, (size_t)32 * k->n)),
					   abi_bytes(bytes_from(k->extra, k->extra_n))};
	CHECK(eip712_digest(&digest, &k->domain, EIP712_PUBLIC_DECRYPT, values,
			    ARRAY_LEN(values)) == ERR_OK &&
	      ecdsa_sign65(c->ecdsa, &sig, &c->key, digest) == ERR_OK);
	payload.verification_key = protobuf_borrow(BYTES_OF(c->verification_key));
	payload.n_plaintexts = k->n;
	payload.plaintexts = list;
	m.payload = &payload;
	m.external_signature = protobuf_borrow(BYTES_OF(sig.b));
	m.extra_data = protobuf_borrow(bytes_from(k->extra, k->extra_n));
	CHECK(protobuf_pack(out, &m.base) == ERR_OK);
}

static void on_result(void *ctx, struct grpc_call *call)
{
	struct standin_core *c = ctx;
	struct bytes message = grpc_call_request(call);
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	struct buf out CLEANUP(buf_free) = buf_make(REPLY_MAX);
	ProtobufCMessage *base;

	CHECK(protobuf_unpack(&base, &kms__v1__request_id__descriptor, message, &memory) == ERR_OK);
	const char *id = ((const Kms__V1__RequestId *)base)->request_id;
	const struct kept *k = slot(c, id);

	if (strcmp(k->id, id) != 0) {
		grpc_call_fail(call, GRPC_NOT_FOUND, "never seen");
		return;
	}
	answer(c, k, &out);
	grpc_call_reply(call, buf_view(&out));
}

static void on_health(void *ctx, struct grpc_call *call)
{
	(void)ctx;
	grpc_call_reply(call, BYTES_LIT("\x08\x01")); /* SERVING */
}

static const struct grpc_method methods[] = {
	{CORE "PublicDecrypt", on_send, 0},
	{CORE "GetPublicDecryptionResult", on_result, 0},
	{"/grpc.health.v1.Health/Check", on_health, 0},
};

struct standin_core *standin_core_start(struct loop *loop, const char *listen,
					const struct ecdsa *ecdsa, const struct secret32 *key)
{
	struct standin_core *c = calloc(1, sizeof(*c));
	struct grpc_server *server;
	struct err_note note = {0};
	struct public_key33 pk;

	CHECK(c != NULL);
	c->kept = calloc(STANDIN_CORE_KEPT, sizeof(*c->kept));
	c->ecdsa = ecdsa;
	c->key = *key;
	CHECK(c->kept && ecdsa_public_key(ecdsa, &pk, key) == ERR_OK);
	c->verification_key[0] = sizeof(pk.b);
	memcpy(&c->verification_key[8], pk.b, sizeof(pk.b));

	/* One peer has everything. */
	const struct grpc_server_options opts = {
		.listen = listen,
		.methods = methods,
		.methods_n = ARRAY_LEN(methods),
		.ctx = c,
		.limits = {.peer_in_flight_bytes = GRPC_IN_FLIGHT_BYTES_MAX},
	};
	CHECK(grpc_server_new(&server, loop, &opts, &note) == ERR_OK);
	return c;
}

uint64_t standin_core_served(const struct standin_core *c)
{
	return c->served;
}

uint64_t standin_core_bytes(const struct standin_core *c)
{
	return c->bytes;
}

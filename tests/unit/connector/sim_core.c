/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A KMS core behind the channel seam: it keeps requests by id, decrypts everything to one value,
 * and signs. */
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "eth/eip712.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "sim.h"

enum {
	PLAINTEXTS_MAX = 16
};

struct sim_rpc {
	struct sim_rpc *next;
	struct sim_core *core;
	uint64_t id;
	struct sim_event *event;
	enum grpc_status status;
	struct buf reply;
	rpc_done_fn *done;
	void *ctx;
};

static struct sim_core *core_of(struct channel *c)
{
	return CONTAINER_OF(c, struct sim_core, base);
}

static void unlink_rpc(struct sim_rpc *r)
{
	for (struct sim_rpc **at = &r->core->running; *at; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			return;
		}
}

static void rpc_free(struct sim_rpc *r)
{
	buf_free(&r->reply);
	free(r);
}

static void deliver(void *ctx)
{
	struct sim_rpc *r = ctx;
	const struct rpc_reply reply = {
		.status = r->status,
		.text = r->status == GRPC_OK ? "" : r->core->text,
		.message = buf_view(&r->reply),
	};

	unlink_rpc(r);
	r->done(r->ctx, &reply);
	rpc_free(r);
}

/* ---- memory ---- */

static struct sim_core_request *known(struct sim_core *c, const char *id)
{
	for (size_t i = 0; i < c->known_n; i++)
		if (strcmp(c->known[i].id, id) == 0)
			return &c->known[i];
	return NULL;
}

void sim_core_forget(struct sim_core *c)
{
	for (size_t i = 0; i < c->known_n; i++)
		buf_free(&c->known[i].message);
	c->known_n = 0;
}

/* ---- the two methods ---- */

static enum grpc_status decrypt(struct sim_core *c, struct bytes message)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	ProtobufCMessage *base;

	c->sends++;
	buf_clear(&c->last_request);
	assert_int_equal(buf_add(&c->last_request, message), ERR_OK);
	if (c->send_status != GRPC_OK)
		return c->send_status;
	assert_int_equal(protobuf_unpack(&base, &kms__v1__public_decryption_request__descriptor,
					 message, &memory),
			 ERR_OK);

	const Kms__V1__PublicDecryptionRequest *m = (const Kms__V1__PublicDecryptionRequest *)base;
	assert_non_null(m->request_id);
	assert_int_equal(strlen(m->request_id->request_id), 64);
	if (known(c, m->request_id->request_id))
		return GRPC_ALREADY_EXISTS;
	assert_true(c->known_n < SIM_CORE_IDS_MAX);
	struct sim_core_request *r = &c->known[c->known_n++];
	memcpy(r->id, m->request_id->request_id, sizeof(r->id));
	r->message = buf_make(GRPC_MESSAGE_MAX);
	assert_int_equal(buf_add(&r->message, message), ERR_OK);
	return GRPC_OK;
}

static unsigned width_of(int32_t fhe_type)
{
	static const unsigned widths[] = {1, 1, 1, 2, 4, 8, 16, 20, 32};

	return fhe_type >= 0 && (size_t)fhe_type < ARRAY_LEN(widths) ? widths[fhe_type] : 1;
}

static void sign(const struct sim_core *c, struct signature65 *ret_sig,
		 const Kms__V1__PublicDecryptionRequest *m, struct bytes result,
		 struct bytes extra_data)
{
	struct hash32 handles[PLAINTEXTS_MAX], digest;
	struct abi_value items[PLAINTEXTS_MAX];
	struct secret32 other = c->key;

	for (size_t i = 0; i < m->n_ciphertexts; i++) {
		memcpy(handles[i].b, m->ciphertexts[i]->external_handle.data, 32);
		items[i] = abi_hash(&handles[i]);
	}
	const struct abi_value values[] = {{.items = items, .items_n = m->n_ciphertexts},
					   abi_bytes(result),
					   abi_bytes(extra_data)};
	assert_int_equal(
		eip712_digest(&digest, c->domain, EIP712_PUBLIC_DECRYPT, values, ARRAY_LEN(values)),
		ERR_OK);
	other.b[31] ^= c->wrong_key ? 1 : 0;
	assert_int_equal(ecdsa_sign65(c->ecdsa, ret_sig, &other, digest), ERR_OK);
	ret_sig->b[64] = (uint8_t)(ret_sig->b[64] - (c->low_v ? 27 : 0));
}

static void respond(struct sim_core *c, const struct sim_core_request *r, struct buf *out)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(buf_view(&r->message));
	struct buf result CLEANUP(buf_free) = buf_make(PLAINTEXTS_MAX * 32);
	Kms__V1__PublicDecryptionResponse m = KMS__V1__PUBLIC_DECRYPTION_RESPONSE__INIT;
	Kms__V1__PublicDecryptionResponsePayload payload =
		KMS__V1__PUBLIC_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedPlaintext plaintexts[PLAINTEXTS_MAX + 1], *list[PLAINTEXTS_MAX + 1];
	uint8_t bytes[PLAINTEXTS_MAX + 1][32] = {{0}}, key[41] = {33};
	struct public_key33 pk;
	struct signature65 sig;
	ProtobufCMessage *base;

	assert_int_equal(protobuf_unpack(&base, &kms__v1__public_decryption_request__descriptor,
					 buf_view(&r->message), &memory),
			 ERR_OK);
	const Kms__V1__PublicDecryptionRequest *q = (const Kms__V1__PublicDecryptionRequest *)base;
	size_t n = q->n_ciphertexts + (c->wrong_count ? 1 : 0);

	assert_true(q->n_ciphertexts <= PLAINTEXTS_MAX);
	for (size_t i = 0; i < n; i++) {
		int32_t type = i < q->n_ciphertexts ? q->ciphertexts[i]->fhe_type : 5;
		uint8_t word[32] = {0};

		plaintexts[i] = (Kms__V1__TypedPlaintext)KMS__V1__TYPED_PLAINTEXT__INIT;
		bytes[i][0] = word[31] = type == 0 ? 1 : c->plaintext;
		plaintexts[i].fhe_type = c->other_type ? 4 : type;
		plaintexts[i].bytes =
			(ProtobufCBinaryData){.len = width_of(type), .data = bytes[i]};
		if (c->wide_plaintext) {
			plaintexts[i].bytes.len = 32;
			bytes[i][31] = 1;
		}
		list[i] = &plaintexts[i];
		if (i < q->n_ciphertexts)
			assert_int_equal(buf_add(&result, BYTES_OF(word)), ERR_OK);
	}
	struct bytes extra = c->wrong_extra ? BYTES_LIT("\1") : protobuf_view(q->extra_data);
	sign(c, &sig, q, buf_view(&result), extra);
	assert_int_equal(ecdsa_public_key(c->ecdsa, &pk, &c->key), ERR_OK);
	memcpy(&key[8], pk.b, sizeof(pk.b));

	payload.verification_key = protobuf_borrow(BYTES_OF(key));
	payload.n_plaintexts = n;
	payload.plaintexts = list;
	payload.request_id = c->other_id ? q->key_id : q->request_id;
	m.payload = &payload;
	m.external_signature = protobuf_borrow(BYTES_OF(sig.b));
	m.extra_data = protobuf_borrow(extra);
	assert_int_equal(protobuf_pack(out, &m.base), ERR_OK);
}

static enum grpc_status get_result(struct sim_core *c, struct bytes message, struct buf *out)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	ProtobufCMessage *base;

	c->polls++;
	if (c->forget_once)
		sim_core_forget(c);
	c->forget_once = false;
	if (c->poll_status != GRPC_OK)
		return c->poll_status;
	assert_int_equal(protobuf_unpack(&base, &kms__v1__request_id__descriptor, message, &memory),
			 ERR_OK);
	const struct sim_core_request *r = known(c, ((const Kms__V1__RequestId *)base)->request_id);
	if (!r)
		return GRPC_NOT_FOUND;
	respond(c, r, out);
	return GRPC_OK;
}

/* ---- channel ---- */

static enum err core_call(struct channel *base, struct rpc_ticket *ret_ticket,
			  const struct rpc_call *call, rpc_done_fn *done, void *ctx)
{
	struct sim_core *c = core_of(base);
	struct sim_rpc *r = calloc(1, sizeof(*r));
	bool send = strcmp(call->path, "/kms_service.v1.CoreServiceEndpoint/PublicDecrypt") == 0;
	int64_t delay_ms = 1;

	assert_non_null(r);
	assert_true(call->timeout_ms > 0);
	*r = (struct sim_rpc){
		.next = c->running, .core = c, .id = ++c->next_id, .done = done, .ctx = ctx};
	r->reply = buf_make(GRPC_MESSAGE_MAX);
	if (send) {
		r->status = decrypt(c, call->message);
	} else {
		assert_string_equal(
			call->path,
			"/kms_service.v1.CoreServiceEndpoint/GetPublicDecryptionResult");
		delay_ms = c->poll_delay_ms > 0 ? c->poll_delay_ms : 1;
		r->status = get_result(c, call->message, &r->reply);
	}
	if (delay_ms >= call->timeout_ms) {
		delay_ms = call->timeout_ms;
		r->status = GRPC_DEADLINE_EXCEEDED;
	}
	c->running = r;
	r->event = sim_after(c->sim, delay_ms, deliver, r);
	ret_ticket->id = r->id;
	return ERR_OK;
}

static void core_cancel_(struct channel *base, struct rpc_ticket ticket)
{
	for (struct sim_rpc *r = core_of(base)->running; r; r = r->next)
		if (r->id == ticket.id) {
			sim_cancel(r->event);
			unlink_rpc(r);
			rpc_free(r);
			return;
		}
}

static const struct channel_ops ops = {.call = core_call, .cancel = core_cancel_};

void sim_core_init(struct sim_core *c, struct sim *s, const struct ecdsa *ecdsa,
		   struct eip712_domain *domain)
{
	memset(c, 0, sizeof(*c));
	c->base.ops = &ops;
	c->sim = s;
	c->ecdsa = ecdsa;
	c->domain = domain;
	c->plaintext = 42;
	c->text = "as the test wanted";
	memset(c->key.b, 0x11, sizeof(c->key.b));
	c->last_request = buf_make(GRPC_MESSAGE_MAX);
}

void sim_core_free(struct sim_core *c)
{
	assert_null(c->running);
	sim_core_forget(c);
	buf_free(&c->last_request);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A KMS core behind the channel seam: it keeps requests by id, decrypts everything to one value,
 * and signs. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "eth/eip712.h"
#include "eth/text.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "sim.h"

enum {
	PLAINTEXTS_MAX = 16
};
#define CORE "/kms_service.v1.CoreServiceEndpoint/"

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

static const char *request_id_of(const ProtobufCMessage *m, bool user)
{
	return user ? ((const Kms__V1__UserDecryptionRequest *)m)->request_id->request_id
		    : ((const Kms__V1__PublicDecryptionRequest *)m)->request_id->request_id;
}

static enum grpc_status decrypt(struct sim_core *c, struct bytes message, bool user)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	ProtobufCMessage *base;

	c->sends++;
	buf_clear(&c->last_request);
	assert_int_equal(buf_add(&c->last_request, message), ERR_OK);
	if (c->send_status != GRPC_OK)
		return c->send_status;
	assert_int_equal(protobuf_unpack(&base,
					 user ? &kms__v1__user_decryption_request__descriptor
					      : &kms__v1__public_decryption_request__descriptor,
					 message, &memory),
			 ERR_OK);

	const char *id = request_id_of(base, user);
	assert_int_equal(strlen(id), 64);
	if (known(c, id))
		return GRPC_ALREADY_EXISTS;
	assert_true(c->known_n < SIM_CORE_IDS_MAX);
	struct sim_core_request *r = &c->known[c->known_n++];
	memcpy(r->id, id, sizeof(r->id));
	r->user = user;
	r->message = buf_make(GRPC_MESSAGE_MAX);
	assert_int_equal(buf_add(&r->message, message), ERR_OK);
	return GRPC_OK;
}

static unsigned width_of(int32_t fhe_type)
{
	static const unsigned widths[] = {1, 1, 1, 2, 4, 8, 16, 20, 32};

	return fhe_type >= 0 && (size_t)fhe_type < ARRAY_LEN(widths) ? widths[fhe_type] : 1;
}

static struct abi_value handles_value(struct abi_value items[PLAINTEXTS_MAX],
				      struct hash32 handles[PLAINTEXTS_MAX],
				      Kms__V1__TypedCiphertext *const *list, size_t n)
{
	assert_true(n <= PLAINTEXTS_MAX);
	for (size_t i = 0; i < n; i++) {
		memcpy(handles[i].b, list[i]->external_handle.data, 32);
		items[i] = abi_hash(&handles[i]);
	}
	return abi_items(items, n);
}

static void sign(const struct sim_core *c, struct signature65 *ret_sig, const char *type,
		 const struct abi_value *values, size_t values_n)
{
	struct secret32 other = c->key;
	struct hash32 digest;

	assert_int_equal(eip712_digest(&digest, c->domain, type, values, values_n), ERR_OK);
	other.b[31] ^= c->wrong_key ? 1 : 0;
	assert_int_equal(ecdsa_sign65(c->ecdsa, ret_sig, &other, digest), ERR_OK);
	ret_sig->b[64] = (uint8_t)(ret_sig->b[64] - (c->low_v ? 27 : 0));
}

static void key_of(const struct sim_core *c, uint8_t key[41])
{
	struct public_key33 pk;

	memset(key, 0, 41);
	key[0] = sizeof(pk.b);
	assert_int_equal(ecdsa_public_key(c->ecdsa, &pk, &c->key), ERR_OK);
	memcpy(&key[8], pk.b, sizeof(pk.b));
}

static void respond(struct sim_core *c, const struct sim_core_request *r, struct buf *out)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(buf_view(&r->message));
	struct buf result CLEANUP(buf_free) = buf_make(PLAINTEXTS_MAX * 32);
	Kms__V1__PublicDecryptionResponse m = KMS__V1__PUBLIC_DECRYPTION_RESPONSE__INIT;
	Kms__V1__PublicDecryptionResponsePayload payload =
		KMS__V1__PUBLIC_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedPlaintext plaintexts[PLAINTEXTS_MAX + 1], *list[PLAINTEXTS_MAX + 1];
	uint8_t bytes[PLAINTEXTS_MAX + 1][32] = {{0}}, key[41];
	struct abi_value items[PLAINTEXTS_MAX];
	struct hash32 handles[PLAINTEXTS_MAX];
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
	const struct abi_value values[] = {
		handles_value(items, handles, q->ciphertexts, q->n_ciphertexts),
		abi_bytes(buf_view(&result)), abi_bytes(extra)};
	sign(c, &sig, EIP712_PUBLIC_DECRYPT, values, ARRAY_LEN(values));
	key_of(c, key);

	payload.verification_key = protobuf_borrow(BYTES_OF(key));
	payload.n_plaintexts = n;
	payload.plaintexts = list;
	payload.request_id = c->other_id ? q->key_id : q->request_id;
	m.payload = &payload;
	m.external_signature = protobuf_borrow(BYTES_OF(sig.b));
	m.extra_data = protobuf_borrow(extra);
	assert_int_equal(protobuf_pack(out, &m.base), ERR_OK);
}

/* bincode of a payload. */
static void encode_payload(struct buf *out, const Kms__V1__UserDecryptionResponsePayload *p)
{
	const struct bytes head[] = {protobuf_view(p->verification_key), protobuf_view(p->digest)};

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(buf_add_u64le(out, head[i].n), ERR_OK);
		assert_int_equal(buf_add(out, head[i]), ERR_OK);
	}
	assert_int_equal(buf_add_u64le(out, p->n_signcrypted_ciphertexts), ERR_OK);
	for (size_t i = 0; i < p->n_signcrypted_ciphertexts; i++) {
		const Kms__V1__TypedSigncryptedCiphertext *s = p->signcrypted_ciphertexts[i];
		const struct bytes parts[] = {protobuf_view(s->signcrypted_ciphertext),
					      protobuf_view(s->external_handle)};

		assert_int_equal(buf_add_u32le(out, (uint32_t)s->fhe_type), ERR_OK);
		for (size_t k = 0; k < 2; k++) {
			assert_int_equal(buf_add_u64le(out, parts[k].n), ERR_OK);
			assert_int_equal(buf_add(out, parts[k]), ERR_OK);
		}
		assert_int_equal(buf_add_u32le(out, s->packing_factor), ERR_OK);
	}
	assert_int_equal(buf_add_u32le(out, p->party_id), ERR_OK);
	assert_int_equal(buf_add_u32le(out, p->degree), ERR_OK);
}

static void respond_user(struct sim_core *c, const struct sim_core_request *r, struct buf *out)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(buf_view(&r->message));
	struct buf share CLEANUP(buf_free) = buf_make(1 << 16);
	Kms__V1__UserDecryptionResponse m = KMS__V1__USER_DECRYPTION_RESPONSE__INIT;
	Kms__V1__UserDecryptionResponsePayload payload =
		KMS__V1__USER_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedSigncryptedCiphertext values[PLAINTEXTS_MAX + 1], *list[PLAINTEXTS_MAX + 1];
	struct abi_value items[PLAINTEXTS_MAX];
	struct hash32 handles[PLAINTEXTS_MAX], link;
	struct signature65 sig;
	struct address user;
	uint8_t key[41];
	ProtobufCMessage *base;

	assert_int_equal(protobuf_unpack(&base, &kms__v1__user_decryption_request__descriptor,
					 buf_view(&r->message), &memory),
			 ERR_OK);
	const Kms__V1__UserDecryptionRequest *q = (const Kms__V1__UserDecryptionRequest *)base;
	size_t n = q->n_typed_ciphertexts + (c->wrong_count ? 1 : 0);
	const struct abi_value list_value =
		handles_value(items, handles, q->typed_ciphertexts, q->n_typed_ciphertexts);
	struct bytes extra = c->wrong_extra ? BYTES_LIT("\1") : protobuf_view(q->extra_data);

	assert_int_equal(address_parse_checksum(&user, bytes_str(q->client_address)), ERR_OK);
	user.b[0] ^= c->other_link ? 1 : 0;
	const struct abi_value link_values[] = {abi_bytes(protobuf_view(q->enc_key)), list_value,
						abi_address(user)};
	assert_int_equal(eip712_digest(&link, c->domain, EIP712_USER_LINKER, link_values, 3),
			 ERR_OK);
	key_of(c, key);
	for (size_t i = 0; i < n; i++) {
		const Kms__V1__TypedCiphertext *ct =
			q->typed_ciphertexts[i < q->n_typed_ciphertexts ? i : 0];

		kms__v1__typed_signcrypted_ciphertext__init(&values[i]);
		values[i].fhe_type = c->other_type ? 4 : ct->fhe_type;
		values[i].signcrypted_ciphertext =
			protobuf_borrow(c->empty_value ? BYTES_NONE : BYTES_LIT("sealed"));
		values[i].external_handle = c->other_handle ? q->enc_key : ct->external_handle;
		values[i].packing_factor = 1;
		list[i] = &values[i];
	}
	payload.verification_key = protobuf_borrow(BYTES_OF(key));
	payload.digest = protobuf_borrow(BYTES_OF(link.b));
	payload.signcrypted_ciphertexts = list;
	payload.n_signcrypted_ciphertexts = n;
	payload.party_id = 1;
	encode_payload(&share, &payload);
	const struct abi_value sign_values[] = {abi_bytes(protobuf_view(q->enc_key)), list_value,
						abi_bytes(buf_view(&share)), abi_bytes(extra)};
	sign(c, &sig, EIP712_USER_RESPONSE, sign_values, ARRAY_LEN(sign_values));
	m.payload = c->no_payload ? NULL : &payload;
	m.external_signature = protobuf_borrow(BYTES_OF(sig.b));
	m.extra_data = protobuf_borrow(extra);
	assert_int_equal(protobuf_pack(out, &m.base), ERR_OK);
}

static enum grpc_status get_result(struct sim_core *c, bool user, struct bytes message,
				   struct buf *out)
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
	assert_int_equal(r->user, user);
	if (user)
		respond_user(c, r, out);
	else
		respond(c, r, out);
	return GRPC_OK;
}

/* A packed RequestId: field 1, length-delimited. */
static void sim_core_id(struct buf *out, const char *id)
{
	size_t n = strlen(id);

	assert_true(n < 0x80);
	assert_int_equal(buf_add_u8(out, 0x0a), ERR_OK);
	assert_int_equal(buf_add_u8(out, (uint8_t)n), ERR_OK);
	assert_int_equal(buf_add(out, bytes_from(id, n)), ERR_OK);
}

/* ---- channel ---- */

static enum err core_call(struct channel *base, struct rpc_ticket *ret_ticket,
			  const struct rpc_call *call, rpc_done_fn *done, void *ctx)
{
	struct sim_core *c = core_of(base);
	struct sim_rpc *r = calloc(1, sizeof(*r));
	bool user = strstr(call->path, "User") != NULL;
	bool send = strcmp(call->path, user ? CORE "UserDecrypt" : CORE "PublicDecrypt") == 0;
	int64_t delay_ms = 1;

	assert_non_null(r);
	assert_true(call->timeout_ms > 0);
	*r = (struct sim_rpc){
		.next = c->running, .core = c, .id = ++c->next_id, .done = done, .ctx = ctx};
	r->reply = buf_make(GRPC_MESSAGE_MAX);
	c->last_timeout_ms = call->timeout_ms;
	if (c->spy)
		c->spy(c->spy_ctx, call);
	c->spied += c->spy ? 1 : 0;
	if (c->script && !strstr(call->path, "Decrypt")) {
		r->status = c->script(c->script_ctx, strrchr(call->path, '/') + 1, call->message,
				      &r->reply);
	} else if (!strstr(call->path, "Decrypt")) {
		c->others++;
		(void)snprintf(c->other_path, sizeof(c->other_path), "%s", call->path);
		r->status = c->other_status;
	} else if (strstr(call->path, "DecryptSync")) {
		c->syncs++;
		r->status = c->has_sync ? decrypt(c, call->message, user) : GRPC_UNIMPLEMENTED;
		if (r->status == GRPC_OK) {
			struct buf id CLEANUP(buf_free) = buf_make(1 << 10);

			sim_core_id(&id, c->known[c->known_n - 1].id);
			delay_ms = c->poll_delay_ms > 0 ? c->poll_delay_ms : 1;
			r->status = get_result(c, user, buf_view(&id), &r->reply);
			c->polls--;
		}
	} else if (send) {
		r->status = decrypt(c, call->message, user);
	} else {
		assert_string_equal(call->path, user ? CORE "GetUserDecryptionResult"
						     : CORE "GetPublicDecryptionResult");
		delay_ms = c->poll_delay_ms > 0 ? c->poll_delay_ms : 1;
		r->status = get_result(c, user, call->message, &r->reply);
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

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The only file that calls the core. Both calls take the request's proof and abort the process
 * without a complete one: that would be a bug of ours, never of input.
 *
 * Statuses by one table. NOT_FOUND at a poll is a core that was restarted and forgot: the request
 * is sent again.
 */
#include "base/hex.h"
#include "connector/worker/ciphertext.h"
#include "eth/text.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

enum {
	SEND_TIMEOUT_MS = 30000,
	POLL_TIMEOUT_MS = 75000, /* the core itself waits up to 60 s for a result */
	POLL_WAITED_MS = 1000,   /* a poll that took this long did wait */
	SEND_REPLY_MAX = 1 << 16,
	POLL_REPLY_MAX = PROTOBUF_INLINE_MAX,
	REQUEST_BYTES_MAX = 1 << 20,
	ID_TEXT_SIZE = 65,
};

static const char send_path[] = "/kms_service.v1.CoreServiceEndpoint/PublicDecrypt";
static const char poll_path[] = "/kms_service.v1.CoreServiceEndpoint/GetPublicDecryptionResult";

/* What a status means: at the send, at the poll. */
static const struct {
	enum err send, poll;
} statuses[] = {
	[GRPC_OK] = {ERR_OK, ERR_OK},
	[GRPC_CANCELLED] = {ERR_REMOTE, ERR_REMOTE},
	[GRPC_UNKNOWN] = {ERR_UNAVAILABLE, ERR_NOT_READY},
	[GRPC_INVALID_ARGUMENT] = {ERR_BAD_REQUEST, ERR_BAD_REQUEST},
	[GRPC_DEADLINE_EXCEEDED] = {ERR_TIMEOUT, ERR_NOT_READY},
	[GRPC_NOT_FOUND] = {ERR_REMOTE, ERR_NOT_FOUND},
	[GRPC_ALREADY_EXISTS] = {ERR_ALREADY_DONE, ERR_REMOTE},
	[GRPC_PERMISSION_DENIED] = {ERR_REMOTE, ERR_REMOTE},
	[GRPC_RESOURCE_EXHAUSTED] = {ERR_UNAVAILABLE, ERR_NOT_READY},
	[GRPC_FAILED_PRECONDITION] = {ERR_REMOTE, ERR_REMOTE},
	[GRPC_ABORTED] = {ERR_REMOTE, ERR_STATE_MOVED},
	[GRPC_OUT_OF_RANGE] = {ERR_BAD_REQUEST, ERR_BAD_REQUEST},
	[GRPC_UNIMPLEMENTED] = {ERR_BAD_REQUEST, ERR_BAD_REQUEST},
	[GRPC_INTERNAL] = {ERR_REMOTE, ERR_REMOTE},
	[GRPC_UNAVAILABLE] = {ERR_UNAVAILABLE, ERR_NOT_READY},
	[GRPC_DATA_LOSS] = {ERR_REMOTE, ERR_REMOTE},
	[GRPC_UNAUTHENTICATED] = {ERR_REMOTE, ERR_REMOTE},
};

static enum err status_err(enum grpc_status s, bool poll)
{
	if ((unsigned)s >= ARRAY_LEN(statuses))
		return ERR_REMOTE;
	return poll ? statuses[s].poll : statuses[s].send;
}

static struct channel *shard(const struct job *j)
{
	size_t n = j->worker->env.cores_n;

	return j->worker->env.cores[u256_mod_u64(j->op.key.request_id, n)];
}

static void check_proof(const struct job *j, const struct proof *proof)
{
	CHECK(proof_complete(proof, &j->op.key.content_digest, j->request.handles_n));
}

static enum err call(struct job *j, const struct rpc_call *rpc, rpc_done_fn *done)
{
	struct channel *c = shard(j);
	enum err e = channel_call(c, &j->rpc, rpc, done, j);

	j->rpc_channel = e == ERR_OK ? c : NULL;
	return e;
}

void core_cancel(struct job *j)
{
	if (j->rpc_channel)
		channel_cancel(j->rpc_channel, j->rpc);
	j->rpc_channel = NULL;
}

static void failed(struct job *j, enum err e, const char *what, const struct rpc_reply *r)
{
	if (e == ERR_BAD_REQUEST)
		work_end(j, OP_FAILED, e, "the core refused %s: %s %s", what,
			 grpc_status_name(r->status), r->text);
	else
		work_retry(j, e, "core, %s: %s %s", what, grpc_status_name(r->status), r->text);
}

/* ---- send ---- */

/* An id as the core writes it, in its own message. */
struct id_message {
	Kms__V1__RequestId m;
	char text[ID_TEXT_SIZE];
};

static Kms__V1__RequestId *id_message(struct id_message *id, struct u256 v)
{
	uint8_t be[32];

	u256_to_be(be, v);
	hex_encode(id->text, BYTES_OF(be));
	id->m = (Kms__V1__RequestId)KMS__V1__REQUEST_ID__INIT;
	id->m.request_id = id->text;
	return &id->m;
}

static enum err add_ciphertexts(struct job *j, Kms__V1__PublicDecryptionRequest *m, struct arena *a)
{
	size_t n = j->request.handles_n;
	Kms__V1__TypedCiphertext *v = arena_alloc_array(a, n, sizeof(*v));

	m->ciphertexts = arena_alloc_array(a, n, sizeof(Kms__V1__TypedCiphertext *));
	if (!v || !m->ciphertexts)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		v[i] = (Kms__V1__TypedCiphertext)KMS__V1__TYPED_CIPHERTEXT__INIT;
		v[i].ciphertext = protobuf_borrow(buf_view(&j->cts[i].body));
		v[i].fhe_type = (int32_t)handle_fhe_type(&j->request.handles[i]);
		v[i].external_handle = protobuf_borrow(BYTES_OF(j->request.handles[i].b));
		v[i].ciphertext_format = ct_format_compressed(j->cts[i].format)
						 ? KMS__V1__CIPHERTEXT_FORMAT__BigCompressed
						 : KMS__V1__CIPHERTEXT_FORMAT__BigExpanded;
		m->ciphertexts[i] = &v[i];
	}
	m->n_ciphertexts = n;
	return ERR_OK;
}

static enum err pack(struct job *j, struct buf *out)
{
	struct arena a CLEANUP(arena_free) = arena_make(REQUEST_BYTES_MAX);
	const struct connector_config *c = j->worker->env.config;
	Kms__V1__PublicDecryptionRequest m = KMS__V1__PUBLIC_DECRYPTION_REQUEST__INIT;
	Kms__V1__Eip712DomainMsg domain = KMS__V1__EIP712_DOMAIN_MSG__INIT;
	struct id_message request_id, key_id, context, epoch;
	char contract[ADDRESS_TEXT_SIZE];
	uint8_t chain_id[32];

	u256_to_be(chain_id, u256_from_u64(c->gateway_chain_id));
	address_to_text(contract, j->op.key.contract);
	domain.name = (char *)(uintptr_t)c->decryption_contract.domain_name;
	domain.version = (char *)(uintptr_t)c->decryption_contract.domain_version;
	domain.chain_id = protobuf_borrow(BYTES_OF(chain_id));
	domain.verifying_contract = contract;

	m.request_id = id_message(&request_id, j->op.key.request_id);
	m.key_id = id_message(&key_id, j->cts[0].key_id);
	m.domain = &domain;
	m.extra_data = protobuf_borrow(extra_data_for_core(j->request.extra_data));
	m.context_id = j->extra.has_context ? id_message(&context, j->extra.context) : NULL;
	m.epoch_id = j->extra.has_epoch ? id_message(&epoch, j->extra.epoch) : NULL;
	TRY(add_ciphertexts(j, &m, &a));
	return protobuf_pack(out, &m.base);
}

static void on_sent(void *ctx, const struct rpc_reply *r)
{
	struct job *j = ctx;
	enum err e = status_err(r->status, false);

	j->rpc_channel = NULL;
	ciphertexts_drop(j);
	if (e != ERR_OK && err_class(e) != ERR_CLASS_CONFLICT) {
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_SENT_ERRORS,
			    METRIC_EVENT_PUBLIC_DECRYPTION);
		failed(j, e, "request", r);
		return;
	}
	if (e == ERR_OK)
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_SENT,
			    METRIC_EVENT_PUBLIC_DECRYPTION);
	j->sent = true;
	core_poll(j, j->proof);
}

void core_ask(struct job *j, const struct proof *proof)
{
	struct buf message CLEANUP(buf_free) = buf_make(GRPC_MESSAGE_MAX);

	check_proof(j, proof);
	enum err e = pack(j, &message);
	for (size_t i = 0; i < j->request.handles_n; i++)
		buf_free(&j->cts[i].body); /* the packed request has them */

	const struct rpc_call rpc = {
		.path = send_path,
		.message = buf_view(&message),
		.timeout_ms = SEND_TIMEOUT_MS,
		.reply_max = SEND_REPLY_MAX,
	};
	if (e == ERR_OK)
		e = call(j, &rpc, on_sent);
	if (e != ERR_OK)
		work_retry(j, e, "the request to the core could not be sent");
}

/* ---- poll ---- */

static void answer_arrived(struct job *j, struct bytes message)
{
	struct err_note note = {0};
	enum err e = core_answer_read(&j->answer, &j->signer, &j->arena, j, message, &note);

	if (e != ERR_OK) {
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS,
			    METRIC_CHECK_SIGNATURE);
		work_retry(j, e, "the core's answer is not acceptable: %s", note.text);
		return;
	}
	LOG_INFO(j->worker->env.log, "The core has answered", log_i("id", j->op.id),
		 log_u256("request_id", j->op.key.request_id),
		 log_hex("signer", BYTES_OF(j->signer.b)));
	signer_check(j);
}

static void on_polled(void *ctx, const struct rpc_reply *r)
{
	struct job *j = ctx;
	enum err e = status_err(r->status, true);

	j->rpc_channel = NULL;
	if (e == ERR_OK) {
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_POLLED,
			    METRIC_EVENT_PUBLIC_DECRYPTION);
		answer_arrived(j, r->message);
		return;
	}
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_POLLED_ERRORS,
		    METRIC_EVENT_PUBLIC_DECRYPTION);
	if (e == ERR_NOT_FOUND && !j->sent)
		ciphertexts_start(j);
	else if (e == ERR_STATE_MOVED)
		work_end(j, OP_ABORTED, e, "the core has aborted this request: %s", r->text);
	else if (e == ERR_NOT_READY &&
		 clock_mono_ms(j->worker->env.clock) - j->polled_at_ms >= POLL_WAITED_MS)
		work_retry_soon(j, e, "the core is still computing");
	else
		failed(j, e, "result", r);
}

void core_poll(struct job *j, const struct proof *proof)
{
	struct buf message CLEANUP(buf_free) = buf_make(REQUEST_BYTES_MAX);
	struct id_message id;

	check_proof(j, proof);
	enum err e = protobuf_pack(&message, &id_message(&id, j->op.key.request_id)->base);

	const struct rpc_call rpc = {
		.path = poll_path,
		.message = buf_view(&message),
		.timeout_ms = POLL_TIMEOUT_MS,
		.reply_max = POLL_REPLY_MAX,
	};
	j->polled_at_ms = clock_mono_ms(j->worker->env.clock);
	if (e == ERR_OK)
		e = call(j, &rpc, on_polled);
	if (e != ERR_OK)
		work_retry(j, e, "the core could not be asked for the result");
}

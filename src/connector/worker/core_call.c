/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The only file that calls the core. Both calls take the request's proof and abort the process
 * without a complete one: that would be a bug of ours, never of input.
 *
 * Statuses by one table. NOT_FOUND at a poll is a core that was restarted and forgot: the request
 * is sent again. FAILED_PRECONDITION at the send is a core that has the id already, for other
 * content: what it would say at a poll answers another request, and this one it never will.
 */
#include "connector/worker/ciphertext.h"
#include "net/protobuf.h"

enum {
	SEND_TIMEOUT_MS = 30000,
	POLL_TIMEOUT_MS = 75000, /* the core itself waits up to 60 s for a result */
	POLL_WAITED_MS = 1000,   /* a poll that took this long did wait */
	SEND_REPLY_MAX = 1 << 16,
	POLL_REPLY_MAX = 2 << 20,
	REQUEST_BYTES_MAX = 1 << 20,
};

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
	[GRPC_FAILED_PRECONDITION] = {ERR_STATE_MOVED, ERR_REMOTE},
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

	return j->worker->env.cores[u256_mod_u64(j->shard, n)];
}

static void check_proof(const struct job *j, const struct proof *proof)
{
	CHECK(proof_complete(proof, &j->op.key.content_digest, j->request.handles_n));
}

static enum err call(struct job *j, const struct rpc_call *rpc, rpc_done_fn *done)
{
	struct channel *c = shard(j);
	struct rpc_call traced = *rpc;
	char text[TRACEPARENT_SIZE];

	if (trace_context_known(&j->stage.self)) {
		traceparent_text(text, &j->stage.self);
		traced.traceparent = text;
	}
	enum err e = channel_call(c, &j->rpc, &traced, done, j);

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

/* ---- the answer ---- */

static void answer_arrived(struct job *j, struct bytes message)
{
	struct err_note note = {0};
	enum err e;

	buf_clear(&j->answer_bytes);
	e = j->kind->accept(j, message, &note);

	if (e != ERR_OK) {
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS,
			    METRIC_CHECK_SIGNATURE);
		work_retry(j, e, "the core's answer is not acceptable: %s",
			   note.text[0] ? note.text : err_name(e));
		return;
	}
	if (!j->kind->poll_path) {
		work_answered(j); /* nothing is signed in it */
		return;
	}
	LOG_INFO(j->worker->env.log, "The core has answered", log_i("id", j->op.id),
		 log_u256("request_id", j->op.key.request_id),
		 log_hex("signer", BYTES_OF(j->signer.b)));
	if (j->kind->signer_is_new)
		work_answered(j);
	else
		signer_check(j);
}

/* ---- send ---- */

static void on_sent(void *ctx, const struct rpc_reply *r)
{
	struct job *j = ctx;
	enum err e = status_err(r->status, false);

	j->rpc_channel = NULL;
	ciphertexts_drop(j);
	if (r->status == GRPC_NOT_FOUND && j->kind->gone_is_done)
		e = ERR_ALREADY_DONE;
	if (e != ERR_OK && e != ERR_ALREADY_DONE) {
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_SENT_ERRORS,
			    metric_of_kind(j->op.key.kind));
		if (e == ERR_STATE_MOVED && j->kind->id_may_be_taken)
			work_end(j, OP_FAILED, e,
				 "the core has answered this request id for other content: %s %s",
				 grpc_status_name(r->status), r->text);
		else
			failed(j, e == ERR_STATE_MOVED ? ERR_REMOTE : e, "request", r);
		return;
	}
	if (e == ERR_OK)
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_SENT,
			    metric_of_kind(j->op.key.kind));
	if (j->kind->pack_before && !j->sent_before) {
		j->sent_before = true;
		core_ask(j, j->proof);
		return;
	}
	j->sent = true;
	if (j->kind->poll_path)
		core_poll(j, j->proof);
	else if (j->kind->accept)
		answer_arrived(j, r->message);
	else
		work_done(j);
}

void core_ask(struct job *j, const struct proof *proof)
{
	struct buf message CLEANUP(buf_free) = buf_make(GRPC_MESSAGE_MAX);

	check_proof(j, proof);
	bool before = j->kind->pack_before && !j->sent_before;
	enum err e = before ? j->kind->pack_before(j, &message) : j->kind->pack(j, &message);
	for (size_t i = 0; i < j->request.handles_n; i++)
		buf_free(&j->cts[i].body); /* the packed request has them */

	const struct rpc_call rpc = {
		.path = j->kind->send_path,
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

static void on_polled(void *ctx, const struct rpc_reply *r)
{
	struct job *j = ctx;
	enum err e = status_err(r->status, true);

	j->rpc_channel = NULL;
	if (e == ERR_OK) {
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_POLLED,
			    metric_of_kind(j->op.key.kind));
		answer_arrived(j, r->message);
		return;
	}
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_POLLED_ERRORS,
		    metric_of_kind(j->op.key.kind));
	if (e == ERR_NOT_FOUND && !j->sent)
		j->kind->prepare(j);
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

	check_proof(j, proof);
	enum err e = core_id_pack(&message, j->op.key.request_id);

	const struct rpc_call rpc = {
		.path = j->kind->poll_path,
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

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

static size_t shard(const struct job *j)
{
	return (size_t)u256_mod_u64(j->shard, j->worker->env.cores_n);
}

static struct core_state *core_of(const struct job *j)
{
	return &j->worker->cores[shard(j)];
}

/* Of one call about a request of this kind, where the configuration says one. */
static int64_t deadline_ms(const struct job *j, int64_t otherwise_ms)
{
	const struct connector_config *c = j->worker->env.config;
	int64_t ms = j->op.key.kind == OP_KIND_PUBLIC_DECRYPTION ? c->public_decryption_timeout_ms
		     : j->op.key.kind == OP_KIND_USER_DECRYPTION ? c->user_decryption_timeout_ms
								 : 0;

	return ms > 0 ? ms : otherwise_ms;
}

/* A core that says anything lives; `silent`: it said nothing, or cannot be reached. */
static void core_answered(struct job *j, bool silent)
{
	struct core_state *core = core_of(j);
	enum breaker_state before = core->breaker.state;

	if (!silent) {
		breaker_succeeded(&core->breaker);
		if (before != BREAKER_CLOSED)
			LOG_INFO(j->worker->env.log, "A core answers again",
				 log_i("core", (int64_t)shard(j)));
	} else if (breaker_failed(&core->breaker, clock_mono_ms(j->worker->env.clock)) &&
		   before == BREAKER_CLOSED) {
		LOG_WARN(j->worker->env.log, "A core fails and is left alone for a while",
			 log_i("core", (int64_t)shard(j)));
	}
}

static bool waited(const struct job *j)
{
	return clock_mono_ms(j->worker->env.clock) - j->polled_at_ms >= POLL_WAITED_MS;
}

static void check_proof(const struct job *j, const struct proof *proof)
{
	CHECK(proof_complete(proof, &j->op.key.content_digest, j->request.handles_n));
}

/*
 * A core that generates a key says UNAVAILABLE at once, again and again, for hours: to the breaker
 * it would look like one that cannot be reached, and keep decryptions from it. So these polls, of
 * which there are few, go past the breaker, and only what a living core alone can say is told to
 * it.
 */
static bool is_slow_poll(const struct job *j, const struct rpc_call *rpc)
{
	return op_kind_is_slow(j->op.key.kind) && rpc->path == j->kind->poll_path;
}

static enum err call(struct job *j, const struct rpc_call *rpc, rpc_done_fn *done)
{
	struct channel *c = j->worker->env.cores[shard(j)];
	struct rpc_call traced = *rpc;
	char text[TRACEPARENT_SIZE];

	if (trace_context_known(&j->stage.self)) {
		traceparent_text(text, &j->stage.self);
		traced.traceparent = text;
	}
	enum err e = is_slow_poll(j, rpc) || breaker_admits(&core_of(j)->breaker,
							    clock_mono_ms(j->worker->env.clock))
			     ? channel_call(c, &j->rpc, &traced, done, j)
			     : ERR_UNAVAILABLE;

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
		/* It may answer another request of this id, which ours never reached: a send says
		 * so. */
		if (e == ERR_MISMATCH && j->kind->id_may_be_taken && !j->sent) {
			j->kind->prepare(j);
			return;
		}
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
	core_answered(j, e == ERR_TIMEOUT || r->status == GRPC_UNAVAILABLE);
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

/* Both calls in one. What may be a result that only comes later is polled for. */
static void on_sync(void *ctx, const struct rpc_reply *r)
{
	struct job *j = ctx;
	bool later =
		(r->status == GRPC_UNAVAILABLE || r->status == GRPC_DEADLINE_EXCEEDED) && waited(j);

	if (r->status == GRPC_UNIMPLEMENTED) {
		LOG_INFO(j->worker->env.log, "A core has no synchronous calls, it is polled",
			 log_i("core", (int64_t)shard(j)));
		j->rpc_channel = NULL;
		core_of(j)->no_sync = true;
		work_retry_soon(j, ERR_UNAVAILABLE, "the core has no synchronous calls");
		return;
	}
	if (r->status != GRPC_OK && !later) {
		on_sent(ctx, r);
		return;
	}
	j->rpc_channel = NULL;
	core_answered(j, false);
	ciphertexts_drop(j);
	j->sent = true;
	if (later) {
		core_poll(j, j->proof);
		return;
	}
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_SENT,
		    metric_of_kind(j->op.key.kind));
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_GRPC_POLLED,
		    metric_of_kind(j->op.key.kind));
	answer_arrived(j, r->message);
}

void core_ask(struct job *j, const struct proof *proof)
{
	struct buf message CLEANUP(buf_free) = buf_make(GRPC_MESSAGE_MAX);

	check_proof(j, proof);
	bool before = j->kind->pack_before && !j->sent_before;
	enum err e = before ? j->kind->pack_before(j, &message) : j->kind->pack(j, &message);
	for (size_t i = 0; i < j->request.handles_n; i++)
		buf_free(&j->cts[i].body); /* the packed request has them */

	bool sync =
		j->worker->env.config->kms_core_sync && j->kind->sync_path && !core_of(j)->no_sync;
	const struct rpc_call rpc = {
		.path = sync ? j->kind->sync_path : j->kind->send_path,
		.message = buf_view(&message),
		.timeout_ms = deadline_ms(j, sync ? POLL_TIMEOUT_MS : SEND_TIMEOUT_MS),
		.reply_max = sync ? POLL_REPLY_MAX : SEND_REPLY_MAX,
	};
	j->polled_at_ms = clock_mono_ms(j->worker->env.clock);
	if (e == ERR_OK)
		e = call(j, &rpc, sync ? on_sync : on_sent);
	if (e != ERR_OK)
		work_retry(j, e, "the request to the core could not be sent");
}

/* ---- poll ---- */

static void on_polled(void *ctx, const struct rpc_reply *r)
{
	struct job *j = ctx;
	enum err e = status_err(r->status, true);

	j->rpc_channel = NULL;
	/* Unavailable after a while is a result that is not there yet. */
	bool unclear = op_kind_is_slow(j->op.key.kind) &&
		       (r->status == GRPC_UNAVAILABLE || r->status == GRPC_DEADLINE_EXCEEDED);
	if (!unclear)
		core_answered(j, (r->status == GRPC_UNAVAILABLE && !waited(j)) ||
					 (r->status == GRPC_DEADLINE_EXCEEDED &&
					  deadline_ms(j, POLL_TIMEOUT_MS) >= POLL_TIMEOUT_MS));
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
	else if (e == ERR_NOT_READY && waited(j) &&
		 ++j->polls < j->worker->env.config->grpc_request_retries)
		core_poll(j, j->proof);
	else if (e == ERR_NOT_READY && waited(j))
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
		.timeout_ms = deadline_ms(j, POLL_TIMEOUT_MS),
		.reply_max = POLL_REPLY_MAX,
	};
	j->polled_at_ms = clock_mono_ms(j->worker->env.clock);
	if (e == ERR_OK)
		e = call(j, &rpc, on_polled);
	if (e != ERR_OK)
		work_retry(j, e, "the core could not be asked for the result");
}

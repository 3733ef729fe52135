/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A job's life: from row to memory, its moves in the database, and the three ways it ends. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "connector/worker/internal.h"

enum {
	RETRY_CAP_MS = 60000,
	POLL_CAP_MS = 5000, /* of a result that takes long, where the core does not wait itself */
	SOON_MS = 100,
	ACL_CAP_MIN_MS = 250,
	ACL_CAP_MAX_MS = 30000,
	ANSWER_BYTES_MAX = 2 << 20,
	PROOF_BYTES_MAX = 1 << 20,
	MOVE_BYTES_MAX = 4 << 20,
	MOVE_RETRY_MS = 1000,
};

static int64_t wall_ms(const struct job *j)
{
	return clock_wall_ms(j->worker->env.clock);
}

/* ---- from row to memory ---- */

static enum err keep(struct arena *a, struct bytes *b)
{
	return arena_copy(a, b, *b);
}

static enum err copy_row(struct job *j, const struct operation *op)
{
	j->op = *op;
	TRY(keep(&j->arena, &j->op.content));
	TRY(keep(&j->arena, &j->op.materials));
	TRY(keep(&j->arena, &j->op.proof));
	TRY(keep(&j->arena, &j->op.reason));
	TRY(keep(&j->arena, &j->op.traceparent));
	j->op.answer = j->op.error = BYTES_NONE;
	return ERR_OK;
}

enum err work_new(struct job **ret_job, struct worker *w, const struct operation *op)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return ERR_NOMEM;
	j->worker = w;
	j->kind = &work_kinds[op->key.kind];
	j->shard = op->key.request_id;
	j->arena = arena_make(JOB_BYTES_MAX);
	j->proof_bytes = buf_make(PROOF_BYTES_MAX);
	j->answer_bytes = buf_make(ANSWER_BYTES_MAX);
	enum err e = copy_row(j, op);
	if (e != ERR_OK) {
		work_free(j);
		return e;
	}
	work_traced(j);
	*ret_job = j;
	return ERR_OK;
}

/* Nothing of this job is called any more, except what the caller starts next. */
static void cancel_work(struct job *j)
{
	scope_cancel(&j->calls);
	core_cancel(j);
	ciphertexts_drop(j);
}

void work_free(struct job *j)
{
	if (!j)
		return;
	cancel_work(j);
	work_trace_end(j);
	clock_timer_cancel(j->worker->env.clock, &j->deadline);
	clock_timer_cancel(j->worker->env.clock, &j->move_retry);
	buf_free(&j->proof_bytes);
	buf_free(&j->answer_bytes);
	arena_free(&j->arena);
	free(j);
}

/* ---- moves ---- */

static void submit_move(void *ctx);

static void on_moved(void *ctx, const struct store_result *r)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	if (r->err == ERR_OK) {
		bool further = j->change.to != j->op.state;

		if (further)
			j->op.deferrals = 0;
		j->op.state = j->change.to;
		if (further)
			work_stage_over(j);
		j->gives_id = false;
		j->moved(j);
		return;
	}
	if (r->err == ERR_STATE_MOVED && j->gives_id) {
		management_missed(j);
		return;
	}
	if (r->err == ERR_STATE_MOVED) {
		LOG_WARN(j->worker->env.log, "An operation was taken by somebody else",
			 log_i("id", j->op.id));
		worker_job_gone(j->worker, j, -1);
		return;
	}
	LOG_ERROR(j->worker->env.log, "An operation could not be stored, trying again",
		  log_i("id", j->op.id), log_e(r->err), log_s("detail", r->note.text));
	clock_timer_set(j->worker->env.clock, &j->move_retry, MOVE_RETRY_MS, submit_move, j);
}

static void submit_move(void *ctx)
{
	struct job *j = ctx;
	struct worker *w = j->worker;
	struct store_batch b = store_batch_make(MOVE_BYTES_MAX);
	struct ticket *t = scope_open(&j->calls, w->env.inflight, j, 0);
	enum err e =
		t ? op_add_move(&b, j->op.id, j->op.state, w->env.owner, &j->change, wall_ms(j))
		  : ERR_NOMEM;

	if (e == ERR_OK && j->gives_id)
		e = op_add_give_id(&b, &j->op);
	if (e == ERR_OK)
		e = store_submit(w->env.store, &b, on_moved, t);
	store_batch_free(&b);
	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	LOG_ERROR(w->env.log, "An operation could not be stored, trying again",
		  log_i("id", j->op.id), log_e(e));
	clock_timer_set(w->env.clock, &j->move_retry, MOVE_RETRY_MS, submit_move, j);
}

void work_move(struct job *j, void (*moved)(struct job *j))
{
	j->moved = moved;
	submit_move(j);
}

/* ---- giving the row back ---- */

static void moved_away(struct job *j)
{
	int64_t in_ms = op_state_terminal(j->change.to) ? -1 : j->change.due_ms - wall_ms(j);

	worker_job_gone(j->worker, j, in_ms < 0 && !op_state_terminal(j->change.to) ? 0 : in_ms);
}

PRINTF(2, 0)
static void set_reason(struct job *j, const char *fmt, va_list ap)
{
	(void)vsnprintf(j->reason, sizeof(j->reason), fmt, ap);
}

/* The job's work is over; only this last move remains, so the deadline has nothing left to guard.
 */
static void give_back(struct job *j, enum op_state to, enum err e, int64_t delay_ms)
{
	cancel_work(j);
	j->gives_id = false;
	clock_timer_cancel(j->worker->env.clock, &j->deadline);
	j->change.to = to;
	j->change.error = bytes_str(err_name(e));
	j->change.reason = bytes_str(j->reason);
	j->change.due_ms = delay_ms > 0 ? wall_ms(j) + delay_ms : 0;
	j->change.release = true;
	work_move(j, moved_away);
}

static const int end_cells[] = {
	[OP_DONE] = METRIC_END_DONE,       [OP_REFUSED] = METRIC_END_REFUSED,
	[OP_FAILED] = METRIC_END_FAILED,   [OP_ABORTED] = METRIC_END_ABORTED,
	[OP_EXPIRED] = METRIC_END_EXPIRED,
};

static void end_as(struct job *j, enum op_state to, enum err e)
{
	metrics_inc(j->worker->env.metrics, METRIC_OPERATIONS_ENDED, (unsigned)end_cells[to]);
	LOG_WARN(j->worker->env.log, "Operation ended without an answer", log_i("id", j->op.id),
		 log_u256("request_id", j->op.key.request_id), log_s("state", op_state_name(to)),
		 log_e(e), log_s("reason", j->reason));
	j->change = (struct op_change){0};
	give_back(j, to, e, 0);
}

void work_end(struct job *j, enum op_state to, enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_reason(j, fmt, ap);
	va_end(ap);
	end_as(j, to, e);
}

static void retry_in(struct job *j, enum err e, int64_t delay_ms)
{
	LOG_INFO(j->worker->env.log, "Operation put off", log_i("id", j->op.id),
		 log_u256("request_id", j->op.key.request_id),
		 log_s("state", op_state_name(j->op.state)), log_e(e), log_s("reason", j->reason),
		 log_i("attempts", j->op.attempts), log_i("retry_ms", delay_ms));
	give_back(j, j->op.state, e, delay_ms);
}

/*
 * Trouble that is nobody's fault (a network, a restart) only slows the back-off and ends by expiry;
 * failures of a source or of our own count towards the ceiling.
 */
void work_retry(struct job *j, enum err e, const char *fmt, ...)
{
	bool counts = err_class(e) != ERR_CLASS_TRANSIENT;
	bool polls = e == ERR_NOT_READY && j->op.state == OP_COMPUTING &&
		     op_kind_is_slow(j->op.key.kind);
	int64_t first_ms = j->worker->env.config->retry_interval_ms;
	int64_t cap_ms = polls ? POLL_CAP_MS : RETRY_CAP_MS;
	const struct retry_policy policy = {
		.first_ms = first_ms,
		.cap_ms = first_ms > cap_ms ? first_ms : cap_ms,
		.attempts_max = counts && !op_kind_is_slow(j->op.key.kind)
					? (int64_t)j->worker->env.config->max_decryption_attempts
					: 0,
	};
	int64_t delay_ms;
	va_list ap;

	va_start(ap, fmt);
	set_reason(j, fmt, ap);
	va_end(ap);
	if (!retry_after(&policy, e, counts ? j->op.attempts + 1 : j->op.deferrals + 1,
			 j->worker->env.rng, &delay_ms)) {
		end_as(j, err_class(e) == ERR_CLASS_REFUSED ? OP_REFUSED : OP_FAILED, e);
		return;
	}
	j->change = (struct op_change){.attempt_failed = counts, .deferred = !counts};
	retry_in(j, e, delay_ms);
}

void work_retry_soon(struct job *j, enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_reason(j, fmt, ap);
	va_end(ap);
	j->change = (struct op_change){0};
	retry_in(j, e, SOON_MS);
}

void work_denied(struct job *j, const char *fmt, ...)
{
	int64_t cap_ms = j->worker->env.config->acl_grace_ms / 4;
	struct retry_policy policy = {.first_ms = ACL_CAP_MIN_MS};
	int64_t delay_ms = ACL_CAP_MIN_MS;
	va_list ap;

	policy.cap_ms = cap_ms < ACL_CAP_MIN_MS   ? ACL_CAP_MIN_MS
			: cap_ms > ACL_CAP_MAX_MS ? ACL_CAP_MAX_MS
						  : cap_ms;
	va_start(ap, fmt);
	set_reason(j, fmt, ap);
	va_end(ap);
	(void)retry_after(&policy, ERR_NOT_READY, j->op.deferrals + 1, j->worker->env.rng,
			  &delay_ms);
	j->change = (struct op_change){
		.refused_since_ms = j->op.refused_since_ms > 0 ? 0 : wall_ms(j),
		.deferred = true,
	};
	retry_in(j, ERR_NOT_ALLOWED, delay_ms);
}

/* ---- the way through ---- */

/* A core that may take longer than usual has that time besides. */
static int64_t time_max_ms(const struct job *j)
{
	const struct connector_config *c = j->worker->env.config;

	return JOB_TIME_MAX_MS + (c->public_decryption_timeout_ms > c->user_decryption_timeout_ms
					  ? c->public_decryption_timeout_ms
					  : c->user_decryption_timeout_ms);
}

static void on_deadline(void *ctx)
{
	struct job *j = ctx;

	work_retry(j, ERR_TIMEOUT, "one pass took longer than %" PRId64 " s",
		   time_max_ms(j) / 1000);
}

enum err decryption_decode(struct job *j)
{
	size_t n = 0;

	TRY(decryption_request_decode(&j->arena, &j->request, j->op.key.kind, j->op.content));
	TRY(sns_materials_decode(&j->arena, &j->materials, &n, j->op.materials));
	if (n != 0 && n != j->request.handles_n)
		return ERR_CORRUPT;
	return ERR_OK;
}

void work_start(struct job *j)
{
	const struct connector_config *c = j->worker->env.config;
	enum err e = j->kind->decode(j);

	if (e != ERR_OK) {
		work_retry(j, e, "the stored request cannot be decoded");
		return;
	}
	int64_t expiry_ms = expiry_of_kind_ms(c, j->op.key.kind);
	if (wall_ms(j) - j->op.created_ms >= expiry_ms) {
		work_end(j, OP_EXPIRED, ERR_EXPIRED,
			 "not answered within %" PRId64 " s; last: %.*s", expiry_ms / 1000,
			 (int)j->op.reason.n,
			 j->op.reason.n > 0 ? (const char *)j->op.reason.p : "");
		return;
	}
	if (extra_data_parse(&j->extra, j->request.extra_data) != ERR_OK) {
		work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
			 "extra data is of no known form (%zu bytes, first 0x%02x)",
			 j->request.extra_data.n,
			 j->request.extra_data.n > 0 ? j->request.extra_data.p[0] : 0U);
		return;
	}
	clock_timer_set(j->worker->env.clock, &j->deadline, time_max_ms(j), on_deadline, j);

	/* A proof that does not read back is no proof: it is made again. */
	if (proof_decode(&j->arena, &j->proof, j->op.proof, j->op.key.content_digest,
			 j->request.handles_n) != ERR_OK ||
	    !proof_permitted(j->proof)) {
		j->kind->check(j);
	} else if (j->op.state == OP_COMPUTING && j->kind->poll_path &&
		   proof_complete(j->proof, &j->op.key.content_digest, j->request.handles_n)) {
		core_poll(j, j->proof);
	} else {
		j->kind->prepare(j);
	}
}

static enum err write_proof(struct job *j)
{
	buf_clear(&j->proof_bytes);
	return proof_encode(j->proof, &j->proof_bytes);
}

/* A move that keeps the lease, with the proof as it is now. */
static void advance(struct job *j, enum op_state to, void (*moved)(struct job *j))
{
	enum err e = write_proof(j);

	if (e != ERR_OK) {
		work_retry(j, e, "the proof cannot be stored");
		return;
	}
	j->change = (struct op_change){
		.to = to,
		.proof = buf_view(&j->proof_bytes),
		.error = bytes_from("", 0),
		.reason = bytes_from("", 0),
		.refusals_over = true,
	};
	work_move(j, moved);
}

static void prepare(struct job *j)
{
	j->kind->prepare(j);
}

void work_permitted(struct job *j)
{
	j->gives_id = op_kind_is_slow(j->op.key.kind);
	advance(j, j->op.state == OP_SEEN ? OP_READY : j->op.state, prepare);
}

static void ask(struct job *j)
{
	core_ask(j, j->proof);
}

void work_fetched(struct job *j)
{
	advance(j, OP_COMPUTING, ask);
}

static void moved_answered(struct job *j)
{
	struct worker *w = j->worker;
	double seconds = (double)(wall_ms(j) - j->op.created_ms) / 1000.0;

	bool gateway = j->op.key.chain.v == w->gateway.chain.v;

	if (!op_kind_is_slow(j->op.key.kind))
		metrics_observe(w->env.metrics, METRIC_WORKER_LATENCY,
				metric_of_kind(j->op.key.kind), seconds > 0 ? seconds : 0);
	if (store_notify(w->env.store, gateway ? OP_TOPIC_ANSWERED : OP_TOPIC_ANSWERED_ETHEREUM) !=
	    ERR_OK)
		LOG_WARN(w->env.log, "The sender could not be woken, it will look by itself");
	worker_job_gone(w, j, -1);
}

static void moved_done(struct job *j)
{
	struct worker *w = j->worker;

	metrics_inc(w->env.metrics, METRIC_OPERATIONS_ENDED, METRIC_END_DONE);
	LOG_INFO(w->env.log, "The core has done it", log_i("id", j->op.id),
		 log_s("kind", op_kind_name(j->op.key.kind)),
		 log_u256("request_id", j->op.key.request_id));
	worker_job_gone(w, j, -1);
}

void work_done(struct job *j)
{
	cancel_work(j);
	clock_timer_cancel(j->worker->env.clock, &j->deadline);
	j->change = (struct op_change){
		.to = OP_DONE,
		.error = bytes_from("", 0),
		.reason = bytes_from("", 0),
		.refusals_over = true,
	};
	work_move(j, moved_done);
}

void work_answered(struct job *j)
{
	cancel_work(j);
	clock_timer_cancel(j->worker->env.clock, &j->deadline);
	j->change = (struct op_change){
		.to = OP_ANSWERED,
		.answer = buf_view(&j->answer_bytes),
		.error = bytes_from("", 0),
		.reason = bytes_from("", 0),
		.refusals_over = true,
		.release = true,
	};
	work_move(j, moved_answered);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The sender's life: its jobs and their lists, claiming answers, giving them back. How it begins is
 * in begin.c, what happens to one answer in check.c, transmit.c and receipts.c.
 */
#include <stdlib.h>

#include "connector/sender/internal.h"

/* There may be room to claim more. */
static void claim_wanted(struct sender *s)
{
	if (s->claim_more && s->placed && !s->claiming)
		clock_timer_set(s->env.clock, &s->claim_timer, 0, sender_claim, s);
}

/* ---- jobs and their lists ---- */

static void list_insert_after(struct job_list *l, struct job *j, struct job *before)
{
	j->prev = before;
	j->next = before ? before->next : l->first;
	*(before ? &before->next : &l->first) = j;
	*(j->next ? &j->next->prev : &l->last) = j;
	l->n++;
}

static void list_remove(struct job_list *l, struct job *j)
{
	*(j->prev ? &j->prev->next : &l->first) = j->next;
	*(j->next ? &j->next->prev : &l->last) = j->prev;
	l->n--;
}

static struct job_list *list_of(struct job *j)
{
	return j->stage == STAGE_CHECK ? &j->s->checking : &j->s->open;
}

/* In no list yet. NULL when memory is out. */
static struct job *job_make(struct sender *s, enum stage stage)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->s = s;
	j->stage = stage;
	j->kind = OP_KIND_PUBLIC_DECRYPTION; /* what fills a gap is counted with these */
	j->account = s->account;
	j->data = buf_make(CALL_DATA_MAX);
	j->raw = buf_make(RAW_MAX);
	j->next_raw = buf_make(RAW_MAX);
	j->replace_ms = INT64_MAX;
	return j;
}

static void open_insert(struct job *j)
{
	struct job *before = j->s->open.last;

	while (before && before->nonce > j->nonce)
		before = before->prev;
	list_insert_after(&j->s->open, j, before);
}

struct job *job_new_open(struct sender *s, uint64_t nonce)
{
	struct job *j = job_make(s, STAGE_LIVE);

	if (!j)
		return NULL;
	j->nonce = nonce;
	open_insert(j);
	return j;
}

struct job *job_new(struct sender *s)
{
	struct job *j = job_make(s, STAGE_CHECK);

	if (!j)
		return NULL;
	list_insert_after(&s->checking, j, s->checking.last);
	s->early_n++;
	return j;
}

void job_to_open(struct job *j)
{
	CHECK(j->stage == STAGE_CHECK);
	list_remove(&j->s->checking, j);
	j->stage = STAGE_ALLOCATE;
	open_insert(j);
}

void job_enter(struct job *j, enum stage stage)
{
	CHECK(j->stage != STAGE_CHECK && stage > j->stage);
	if (j->stage < STAGE_LIVE && stage >= STAGE_LIVE)
		j->s->early_n--;
	j->stage = stage;
	claim_wanted(j->s);
}

void job_free(struct job *j)
{
	struct sender *s = j->s;

	scope_cancel(&j->calls);
	trace_end(s->env.tracer, &j->span, j->stage != STAGE_END,
		  &(struct trace_attribute){"response", op_kind_name(j->kind)}, 1);
	list_remove(list_of(j), j);
	if (j->stage < STAGE_LIVE)
		s->early_n--;
	job_sent(j);
	s->receipts_n -= j->receipts_out;
	buf_free(&j->data);
	buf_free(&j->raw);
	buf_free(&j->next_raw);
	free(j);
	claim_wanted(s);
}

/* ---- the store ---- */

enum err sender_submit(struct sender *s, struct scope *scope, void *owner, size_t index,
		       struct store_batch *b, enum err e, store_done_fn *done)
{
	struct ticket *t = NULL;

	if (e == ERR_OK) {
		t = scope_open(scope, s->env.inflight, owner, index);
		e = t ? store_submit(s->env.store, b, done, t) : ERR_NOMEM;
	}
	if (e != ERR_OK && t)
		(void)ticket_close(t, NULL);
	store_batch_free(b);
	return e;
}

/* ---- giving an operation back ---- */

int64_t job_due_ms(const struct job *j, enum err e)
{
	const struct retry_policy policy = {.first_ms = j->s->env.config->tx_retry_interval_ms,
					    .cap_ms = BACK_OFF_MAX_MS};
	int64_t delay_ms;

	if (!retry_after(&policy, e, j->deferrals + 1, j->s->env.rng, &delay_ms))
		delay_ms = policy.cap_ms;
	return sender_wall_ms(j->s) + delay_ms;
}

bool job_expired(const struct job *j)
{
	return sender_wall_ms(j->s) - j->created_ms > expiry_of_kind_ms(j->s->env.config, j->kind);
}

/* Nothing waits for the result: should it not reach the disk, the lease ends and the row is found
 * again. */
static void give_back(struct job *j, enum err e, bool attempt_failed, const char *reason,
		      int64_t due_ms)
{
	struct sender *s = j->s;
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	int64_t now_ms = sender_wall_ms(s);
	bool expired = job_expired(j);
	struct op_change change = {
		.to = expired ? OP_EXPIRED : OP_ANSWERED,
		.error = bytes_str(err_name(e)),
		.reason = bytes_str(reason),
		.due_ms = expired ? 0 : due_ms,
		.refused_since_ms = -1,
		.attempt_failed = attempt_failed,
		.deferred = true,
		.release = true,
	};

	if (j->op_id != 0) {
		LOG_WARN(s->env.log,
			 expired ? "Given up: the answer could not be sent in time"
				 : "The answer cannot be sent yet, trying again",
			 log_u256("request", j->request_id), log_e(e), log_s("detail", reason),
			 log_i("retry_ms", expired ? 0 : change.due_ms - now_ms));
		enum err err =
			op_add_move(&b, j->op_id, OP_ANSWERED, s->env.owner, &change, now_ms);
		if (err == ERR_OK)
			err = store_submit(s->env.store, &b, NULL, NULL);
		if (err != ERR_OK)
			LOG_ERROR(s->env.log, "An operation could not be given back", log_e(err),
				  log_u256("request", j->request_id));
		else if (expired)
			metrics_inc(s->env.metrics, METRIC_OPERATIONS_ENDED, METRIC_END_EXPIRED);
		/* The claim after this finds out when it is due. */
		s->claim_more = true;
	}
	store_batch_free(&b);
	job_free(j);
}

void job_defer(struct job *j, enum err e, bool attempt_failed, const char *reason)
{
	give_back(j, e, attempt_failed, reason, job_due_ms(j, e));
}

void job_defer_for(struct job *j, enum err e, bool attempt_failed, const char *reason,
		   int64_t pause_ms)
{
	give_back(j, e, attempt_failed, reason, sender_wall_ms(j->s) + pause_ms);
}

/* ---- claiming ---- */

static void claim_in(struct sender *s, int64_t delay_ms)
{
	clock_timer_set(s->env.clock, &s->claim_timer, delay_ms, sender_claim, s);
}

static bool is_known(const struct sender *s, int64_t op_id)
{
	for (const struct job *j = s->checking.first; j; j = j->next)
		if (j->op_id == op_id)
			return true;
	for (const struct job *j = s->open.first; j; j = j->next)
		if (j->op_id == op_id)
			return true;
	return false;
}

/* An answer that does not decode is our own broken row: it is said, and ends there. */
static void fail_corrupt(struct job *j)
{
	struct sender *s = j->s;
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	const struct op_change change = {
		.to = OP_FAILED,
		.error = bytes_str(err_name(ERR_CORRUPT)),
		.reason = BYTES_LIT("the stored answer cannot be read"),
		.refused_since_ms = -1,
	};
	enum err e =
		op_add_move(&b, j->op_id, OP_ANSWERED, s->env.owner, &change, sender_wall_ms(s));

	LOG_ERROR(s->env.log, "A stored answer cannot be read", log_u256("request", j->request_id));
	metrics_inc(s->env.metrics, METRIC_SENDER_RESPONSE_RECEIVED_ERRORS,
		    metric_of_kind(j->kind));
	if (e == ERR_OK)
		e = store_submit(s->env.store, &b, NULL, NULL);
	if (e == ERR_OK)
		metrics_inc(s->env.metrics, METRIC_OPERATIONS_ENDED, METRIC_END_FAILED);
	store_batch_free(&b);
	job_free(j);
}

static void take_row(struct sender *s, const struct operation *op, int64_t reverts)
{
	if (is_known(s, op->id))
		return; /* our own lease ended while we were at it */

	struct job *j = job_new(s);
	if (!j)
		return;
	j->op_id = op->id;
	j->kind = op->key.kind;
	j->request_id = op->key.request_id;
	j->deferrals = op->deferrals;
	j->created_ms = op->created_ms;
	j->reverts = reverts;
	(void)err_say(&j->last_reason, ERR_OK, "%.*s", (int)op->reason.n,
		      op->reason.n > 0 ? (const char *)op->reason.p : "");
	j->to = op->key.contract;
	const struct trace_context parent = traceparent_read(op->traceparent);
	trace_begin(s->env.tracer, &j->span, "forward_response", &parent);
	metrics_inc(s->env.metrics, METRIC_SENDER_RESPONSE_RECEIVED, metric_of_kind(j->kind));

	enum err e = answer_call(&j->data, j->kind, j->request_id, op->answer);
	if (e == ERR_OK)
		job_check(j);
	else if (e == ERR_NOMEM)
		job_defer(j, e, false, "out of memory");
	else
		fail_corrupt(j);
}

static int64_t reverts_of(const struct store_rows *rows, int64_t op_id)
{
	for (size_t i = 0; i < rows->rows_n; i++)
		if (store_cell(rows, i, 0)->i == op_id)
			return store_cell(rows, i, 1)->i;
	return 0;
}

static void on_claimed(void *ctx, const struct store_result *r)
{
	size_t limit;
	struct sender *s = ticket_close(ctx, &limit);

	if (!s)
		return;
	s->claiming = false;
	if (r->err != ERR_OK) {
		LOG_WARN(s->env.log, "Answers could not be claimed, trying again", log_e(r->err),
			 log_s("detail", r->note.text));
		claim_in(s, s->env.config->database_polling_timeout_ms);
		return;
	}
	const struct store_rows *rows = &r->rows[0];
	for (size_t i = 0; i < rows->rows_n; i++) {
		struct operation op;

		if (op_from_row(&op, store_cell(rows, i, 0), rows->columns_n) == ERR_OK)
			take_row(s, &op, reverts_of(&r->rows[1], op.id));
		else
			LOG_ERROR(s->env.log, "A row of the operation table cannot be read",
				  log_i("id", store_cell(rows, i, 0)->i));
	}
	if (rows->rows_n >= limit)
		s->claim_more = true;

	/* An early job that ends calls again; here only when none is left to do so. */
	const struct store_value *due = store_cell(&r->rows[2], 0, 0);
	int64_t wait_ms = s->env.config->database_polling_timeout_ms;
	if (due->type == STORE_INT && due->i - sender_wall_ms(s) < wait_ms)
		wait_ms = due->i - sender_wall_ms(s);
	if (s->claim_more && s->early_n == 0)
		wait_ms = 0;
	claim_in(s, wait_ms > 0 ? wait_ms : 0);
}

static enum err add_claim(const struct sender *s, struct store_batch *b, unsigned limit)
{
	int64_t now_ms = sender_wall_ms(s);

	TRY(op_add_claim_answered(b, s->chain, s->env.owner, now_ms, now_ms + LEASE_MS, limit));
	TRY(tx_add_reverts(b, s->env.owner));
	return op_add_next_answered(b, s->chain, now_ms);
}

void sender_claim(void *ctx)
{
	struct sender *s = ctx;
	uint64_t batch = s->env.config->responses_batch_size, limit = s->env.config->task_limit;
	uint64_t busy = s->open.n + s->checking.n;

	if (s->draining)
		return;
	if (!s->placed || s->claiming || s->raising) {
		s->claim_more = true;
		return;
	}
	if (s->early_n >= batch || busy >= limit) {
		s->claim_more = true;
		claim_in(s, s->env.config->database_polling_timeout_ms);
		return;
	}
	batch -= s->early_n;
	if (batch > limit - busy)
		batch = limit - busy;

	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	enum err e = sender_submit(s, &s->calls, s, (size_t)batch, &b,
				   add_claim(s, &b, (unsigned)batch), on_claimed);
	s->claiming = e == ERR_OK;
	s->claim_more = e != ERR_OK;
	if (e == ERR_OK)
		clock_timer_cancel(s->env.clock, &s->claim_timer);
	else
		claim_in(s, s->env.config->database_polling_timeout_ms);
}

/* ---- life ---- */

enum err sender_start(struct sender **ret_sender, const struct connector_env *env)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NOMEM;
	CHECK(env->signer);
	s->env = *env;
	s->env.chain = service_chain_of(env);
	s->chain = s->env.chain.id;
	s->account = env->signer->address;
	s->confirmations = s->env.chain.confirmations;
	store_on_notify(env->store, s->env.chain.answered, sender_claim, s);
	*ret_sender = s;
	sender_prepare(s);
	return ERR_OK;
}

void sender_reset(struct sender *s)
{
	s->placed = false; /* nothing arms a timer from here on */
	scope_cancel(&s->calls);
	while (s->checking.first)
		job_free(s->checking.first);
	while (s->open.first)
		job_free(s->open.first);
	clock_timer_cancel(s->env.clock, &s->begin_timer);
	clock_timer_cancel(s->env.clock, &s->claim_timer);
	clock_timer_cancel(s->env.clock, &s->pump_timer);
	clock_timer_cancel(s->env.clock, &s->raise_timer);
	clock_timer_cancel(s->env.clock, &s->receipts_timer);
	clock_timer_cancel(s->env.clock, &s->lease_timer);
	watch_stop(s);
	nonces_free(&s->nonces);
	s->leased = s->loaded = s->count_read = s->claiming = s->claim_more = false;
	s->fee_asked = s->head_asked = s->gap = s->raising = false;
	s->fewer_reads = s->far_reads = 0;
	s->ended_end = 0;
}

void sender_drain(struct sender *s)
{
	if (s)
		s->draining = true;
}

bool sender_idle(const struct sender *s)
{
	return !s || (s->early_n == 0 && !s->claiming);
}

void sender_stop(struct sender *s)
{
	if (!s)
		return;
	store_on_notify(s->env.store, s->env.chain.answered, NULL, NULL);
	lease_release(s);
	sender_reset(s);
	free(s);
}

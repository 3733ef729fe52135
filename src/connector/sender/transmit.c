/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * From a checked answer to bytes that may be broadcast: nonce stored, signed, bytes stored.
 * Each step begins when the one before is on disk.
 */
#include "connector/sender/internal.h"

/* ---- ends ---- */

static enum err add_operation_end(struct job *j, struct store_batch *b)
{
	static const struct {
		enum op_state to;
		enum err err;
		const char *reason;
	} rows[] = {
		[TX_MINED] = {OP_DONE, ERR_OK, ""},
		[TX_REVERTED] = {OP_ANSWERED, ERR_REMOTE, "the transaction was mined and reverted"},
		[TX_LOST] = {OP_ANSWERED, ERR_STATE_MOVED,
			     "another transaction of this account used the nonce"},
		[TX_FREE] = {OP_ANSWERED, ERR_UNAVAILABLE, "the transaction could not be signed"},
	};
	bool done = rows[j->end].to == OP_DONE;
	const struct op_change change = {
		.to = rows[j->end].to,
		.error = done ? BYTES_LIT("") : bytes_str(err_name(rows[j->end].err)),
		.reason = bytes_str(rows[j->end].reason),
		.due_ms = done ? 0 : job_due_ms(j, ERR_TRANSIENT),
		.refused_since_ms = -1,
		.attempt_failed = j->end == TX_REVERTED,
		.release = true,
	};

	return op_add_move(b, j->op_id, OP_SENDING, j->s->env.owner, &change, sender_wall_ms(j->s));
}

static void count_end(const struct job *j)
{
	struct connector_metrics *m = j->s->env.metrics;
	int64_t age_ms = sender_wall_ms(j->s) - j->created_ms;

	if (j->end == TX_REVERTED)
		metrics_inc(m, METRIC_SENDER_GATEWAY_TX_ERRORS, metric_of_kind(j->kind));
	if (j->end != TX_MINED || j->op_id == 0)
		return;
	metrics_inc(m, METRIC_SENDER_GATEWAY_TX_SENT, metric_of_kind(j->kind));
	metrics_observe(m, METRIC_SENDER_LATENCY, metric_of_kind(j->kind),
			(double)(age_ms > 0 ? age_ms : 0) / 1000);
	metrics_inc(m, METRIC_OPERATIONS_ENDED, METRIC_END_DONE);
}

static void end_failed(struct job *j, enum err e, const char *note)
{
	LOG_ERROR(j->s->env.log, "The end of a transaction could not be stored, trying again",
		  log_e(e), log_s("detail", note), log_i("nonce", (int64_t)j->nonce));
	j->due_ms = sender_mono_ms(j->s) + FEE_FRESH_MS;
	j->storing = false;
	j->unsure = true; /* or it was: the commit may have happened */
	sender_pump(j->s);
}

static void on_ended(void *ctx, const struct store_result *r)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	struct sender *s = j->s;
	if (r->err == ERR_STATE_MOVED)
		lease_doubt(s);
	if (r->err == ERR_STATE_MOVED && j->op_id != 0) {
		/* Whoever moved the operation has the last word on it; the nonce is still ours. */
		j->op_id = 0;
		job_store_end(j);
		return;
	}
	if (r->err != ERR_OK && r->err != ERR_STATE_MOVED) {
		end_failed(j, r->err, r->note.text);
		return;
	}
	count_end(j);
	watch_ended(j);
	if (j->end == TX_FREE && (r->err == ERR_OK || j->unsure))
		nonces_give_back(&s->nonces, j->nonce);
	else if (j->end == TX_FREE)
		nonces_spend(&s->nonces); /* not as we left it: not to be used again */
	if (j->end != TX_MINED)
		s->claim_more = true; /* its operation waits again */
	job_free(j);
	sender_pump(s);
}

void job_store_end(struct job *j)
{
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	enum err e = lease_add_check(&b, j->s);

	if (e == ERR_OK)
		e = tx_add_end(&b, j, sender_wall_ms(j->s));
	if (e == ERR_OK && j->op_id != 0)
		e = add_operation_end(j, &b);
	else if (e == ERR_OK && (j->end == TX_REVERTED || j->end == TX_LOST))
		e = tx_add_undone(&b, j, sender_wall_ms(j->s));
	j->storing = true;
	e = sender_submit(j->s, &j->calls, j, 0, &b, e, on_ended);
	if (e != ERR_OK)
		end_failed(j, e, "");
}

void job_end(struct job *j, enum tx_end end, struct block_number block, struct hash32 mined)
{
	scope_cancel(&j->calls);
	job_sent(j);
	j->s->receipts_n -= j->receipts_out;
	j->receipts_out = 0;
	j->end = end;
	j->block = block;
	j->mined = mined;
	job_enter(j, STAGE_END);
	job_store_end(j);
}

/* ---- signing ---- */

static struct tx tx_of(const struct job *j)
{
	return (struct tx){
		.chain_id = j->s->chain,
		.nonce = j->nonce,
		.priority_fee_max = j->priority,
		.fee_max = j->fee_max,
		.gas = j->gas,
		.to = j->to,
		.data = buf_view(&j->data),
	};
}

static void sign_failed(struct job *j, enum err e)
{
	LOG_ERROR(j->s->env.log, "A transaction could not be signed, trying again", log_e(e),
		  log_s("detail", j->s->env.signer->note.text), log_u256("request", j->request_id));
	job_end(j, TX_FREE, (struct block_number){0}, j->hash);
}

static void on_stored(void *ctx, const struct store_result *r)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	if (r->err == ERR_STATE_MOVED)
		lease_doubt(j->s);
	if (r->err != ERR_OK) {
		sign_failed(j, r->err);
		return;
	}
	buf_free(&j->data);
	nonces_spend(&j->s->nonces); /* from here on anybody may have it */
	job_enter(j, STAGE_LIVE);
	sender_pump(j->s);
}

static void on_signed(void *ctx, enum err err, const struct signature65 *sig)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	const struct tx tx = tx_of(j);
	enum err e = err;

	if (e == ERR_OK)
		e = tx_serialize(&j->raw, &j->hash, &tx, sig);
	if (e == ERR_OK)
		e = lease_add_check(&b, j->s);
	if (e == ERR_OK)
		e = tx_add_signed(&b, j, sender_wall_ms(j->s));
	job_enter(j, STAGE_STORE);
	e = sender_submit(j->s, &j->calls, j, 0, &b, e, on_stored);
	if (e != ERR_OK)
		sign_failed(j, e);
}

static void sign(struct job *j)
{
	const struct tx tx = tx_of(j);
	struct ticket *t = scope_open(&j->calls, j->s->env.inflight, j, 0);
	struct hash32 digest;
	enum err e = t ? tx_signing_hash(&digest, &tx) : ERR_NOMEM;

	job_enter(j, STAGE_SIGN);
	if (e == ERR_OK)
		e = signer_sign(j->s->env.signer, digest, on_signed, t);
	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	sign_failed(j, e);
}

/* ---- the nonce ---- */

static void on_allocated(void *ctx, const struct store_result *r)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	struct sender *s = j->s;
	if (r->err == ERR_OK) {
		sign(j);
		return;
	}
	LOG_WARN(s->env.log, "A nonce could not be stored", log_e(r->err),
		 log_s("detail", r->note.text), log_u256("request", j->request_id));
	if (r->err != ERR_STATE_MOVED) { /* or it was: the commit may have happened */
		j->unsure = true;
		job_end(j, TX_FREE, (struct block_number){0}, (struct hash32){{0}});
		return;
	}
	/* Nothing was stored. Somebody else has the operation, or the lease ends and we find it
	 * again. */
	lease_doubt(s);
	nonces_give_back(&s->nonces, j->nonce);
	job_free(j);
	sender_pump(s);
}

static enum err add_allocation(struct job *j, struct store_batch *b)
{
	const struct op_change change = {
		.to = OP_SENDING,
		.error = BYTES_LIT(""),
		.reason = BYTES_LIT(""),
		.refused_since_ms = -1,
	};
	int64_t now_ms = sender_wall_ms(j->s);

	TRY(lease_add_check(b, j->s));
	TRY(tx_add_allocate(b, j, now_ms));
	if (j->op_id == 0)
		return ERR_OK;
	return op_add_move(b, j->op_id, OP_ANSWERED, j->s->env.owner, &change, now_ms);
}

/* A far nonce that is reached at last has its transaction. */
static enum err take_nonce(struct sender *s, uint64_t *ret_nonce)
{
	const struct job *j = s->open.first;

	TRY(nonces_take(&s->nonces, ret_nonce));
	while (j && (!j->far || j->nonce != *ret_nonce))
		j = j->next;
	if (!j)
		return ERR_OK;
	nonces_spend(&s->nonces);
	return take_nonce(s, ret_nonce);
}

void job_allocate(struct job *j)
{
	struct sender *s = j->s;
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);

	if (gap_is_gone(j)) {
		job_free(j);
		return;
	}
	if (s->raising) {
		job_defer(j, ERR_TRANSIENT, false, "the chain is asked which nonces are used");
		return;
	}
	enum err e = take_nonce(s, &j->nonce);
	if (e != ERR_OK) {
		job_defer(j, e, false, "out of memory");
		return;
	}
	j->fee_max = s->fee_max;
	j->priority = s->priority;
	job_to_open(j);
	e = sender_submit(s, &j->calls, j, 0, &b, add_allocation(j, &b), on_allocated);
	if (e == ERR_OK)
		return;
	LOG_WARN(s->env.log, "A nonce could not be stored", log_e(e),
		 log_u256("request", j->request_id));
	nonces_give_back(&s->nonces, j->nonce);
	job_free(j);
}

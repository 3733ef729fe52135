/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Before a nonce is used: would the gateway take the answer, for how much gas, at what price? Also
 * the transaction that fills a gap, which answers nothing.
 */
#include "connector/sender/internal.h"

/* ---- how the check ends ---- */

static void finish(struct job *j, enum op_state to, enum err e, const char *reason)
{
	struct sender *s = j->s;
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	const struct op_change change = {
		.to = to,
		.error = e == ERR_ALREADY_DONE ? BYTES_LIT("") : bytes_str(err_name(e)),
		.reason = bytes_str(reason),
		.refused_since_ms = -1,
	};
	enum err err =
		op_add_move(&b, j->op_id, OP_ANSWERED, s->env.owner, &change, sender_wall_ms(s));

	if (err == ERR_OK)
		err = store_submit(s->env.store, &b, NULL, NULL);
	store_batch_free(&b);
	if (err == ERR_OK)
		metrics_inc(s->env.metrics, METRIC_OPERATIONS_ENDED,
			    to == OP_DONE ? METRIC_END_DONE : METRIC_END_FAILED);
	if (to == OP_DONE)
		LOG_INFO(s->env.log, "The gateway has this answer already",
			 log_u256("request", j->request_id));
	else
		LOG_ERROR(s->env.log, "The gateway will never take this answer",
			  log_u256("request", j->request_id), log_s("reason", reason));
	if (to != OP_DONE)
		metrics_inc(s->env.metrics, METRIC_SENDER_GATEWAY_TX_ERRORS,
			    metric_of_kind(j->kind));
	job_free(j);
}

static void on_revert(struct job *j, const struct provider_error *e)
{
	struct err_note reason = {0};
	const char *name;
	enum err class = decryption_classify_revert(&name, e->revert_data);

	if (class == ERR_ALREADY_DONE) {
		finish(j, OP_DONE, class, "already answered");
		return;
	}
	class = err_say(&reason, class, "the gateway reverts the answer: %s", name);
	if (err_class(class) == ERR_CLASS_REFUSED)
		finish(j, OP_FAILED, class, reason.text);
	else
		job_defer(j, class, true, reason.text);
}

/* ---- fees ---- */

static bool fees_fresh(const struct sender *s)
{
	return s->fee_known && sender_mono_ms(s) - s->fee_ms <= FEE_FRESH_MS;
}

static void on_fees(void *ctx, const struct provider_error *e, const struct fee_history *fee)
{
	struct sender *s = ticket_close(ctx, NULL);
	struct u256 twice;

	if (!s)
		return;
	s->fee_asked = false;
	s->fee_known = e->err == ERR_OK;
	if (s->fee_known) {
		(void)u256_add(&twice, fee->base_fee_next.v, fee->base_fee_next.v);
		(void)u256_add(&s->fee_max.v, twice, fee->priority.v);
		s->priority = fee->priority;
		s->fee_ms = sender_mono_ms(s);
	}
	/* Those that still wait for their estimate find the fees, or ask again. */
	for (struct job *j = s->checking.first, *next; j; j = next) {
		next = j->next;
		if (j->estimated && s->fee_known)
			job_allocate(j);
		else if (j->estimated)
			job_defer(j, e->err, false, e->note.text);
	}
}

/* On an error nobody is told: the caller looks at fee_asked. */
static void ask_fees(struct sender *s)
{
	struct ticket *t;

	if (s->fee_asked || fees_fresh(s))
		return;
	t = scope_open(&s->calls, s->env.inflight, s, 0);
	s->fee_asked = t && provider_fee_history(s->env.gateway, on_fees, t) == ERR_OK;
	if (t && !s->fee_asked)
		(void)ticket_close(t, NULL);
}

/* ---- gas ---- */

static void on_gas(void *ctx, const struct provider_error *e, uint64_t gas)
{
	struct job *j = ticket_close(ctx, NULL);
	uint64_t percent;

	if (!j)
		return;
	if (e->err == ERR_REMOTE && e->revert_data.n > 0) {
		on_revert(j, e);
		return;
	}
	percent = j->s->env.config->gas_multiplier_percent;
	if (e->err != ERR_OK || gas > INT64_MAX / percent) {
		job_defer(j, e->err != ERR_OK ? e->err : ERR_MALFORMED, false,
			  e->err != ERR_OK ? e->note.text : "eth_estimateGas: absurd");
		return;
	}
	if (j->reverts >= REVERTS_MAX) {
		finish(j, OP_FAILED, ERR_REMOTE,
		       "every transaction with this answer was reverted, although the estimate "
		       "said it would not be");
		return;
	}
	j->gas = gas * percent / 100;
	j->estimated = true;
	ask_fees(j->s);
	if (fees_fresh(j->s))
		job_allocate(j);
	else if (!j->s->fee_asked)
		job_defer(j, ERR_BUSY, false, "eth_feeHistory: too much is waiting");
}

void job_check(struct job *j)
{
	struct sender *s = j->s;
	const struct call_msg msg = {.from = s->account, .to = j->to, .data = buf_view(&j->data)};
	struct ticket *t = scope_open(&j->calls, s->env.inflight, j, 0);
	enum err e = t ? provider_estimate_gas(s->env.gateway, &msg, on_gas, t) : ERR_NOMEM;

	if (e == ERR_OK) {
		ask_fees(s);
		return;
	}
	if (t)
		(void)ticket_close(t, NULL);
	job_defer(j, e, false, "eth_estimateGas");
}

/* ---- gaps ---- */

static const struct job *last_own(const struct sender *s)
{
	const struct job *j = s->open.last;

	while (j && j->foreign)
		j = j->prev;
	return j;
}

static bool has_gap(const struct sender *s)
{
	const struct job *last = last_own(s);
	uint64_t lowest;

	return last && nonces_lowest_free(&s->nonces, &lowest) && lowest < last->nonce;
}

/*
 * The chain takes nothing after a nonce that is missing. The next answer fills the gap; when none
 * comes, a transfer of nothing to ourselves does.
 */
void gap_check(struct sender *s)
{
	int64_t now_ms = sender_mono_ms(s);
	struct job *j;

	if (!has_gap(s)) {
		s->gap = false;
		return;
	}
	if (!s->gap)
		s->gap_since_ms = now_ms;
	s->gap = true;
	if (now_ms - s->gap_since_ms < GAP_FILL_MS)
		return;
	s->gap_since_ms = now_ms;
	j = job_new(s);
	if (!j)
		return;
	LOG_WARN(s->env.log, "Filling a gap in our nonces with an empty transaction");
	j->to = s->account;
	j->fills_gap = true;
	job_check(j);
}

bool gap_is_gone(const struct job *j)
{
	return j->fills_gap && !has_gap(j->s);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Before a nonce is used: would the gateway take the answer, for how much gas, at what price? Also
 * the transaction that fills a gap, which answers nothing.
 */
#include <inttypes.h>

#include "base/limits.h"
#include "connector/adapters/views.h"
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

/*
 * One node that lags or lies must not end an answer: what would end it is read again by another
 * attempt, some time later, and has to be the same. The first reading is the reason stored with the
 * operation, so it counts over a restart.
 */
static void ends(struct job *j, enum err class, const char *reason)
{
	bool done = class == ERR_ALREADY_DONE;

	if (strcmp(j->last_reason.text, reason) == 0 || job_expired(j))
		finish(j, done ? OP_DONE : OP_FAILED, class, reason);
	else
		job_defer_for(j, class, !done, reason, END_AGAIN_MS);
}

_Static_assert((int)REVERT_OTHER == (int)METRIC_REVERT_OTHER, "one cell for each cause");

/* Every answer says it, until somebody has registered the node. */
static void say_unknown(struct sender *s, const char *name, const char *hint)
{
	int64_t now_ms = sender_mono_ms(s);

	s->unknown_n++;
	if (s->unknown_said_ms != 0 && now_ms - s->unknown_said_ms < UNKNOWN_SAY_MS)
		return;
	LOG_ERROR(s->env.log, "The contracts do not know this node", log_s("revert", name),
		  log_s("detail", hint), log_hex("account", BYTES_OF(s->account.b)),
		  log_i("reverts", s->unknown_n));
	s->unknown_said_ms = now_ms;
	s->unknown_n = 0;
}

static void on_revert(struct job *j, const struct provider_error *e)
{
	struct err_note reason = {0};
	const char *name, *hint;
	enum err class = answer_classify_revert(&name, j->kind, e->revert_data);
	enum revert_cause cause = answer_revert_cause(&hint, name);
	bool done = class == ERR_ALREADY_DONE;

	metrics_inc(j->s->env.metrics, METRIC_SENDER_REVERTS, (unsigned)cause);
	if (cause == REVERT_REGISTRATION)
		say_unknown(j->s, name, hint);

	if (done)
		class = err_say(&reason, class, "already answered: %s", name);
	else
		class = err_say(&reason, class, "the gateway reverts the answer: %s%s%s", name,
				hint[0] ? ": " : "", hint);
	if (!done && err_class(class) != ERR_CLASS_REFUSED)
		job_defer(j, class, true, reason.text);
	else
		ends(j, class, reason.text);
}

/* ---- fees ---- */

bool fees_fresh(const struct sender *s)
{
	return s->fee_known && sender_mono_ms(s) - s->fee_ms <= FEE_FRESH_MS;
}

/*
 * A transaction whose fee the account cannot pay, or whose gas no block has, is never mined, and
 * nothing after its nonce is: what only a false reply explains is not signed.
 */
static enum err fee_check(const struct sender *s, const struct fee_history *fee,
			  struct wei *ret_max, struct err_note *note)
{
	uint64_t cap_gwei = s->env.config->max_fee_per_gas_gwei;
	const struct u256 cap = u256_from_u64(cap_gwei * WEI_PER_GWEI);
	char said[U256_DEC_SIZE] = "over 2^256";
	struct u256 twice, max;
	bool over = u256_add(&twice, fee->base_fee_next.v, fee->base_fee_next.v);

	over |= u256_add(&max, twice, fee->priority.v);
	if (!over && u256_cmp(max, cap) <= 0) {
		ret_max->v = max;
		return ERR_OK;
	}
	if (!over)
		u256_to_dec(said, max);
	return err_say(note, ERR_TRANSIENT,
		       "eth_feeHistory: %s wei per gas, the limit max_fee_per_gas_gwei is %" PRIu64
		       " gwei",
		       said, cap_gwei);
}

/* A limit of the operator's: what would run out of gas for certain is not signed. */
static enum err gas_fixed(uint64_t gas, uint64_t limit, uint64_t *ret_gas, struct err_note *note)
{
	if (gas > limit)
		return err_say(note, ERR_TRANSIENT,
			       "gas_limit: %" PRIu64 " for an answer that needs %" PRIu64, limit,
			       gas);
	*ret_gas = limit;
	return ERR_OK;
}

static enum err gas_check(uint64_t gas, uint64_t percent, uint64_t *ret_gas, struct err_note *note)
{
	if (gas > UINT64_MAX / percent)
		return err_say(note, ERR_TRANSIENT, "eth_estimateGas: absurd, %" PRIu64, gas);
	if (gas * percent / 100 > TX_GAS_MAX)
		return err_say(note, ERR_TRANSIENT,
			       "eth_estimateGas: %" PRIu64 " gas for an answer, the limit is %d",
			       gas * percent / 100, (int)TX_GAS_MAX);
	*ret_gas = gas * percent / 100;
	return ERR_OK;
}

static void on_fees(void *ctx, const struct provider_error *e, const struct fee_history *fee)
{
	struct sender *s = ticket_close(ctx, NULL);
	struct err_note note = e->note;
	enum err err = e->err;

	if (!s)
		return;
	if (err == ERR_OK) {
		err = fee_check(s, fee, &s->fee_max, &note);
		if (err != ERR_OK)
			LOG_ERROR(s->env.log, "The gateway's fees are too high, nothing is signed",
				  log_s("detail", note.text));
	}
	s->fee_asked = false;
	s->fee_known = err == ERR_OK;
	if (s->fee_known) {
		s->priority = fee->priority;
		s->base_fee = fee->base_fee_next;
		s->fee_ms = sender_mono_ms(s);
	}
	/* Those that still wait for their estimate find the fees, or ask again. */
	for (struct job *j = s->checking.first, *next; j; j = next) {
		next = j->next;
		if (j->estimated && s->fee_known)
			job_allocate(j);
		else if (j->estimated)
			job_defer(j, err, false, note.text);
	}
	if (!s->fee_known)
		replace_fees_failed(s);
	sender_pump(s);
}

void fees_ask(struct sender *s)
{
	struct ticket *t;

	if (s->fee_asked || fees_fresh(s))
		return;
	t = scope_open(&s->calls, s->env.inflight, s, 0);
	s->fee_asked = t && provider_fee_history(s->env.chain.provider, on_fees, t) == ERR_OK;
	if (t && !s->fee_asked)
		(void)ticket_close(t, NULL);
}

/* ---- gas ---- */

/*
 * A node finds an estimate by running the call again and again; to run it once with as much gas as
 * another of its form needed says the same, that it would be taken. Whatever comes but success is
 * the estimate's to tell. It is short-lived: on a rollup the estimate holds the price of the chain
 * below, which a call does not show.
 */
static void gas_learn(const struct job *j, uint64_t gas)
{
	struct gas_known *k = &j->s->gas_known[j->kind];
	int64_t now_ms = sender_mono_ms(j->s);
	bool same = k->data_n == j->data.n && now_ms < k->until_ms;

	if (j->fills_gap)
		return;

	if (same && j->called && k->gas >= gas) { /* a call tells nothing here */
		*k = (struct gas_known){0};
		return;
	}
	if (same && k->gas > gas)
		gas = k->gas;
	*k = (struct gas_known){.gas = gas, .data_n = j->data.n, .until_ms = now_ms + GAS_KNOWN_MS};
}

/* `gas` is what the answer needs at most; `said`: by an estimate of its own. */
static void gas_found(struct job *j, uint64_t gas, bool said)
{
	const struct connector_config *c = j->s->env.config;
	struct err_note note = {0};
	enum err err;

	if (c->gas_limit_given && !j->fills_gap)
		err = gas_fixed(gas, c->gas_limit, &j->gas, &note);
	else
		err = gas_check(gas, c->gas_multiplier_percent, &j->gas, &note);
	if (err != ERR_OK) {
		LOG_ERROR(j->s->env.log, "The gateway's estimate is too high, nothing is signed",
			  log_s("detail", note.text), log_u256("request", j->request_id));
		job_defer(j, err, false, note.text);
		return;
	}
	if (j->reverts >= REVERTS_MAX) {
		finish(j, OP_FAILED, ERR_REMOTE,
		       "every transaction with this answer was reverted, although the estimate "
		       "said it would not be");
		return;
	}
	if (said)
		gas_learn(j, gas);
	j->estimated = true;
	fees_ask(j->s);
	if (fees_fresh(j->s))
		job_allocate(j);
	else if (!j->s->fee_asked)
		job_defer(j, ERR_BUSY, false, "eth_feeHistory: too much is waiting");
}

static void on_gas(void *ctx, const struct provider_error *e, uint64_t gas)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	if (e->err == ERR_REMOTE && e->revert_data.n > 0) {
		on_revert(j, e);
		return;
	}
	if (e->err != ERR_OK) {
		job_defer(j, e->err, false, e->note.text);
		return;
	}
	gas_found(j, gas, true);
}

static void estimate(struct job *j)
{
	struct sender *s = j->s;
	const struct call_msg msg = {.from = s->account, .to = j->to, .data = buf_view(&j->data)};
	struct ticket *t = scope_open(&j->calls, s->env.inflight, j, 0);
	enum err e = t ? provider_estimate_gas(s->env.chain.provider, &msg, on_gas, t) : ERR_NOMEM;

	if (e == ERR_OK) {
		fees_ask(s);
		return;
	}
	if (t)
		(void)ticket_close(t, NULL);
	job_defer(j, e, false, "eth_estimateGas");
}

/* ---- once more of the same ---- */

static void on_would_pass(void *ctx, const struct provider_error *e, struct bytes data)
{
	size_t gas;
	struct job *j = ticket_close(ctx, &gas);

	(void)data;
	if (!j)
		return;
	if (e->err == ERR_OK)
		gas_found(j, gas, false);
	else
		estimate(j);
}

static void gas_ask(struct job *j)
{
	struct sender *s = j->s;
	const struct gas_known *k = &s->gas_known[j->kind];
	struct call_msg msg = {
		.from = s->account, .to = j->to, .data = buf_view(&j->data), .gas = k->gas};
	struct ticket *t;

	if (j->fills_gap || j->reverts > 0 || k->data_n != j->data.n ||
	    sender_mono_ms(s) >= k->until_ms) {
		estimate(j);
		return;
	}
	t = scope_open(&j->calls, s->env.inflight, j, (size_t)k->gas);
	if (t &&
	    provider_call(s->env.chain.provider, &msg, (struct block_tag){.kind = BLOCK_LATEST},
			  on_would_pass, t) == ERR_OK) {
		j->called = true;
		fees_ask(s);
		return;
	}
	if (t)
		(void)ticket_close(t, NULL);
	estimate(j);
}

/* ---- is it still wanted? ---- */

/* No reply, or one of a gateway without this view: then it is. */
static void on_is_done(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct job *j = ticket_close(ctx, NULL);
	bool done = false;

	if (!j)
		return;
	if (e->err == ERR_OK && view_bool_result(&done, data) == ERR_OK && done)
		ends(j, ERR_ALREADY_DONE, "the gateway has enough answers without this one");
	else
		gas_ask(j);
}

static bool ask_is_done(struct job *j)
{
	CLEANUP(buf_free) struct buf data = buf_make(64);
	struct sender *s = j->s;
	struct ticket *t;
	enum err e;

	if (!s->env.config->skip_answered_public_decryptions ||
	    j->kind != OP_KIND_PUBLIC_DECRYPTION || j->fills_gap ||
	    decryption_is_done_call(&data, j->request_id) != ERR_OK)
		return false;
	const struct call_msg msg = {.from = s->account, .to = j->to, .data = buf_view(&data)};
	t = scope_open(&j->calls, s->env.inflight, j, 0);
	e = t ? provider_call(s->env.chain.provider, &msg, (struct block_tag){.kind = BLOCK_LATEST},
			      on_is_done, t)
	      : ERR_NOMEM;
	if (t && e != ERR_OK)
		(void)ticket_close(t, NULL);
	return e == ERR_OK;
}

void job_check(struct job *j)
{
	if (!ask_is_done(j))
		gas_ask(j);
}

/* ---- gaps ---- */

static const struct job *last_own(const struct sender *s)
{
	const struct job *j = s->open.last;

	while (j && (j->foreign || j->far))
		j = j->prev;
	return j;
}

static size_t gaps(const struct sender *s)
{
	const struct job *last = last_own(s);

	return last ? nonces_free_below(&s->nonces, last->nonce) : 0;
}

/*
 * The chain takes nothing after a nonce that is missing. The next answer fills the gap; when none
 * comes, a transfer of nothing to ourselves does.
 */
static void gap_fill(struct sender *s)
{
	struct job *j = job_new(s);

	if (!j)
		return;
	LOG_WARN(s->env.log, "Filling a gap in our nonces with an empty transaction");
	j->to = s->account;
	j->fills_gap = true;
	job_check(j);
}

void gap_check(struct sender *s)
{
	int64_t now_ms = sender_mono_ms(s);

	if (gaps(s) == 0) {
		s->gap = false;
		return;
	}
	if (!s->gap)
		s->gap_since_ms = now_ms;
	s->gap = true;
	if (now_ms - s->gap_since_ms < GAP_FILL_MS)
		return;
	s->gap_since_ms = now_ms;
	for (size_t i = 0, n = gaps(s); i < n && i < FILL_AT_ONCE; i++)
		gap_fill(s);
}

bool gap_is_gone(const struct job *j)
{
	return j->fills_gap && gaps(j->s) == 0;
}

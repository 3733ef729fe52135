/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What is on disk goes out: in the order of nonces, by one of two methods, again and again until it
 * is in a block; and what nodes reply.
 */
#include "connector/sender/internal.h"

/* ---- broadcasting ---- */

/* For people who read the table: after a start `signed`, `broadcast` and `included` are the same.
 */
static bool mark(struct job *j)
{
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	enum err e = tx_add_mark(&b, j, sender_wall_ms(j->s));

	if (e == ERR_OK)
		e = store_submit(j->s->env.store, &b, NULL, NULL);
	store_batch_free(&b);
	return e == ERR_OK;
}

void job_included(struct job *j, struct block_number block)
{
	if (j->included && j->block.v == block.v)
		return;
	j->included = true;
	j->block = block;
	(void)mark(j);
}

void job_gone(struct job *j)
{
	LOG_WARN(j->s->env.log, "A transaction of ours is in no block any more, it is sent again",
		 log_u256("request", j->request_id), log_i("nonce", (int64_t)j->nonce),
		 log_i("block", (int64_t)j->block.v), log_hex("tx", BYTES_OF(j->hash.b)));
	j->included = j->accepted = j->used = false;
	j->gone_reads = 0;
	j->failures = 0;
	j->due_ms = sender_mono_ms(j->s);
	(void)mark(j);
	sender_pump(j->s);
}

static void retry_broadcast(struct job *j, enum err e)
{
	const struct retry_policy policy = {
		.first_ms = j->s->env.config->tx_retry_interval_ms < BROADCAST_RETRY_MAX_MS
				    ? j->s->env.config->tx_retry_interval_ms
				    : BROADCAST_RETRY_MAX_MS,
		.cap_ms = BROADCAST_RETRY_MAX_MS,
	};
	int64_t delay_ms;

	j->failures++;
	if (!retry_after(&policy, e, j->failures, j->s->env.rng, &delay_ms))
		delay_ms = policy.cap_ms;
	j->due_ms = sender_mono_ms(j->s) + delay_ms;
}

static void accepted(struct job *j)
{
	if (!j->accepted && j->op_id != 0)
		LOG_INFO(j->s->env.log, "Sent an answer", log_u256("request", j->request_id),
			 log_i("nonce", (int64_t)j->nonce), log_hex("tx", BYTES_OF(j->hash.b)));
	j->accepted = true;
	j->failures = 0;
	j->used = false;
	j->due_ms = sender_mono_ms(j->s) + REBROADCAST_MS;
	if (!j->marked)
		j->marked = mark(j);
}

static void refused(struct job *j, const struct provider_error *e, enum send_outcome outcome)
{
	static const char *const events[] = {
		[SEND_NONCE_USED] = "A nonce is used already, looking for the transaction",
		[SEND_RIVAL] = "Another transaction with our nonce waits in the gateway's pool",
		[SEND_UNDERPRICED] = "A transaction's fee is too low for the gateway",
		[SEND_NO_FUNDS] = "The account cannot pay for transactions",
		[SEND_AGAIN] = "A transaction was not accepted, trying again",
	};
	enum log_level level = outcome == SEND_RIVAL || outcome == SEND_NO_FUNDS ? LOG_LEVEL_ERROR
										 : LOG_LEVEL_WARN;

	if (outcome != SEND_NONCE_USED) {
		retry_broadcast(j, e->err);
		if (outcome == SEND_UNDERPRICED || (outcome == SEND_RIVAL && j->older_n > 0))
			replace_now(j);
	} else {
		level = LOG_LEVEL_DEBUG; /* after a start this is the rule: it was mined */
		j->due_ms = sender_mono_ms(j->s) + REBROADCAST_MS;
		if (!j->used) {
			j->used_since_ms = sender_mono_ms(j->s);
			j->used_reads = 0;
		}
		j->used = true;
	}
	LOG_AT(j->s->env.log, level, events[outcome], log_s("detail", e->note.text),
	       log_u256("request", j->request_id), log_i("nonce", (int64_t)j->nonce),
	       log_hex("account", BYTES_OF(j->account.b)));
}

void job_sent(struct job *j)
{
	if (j->sending && j->sync)
		j->s->syncs_n--;
	else if (j->sending)
		j->s->broadcasts_n--;
	j->sending = false;
}

static void reply(struct job *j, const struct provider_error *e, size_t version)
{
	struct sender *s = j->s;
	enum send_outcome outcome = send_outcome_of(e);

	if (version != j->older_n)
		LOG_DEBUG(s->env.log, "The reply to an older version comes after the newer one");
	else if (outcome == SEND_ACCEPTED || outcome == SEND_KNOWN)
		accepted(j);
	else
		refused(j, e, outcome);
	receipts_wake(s);
}

static void on_sent(void *ctx, const struct provider_error *e, const struct hash32 *hash)
{
	size_t version;
	struct job *j = ticket_close(ctx, &version);

	(void)hash; /* the provider has compared it with the bytes */
	if (!j)
		return;
	job_sent(j);
	reply(j, e, version);
	sender_pump(j->s);
}

/* ---- broadcasting and waiting in one ---- */

/*
 * The reply may take as long as a block. Whatever is wrong with it, these bytes go the other way
 * the next time; a node without the method is not asked again.
 */
static void on_sent_sync(void *ctx, const struct provider_error *e, const struct receipt *r)
{
	size_t version;
	struct job *j = ticket_close(ctx, &version);

	if (!j)
		return;
	struct sender *s = j->s;
	job_sent(j);
	j->plain = e->err != ERR_OK;
	s->sync_failures = e->err == ERR_OK ? 0 : s->sync_failures + 1;
	if (method_is_missing(e) || s->sync_failures >= SYNC_FAILURES_MAX) {
		LOG_INFO(s->env.log, "The gateway does not send and wait in one any more",
			 log_s("detail", e->note.text));
		s->sync_offered = false;
	}
	if (!method_is_missing(e))
		reply(j, e, version);
	if (e->err == ERR_OK && r)
		job_found(j, r);
	sender_pump(s);
}

static bool by_sync(const struct sender *s, const struct job *j)
{
	return s->sync_offered && !j->plain && !j->accepted && s->syncs_n < SYNCS_MAX;
}

/* No bytes: a node that has the method finds fault with them. */
static void on_probe(void *ctx, const struct provider_error *e, const struct receipt *r)
{
	struct sender *s = ticket_close(ctx, NULL);

	(void)r;
	if (s)
		s->sync_offered = e->err == ERR_REMOTE && !method_is_missing(e);
}

void sender_probe_sync(struct sender *s)
{
	struct ticket *t = scope_open(&s->calls, s->env.inflight, s, 0);

	if (t && provider_send_raw_sync(s->env.chain.provider, BYTES_NONE, on_probe, t) != ERR_OK)
		(void)ticket_close(t, NULL);
}

static void broadcast(struct job *j)
{
	struct sender *s = j->s;
	struct ticket *t = scope_open(&j->calls, s->env.inflight, j, j->older_n);

	if (j->accepted)
		LOG_WARN(s->env.log, "A transaction is not mined, broadcasting it again",
			 log_u256("request", j->request_id), log_i("nonce", (int64_t)j->nonce),
			 log_hex("tx", BYTES_OF(j->hash.b)));
	bool sync = by_sync(s, j);
	enum err e = ERR_NOMEM;

	if (t && sync)
		e = provider_send_raw_sync(s->env.chain.provider, buf_view(&j->raw), on_sent_sync,
					   t);
	else if (t)
		e = provider_send_raw(s->env.chain.provider, buf_view(&j->raw), on_sent, t);
	if (e != ERR_OK) {
		if (t)
			(void)ticket_close(t, NULL);
		retry_broadcast(j, e);
		return;
	}
	j->issued = true;
	j->sending = true;
	replace_later(j);
	j->sync = sync;
	j->sent_ms = sender_mono_ms(s);
	*(sync ? &s->syncs_n : &s->broadcasts_n) += 1;
}

static void on_pump(void *ctx)
{
	sender_pump(ctx);
}

/*
 * Nonces go out in order: what is not signed yet holds back what comes after it, but what failed
 * does not: a node keeps later nonces until the missing one comes.
 */
void sender_pump(struct sender *s)
{
	int64_t now_ms = sender_mono_ms(s), next_ms = INT64_MAX;
	unsigned ahead = 0;

	if (!s->placed)
		return;
	for (struct job *j = s->open.first, *next; j; j = next) {
		next = j->next;
		if (j->stage < STAGE_LIVE)
			break;
		if (j->storing || (j->included && j->stage == STAGE_LIVE))
			continue;
		if (j->stage == STAGE_LIVE && !j->foreign && !j->far)
			replace_look(j, ahead++, now_ms, &next_ms);
		if (j->sending)
			continue;
		if (j->due_ms <= now_ms && j->stage == STAGE_LIVE) {
			if (s->broadcasts_n >= BROADCASTS_MAX)
				break; /* the next reply comes here again */
			broadcast(j);
		} else if (j->due_ms <= now_ms) {
			job_store_end(j);
			continue; /* may be storing now */
		}
		if (!j->sending && j->due_ms < next_ms)
			next_ms = j->due_ms;
	}
	if (next_ms != INT64_MAX)
		clock_timer_set(s->env.clock, &s->pump_timer,
				next_ms > now_ms ? next_ms - now_ms : 0, on_pump, s);
	else
		clock_timer_cancel(s->env.clock, &s->pump_timer);
}

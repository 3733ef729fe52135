/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The one reader of receipts: every so often it asks for those of the lowest nonces, because a
 * chain takes them in order.
 */
#include "connector/sender/internal.h"

static void tick(void *ctx);

static void schedule(struct sender *s, int64_t delay_ms)
{
	clock_timer_set(s->env.clock, &s->receipts_timer, delay_ms, tick, s);
}

void receipts_wake(struct sender *s)
{
	bool soon = s->receipts_timer.armed && s->receipts_ms == RECEIPT_FIRST_MS;

	if (s->receipts_n > 0 || soon) {
		s->receipts_ms = RECEIPT_FIRST_MS;
		return;
	}
	s->receipts_ms = RECEIPT_FIRST_MS;
	schedule(s, RECEIPT_FIRST_MS);
}

static void round_done(struct sender *s)
{
	if (s->receipts_found) {
		s->receipts_ms = RECEIPT_FIRST_MS;
		schedule(s, 0); /* what was mined with it is there too */
		return;
	}
	schedule(s, s->receipts_ms);
	s->receipts_ms += s->receipts_ms / 2;
	if (s->receipts_ms > RECEIPT_MAX_MS)
		s->receipts_ms = RECEIPT_MAX_MS;
}

static bool deep(const struct sender *s, struct block_number block)
{
	return s->confirmations <= 1 ||
	       (s->head >= block.v && s->head - block.v >= s->confirmations - 1);
}

void job_found(struct job *j, const struct receipt *r)
{
	const struct log *log = j->s->env.log;

	j->gone_reads = 0;
	if (!deep(j->s, r->block)) {
		job_included(j, r->block);
		return;
	}
	if (r->success)
		LOG_INFO(log, "An answer is on the chain", log_u256("request", j->request_id),
			 log_i("nonce", (int64_t)j->nonce), log_i("block", (int64_t)r->block.v),
			 log_hex("tx", BYTES_OF(r->tx_hash.b)));
	else
		LOG_ERROR(log, "A transaction was reverted", log_u256("request", j->request_id),
			  log_i("nonce", (int64_t)j->nonce), log_i("block", (int64_t)r->block.v),
			  log_i("gas_used", (int64_t)r->gas_used),
			  log_hex("tx", BYTES_OF(r->tx_hash.b)));
	j->block_hash = r->block_hash;
	job_end(j, r->success ? TX_MINED : TX_REVERTED, r->block, r->tx_hash);
}

/*
 * The nonce is used and no node has a receipt of ours: after some time and several looks, because
 * receipts lag behind counts, another transaction has it.
 */
static void missing(struct job *j)
{
	struct sender *s = j->s;

	if (j->included && ++j->gone_reads >= GONE_READS)
		job_gone(j);
	if (!j->used || j->included)
		return;
	j->used_reads++;
	if (j->used_reads < LOST_READS || sender_mono_ms(s) - j->used_since_ms < LOST_AFTER_MS)
		return;
	LOG_ERROR(s->env.log,
		  "Another transaction used our nonce: does somebody else send with this key?",
		  log_u256("request", j->request_id), log_i("nonce", (int64_t)j->nonce),
		  log_hex("account", BYTES_OF(j->account.b)));
	sender_raise(s);
	job_end(j, TX_LOST, (struct block_number){0}, j->hash);
}

static void on_receipt(void *ctx, const struct provider_error *e, const struct receipt *r)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	struct sender *s = j->s;
	s->receipts_n--;
	j->receipts_out--;
	if (e->err != ERR_OK) {
		j->receipt_missed = false;
		LOG_DEBUG(s->env.log, "A receipt could not be read", log_e(e->err),
			  log_s("detail", e->note.text));
	} else if (r) {
		s->receipts_found |= !j->included;
		j->receipt_missed = false;
		job_found(j, r);
	} else if (j->receipts_out == 0 && j->receipt_missed) {
		missing(j);
	}
	if (s->receipts_n == 0)
		round_done(s);
}

static bool ask_one(struct job *j, struct hash32 hash)
{
	struct sender *s = j->s;
	struct ticket *t = scope_open(&j->calls, s->env.inflight, j, 0);

	if (!t)
		return false;
	if (provider_receipt(s->env.chain.provider, hash, on_receipt, t) != ERR_OK) {
		(void)ticket_close(t, NULL);
		return false;
	}
	j->receipts_out++;
	s->receipts_n++;
	return true;
}

/* All versions: any of them may be the one. */
static bool ask(struct job *j)
{
	bool asked = ask_one(j, j->hash);

	j->receipt_missed = asked;
	for (size_t i = j->older_n; asked && i > 0; i--)
		asked = ask_one(j, j->older[i - 1]);
	j->receipt_missed &= asked;
	return asked;
}

static void on_head(void *ctx, const struct provider_error *e, const struct block_head *head)
{
	struct sender *s = ticket_close(ctx, NULL);

	if (!s)
		return;
	s->head_asked = false;
	if (e->err == ERR_OK)
		s->head = head->number.v;
}

static void ask_head(struct sender *s)
{
	struct ticket *t;

	if (s->head_asked)
		return;
	t = scope_open(&s->calls, s->env.inflight, s, 0);
	s->head_asked =
		t && provider_head(s->env.chain.provider, (struct block_tag){.kind = BLOCK_LATEST},
				   on_head, t) == ERR_OK;
	if (t && !s->head_asked)
		(void)ticket_close(t, NULL);
}

static void tick(void *ctx)
{
	struct sender *s = ctx;
	bool any = false;

	gap_check(s);
	s->receipts_found = false;
	for (struct job *j = s->open.first; j && s->receipts_n < RECEIPTS_MAX; j = j->next) {
		if (j->stage != STAGE_LIVE || !j->issued)
			continue;
		any = true;
		if (j->included && !deep(s, j->block))
			continue;
		if (j->sending && j->sync && sender_mono_ms(s) - j->sent_ms < SYNC_POLL_MS)
			continue;
		if (j->receipts_out == 0 && !ask(j))
			break;
	}
	if (any && s->confirmations > 1)
		ask_head(s);
	if (any && s->receipts_n == 0)
		round_done(s); /* nothing could be asked now */
}

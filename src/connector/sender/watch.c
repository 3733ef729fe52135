/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the chain says of our nonces after the fact, every so often: that there are fewer than it
 * had, and nonces below ours that nobody ever used (a count that was too high). One reply is never
 * enough: what is believed was read several times and did not change in between.
 */
#include "connector/sender/internal.h"

static void rest(struct sender *s)
{
	clock_timer_set(s->env.clock, &s->watch_timer, WATCH_MS, sender_watch, s);
}

/* ---- transactions that are gone ---- */

static enum err take_rows(struct sender *s, const struct store_rows *open,
			  const struct store_rows *free, const struct store_rows *versions)
{
	struct tx_version version;
	struct tx_row row;

	for (size_t i = 0; i < open->rows_n; i++) {
		TRY(tx_from_row(&row, open, i));
		TRY(sender_open_row(s, &row));
	}
	for (size_t i = 0; i < free->rows_n; i++) {
		uint64_t nonce = (uint64_t)store_cell(free, i, 0)->i;

		/* One that a job still holds is being given back: its end may be stored already. */
		if (!nonces_is_free(&s->nonces, nonce) && !sender_open_find(s, nonce, s->account))
			TRY(nonces_load_free(&s->nonces, nonce));
	}
	for (size_t i = 0; i < versions->rows_n; i++) {
		TRY(tx_version_from_row(&version, versions, i));
		TRY(sender_open_version(s, &version));
	}
	return ERR_OK;
}

static void on_reopened(void *ctx, const struct store_result *r)
{
	size_t count;
	struct sender *s = ticket_close(ctx, &count);
	enum err e;

	if (!s)
		return;
	bool again = s->reopen_failed;
	s->reopen_failed = r->err != ERR_OK && r->err != ERR_STATE_MOVED;
	rest(s);
	if (r->err == ERR_STATE_MOVED)
		lease_doubt(s);
	if (r->err != ERR_OK || (r->rows[0].changed == 0 && !again)) {
		LOG_ERROR(s->env.log,
			  "The gateway has forgotten transactions of ours, they cannot be opened",
			  log_e(r->err), log_s("detail", r->note.text),
			  log_i("from_nonce", (int64_t)count));
		return;
	}
	LOG_WARN(s->env.log, "The gateway has forgotten transactions of ours, they are sent again",
		 log_i("transactions", r->rows[0].changed), log_i("from_nonce", (int64_t)count));
	e = take_rows(s, &r->rows[1], &r->rows[2], &r->rows[3]);
	if (e != ERR_OK) /* they are open on disk: the next start has them */
		LOG_ERROR(s->env.log, "Transactions could not be opened", log_e(e));
	s->ended_end = count;
	sender_pump(s);
}

void watch_reopen(struct sender *s, uint64_t first, uint64_t end)
{
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	enum err e = tx_add_reopen(&b, s->chain, s->account, first, end, REOPEN_RUNNING_MAX,
				   sender_wall_ms(s));

	s->fewer_reads = 0;
	s->reopen_first = first;
	s->reopen_end = end;
	if (s->marks.settled >= first)
		s->marks.settled = first > 0 ? first - 1 : 0;
	if (e == ERR_OK)
		e = tx_add_open_from(&b, s->chain, s->account, s->env.owner, first);
	if (e == ERR_OK)
		e = lease_add_check(&b, s);
	e = sender_submit(s, &s->watch_calls, s, (size_t)first, &b, e, on_reopened);
	if (e != ERR_OK) {
		s->reopen_failed = true;
		rest(s);
	}
}

/* A count that grows is that of a node that lags. */
static bool fewer(struct sender *s, uint64_t count)
{
	if (count >= s->ended_end) {
		s->fewer_reads = 0;
		return false;
	}
	s->fewer_reads = s->fewer_reads > 0 && count > s->fewer_count ? 1 : s->fewer_reads + 1;
	s->fewer_count = count;
	return true;
}

void watch_ended(const struct job *j)
{
	struct sender *s = j->s;

	if (j->end != TX_FREE && !j->foreign && !j->far && s->ended_end <= j->nonce)
		s->ended_end = j->nonce + 1;
}

/* ---- nonces that nobody used ---- */

struct job *watch_lowest(struct sender *s)
{
	struct job *j = s->open.first;

	while (j && (j->foreign || j->far))
		j = j->next;
	return j;
}

static void on_far(void *ctx, const struct store_result *r)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	if (r->err == ERR_STATE_MOVED)
		lease_doubt(j->s);
	if (r->err != ERR_OK) { /* the next look finds it again */
		LOG_ERROR(j->s->env.log, "A transaction could not be put aside", log_e(r->err),
			  log_s("detail", r->note.text), log_i("nonce", (int64_t)j->nonce));
		return;
	}
	j->far = true;
	j->op_id = 0;
	j->s->claim_more = true;
	sender_claim(j->s);
}

/* Its operation gets another nonce. What was signed here stays known: should nonces ever get there,
 * the gateway will refuse it as answered. */
static void far(struct job *j)
{
	struct sender *s = j->s;
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	const struct op_change change = {
		.to = OP_ANSWERED,
		.error = bytes_str(err_name(ERR_STATE_MOVED)),
		.reason = BYTES_LIT("nonces below that of the transaction were never used"),
		.refused_since_ms = -1,
		.release = true,
	};
	int64_t now_ms = sender_wall_ms(s);
	enum err e = lease_add_check(&b, s);

	if (e == ERR_OK)
		e = tx_add_far(&b, j, now_ms);
	if (e == ERR_OK && j->op_id != 0)
		e = op_add_move(&b, j->op_id, OP_SENDING, s->env.owner, &change, now_ms);
	e = sender_submit(s, &j->calls, j, 0, &b, e, on_far);
	if (e != ERR_OK)
		LOG_ERROR(s->env.log, "A transaction could not be put aside", log_e(e),
			  log_i("nonce", (int64_t)j->nonce));
}

static void fill(struct sender *s, uint64_t from, uint64_t to)
{
	LOG_ERROR(s->env.log, "Nonces below ours were never used: the gateway's count was too high",
		  log_i("from", (int64_t)from), log_i("to", (int64_t)to - 1),
		  log_hex("account", BYTES_OF(s->account.b)));
	s->far_reads = 0;
	if (to - from <= FILL_MAX) {
		for (uint64_t nonce = from; nonce < to; nonce++)
			if (nonces_load_free(&s->nonces, nonce) != ERR_OK)
				return;
	} else {
		for (struct job *j = s->open.first; j; j = j->next)
			if (!j->foreign && !j->far && j->stage == STAGE_LIVE)
				far(j);
		nonces_lower(&s->nonces, from);
	}
	sender_claim(s);
	receipts_wake(s);
}

/* Waits with bytes that a node has, and nothing of ours is before it. */
static bool behind_nothing(struct sender *s, uint64_t count, uint64_t *ret_nonce)
{
	const struct job *j = watch_lowest(s);

	if (!j || j->stage != STAGE_LIVE || !j->accepted || count >= j->nonce || s->raising ||
	    nonces_free_below(&s->nonces, j->nonce) > 0)
		return false;
	*ret_nonce = j->nonce;
	return true;
}

static void on_pending(void *ctx, const struct provider_error *e, uint64_t count)
{
	struct sender *s = ticket_close(ctx, NULL);
	uint64_t nonce;

	if (!s)
		return;
	rest(s);
	if (e->err != ERR_OK)
		return;
	if (!behind_nothing(s, count, &nonce)) {
		s->far_reads = 0;
		return;
	}
	s->far_reads = s->far_reads > 0 && count != s->far_count ? 1 : s->far_reads + 1;
	s->far_count = count;
	if (s->far_reads >= FAR_READS && count >= s->ended_end)
		fill(s, count, nonce);
}

/* ---- the count ---- */

static void ask_count(struct sender *s, enum block_tag_kind kind, provider_u64_fn *done)
{
	struct ticket *t = scope_open(&s->watch_calls, s->env.inflight, s, 0);

	if (t && provider_nonce(s->env.chain.provider, s->account, (struct block_tag){.kind = kind},
				done, t) == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	rest(s);
}

static void on_latest(void *ctx, const struct provider_error *e, uint64_t count)
{
	struct sender *s = ticket_close(ctx, NULL);
	uint64_t nonce;

	if (!s)
		return;
	if (e->err != ERR_OK) {
		rest(s);
		return;
	}
	if (fewer(s, count)) {
		if (s->fewer_reads >= WATCH_READS)
			watch_reopen(s, count, INT64_MAX);
		else
			rest(s);
		return;
	}
	if (behind_nothing(s, count, &nonce)) {
		ask_count(s, BLOCK_PENDING, on_pending);
	} else {
		s->far_reads = 0;
		rest(s);
	}
	marks_look(s);
}

/* A commit that failed may have happened all the same: then they are open on disk, and only there.
 */
void sender_watch(void *ctx)
{
	struct sender *s = ctx;

	if (s->reopen_failed)
		watch_reopen(s, s->reopen_first, s->reopen_end);
	else
		ask_count(s, BLOCK_LATEST, on_latest);
}

void watch_stop(struct sender *s)
{
	scope_cancel(&s->watch_calls);
	s->marks = (struct marks){0};
	s->reopen_failed = false;
	clock_timer_cancel(s->env.clock, &s->watch_timer);
}

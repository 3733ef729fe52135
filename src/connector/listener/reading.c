/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A window of the chain: its logs, whether the source has them all, and the batches that store
 * them. */
#include "connector/listener/internal.h"

enum {
	RESCAN_BLOCKS = 32, /* blocks behind the cursor that are read once more ... */
	RESCAN_AFTER_MS =
		5000,       /* ... because their logs may have come from a replica that lagged */
	RESCAN_LOGS = 1000, /* about so many logs at once */
};

/* ---- storing ---- */

static void store_next(struct listener *l);

/* What was read without a doubt is settled; a block that cannot be decoded even now stays. */
static void doubts_follow(struct listener *l)
{
	const struct harvest *h = &l->harvest;

	if (l->from.v == l->to.v && h->doubtful_n == 0 && l->doubts.n > 0) {
		size_t before = l->doubts.n;

		doubts_settle(&l->doubts, l->from);
		if (l->doubts.n < before)
			LOG_INFO(l->env.log, "A block whose logs could not be decoded has them now",
				 log_i("block", (int64_t)l->from.v),
				 log_i("operations", (int64_t)h->rows));
	}
	for (size_t i = 0; i < h->doubtful_n; i++)
		doubts_add(&l->doubts, h->doubtful[i], clock_mono_ms(l->env.clock));
}

static void window_stored(struct listener *l)
{
	bool behind = l->to.v < l->head.number.v;

	for (enum op_kind k = OP_KIND_PUBLIC_DECRYPTION; k < OP_KINDS; k++)
		metrics_add(l->env.metrics, METRIC_LISTENER_EVENT_RECEIVED, metric_of_kind(k),
			    (int64_t)l->harvest.operations[k]);
	metrics_add(l->env.metrics, METRIC_LISTENER_QUARANTINED, l->env.chain.metric,
		    (int64_t)l->harvest.quarantined);
	metrics_set(l->env.metrics, METRIC_LISTENER_CURSOR, l->env.chain.metric, (int64_t)l->to.v);
	if (l->harvest.quarantined > 0)
		LOG_ERROR(l->env.log, "Logs could not be decoded and are in quarantine",
			  log_i("logs", (int64_t)l->harvest.quarantined),
			  log_i("from", (int64_t)l->from.v), log_i("to", (int64_t)l->to.v));
	doubts_follow(l);
	if (l->rescanning && l->from.v == l->rescan_at.v)
		l->rescan_at.v = l->to.v + 1;
	if (l->next.v <= l->to.v) {
		l->last = (struct cursor){.known = true, .block = l->to, .hash = l->to_hash};
		l->stored = l->last;
		l->next.v = l->to.v + 1;
		if (!l->rescan_wanted)
			l->rescan_due_ms = clock_mono_ms(l->env.clock) + RESCAN_AFTER_MS;
		l->rescan_wanted = true;
	}
	l->errors = 0;
	window_good(&l->window, l->to.v - l->from.v + 1);
	l->more = behind;
	if (behind)
		listener_round_next(l, 0);
	else
		listener_round_idle(l);
}

static void on_stored(void *ctx, const struct store_result *r)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (!l)
		return;
	if (r->err == ERR_STATE_MOVED) {
		/* Another listener moved the cursor: what it stored is as good as ours. */
		l->loaded = l->placed = false;
		listener_round_failed(l, ERR_TRANSIENT, "cursor",
				      "somebody else moved the cursor; reading it again");
	} else if (r->err != ERR_OK) {
		listener_round_failed(l, r->err, "storing", r->note.text);
	} else {
		store_next(l);
	}
}

/*
 * One batch after the other, the cursor in the last one: however many batches a window takes, the
 * cursor is never ahead of its rows.
 */
static void store_next(struct listener *l)
{
	if (l->harvest.next == l->harvest.batches_n) {
		window_stored(l);
		return;
	}

	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);
	struct store_batch *b = &l->harvest.batches[l->harvest.next++];
	enum err e = t ? store_submit(l->env.store, b, on_stored, t) : ERR_NOMEM;

	if (e != ERR_OK)
		listener_submitted(l, t, e, "storing");
	else if (l->harvest.rows > 0 && store_notify(l->env.store, OP_TOPIC_SEEN) != ERR_OK)
		LOG_WARN(l->env.log, "The worker could not be woken, it will look by itself");
}

static enum err add_cursor(struct listener *l)
{
	struct cursor reached = {.known = true, .block = l->to, .hash = l->to_hash};
	struct store_batch *b;

	TRY(harvest_last(&l->harvest, &b));
	if (l->to.v < l->next.v)
		return ERR_OK; /* a re-scan moves nothing */
	TRY(trail_add_step(b, listener_chain(l), &l->stored, &reached));
	return cursor_add_move(b, listener_chain(l), &l->stored, &reached, listener_wall_ms(l));
}

/* ---- reading a window ---- */

/* The source must have reached `to`, on the branch that the head and the logs showed. */
static void on_to(void *ctx, const struct provider_error *e, const struct block_head *block)
{
	struct listener *l = listener_answered(ctx, e, "block at the window's end");

	if (!l)
		return;
	if ((l->to.v == l->head.number.v && !hash32_eq(block->hash, l->head.hash)) ||
	    (l->harvest.has_last_hash && !hash32_eq(block->hash, l->harvest.last_hash))) {
		listener_round_failed(l, ERR_MISMATCH, "block at the window's end",
				      "the chain changed while it was read");
		return;
	}
	l->to_hash = block->hash;

	enum err err = add_cursor(l);
	if (err != ERR_OK)
		listener_round_failed(l, err, "rows", "");
	else
		store_next(l);
}

/* Of the endpoint whose logs they are: another one may be ahead of it. */
static void ask_to(struct listener *l)
{
	const struct block_tag tag = {.kind = BLOCK_NUMBER, .number = l->to};
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

	listener_submitted(l, t,
			   t ? provider_head_of(l->env.chain.provider, l->endpoint, tag, on_to, t)
			     : ERR_NOMEM,
			   "block at the window's end");
}

static void on_logs(void *ctx, const struct provider_error *e, const struct event_log *logs,
		    size_t logs_n)
{
	struct listener *l = ticket_close(ctx, NULL);
	enum err err = ERR_OK;

	if (!l)
		return;
	if (e->err != ERR_OK && window_is_too_wide(e) && l->window.size > 1) {
		window_halve(&l->window);
		metrics_inc(l->env.metrics, METRIC_LISTENER_EVENT_LISTENING_ERRORS,
			    l->env.chain.metric);
		LOG_INFO(l->env.log, "Reading fewer blocks at once",
			 log_i("blocks", (int64_t)l->window.size), log_e(e->err),
			 log_s("detail", e->note.text));
		listener_round_next(l, l->env.chain.polling_ms);
		return;
	}
	if (e->err != ERR_OK) {
		listener_round_failed(l, e->err, "eth_getLogs", e->note.text);
		return;
	}
	l->harvest.fresh_from = l->next;
	l->harvest.settle = l->doubts.n > 0;
	l->harvest.tracer = l->env.tracer;
	for (size_t i = 0; err == ERR_OK && i < logs_n; i++) {
		struct err_note note = {0};

		err = harvest_add(&l->harvest, &l->env.chain, &logs[i], l->to, listener_wall_ms(l),
				  &note);
	}
	if (err != ERR_OK) {
		listener_round_failed(l, err, "rows", "");
		return;
	}
	l->endpoint = e->endpoint;
	if (l->density < logs_n / (l->to.v - l->from.v + 1))
		l->density = logs_n / (l->to.v - l->from.v + 1);
	ask_to(l);
}

static void read_window(struct listener *l, struct block_number from, struct block_number to)
{
	const struct log_filter filter = {
		.addresses = l->contracts,
		.addresses_n = l->env.chain.contracts_n,
		.topic0 = l->topics,
		.topic0_n = l->topics_n,
		.from = from,
		.to = to,
	};
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

	l->from = from;
	l->to = to;
	listener_submitted(
		l, t, t ? provider_logs(l->env.chain.provider, &filter, on_logs, t) : ERR_NOMEM,
		"eth_getLogs");
}

/* Where requests are many, 32 blocks are more logs than one wants to hold at once. */
static uint64_t rescan_blocks(const struct listener *l)
{
	uint64_t n = l->density > 0 ? RESCAN_LOGS / l->density : RESCAN_BLOCKS;

	n = n > 0 ? n : 1;
	return l->density > 0 && n < l->window.size ? n : l->window.size;
}

static void rescan_begin(struct listener *l)
{
	l->rescan_at.v = l->next.v > RESCAN_BLOCKS ? l->next.v - RESCAN_BLOCKS : 0;
	if (l->rescan_at.v < l->floor.v)
		l->rescan_at = l->floor;
	l->rescanning = l->rescan_turn = true;
	l->rescan_wanted = false;
	l->density -= l->density / 4;
}

/* From `next` up to the head; every few seconds a few blocks behind the cursor as well, where these
 * are several windows by turns with new ones; and now and then a block whose logs could not be
 * decoded. */
void listener_read_on(struct listener *l)
{
	struct block_number doubtful, from = l->next, to = l->head.number;
	uint64_t blocks = l->window.size;
	bool fresh = to.v >= l->next.v;

	if (l->last.known &&
	    doubts_take(&l->doubts, &doubtful, l->last.block, clock_mono_ms(l->env.clock))) {
		read_window(l, doubtful, doubtful);
		return;
	}
	if (l->rescan_wanted && clock_mono_ms(l->env.clock) >= l->rescan_due_ms)
		rescan_begin(l);
	if (l->rescan_at.v >= l->next.v)
		l->rescanning = false;
	bool again = l->rescanning && (l->rescan_turn || !fresh);
	if (again) {
		from = l->rescan_at;
		blocks = rescan_blocks(l);
	}
	l->rescan_turn = !again;
	if (from.v > to.v) {
		listener_round_idle(l);
		return;
	}
	if (to.v - from.v >= blocks)
		to.v = from.v + blocks - 1;
	read_window(l, from, to);
}

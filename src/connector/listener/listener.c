/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The gateway listener. One round at a time, each step a callback of the one before:
 *
 *   load cursor -> check chain id -> [ head -> still our branch? -> logs -> is the source at `to`?
 * -> store ] -> pause
 *
 * Whatever fails ends the round; the next begins after a back-off, from what is stored. It never
 * gives up.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "connector/listener/internal.h"

enum {
	BACK_OFF_MAX_MS = 30000,
	REORG_BLOCKS =
		256, /* how far a walk-back goes: far more than a sequencer ever takes back */
	RESCAN_BLOCKS = 32,     /* blocks behind the cursor that are read once more … */
	RESCAN_AFTER_MS = 5000, /* … because their logs may have come from a replica that lagged */
	TOPICS_BYTES_MAX = 4096,
};

struct listener {
	struct connector_env env;
	struct arena arena; /* topics */
	const struct hash32 *topics;
	size_t topics_n;
	struct scope calls;
	struct timer timer;

	/* what we know */
	bool chain_ok;
	bool loaded;
	bool placed; /* `next` is decided */
	bool override_used;
	bool said_started;
	struct cursor stored; /* as the database has it */
	struct cursor last;   /* block before `next`; unknown at a start without history */
	struct block_number next, floor;
	struct window window;
	int64_t errors; /* in a row */
	int64_t rescan_due_ms;
	bool rescan_wanted; /* the cursor moved since the last re-scan; it is due at rescan_due_ms
			     */

	/* the round */
	struct block_head head;
	struct block_number from, to;
	struct hash32 to_hash;
	struct harvest harvest;
};

static void begin(void *ctx);

static struct chain_id chain_of(const struct listener *l)
{
	return (struct chain_id){l->env.config->gateway_chain_id};
}

static int64_t wall_ms(const struct listener *l)
{
	return clock_wall_ms(l->env.clock);
}

/* ---- ends of a round ---- */

static void round_next(struct listener *l, int64_t delay_ms)
{
	harvest_free(&l->harvest);
	clock_timer_set(l->env.clock, &l->timer, delay_ms, begin, l);
}

static void round_idle(struct listener *l)
{
	l->errors = 0;
	round_next(l, l->env.config->decryption_polling_ms);
}

static void round_failed(struct listener *l, enum err e, const char *what, const char *note)
{
	const struct retry_policy policy = {
		.first_ms = l->env.config->decryption_polling_ms,
		.cap_ms = l->env.config->decryption_polling_ms > BACK_OFF_MAX_MS
				  ? l->env.config->decryption_polling_ms
				  : BACK_OFF_MAX_MS,
	};
	int64_t delay_ms;

	l->errors++;
	if (!retry_after(&policy, e, l->errors, l->env.rng, &delay_ms))
		delay_ms = policy.cap_ms;
	metrics_inc(l->env.metrics, METRIC_LISTENER_EVENT_LISTENING_ERRORS,
		    METRIC_CONTRACT_DECRYPTION);
	LOG_WARN(l->env.log, "Polling the gateway failed, trying again", log_s("what", what),
		 log_e(e), log_s("detail", note), log_i("in_a_row", l->errors),
		 log_i("retry_ms", delay_ms));
	round_next(l, delay_ms);
}

/* Every provider callback starts with this: NULL when the listener is gone or the round has failed
 * by it. */
static struct listener *answered(void *ctx, const struct provider_error *e, const char *what)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (l && e->err != ERR_OK) {
		round_failed(l, e->err, what, e->note.text);
		return NULL;
	}
	return l;
}

/* For calls that fail at once. */
static void submitted(struct listener *l, struct ticket *t, enum err e, const char *what)
{
	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	round_failed(l, e, what, "");
}

static void ask_head(struct listener *l, struct block_tag tag, provider_head_fn *done,
		     const char *what)
{
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

	submitted(l, t, t ? provider_head(l->env.gateway, tag, done, t) : ERR_NOMEM, what);
}

/* ---- storing ---- */

static void store_next(struct listener *l);

static void window_stored(struct listener *l)
{
	bool behind = l->to.v < l->head.number.v;

	metrics_add(l->env.metrics, METRIC_LISTENER_EVENT_RECEIVED, METRIC_EVENT_PUBLIC_DECRYPTION,
		    (int64_t)l->harvest.operations);
	metrics_add(l->env.metrics, METRIC_LISTENER_QUARANTINED, METRIC_CONTRACT_DECRYPTION,
		    (int64_t)l->harvest.quarantined);
	metrics_set(l->env.metrics, METRIC_LISTENER_CURSOR, METRIC_CONTRACT_DECRYPTION,
		    (int64_t)l->to.v);
	if (l->harvest.quarantined > 0)
		LOG_ERROR(l->env.log, "Logs could not be decoded and are in quarantine",
			  log_i("logs", (int64_t)l->harvest.quarantined),
			  log_i("from", (int64_t)l->from.v), log_i("to", (int64_t)l->to.v));
	if (l->next.v <= l->to.v) {
		l->last = (struct cursor){.known = true, .block = l->to, .hash = l->to_hash};
		l->stored = l->last;
		l->next.v = l->to.v + 1;
		if (!l->rescan_wanted)
			l->rescan_due_ms = clock_mono_ms(l->env.clock) + RESCAN_AFTER_MS;
		l->rescan_wanted = true;
	}
	l->errors = 0;
	window_good(&l->window);
	round_next(l, behind ? 0 : l->env.config->decryption_polling_ms);
}

static void on_stored(void *ctx, const struct store_result *r)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (!l)
		return;
	if (r->err == ERR_STATE_MOVED) {
		/* Another listener moved the cursor: what it stored is as good as ours. */
		l->loaded = l->placed = false;
		round_failed(l, ERR_TRANSIENT, "cursor",
			     "somebody else moved the cursor; reading it again");
	} else if (r->err != ERR_OK) {
		round_failed(l, r->err, "storing", r->note.text);
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
		submitted(l, t, e, "storing");
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
	return cursor_add_move(b, chain_of(l), &l->stored, &reached, wall_ms(l));
}

/* ---- reading a window ---- */

/* The source must have reached `to`, on the branch that the head and the logs showed. */
static void on_to(void *ctx, const struct provider_error *e, const struct block_head *block)
{
	struct listener *l = answered(ctx, e, "block at the window's end");

	if (!l)
		return;
	if ((l->to.v == l->head.number.v && !hash32_eq(block->hash, l->head.hash)) ||
	    (l->harvest.has_last_hash && !hash32_eq(block->hash, l->harvest.last_hash))) {
		round_failed(l, ERR_MISMATCH, "block at the window's end",
			     "the chain changed while it was read");
		return;
	}
	l->to_hash = block->hash;

	enum err err = add_cursor(l);
	if (err != ERR_OK)
		round_failed(l, err, "rows", "");
	else
		store_next(l);
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
			    METRIC_CONTRACT_DECRYPTION);
		LOG_INFO(l->env.log, "Reading fewer blocks at once",
			 log_i("blocks", (int64_t)l->window.size), log_e(e->err),
			 log_s("detail", e->note.text));
		round_next(l, l->env.config->decryption_polling_ms);
		return;
	}
	if (e->err != ERR_OK) {
		round_failed(l, e->err, "eth_getLogs", e->note.text);
		return;
	}
	l->harvest.fresh_from = l->next;
	for (size_t i = 0; err == ERR_OK && i < logs_n; i++) {
		struct err_note note = {0};

		err = harvest_add(&l->harvest, chain_of(l), &logs[i], l->to, wall_ms(l), &note);
	}
	if (err != ERR_OK) {
		round_failed(l, err, "rows", "");
		return;
	}
	ask_head(l, (struct block_tag){.kind = BLOCK_NUMBER, .number = l->to}, on_to,
		 "block at the window's end");
}

static void read_window(struct listener *l, struct block_number from, struct block_number to)
{
	const struct log_filter filter = {
		.addresses = &l->env.config->decryption_contract.address,
		.addresses_n = 1,
		.topic0 = l->topics,
		.topic0_n = l->topics_n,
		.from = from,
		.to = to,
	};
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

	l->from = from;
	l->to = to;
	submitted(l, t, t ? provider_logs(l->env.gateway, &filter, on_logs, t) : ERR_NOMEM,
		  "eth_getLogs");
}

/* From `next` up to the head; every few seconds a few blocks behind the cursor as well. */
static void read_on(struct listener *l)
{
	bool again = l->rescan_wanted && clock_mono_ms(l->env.clock) >= l->rescan_due_ms;
	struct block_number from = l->next, to = l->head.number;

	if (again) {
		from.v = l->next.v > RESCAN_BLOCKS ? l->next.v - RESCAN_BLOCKS : 0;
		if (from.v < l->floor.v)
			from = l->floor;
		l->rescan_wanted = false;
	}
	if (from.v > to.v || (from.v == l->next.v && to.v < l->next.v)) {
		round_idle(l);
		return;
	}
	if (to.v - from.v >= l->window.size)
		to.v = from.v + l->window.size - 1;
	read_window(l, from, to);
}

/* ---- still our branch? ---- */

static void on_walked(void *ctx, const struct store_result *r)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (!l)
		return;
	if (r->err != ERR_OK) {
		l->loaded = l->placed = false;
		round_failed(l, r->err, "walking back", r->note.text);
		return;
	}
	l->stored = l->last;
	round_next(l, 0);
}

/* The block that the cursor goes back to, as the chain has it now. */
static void on_walk_target(void *ctx, const struct provider_error *e,
			   const struct block_head *block)
{
	struct listener *l = answered(ctx, e, "walking back");
	struct cursor back;

	if (!l)
		return;
	back = (struct cursor){.known = true, .block = block->number, .hash = block->hash};
	l->last = back;
	l->next.v = back.block.v + 1;
	if (l->floor.v > l->next.v)
		l->floor = l->next;

	struct store_batch b = store_batch_make(1 << 16);
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);
	enum err err =
		!t ? ERR_NOMEM : cursor_add_move(&b, chain_of(l), &l->stored, &back, wall_ms(l));
	if (err == ERR_OK)
		err = store_submit(l->env.store, &b, on_walked, t);
	store_batch_free(&b);
	if (err != ERR_OK) {
		l->loaded = l->placed = false;
		submitted(l, t, err, "walking back");
	}
}

/*
 * We only know one hash of the old branch, the cursor's. So the walk goes back a fixed stretch and
 * reads it again: rows that the new branch has too learn their new block, rows that it does not
 * have stay where they are.
 */
static void walk_back(struct listener *l)
{
	uint64_t at = l->last.block.v > REORG_BLOCKS ? l->last.block.v - REORG_BLOCKS : 0;

	metrics_inc(l->env.metrics, METRIC_LISTENER_REORGS, METRIC_CONTRACT_DECRYPTION);
	LOG_WARN(l->env.log, "The gateway chain was re-organised, walking back",
		 log_i("from", (int64_t)l->last.block.v), log_i("to", (int64_t)at));
	ask_head(l, (struct block_tag){.kind = BLOCK_NUMBER, .number = {at}}, on_walk_target,
		 "walking back");
}

static void on_last(void *ctx, const struct provider_error *e, const struct block_head *block)
{
	struct listener *l = answered(ctx, e, "block of the cursor");

	if (!l)
		return;
	if (hash32_eq(block->hash, l->last.hash))
		read_on(l);
	else
		walk_back(l);
}

static void check_branch(struct listener *l)
{
	const struct block_head *h = &l->head;

	if (!l->last.known) {
		read_on(l);
	} else if (h->number.v < l->last.block.v) {
		/* A node that lags, or a branch that is still shorter: either way there is nothing
		 * to read. */
		LOG_WARN(l->env.log, "The gateway endpoint is behind what we have read",
			 log_i("head", (int64_t)h->number.v),
			 log_i("cursor", (int64_t)l->last.block.v));
		round_idle(l);
	} else if (h->number.v == l->last.block.v || h->number.v == l->next.v) {
		/* The usual case: the head itself tells, no further request is needed. */
		const struct hash32 *ours = h->number.v == l->next.v ? &h->parent_hash : &h->hash;

		if (hash32_eq(*ours, l->last.hash))
			read_on(l);
		else
			walk_back(l);
	} else {
		ask_head(l, (struct block_tag){.kind = BLOCK_NUMBER, .number = l->last.block},
			 on_last, "block of the cursor");
	}
}

/* ---- beginning ---- */

/* Where to start: the configured block (once per start), the stored cursor, else the head. */
static void place(struct listener *l)
{
	const struct connector_config *c = l->env.config;

	l->last = (struct cursor){0};
	if (c->decryption_from_block_number_given && !l->override_used) {
		l->next.v = c->decryption_from_block_number;
	} else if (l->stored.known) {
		l->last = l->stored;
		l->next.v = l->stored.block.v + 1;
	} else {
		l->next = l->head.number;
	}
	l->floor = l->next;
	l->override_used = l->placed = true;
	if (!l->said_started)
		LOG_INFO(l->env.log, "Started Decryption polling from block",
			 log_i("block", (int64_t)l->next.v));
	l->said_started = true;
}

static void on_head(void *ctx, const struct provider_error *e, const struct block_head *head)
{
	struct listener *l = answered(ctx, e, "head of the gateway");

	if (!l)
		return;
	l->head = *head;
	metrics_set(l->env.metrics, METRIC_LISTENER_HEAD, METRIC_CONTRACT_DECRYPTION,
		    (int64_t)head->number.v);
	if (!l->placed)
		place(l);
	check_branch(l);
}

static void on_chain_id(void *ctx, const struct provider_error *e, uint64_t id)
{
	struct listener *l = answered(ctx, e, "eth_chainId");

	if (!l)
		return;
	if (id != l->env.config->gateway_chain_id) {
		LOG_ERROR(l->env.log,
			  "The gateway endpoint serves another chain, nothing is read from it",
			  log_s("endpoint", provider_host(l->env.gateway)),
			  log_i("chain_id", (int64_t)id),
			  log_i("expected", (int64_t)l->env.config->gateway_chain_id));
		round_failed(l, ERR_MISMATCH, "eth_chainId", "wrong chain");
		return;
	}
	l->chain_ok = true;
	begin(l);
}

static void on_cursor(void *ctx, const struct store_result *r)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (!l)
		return;
	enum err e = r->err == ERR_OK ? cursor_from_rows(&l->stored, &r->rows[0]) : r->err;
	if (e != ERR_OK) {
		round_failed(l, e, "loading the cursor", r->note.text);
		return;
	}
	l->loaded = true;
	begin(l);
}

static void load_cursor(struct listener *l)
{
	struct store_batch b = store_batch_make(1 << 16);
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);
	enum err e = t ? cursor_add_load(&b, chain_of(l)) : ERR_NOMEM;

	if (e == ERR_OK)
		e = store_submit(l->env.store, &b, on_cursor, t);
	store_batch_free(&b);
	submitted(l, t, e, "loading the cursor");
}

static void begin(void *ctx)
{
	struct listener *l = ctx;

	if (!l->loaded) {
		load_cursor(l);
	} else if (!l->chain_ok) {
		struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

		submitted(l, t,
			  t ? provider_get_chain_id(l->env.gateway, on_chain_id, t) : ERR_NOMEM,
			  "eth_chainId");
	} else {
		ask_head(l, (struct block_tag){.kind = BLOCK_LATEST}, on_head,
			 "head of the gateway");
	}
}

/* ---- life ---- */

enum err listener_start(struct listener **ret_listener, const struct connector_env *env)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		return ERR_NOMEM;
	l->env = *env;
	l->arena = arena_make(TOPICS_BYTES_MAX);
	l->window = window_make(env->config->get_logs_batch_size);
	enum err e = decryption_topics(&l->arena, &l->topics, &l->topics_n);
	if (e != ERR_OK) {
		listener_stop(l);
		return e;
	}
	*ret_listener = l;
	begin(l);
	return ERR_OK;
}

void listener_stop(struct listener *l)
{
	if (!l)
		return;
	clock_timer_cancel(l->env.clock, &l->timer);
	scope_cancel(&l->calls);
	harvest_free(&l->harvest);
	arena_free(&l->arena);
	free(l);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The gateway listener. One round at a time, each step a callback of the one before:
 *
 *   load the cursor, check the chain id, then for ever:
 *   head -> still our branch? -> logs -> has the source reached their end? -> store -> pause
 *
 * Whatever fails ends the round; the next begins after a back-off, from what is stored. It never
 * gives up.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "connector/listener/internal.h"

enum {
	BACK_OFF_MAX_MS = 30000,
	TOPICS_BYTES_MAX = 4096,
	FAR_BEHIND_BLOCKS = 1024,
	HEAD_FRESH_MS = 3000, /* while it catches up, the head and the branch are looked at so often
			       */
};

static void begin(void *ctx);

/* ---- ends of a round ---- */

void listener_round_next(struct listener *l, int64_t delay_ms)
{
	harvest_free(&l->harvest);
	clock_timer_set(l->env.clock, &l->timer, delay_ms, begin, l);
}

void listener_round_idle(struct listener *l)
{
	l->more = false;
	l->errors = 0;
	l->idle = true;
	listener_round_next(l, l->woken ? 0 : l->env.chain.polling_ms);
	l->woken = false;
}

void listener_wake(struct listener *l)
{
	if (l->idle)
		clock_timer_set(l->env.clock, &l->timer, 0, begin, l);
	else
		l->woken = l->errors == 0; /* a back-off is not cut short */
}

void listener_round_failed(struct listener *l, enum err e, const char *what, const char *note)
{
	const struct retry_policy policy = {
		.first_ms = l->env.chain.polling_ms,
		.cap_ms = l->env.chain.polling_ms > BACK_OFF_MAX_MS ? l->env.chain.polling_ms
								    : BACK_OFF_MAX_MS,
	};
	int64_t delay_ms;

	l->errors++;
	l->more = false;
	/* Perhaps another chain answers: that is asked first, and said. */
	if (e == ERR_MISMATCH)
		l->chain_ok = false;
	if (!retry_after(&policy, e, l->errors, l->env.rng, &delay_ms))
		delay_ms = policy.cap_ms;
	metrics_inc(l->env.metrics, METRIC_LISTENER_EVENT_LISTENING_ERRORS, l->env.chain.metric);
	const struct log_field said[] = {log_s("what", what), log_e(e), log_s("detail", note),
					 log_i("in_a_row", l->errors), log_i("retry_ms", delay_ms)};
	log_write(l->env.log,
		  (uint64_t)l->errors < l->env.config->max_consecutive_polling_errors
			  ? LOG_LEVEL_WARN
			  : LOG_LEVEL_ERROR,
		  l->env.chain.failed, said, ARRAY_LEN(said));
	listener_round_next(l, delay_ms);
}

struct listener *listener_answered(void *ctx, const struct provider_error *e, const char *what)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (l && e->err != ERR_OK) {
		listener_round_failed(l, e->err, what, e->note.text);
		return NULL;
	}
	return l;
}

void listener_submitted(struct listener *l, struct ticket *t, enum err e, const char *what)
{
	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	listener_round_failed(l, e, what, "");
}

void listener_ask_head(struct listener *l, struct block_tag tag, provider_head_fn *done,
		       const char *what)
{
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

	listener_submitted(l, t, t ? provider_head(l->env.chain.provider, tag, done, t) : ERR_NOMEM,
			   what);
}

/* ---- beginning ---- */

/* Where to start: the configured block (once per start), the stored cursor, else the head. */
static void place(struct listener *l)
{
	const struct service_chain *c = &l->env.chain;

	l->last = (struct cursor){0};
	if (c->from_block_given && !l->override_used) {
		l->next.v = c->from_block;
	} else if (l->stored.known) {
		l->last = l->stored;
		l->next.v = l->stored.block.v + 1;
	} else {
		l->next = l->head.number;
	}
	l->floor = l->next;
	l->override_used = l->placed = true;
	if (!l->said_started)
		LOG_INFO(l->env.log, l->env.chain.started, log_i("block", (int64_t)l->next.v));
	l->said_started = true;
}

/* The newest block that counts. */
void listener_have_head(struct listener *l, const struct block_head *head)
{
	l->head = *head;
	l->head_ms = clock_mono_ms(l->env.clock);
	metrics_set(l->env.metrics, METRIC_LISTENER_HEAD, l->env.chain.metric,
		    (int64_t)head->number.v);
	if (!l->placed)
		place(l);
	listener_check_branch(l);
}

static void on_buried(void *ctx, const struct provider_error *e, const struct block_head *head)
{
	struct listener *l = listener_answered(ctx, e, "the newest block that counts");

	if (l)
		listener_have_head(l, head);
}

void listener_have_posted(struct listener *l, struct block_number newest)
{
	listener_ask_head(l, (struct block_tag){.kind = BLOCK_NUMBER, .number = newest}, on_buried,
			  "the newest block that counts");
}

/* Where blocks must follow the one that counts, or its batch must be posted. */
static void on_head(void *ctx, const struct provider_error *e, const struct block_head *head)
{
	struct listener *l = listener_answered(ctx, e, "head of the chain");

	if (!l)
		return;
	uint64_t depth = l->env.chain.head_depth;
	if (l->env.chain.head_posted)
		listener_find_posted(l, head->number);
	else if (l->env.chain.parent)
		listener_find_confirmed(l);
	else if (depth == 0)
		listener_have_head(l, head);
	else if (head->number.v < depth)
		listener_round_idle(l);
	else
		listener_ask_head(l,
				  (struct block_tag){.kind = BLOCK_NUMBER,
						     .number = {head->number.v - depth}},
				  on_buried, "the newest block that counts");
}

static void on_chain_id(void *ctx, const struct provider_error *e, uint64_t id)
{
	struct listener *l = listener_answered(ctx, e, "eth_chainId");

	if (!l)
		return;
	if (id != l->env.chain.id.v) {
		LOG_ERROR(l->env.log, "An endpoint serves another chain, nothing is read from it",
			  log_s("chain", l->env.chain.name),
			  log_s("endpoint", provider_host(l->env.chain.provider)),
			  log_i("chain_id", (int64_t)id),
			  log_i("expected", (int64_t)l->env.chain.id.v));
		listener_round_failed(l, ERR_MISMATCH, "eth_chainId", "wrong chain");
		return;
	}
	l->chain_ok = true;
	l->chain_checked(l);
}

void listener_check_chain(struct listener *l, void (*then)(struct listener *l))
{
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

	l->chain_ok = false;
	l->chain_checked = then;
	listener_submitted(
		l, t, t ? provider_get_chain_id(l->env.chain.provider, on_chain_id, t) : ERR_NOMEM,
		"eth_chainId");
}

static void ask_latest(struct listener *l)
{
	listener_ask_head(l, (struct block_tag){.kind = l->env.chain.head}, on_head,
			  "head of the chain");
}

/* The endpoint, or this program, may be another one by now. */
static void load_doubts(struct listener *l, const struct store_rows *rows)
{
	for (size_t i = 0; i < rows->rows_n; i++) {
		const struct store_value *block = store_cell(rows, i, 0);

		if (block->type == STORE_INT && block->i >= 0)
			doubts_add(&l->doubts, (struct block_number){(uint64_t)block->i},
				   clock_mono_ms(l->env.clock));
	}
}

static void on_cursor(void *ctx, const struct store_result *r)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (!l)
		return;
	enum err e = r->err == ERR_OK ? cursor_from_rows(&l->stored, &r->rows[0]) : r->err;
	if (e != ERR_OK) {
		listener_round_failed(l, e, "loading the cursor", r->note.text);
		return;
	}
	l->loaded = true;
	load_doubts(l, &r->rows[1]);
	begin(l);
}

static void load_cursor(struct listener *l)
{
	struct store_batch b = store_batch_make(1 << 16);
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);
	enum err e = t ? cursor_add_load(&b, listener_chain(l)) : ERR_NOMEM;

	if (e == ERR_OK)
		e = store_submit(l->env.store, &b, on_cursor, t);
	store_batch_free(&b);
	listener_submitted(l, t, e, "loading the cursor");
}

/* Deeper than branches fork, head and branch need not be looked at before every window. */
static bool far_behind(const struct listener *l)
{
	return l->more && l->head.number.v - l->next.v >= FAR_BEHIND_BLOCKS &&
	       clock_mono_ms(l->env.clock) - l->head_ms < HEAD_FRESH_MS;
}

static void round_begin(struct listener *l)
{
	if (!l->chain_ok) {
		listener_check_chain(l, ask_latest);
	} else if (far_behind(l)) {
		listener_read_on(l);
	} else {
		ask_latest(l);
	}
}

static void begin(void *ctx)
{
	struct listener *l = ctx;

	l->idle = false;
	if (!l->loaded)
		load_cursor(l);
	else if (l->env.config->channel_size > 0)
		listener_gate(l, round_begin);
	else
		round_begin(l);
}

/* ---- life ---- */

enum err listener_start(struct listener **ret_listener, const struct connector_env *env)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		return ERR_NOMEM;
	l->env = *env;
	l->env.chain = service_chain_of(env);
	l->arena = arena_make(TOPICS_BYTES_MAX);
	for (size_t i = 0; i < l->env.chain.contracts_n; i++)
		l->contracts[i] = l->env.chain.contracts[i].address;
	l->window = window_make(env->config->get_logs_batch_size);
	enum err e = events_topics(&l->arena, l->env.chain.contracts, l->env.chain.contracts_n,
				   &l->topics, &l->topics_n);
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
	trail_free(&l->trail);
	arena_free(&l->arena);
	free(l);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Is the chain still the one whose logs we stored? If not, how the cursor goes back. */
#include "connector/listener/internal.h"

enum {
	REORG_BLOCKS = 256,    /* how far it goes back where no step of the trail is the chain's */
	BEHIND_MAX_MS = 60000, /* a head behind the cursor for so long is no lag */
};

/* ---- going back ---- */

static void on_walked(void *ctx, const struct store_result *r)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (!l)
		return;
	if (r->err != ERR_OK) {
		l->loaded = l->placed = false;
		listener_round_failed(l, r->err, "walking back", r->note.text);
		return;
	}
	LOG_WARN(l->env.log, "Walked back", log_s("chain", l->env.chain.name),
		 log_i("from", (int64_t)l->stored.block.v), log_i("to", (int64_t)l->last.block.v),
		 log_i("withdrawn", l->other_branch ? r->rows[r->rows_n - 1].changed : 0));
	l->stored = l->last;
	listener_round_next(l, 0);
}

static enum err add_walk(struct listener *l, struct store_batch *b)
{
	TRY(cursor_add_move(b, listener_chain(l), &l->stored, &l->last, listener_wall_ms(l)));
	TRY(trail_add_cut(b, listener_chain(l), l->last.block));
	if (!l->other_branch)
		return ERR_OK;
	return op_add_withdraw(b, listener_chain(l), l->last.block, listener_wall_ms(l));
}

/* Rows that the new branch has, too, come again when it is read. */
static void go_back(struct listener *l, const struct cursor *to)
{
	struct store_batch b = store_batch_make(1 << 16);
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

	l->last = *to;
	l->next.v = to->block.v + 1;
	if (l->floor.v > l->next.v)
		l->floor = l->next;
	trail_free(&l->trail);
	l->behind_ms = 0;
	enum err err = t ? add_walk(l, &b) : ERR_NOMEM;
	if (err == ERR_OK)
		err = store_submit(l->env.store, &b, on_walked, t);
	store_batch_free(&b);
	if (err != ERR_OK) {
		l->loaded = l->placed = false;
		listener_submitted(l, t, err, "walking back");
	}
}

/* ---- where to ---- */

static void on_walk_target(void *ctx, const struct provider_error *e,
			   const struct block_head *block)
{
	struct listener *l = listener_answered(ctx, e, "walking back");

	if (l)
		go_back(l, &(struct cursor){
				   .known = true, .block = block->number, .hash = block->hash});
}

/* Older than all that is known of it. */
static void walk_beyond_trail(struct listener *l)
{
	uint64_t oldest = l->trail.n > 0 ? l->trail.v[l->trail.n - 1].block.v : l->last.block.v;

	if (oldest > l->head.number.v)
		oldest = l->head.number.v;
	oldest = oldest > REORG_BLOCKS ? oldest - REORG_BLOCKS : 0;
	listener_ask_head(l, (struct block_tag){.kind = BLOCK_NUMBER, .number = {oldest}},
			  on_walk_target, "walking back");
}

static void search(struct listener *l);

static void on_step(void *ctx, const struct provider_error *e, const struct block_head *block)
{
	struct listener *l = listener_answered(ctx, e, "walking back");

	if (!l)
		return;
	trail_answer(&l->trail, &block->hash);
	search(l);
}

static void search(struct listener *l)
{
	const struct cursor *step = trail_ask(&l->trail);
	const struct cursor *found = trail_found(&l->trail);

	if (step) {
		listener_ask_head(l,
				  (struct block_tag){.kind = BLOCK_NUMBER, .number = step->block},
				  on_step, "walking back");
		return;
	}
	if (l->trail.bad > 0)
		l->other_branch = true;
	if (found)
		go_back(l, &(struct cursor){true, found->block, found->hash});
	else
		walk_beyond_trail(l);
}

static void on_trail(void *ctx, const struct store_result *r)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (!l)
		return;
	enum err e = r->err == ERR_OK ? trail_from_rows(&l->trail, &r->rows[0]) : r->err;
	if (e != ERR_OK)
		listener_round_failed(l, e, "walking back", r->note.text);
	else
		search(l);
}

static void load_trail(struct listener *l)
{
	struct block_number newest = {l->last.block.v > 0 ? l->last.block.v - 1 : 0};
	struct store_batch b = store_batch_make(1 << 16);
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

	if (newest.v > l->head.number.v)
		newest = l->head.number;
	enum err e = t ? trail_add_load(&b, listener_chain(l), newest) : ERR_NOMEM;
	if (e == ERR_OK)
		e = store_submit(l->env.store, &b, on_trail, t);
	store_batch_free(&b);
	listener_submitted(l, t, e, "walking back");
}

static void walk_back(struct listener *l)
{
	l->other_branch = true;
	metrics_inc(l->env.metrics, METRIC_LISTENER_REORGS, l->env.chain.metric);
	LOG_WARN(l->env.log, "The chain was re-organised, walking back",
		 log_s("chain", l->env.chain.name), log_i("from", (int64_t)l->last.block.v));
	load_trail(l);
}

/*
 * The head has been behind the cursor for longer than a node lags: what the cursor stands on was
 * made up, or taken back. Rows are withdrawn only if a hash shows another branch.
 */
static void walk_to_head(struct listener *l)
{
	l->other_branch = false;
	LOG_WARN(l->env.log, "The chain does not have the blocks that were read, walking back",
		 log_s("chain", l->env.chain.name), log_i("head", (int64_t)l->head.number.v),
		 log_i("cursor", (int64_t)l->last.block.v));
	load_trail(l);
}

/* ---- still our branch? ---- */

/* A node that lags, or a branch that is still shorter: there is nothing to read. */
static void behind(struct listener *l)
{
	int64_t now_ms = clock_mono_ms(l->env.clock);

	if (l->behind_ms == 0)
		l->behind_ms = now_ms;
	if (now_ms - l->behind_ms >= BEHIND_MAX_MS) {
		listener_check_chain(l, walk_to_head);
		return;
	}
	LOG_WARN(l->env.log, "The endpoint is behind what we have read",
		 log_s("chain", l->env.chain.name), log_i("head", (int64_t)l->head.number.v),
		 log_i("cursor", (int64_t)l->last.block.v));
	listener_round_idle(l);
}

/*
 * A re-organisation, or another chain behind the same URL? The other one must not move the cursor:
 * its head may be far ahead of ours, and nothing would ever bring the cursor back.
 */
static void other_branch(struct listener *l)
{
	listener_check_chain(l, walk_back);
}

static void on_last(void *ctx, const struct provider_error *e, const struct block_head *block)
{
	struct listener *l = listener_answered(ctx, e, "block of the cursor");

	if (!l)
		return;
	if (hash32_eq(block->hash, l->last.hash))
		listener_read_on(l);
	else
		other_branch(l);
}

void listener_check_branch(struct listener *l)
{
	const struct block_head *h = &l->head;

	if (!l->last.known || h->number.v >= l->last.block.v)
		l->behind_ms = 0;
	if (!l->last.known) {
		listener_read_on(l);
	} else if (h->number.v < l->last.block.v) {
		behind(l);
		return;
	} else if (h->number.v == l->last.block.v || h->number.v == l->next.v) {
		/* The usual case: the head itself tells, no further request is needed. */
		const struct hash32 *ours = h->number.v == l->next.v ? &h->parent_hash : &h->hash;

		if (hash32_eq(*ours, l->last.hash))
			listener_read_on(l);
		else
			other_branch(l);
	} else {
		listener_ask_head(l,
				  (struct block_tag){.kind = BLOCK_NUMBER, .number = l->last.block},
				  on_last, "block of the cursor");
	}
}

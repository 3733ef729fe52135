/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Is the chain still the one whose logs we stored? If not, how the cursor goes back. */
#include "connector/listener/internal.h"

enum {
	REORG_BLOCKS = 256
}; /* how far a walk-back goes: far more than a sequencer ever takes back */

/* ---- still our branch? ---- */

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
	l->stored = l->last;
	listener_round_next(l, 0);
}

/* The block that the cursor goes back to, as the chain has it now. */
static void on_walk_target(void *ctx, const struct provider_error *e,
			   const struct block_head *block)
{
	struct listener *l = listener_answered(ctx, e, "walking back");
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
		!t ? ERR_NOMEM
		   : cursor_add_move(&b, listener_chain(l), &l->stored, &back, listener_wall_ms(l));
	if (err == ERR_OK)
		err = store_submit(l->env.store, &b, on_walked, t);
	store_batch_free(&b);
	if (err != ERR_OK) {
		l->loaded = l->placed = false;
		listener_submitted(l, t, err, "walking back");
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

	metrics_inc(l->env.metrics, METRIC_LISTENER_REORGS, l->env.chain.metric);
	LOG_WARN(l->env.log, "The gateway chain was re-organised, walking back",
		 log_i("from", (int64_t)l->last.block.v), log_i("to", (int64_t)at));
	listener_ask_head(l, (struct block_tag){.kind = BLOCK_NUMBER, .number = {at}},
			  on_walk_target, "walking back");
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

	if (!l->last.known) {
		listener_read_on(l);
	} else if (h->number.v < l->last.block.v) {
		/* A node that lags, or a branch that is still shorter: either way there is nothing
		 * to read. */
		LOG_WARN(l->env.log, "The gateway endpoint is behind what we have read",
			 log_i("head", (int64_t)h->number.v),
			 log_i("cursor", (int64_t)l->last.block.v));
		listener_round_idle(l);
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

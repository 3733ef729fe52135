/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The newest block of an Arbitrum chain that its rollup contract has confirmed on the parent chain:
 * nobody can dispute it any more. The contract says so by the block's hash, in the event of its
 * generation (Arbitrum Nitro: AssertionConfirmed with BoLD, NodeConfirmed before). Only finalized
 * blocks of the parent chain are read; the newest such event is searched for backwards once, then
 * forwards. Of two parts nothing is believed alone: the block that the hash names must be one of
 * the gateway's own, at its number.
 */
#include "base/json.h"
#include "connector/listener/internal.h"
#include "eth/abi.h"
#include "eth/text.h"

enum {
	CONFIRMED_EVERY_MS = 30000, /* confirmations come about once an hour */
	PARENT_WINDOW = 2000,
	BACK_WINDOWS_MAX = 256, /* about ten weeks of Ethereum; an older event counts for nothing */
};

static void search(struct listener *l);

static struct listener *parent_answered(void *ctx, const struct provider_error *e, const char *what)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (l && e->err != ERR_OK) {
		listener_round_failed(l, e->err, what, e->note.text);
		return NULL;
	}
	return l;
}

/* ---- the block behind the hash ---- */

static void on_placed(void *ctx, const struct provider_error *e, const struct block_head *head)
{
	struct listener *l = parent_answered(ctx, e, "the confirmed block");

	if (!l)
		return;
	if (!hash32_eq(head->hash, l->confirmed.hash)) {
		l->confirmed.placed = false;
		listener_round_failed(l, ERR_MISMATCH, "the confirmed block",
				      "the gateway has another block at its number");
		return;
	}
	listener_have_head(l, head);
}

static void ask_placed(struct listener *l)
{
	listener_ask_head(l,
			  (struct block_tag){.kind = BLOCK_NUMBER, .number = {l->confirmed.number}},
			  on_placed, "the confirmed block");
}

static void on_by_hash(void *ctx, const struct provider_error *e, const json_t *block)
{
	struct listener *l = parent_answered(ctx, e, "eth_getBlockByHash");
	enum err err = ERR_OK;

	if (!l)
		return;
	if (json_is_null(block)) {
		listener_round_failed(l, ERR_NOT_FOUND, "the confirmed block",
				      "the gateway does not have the block that is confirmed on "
				      "the parent chain: it lags, or the rollup is another one's");
		return;
	}
	uint64_t number = json_get_quantity(block, "number", &err);
	if (err != ERR_OK) {
		listener_round_failed(l, err, "eth_getBlockByHash", "no block");
		return;
	}
	l->confirmed.number = number;
	l->confirmed.placed = true;
	ask_placed(l);
}

static enum err ask_by_hash(struct listener *l, struct ticket *t)
{
	char hash[HASH_TEXT_SIZE];

	hash_to_text(hash, l->confirmed.hash);
	json_t *params CLEANUP(json_free_ptr) = json_pack("[s, b]", hash, 0);
	return params ? provider_request(l->env.chain.provider, "eth_getBlockByHash", params, 0,
					 on_by_hash, t)
		      : ERR_NOMEM;
}

/* The parent chain has been read as far as it is final. */
static void searched(struct listener *l)
{
	struct confirmed *c = &l->confirmed;

	c->due_ms = clock_mono_ms(l->env.clock) + CONFIRMED_EVERY_MS;
	if (!c->found) {
		if (!c->said_none)
			LOG_WARN(l->env.log, "The rollup contract has confirmed nothing so far",
				 log_s("chain", l->env.chain.name),
				 log_i("parent_block", (int64_t)c->upto));
		c->said_none = true;
		listener_round_idle(l);
	} else if (c->placed) {
		ask_placed(l);
	} else {
		struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);

		listener_submitted(l, t, t ? ask_by_hash(l, t) : ERR_NOMEM, "eth_getBlockByHash");
	}
}

/* ---- the events ---- */

static void take_newest(struct confirmed *c, const struct event_log *logs, size_t n)
{
	for (size_t i = n; i-- > 0;)
		if (logs[i].data.n >= sizeof(c->hash.b)) {
			c->placed = c->placed &&
				    memcmp(c->hash.b, logs[i].data.p, sizeof(c->hash.b)) == 0;
			memcpy(c->hash.b, logs[i].data.p, sizeof(c->hash.b));
			c->found = true;
			return;
		}
}

static void on_logs(void *ctx, const struct provider_error *e, const struct event_log *logs,
		    size_t n)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (!l)
		return;
	struct confirmed *c = &l->confirmed;
	if (e->err != ERR_OK && window_is_too_wide(e) && c->window.size > 1) {
		window_halve(&c->window);
		search(l);
		return;
	}
	if (e->err != ERR_OK) {
		listener_round_failed(l, e->err, "what the parent chain has confirmed",
				      e->note.text);
		return;
	}
	window_good(&c->window, c->to - c->from + 1);
	take_newest(c, logs, n);
	if (c->begun)
		c->upto = c->to;
	else if (c->found || c->from == 0 || ++c->back == BACK_WINDOWS_MAX)
		c->begun = true;
	else
		c->before = c->from;
	search(l);
}

static enum err ask_logs(struct listener *l, struct ticket *t)
{
	const struct hash32 topics[] = {abi_topic("AssertionConfirmed(bytes32,bytes32,bytes32)"),
					abi_topic("NodeConfirmed(uint64,bytes32,bytes32)")};
	const struct log_filter filter = {
		.addresses = &l->env.chain.rollup,
		.addresses_n = 1,
		.topic0 = topics,
		.topic0_n = ARRAY_LEN(topics),
		.from = {l->confirmed.from},
		.to = {l->confirmed.to},
	};

	return provider_logs(l->env.chain.parent, &filter, on_logs, t);
}

/* The next window, backwards until the first event is found. */
static void search(struct listener *l)
{
	struct confirmed *c = &l->confirmed;

	if (c->begun && c->upto >= c->head) {
		searched(l);
		return;
	}
	if (c->begun) {
		c->from = c->upto + 1;
		c->to = c->head - c->upto > c->window.size ? c->upto + c->window.size : c->head;
	} else {
		c->to = c->before - 1;
		c->from = c->before > c->window.size ? c->before - c->window.size : 0;
	}

	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);
	listener_submitted(l, t, t ? ask_logs(l, t) : ERR_NOMEM,
			   "what the parent chain has confirmed");
}

static void on_parent_head(void *ctx, const struct provider_error *e, const struct block_head *head)
{
	struct listener *l = parent_answered(ctx, e, "the parent chain's finalized block");

	if (!l)
		return;
	struct confirmed *c = &l->confirmed;
	c->head = head->number.v;
	/* What is final stays so: an endpoint was wrong, and we are where it never was. */
	if (c->upto > c->head && c->upto - c->head > PARENT_WINDOW) {
		c->begun = false;
		c->before = c->back = 0;
	}
	if (!c->begun && c->before == 0) {
		c->window = window_make(PARENT_WINDOW);
		c->before = c->head + 1;
		c->upto = c->head;
	}
	search(l);
}

void listener_find_confirmed(struct listener *l)
{
	struct confirmed *c = &l->confirmed;

	bool due = clock_mono_ms(l->env.clock) >= c->due_ms;

	if (!due && c->placed) {
		ask_placed(l);
		return;
	}
	if (!due && !c->found) {
		listener_round_idle(l);
		return;
	}

	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);
	listener_submitted(l, t,
			   t ? provider_head(l->env.chain.parent,
					     (struct block_tag){.kind = BLOCK_FINALIZED},
					     on_parent_head, t)
			     : ERR_NOMEM,
			   "the parent chain's finalized block");
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Back-pressure: while channel_size requests lie in the database that no worker has looked at, the
 * chain is read no further. They are safe where they are: the chain keeps them. Requests that a
 * worker has put off do not count, so that what waits for others can never close the gate.
 */
#include "connector/listener/internal.h"

enum {
	GATE_BATCH_MAX = 1 << 12
};

static const char count_sql[] = "SELECT count(*) FROM (SELECT 1 FROM operation WHERE state = 'seen'"
				" AND attempts = 0 AND deferrals = 0 LIMIT $1) AS waiting";

static void on_counted(void *ctx, const struct store_result *r)
{
	struct listener *l = ticket_close(ctx, NULL);

	if (!l)
		return;
	if (r->err != ERR_OK) {
		listener_round_failed(l, r->err, "counting what waits for the worker",
				      r->note.text);
		return;
	}
	const struct store_value *n = store_cell(&r->rows[0], 0, 0);
	bool full = n->type == STORE_INT && (uint64_t)n->i >= l->env.config->channel_size;

	if (full != l->gate_closed)
		LOG_INFO(l->env.log,
			 full ? "Enough requests wait for the worker, the chain is read no further"
			      : "The chain is read on",
			 log_s("chain", l->env.chain.name),
			 log_i("channel_size", (int64_t)l->env.config->channel_size));
	l->gate_closed = full;
	if (full)
		listener_round_idle(l);
	else
		l->gate_then(l);
}

void listener_gate(struct listener *l, void (*then)(struct listener *l))
{
	struct store_batch b = store_batch_make(GATE_BATCH_MAX);
	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);
	enum err e = t ? STORE_ADD(&b, STORE_ANY, count_sql,
				   store_int((int64_t)l->env.config->channel_size))
		       : ERR_NOMEM;

	l->gate_then = then;
	if (e == ERR_OK)
		e = store_submit(l->env.store, &b, on_counted, t);
	store_batch_free(&b);
	listener_submitted(l, t, e, "counting what waits for the worker");
}

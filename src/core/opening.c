/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/opening.h"

#include <stdlib.h>

#include "base/secret.h"

static size_t size_of(size_t n)
{
	return sizeof(struct opening) + n * sizeof(struct opening_item);
}

struct opening *opening_new(size_t n)
{
	struct opening *o = calloc(1, size_of(n));

	if (o)
		o->n = n;
	return o;
}

void opening_cancel(struct opening *o)
{
	for (size_t i = 0; i < o->n; i++) {
		struct opening_item *item = &o->items[i];

		if (item->run)
			peer_run_cancel(item->run);
		item->run = NULL;
		mpc_open_free(item->open);
		item->open = NULL;
	}
	o->running_n = 0;
}

void opening_free(struct opening *o)
{
	if (!o)
		return;
	opening_cancel(o);
	secret_wipe(o, size_of(o->n));
	free(o);
}

static void fail(struct opening_item *item, enum err e, const char *what)
{
	struct opening *o = item->opening;

	if (o->err == ERR_OK)
		o->err = err_say(&o->note, e, "ciphertexts[%td]: %s", item - o->items, what);
}

static void item_done(void *ctx, enum err e)
{
	struct opening_item *item = ctx;
	struct opening *o = item->opening;
	const struct gr *blocks;
	mpc_set wrong = 0;

	item->run = NULL;
	if (e == ERR_OK)
		e = mpc_open_result(item->open, &blocks, &wrong);
	if (e == ERR_OK) {
		memcpy(item->blocks, blocks, item->n * sizeof(*blocks));
		o->wrong |= wrong;
	} else {
		fail(item, e,
		     e == ERR_TIMEOUT ? "too few nodes of the committee answered"
				      : "the opening failed");
	}
	mpc_open_free(item->open);
	item->open = NULL;
	if (--o->running_n > 0)
		return;
	o->over = true;
	o->done(o->ctx);
}

static enum err item_start(struct opening_item *item, struct peer_net *net, int64_t idle_timeout_ms)
{
	const struct opening *o = item->opening;
	struct mpc_open_task task = {.group = o->group};

	mpc_open_to(&task, mpc_set_all(&o->group), item->blocks, item->n);
	TRY(mpc_open_new(&item->open, &task));

	const struct peer_run_options run = {
		.context_id = o->context_id,
		.session = item->session,
		.protocol = mpc_open_protocol(item->open),
		.round_timeout_ms = idle_timeout_ms,
		.idle_timeout_ms = idle_timeout_ms,
		.done = item_done,
		.ctx = item,
	};

	/* It may be over here: then the request failed, and comes again with the same content. */
	peer_net_forget(net, &item->session);
	return peer_net_run(&item->run, net, &run);
}

enum err opening_start(struct opening *o, struct peer_net *net, int64_t idle_timeout_ms,
		       void (*done)(void *ctx), void *ctx)
{
	o->done = done;
	o->ctx = ctx;
	o->err = ERR_OK;
	for (size_t i = 0; i < o->n; i++) {
		enum err e;

		o->items[i].opening = o;
		e = item_start(&o->items[i], net, idle_timeout_ms);
		if (e != ERR_OK) {
			opening_cancel(o);
			return e;
		}
		o->running_n++;
	}
	return ERR_OK;
}

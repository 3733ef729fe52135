/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/coin.h"

#include <stdlib.h>

#include "base/secret.h"
#include "mpc/open.h"
#include "mpc/vss.h"

struct mpc_coin {
	struct mpc_protocol protocol;
	struct mpc_group group;
	struct gr mine, share; /* what we share; our share of the sum */
	struct mpc_vss *vss;
	struct mpc_open *open; /* after the sharing */
};

static enum err begin_opening(struct mpc_coin *c)
{
	struct mpc_open_task task = {
		.group = c->group, .corrupt = mpc_vss_corrupt(c->vss), .synchronous = true};

	for (unsigned dealer = 1; dealer <= c->group.n; dealer++)
		c->share = gr_add(c->share, *mpc_vss_shares(c->vss, dealer));
	mpc_open_to(&task, mpc_set_all(&c->group), &c->share, 1);
	return mpc_open_new(&c->open, &task);
}

/* ---- the steps ---- */

static struct mpc_protocol *inner(struct mpc_coin *c)
{
	return c->open ? mpc_open_protocol(c->open) : mpc_vss_protocol(c->vss);
}

static enum err coin_send(struct mpc_protocol *p, struct mpc_outbox *out,
			  struct mpc_expectation *ret_wants)
{
	return protocol_send(inner(CONTAINER_OF(p, struct mpc_coin, protocol)), out, ret_wants);
}

static enum err coin_take(struct mpc_protocol *p, const struct mpc_inbox *in, bool late,
			  enum mpc_progress *ret_progress)
{
	struct mpc_coin *c = CONTAINER_OF(p, struct mpc_coin, protocol);
	enum mpc_progress progress;

	TRY(protocol_take(inner(c), in, late, &progress));
	if (progress == MPC_DONE && !c->open) {
		TRY(begin_opening(c));
		progress = MPC_ROUND_OVER;
	}
	*ret_progress = progress;
	return ERR_OK;
}

static const struct mpc_protocol_ops coin_ops = {
	.name = "coin",
	.send = coin_send,
	.take = coin_take,
};

/* ---- from outside ---- */

enum err mpc_coin_new(struct mpc_coin **ret, const struct mpc_group *g, mpc_set corrupt,
		      struct rng *rng)
{
	struct mpc_vss_task task = {.group = *g, .corrupt = corrupt, .n = 1, .rng = rng};
	struct mpc_coin *c = calloc(1, sizeof(*c));
	uint8_t raw[GR_SIZE];
	enum err e;

	if (!c)
		return ERR_NOMEM;
	c->protocol.ops = &coin_ops;
	c->group = *g;
	rng_fill(rng, raw, sizeof(raw));
	c->mine = gr_get(raw);
	secret_wipe(raw, sizeof(raw));
	task.secrets = &c->mine;
	e = mpc_vss_new(&c->vss, &task);
	if (e != ERR_OK) {
		mpc_coin_free(c);
		return e;
	}
	*ret = c;
	return ERR_OK;
}

void mpc_coin_free(struct mpc_coin *c)
{
	if (!c)
		return;
	mpc_open_free(c->open);
	mpc_vss_free(c->vss);
	secret_wipe(c, sizeof(*c));
	free(c);
}

struct mpc_protocol *mpc_coin_protocol(struct mpc_coin *c)
{
	return &c->protocol;
}

enum err mpc_coin_result(const struct mpc_coin *c, struct gr *ret_coin)
{
	const struct gr *coin;

	if (!c->open)
		return ERR_NOT_READY;
	TRY(mpc_open_result(c->open, &coin, NULL));
	*ret_coin = *coin;
	return ERR_OK;
}

mpc_set mpc_coin_corrupt(const struct mpc_coin *c)
{
	return mpc_vss_corrupt(c->vss);
}

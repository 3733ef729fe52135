/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/prss_init.h"

#include <stdlib.h>

#include "base/secret.h"
#include "mpc/open.h"
#include "mpc/vss.h"

struct mpc_prss_init {
	struct mpc_protocol protocol;
	struct mpc_group group;
	size_t batches; /* random elements of each party */
	struct gr *mine;
	struct mpc_vss *vss;
	struct mpc_open *open;             /* after the sharing */
	struct gr *lists[MPC_PARTIES_MAX]; /* our shares of each party's keys */
	size_t lists_n[MPC_PARTIES_MAX];
};

/* ---- random elements that nobody knows ---- */

/* Element number i of batch b: the sum over all dealers of alpha_dealer^i times what it shared. Any
 * n - t of n such sums are uniform if t of the summands are known. */
static struct gr combination(const struct mpc_prss_init *p, size_t b, unsigned i)
{
	struct gr sum = {{0}};

	for (unsigned dealer = 1; dealer <= p->group.n; dealer++) {
		struct gr part = mpc_vss_shares(p->vss, dealer)[b], point = gr_point(dealer);

		for (unsigned k = 0; k < i; k++)
			part = gr_mul(&part, &point);
		sum = gr_add(sum, part);
	}
	return sum;
}

/* The k-th element is for the k-th set: each of its members is to learn it. */
static enum err make_lists(struct mpc_prss_init *p)
{
	const struct mpc_group *g = &p->group;
	unsigned sets_n = mpc_sets_n(g), each = g->n - g->t;
	mpc_set sets[MPC_SETS_MAX];

	mpc_sets(g, sets);
	for (unsigned i = 0; i < g->n; i++) {
		p->lists[i] = calloc(sets_n, sizeof(*p->lists[i]));
		if (!p->lists[i])
			return ERR_NOMEM;
	}
	for (unsigned k = 0; k < sets_n; k++) {
		struct gr share = combination(p, k / each, k % each);

		for (unsigned i = 0; i < g->n; i++)
			if (mpc_set_has(sets[k], i + 1))
				p->lists[i][p->lists_n[i]++] = share;
		secret_wipe(&share, sizeof(share));
	}
	return ERR_OK;
}

static enum err begin_opening(struct mpc_prss_init *p)
{
	struct mpc_open_task task = {
		.group = p->group, .corrupt = mpc_vss_corrupt(p->vss), .synchronous = true};

	TRY(make_lists(p));
	for (unsigned i = 0; i < p->group.n; i++)
		task.to[i] = (struct mpc_open_list){p->lists[i], p->lists_n[i]};
	return mpc_open_new(&p->open, &task);
}

/* ---- the steps ---- */

static struct mpc_protocol *inner(struct mpc_prss_init *p)
{
	return p->open ? mpc_open_protocol(p->open) : mpc_vss_protocol(p->vss);
}

static enum err init_send(struct mpc_protocol *protocol, struct mpc_outbox *out,
			  struct mpc_expectation *ret_wants)
{
	struct mpc_prss_init *p = CONTAINER_OF(protocol, struct mpc_prss_init, protocol);

	return protocol_send(inner(p), out, ret_wants);
}

static enum err init_take(struct mpc_protocol *protocol, const struct mpc_inbox *in, bool late,
			  enum mpc_progress *ret_progress)
{
	struct mpc_prss_init *p = CONTAINER_OF(protocol, struct mpc_prss_init, protocol);
	enum mpc_progress progress;

	TRY(protocol_take(inner(p), in, late, &progress));
	if (progress == MPC_DONE && !p->open) {
		TRY(begin_opening(p));
		progress = MPC_ROUND_OVER;
	}
	*ret_progress = progress;
	return ERR_OK;
}

static const struct mpc_protocol_ops init_ops = {
	.name = "PRSS set-up",
	.send = init_send,
	.take = init_take,
};

/* ---- from outside ---- */

enum err mpc_prss_init_new(struct mpc_prss_init **ret, const struct mpc_group *g, struct rng *rng)
{
	struct mpc_vss_task task = {.group = *g, .rng = rng};
	struct mpc_prss_init *p;
	enum err e;

	TRY(mpc_group_check(g, NULL));
	p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	p->protocol.ops = &init_ops;
	p->group = *g;
	p->batches = (mpc_sets_n(g) + g->n - g->t - 1) / (g->n - g->t);
	p->mine = calloc(p->batches, sizeof(*p->mine));
	if (!p->mine) {
		mpc_prss_init_free(p);
		return ERR_NOMEM;
	}
	for (size_t i = 0; i < p->batches; i++) {
		uint8_t raw[GR_SIZE];

		rng_fill(rng, raw, sizeof(raw));
		p->mine[i] = gr_get(raw);
		secret_wipe(raw, sizeof(raw));
	}
	task.n = p->batches;
	task.secrets = p->mine;
	e = mpc_vss_new(&p->vss, &task);
	if (e != ERR_OK) {
		mpc_prss_init_free(p);
		return e;
	}
	*ret = p;
	return ERR_OK;
}

void mpc_prss_init_as_published(struct mpc_prss_init *p)
{
	mpc_vss_as_published(p->vss);
}

void mpc_prss_init_free(struct mpc_prss_init *p)
{
	if (!p)
		return;
	mpc_open_free(p->open);
	mpc_vss_free(p->vss);
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++) {
		if (p->lists[i])
			secret_wipe(p->lists[i], p->lists_n[i] * sizeof(*p->lists[i]));
		free(p->lists[i]);
	}
	if (p->mine)
		secret_wipe(p->mine, p->batches * sizeof(*p->mine));
	free(p->mine);
	free(p);
}

struct mpc_protocol *mpc_prss_init_protocol(struct mpc_prss_init *p)
{
	return &p->protocol;
}

static enum err hash_keys(struct secret *keys, const struct gr *elements, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t raw[GR_SIZE];
		const struct bytes part = BYTES_OF(raw);
		struct hash32 h;

		gr_put(raw, &elements[i]);
		TRY(mpc_hash(&h, MPC_NAME_AGREE_RANDOM, &part, 1));
		memcpy(&keys->p[i * PRSS_KEY_SIZE], h.b, PRSS_KEY_SIZE);
		secret_wipe(raw, sizeof(raw));
		secret_wipe(&h, sizeof(h));
	}
	return ERR_OK;
}

enum err mpc_prss_init_result(const struct mpc_prss_init *p, struct prss **ret)
{
	size_t n = p->lists_n[p->group.me - 1];
	const struct gr *elements;
	struct secret keys;
	enum err e;

	if (!p->open)
		return ERR_NOT_READY;
	TRY(mpc_open_result(p->open, &elements, NULL));
	TRY(secret_alloc(&keys, n * PRSS_KEY_SIZE));
	e = hash_keys(&keys, elements, n);
	if (e == ERR_OK)
		e = prss_new(ret, &p->group, secret_view(&keys));
	secret_free(&keys);
	return e;
}

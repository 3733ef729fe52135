/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/open.h"

#include <stdlib.h>

#include "base/secret.h"
#include "mpc/wire.h"

struct mpc_open {
	struct mpc_protocol protocol;
	struct mpc_open_task task;
	mpc_set heard, valid;               /* our own share is among them */
	struct gr *shares[MPC_PARTIES_MAX]; /* of those in `valid`, n each */
	struct gr *secrets;
	mpc_set wrong;
	enum err result; /* ERR_NOT_READY until the end */
};

static void rows_free(struct gr *row, size_t n)
{
	if (row)
		secret_wipe(row, n * sizeof(*row));
	free(row);
}

/* How many secrets we learn. */
static size_t learns(const struct mpc_open *o)
{
	return o->task.to[o->task.group.me - 1].n;
}

/* ---- the round ---- */

static enum err open_send(struct mpc_protocol *p, struct mpc_outbox *out,
			  struct mpc_expectation *ret_wants)
{
	struct mpc_open *o = CONTAINER_OF(p, struct mpc_open, protocol);
	const struct mpc_group *g = &o->task.group;

	for (unsigned to = 1; to <= g->n; to++) {
		const struct mpc_open_list *list = &o->task.to[to - 1];

		if (to == g->me || list->n == 0)
			continue;
		out->to[to - 1] = buf_make(mpc_wire_rings_size(list->n));
		TRY(mpc_wire_put_rings(&out->to[to - 1], list->shares, list->n));
	}
	if (learns(o) == 0)
		return ERR_OK;
	*ret_wants = (struct mpc_expectation){
		.from = mpc_set_all(g) & (mpc_set) ~(o->task.corrupt | mpc_set_of(g->me)),
		.size_max = mpc_wire_rings_size(learns(o)),
		.synchronous = o->task.synchronous,
	};
	return ERR_OK;
}

/* Reads what is new. True: there is another share to try with. */
static enum err listen(struct mpc_open *o, const struct mpc_inbox *in, bool *ret_news)
{
	mpc_set news = in->spoke & (mpc_set) ~(o->heard | o->task.corrupt);

	*ret_news = false;
	for (unsigned from = 1; from <= o->task.group.n; from++) {
		struct gr *row;

		if (!mpc_set_has(news, from))
			continue;
		row = calloc(learns(o), sizeof(*row));
		if (!row)
			return ERR_NOMEM;
		o->heard |= mpc_set_of(from);
		if (mpc_wire_get_rings(row, learns(o), in->of[from - 1]) != ERR_OK) {
			free(row); /* no word of sense: as if silent */
			continue;
		}
		o->shares[from - 1] = row;
		o->valid |= mpc_set_of(from);
		*ret_news = true;
	}
	return ERR_OK;
}

/* With `liars` at most among those who spoke sense. */
static enum err try_open(struct mpc_open *o, unsigned liars)
{
	const struct gr *of[MPC_PARTIES_MAX];
	struct shamir_basis b;
	unsigned q = mpc_set_size(o->valid), t = o->task.group.t;
	unsigned radius = shamir_radius(q, t, liars);

	if (q <= t + liars)
		return ERR_MISMATCH;
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++)
		of[i] = o->shares[i];
	TRY(shamir_basis_init(&b, o->valid, t));
	return shamir_open_many_var(&b, o->secrets, &o->wrong, of, learns(o), liars,
				    radius < liars ? radius : liars, NULL);
}

static enum err open_take(struct mpc_protocol *p, const struct mpc_inbox *in, bool late,
			  enum mpc_progress *ret_progress)
{
	struct mpc_open *o = CONTAINER_OF(p, struct mpc_open, protocol);
	const struct mpc_group *g = &o->task.group;
	mpc_set others = mpc_set_all(g) & (mpc_set) ~(o->task.corrupt | mpc_set_of(g->me));
	unsigned silent, liars;
	bool news;
	enum err e;

	*ret_progress = MPC_DONE;
	if (learns(o) == 0) {
		o->result = ERR_OK;
		return ERR_OK;
	}
	TRY(listen(o, in, &news));

	bool all = (others & (mpc_set)~o->heard) == 0 || late;
	*ret_progress = MPC_WAIT;
	if (o->task.synchronous ? !all : !news && !all)
		return ERR_OK;
	/* Who is silent, speaks no sense or is known to be corrupt is one hostile party less among
	 * the others; but before the time is up, silence means nothing. */
	silent = g->n - mpc_set_size(o->valid);
	liars = !o->task.synchronous ? g->t : silent < g->t ? g->t - silent : 0;
	e = silent > g->t && o->task.synchronous ? ERR_MISMATCH : try_open(o, liars);
	if (e == ERR_MISMATCH && !o->task.synchronous)
		return ERR_OK;
	if (e != ERR_OK && e != ERR_MISMATCH)
		return e;
	o->result = e;
	o->wrong |= mpc_set_all(g) & (mpc_set)~o->valid;
	*ret_progress = MPC_DONE;
	return ERR_OK;
}

static const struct mpc_protocol_ops open_ops = {
	.name = "open",
	.send = open_send,
	.take = open_take,
};

/* ---- from outside ---- */

void mpc_open_to(struct mpc_open_task *task, mpc_set receivers, const struct gr *shares, size_t n)
{
	for (unsigned party = 1; party <= task->group.n; party++)
		if (mpc_set_has(receivers, party))
			task->to[party - 1] = (struct mpc_open_list){shares, n};
}

enum err mpc_open_new(struct mpc_open **ret, const struct mpc_open_task *task)
{
	const struct mpc_open_list *own = &task->to[task->group.me - 1];
	struct mpc_open *o;
	struct gr *mine;

	TRY(mpc_group_check(&task->group, NULL));
	for (unsigned i = 0; i < task->group.n; i++)
		if (task->to[i].n > MPC_OPEN_SECRETS_MAX)
			return ERR_RANGE;
	o = calloc(1, sizeof(*o));
	mine = calloc(own->n + 1, sizeof(*mine));
	if (o)
		o->secrets = calloc(own->n + 1, sizeof(*o->secrets));
	if (!o || !mine || !o->secrets) {
		free(mine);
		if (o)
			free(o->secrets);
		free(o);
		return ERR_NOMEM;
	}
	if (own->n > 0)
		memcpy(mine, own->shares, own->n * sizeof(*mine));
	o->protocol.ops = &open_ops;
	o->task = *task;
	o->shares[task->group.me - 1] = mine;
	o->valid = mpc_set_of(task->group.me);
	o->result = ERR_NOT_READY;
	*ret = o;
	return ERR_OK;
}

void mpc_open_free(struct mpc_open *o)
{
	if (!o)
		return;
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++)
		rows_free(o->shares[i], learns(o));
	rows_free(o->secrets, learns(o));
	free(o);
}

struct mpc_protocol *mpc_open_protocol(struct mpc_open *o)
{
	return &o->protocol;
}

enum err mpc_open_result(const struct mpc_open *o, const struct gr **ret_secrets,
			 mpc_set *ret_wrong)
{
	if (o->result != ERR_OK)
		return o->result;
	if (ret_secrets)
		*ret_secrets = o->secrets;
	if (ret_wrong)
		*ret_wrong = o->wrong;
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Robust opening: every honest receiver has the secrets, and blames nobody who did nothing. */
#include <string.h>

#include "mpc/open.h"
#include "runs.h"

enum {
	SECRETS = 3
};

struct opening {
	struct network net;
	mpc_set receivers;
	struct gr secrets[SECRETS];
	struct gr shares[MPC_PARTIES_MAX][SECRETS];
	struct mpc_open *open[MPC_PARTIES_MAX];
};

void run_begin(struct mpc_run *r, struct network *net)
{
	network_init(net, r->n, r->t, r->seed);
	net->hostile = any_parties(net->rng, r->n, r->liars);
	net->strategy = r->how;
	if (rng_below(net->rng, 2) == 0)
		net->slow = any_parties(net->rng, r->n, 1 + (unsigned)rng_below(net->rng, r->t)) &
			    network_honest(net);
	r->hostile = net->hostile;
}

void run_end(struct mpc_run *r, struct network *net)
{
	r->delivered = net->delivered;
	r->rounds = network_rounds(net);
	network_free(net);
}

static void opening_make(struct opening *o, const struct mpc_run *r, bool synchronous)
{
	for (unsigned i = 0; i < SECRETS; i++) {
		struct gr row[MPC_PARTIES_MAX];

		o->secrets[i] = any_gr(o->net.rng);
		shamir_share(row, &o->net.group, r->t, &o->secrets[i], o->net.rng);
		for (unsigned p = 0; p < r->n; p++)
			o->shares[p][i] = row[p];
	}
	o->receivers = mpc_set_all(&o->net.group);
	if (rng_below(o->net.rng, 3) == 0)
		o->receivers = any_parties(o->net.rng, r->n, 1);
	for (unsigned p = 1; p <= r->n; p++) {
		struct mpc_open_task task = {.group = {r->n, r->t, p}, .synchronous = synchronous};

		mpc_open_to(&task, o->receivers, o->shares[p - 1], SECRETS);
		CHECK(mpc_open_new(&o->open[p - 1], &task) == ERR_OK);
		network_join(&o->net, p, mpc_open_protocol(o->open[p - 1]));
	}
}

static const char *judge_one(const struct opening *o, unsigned p, bool synchronous, bool beyond)
{
	const struct gr *secrets;
	mpc_set wrong;
	enum err e = mpc_open_result(o->open[p - 1], &secrets, &wrong);

	if (beyond)
		return e == (synchronous ? ERR_MISMATCH : ERR_NOT_READY)
			       ? NULL
			       : "an answer without t + 1 of the parties";
	if (e != ERR_OK)
		return "an honest party has no answer";
	if (memcmp(secrets, o->secrets, sizeof(o->secrets)) != 0)
		return "a wrong answer";
	/* When it did not wait, who came later than the answer is among the missing. */
	if (synchronous && (wrong & ~o->net.hostile))
		return "an honest party is said to have lied";
	return NULL;
}

static const char *run_open(struct mpc_run *r, bool synchronous)
{
	static struct opening o;
	const char *fault = NULL;

	memset(&o, 0, sizeof(o));
	run_begin(r, &o.net);
	opening_make(&o, r, synchronous);
	network_run(&o.net);
	if (!run_beyond(r) && !network_honest_done(&o.net))
		fault = "it does not end";
	for (unsigned p = 1; p <= r->n && !fault; p++)
		if (mpc_set_has(network_honest(&o.net) & o.receivers, p))
			fault = judge_one(&o, p, synchronous, run_beyond(r));
	run_end(r, &o.net);
	for (unsigned p = 0; p < r->n; p++)
		mpc_open_free(o.open[p]);
	return fault ? fault : r->rounds > 1 ? "more than one round" : NULL;
}

const char *run_open_waiting(struct mpc_run *r)
{
	return run_open(r, false);
}

const char *run_open_timed(struct mpc_run *r)
{
	return run_open(r, true);
}

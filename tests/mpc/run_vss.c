/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Verifiable sharing: what every dealer shared is one polynomial for all honest parties, an honest
 * dealer's is its secret, and they agree who is corrupt. */
#include <string.h>

#include "mpc/broadcast.h"
#include "mpc/coin.h"
#include "mpc/vss.h"
#include "runs.h"

enum {
	SECRETS = 2
};

struct dealing {
	struct network net;
	struct gr secret[MPC_PARTIES_MAX][SECRETS];
	struct rng_seeded seeds[MPC_PARTIES_MAX];
	struct mpc_vss *v[MPC_PARTIES_MAX];
};

/* One round between pairs, then up to three broadcasts. */
static uint64_t rounds_max(const struct mpc_run *r)
{
	const struct mpc_group g = {r->n, r->t, 1};

	return 1 + 3 * mpc_broadcast_rounds(&g, false);
}

static const char *judge_dealer(const struct dealing *d, unsigned dealer, mpc_set corrupt)
{
	mpc_set honest = network_honest(&d->net);
	struct shamir_basis b;

	CHECK(shamir_basis_init(&b, honest, d->net.group.t) == ERR_OK);
	for (unsigned s = 0; s < SECRETS; s++) {
		struct gr shares[MPC_PARTIES_MAX] = {0}, secret;

		for (unsigned p = 1; p <= d->net.group.n; p++)
			if (mpc_set_has(honest, p))
				shares[p - 1] = mpc_vss_shares(d->v[p - 1], dealer)[s];
		if (shamir_open_var(&b, &secret, NULL, shares, 0, 0) != ERR_OK)
			return "an honest party's share is off the polynomial";
		if (mpc_set_has(honest, dealer) && !gr_eq_var(&secret, &d->secret[dealer - 1][s]))
			return "an honest dealer's secret is another one";
		if (mpc_set_has(corrupt, dealer) && !(gr_is_scalar_var(&secret) && !secret.c[0]))
			return "a corrupt dealer's secret is not 0";
	}
	return NULL;
}

static const char *judge(const struct dealing *d, struct mpc_run *r)
{
	mpc_set honest = network_honest(&d->net);
	const char *fault = NULL;
	bool first = true;

	if (!network_honest_done(&d->net) || network_rounds(&d->net) > rounds_max(r))
		return "it does not end within its rounds";
	for (unsigned p = 1; p <= r->n; p++) {
		mpc_set corrupt = mpc_vss_corrupt(d->v[p - 1]);

		if (!mpc_set_has(honest, p))
			continue;
		if (!first && corrupt != r->corrupt)
			return "honest parties do not agree who is corrupt";
		r->corrupt = corrupt;
		first = false;
	}
	if (r->corrupt & honest)
		return "an honest party is called corrupt";
	for (unsigned dealer = 1; dealer <= r->n && !fault; dealer++)
		fault = judge_dealer(d, dealer, r->corrupt);
	return fault;
}

const char *run_vss(struct mpc_run *r)
{
	static struct dealing d;
	const char *fault = NULL;

	memset(&d, 0, sizeof(d));
	run_begin(r, &d.net);
	for (unsigned p = 1; p <= r->n; p++) {
		struct mpc_vss_task task = {
			.group = {r->n, r->t, p}, .n = SECRETS, .secrets = d.secret[p - 1]};

		task.rng = rng_seeded_init(&d.seeds[p - 1], network_agreed(&d.net, p, 7, 7));
		for (unsigned s = 0; s < SECRETS; s++)
			d.secret[p - 1][s] = any_gr(d.net.rng);
		CHECK(mpc_vss_new(&d.v[p - 1], &task) == ERR_OK);
		network_join(&d.net, p, mpc_vss_protocol(d.v[p - 1]));
	}
	network_run(&d.net);
	/* Without t + 1 of the parties a broadcast says nothing of anybody. */
	if (!run_beyond(r))
		fault = judge(&d, r);
	else
		for (unsigned p = 1; p <= r->n; p++)
			if (mpc_set_has(network_honest(&d.net), p) &&
			    mpc_vss_corrupt(d.v[p - 1]) != mpc_set_all(&d.net.group))
				fault = "a sharing without t + 1 of the parties";
	run_end(r, &d.net);
	for (unsigned p = 0; p < r->n; p++)
		mpc_vss_free(d.v[p]);
	return fault;
}

/* ---- the coin, which is a sharing and its opening ---- */

struct toss {
	struct network net;
	struct rng_seeded seeds[MPC_PARTIES_MAX];
	struct mpc_coin *c[MPC_PARTIES_MAX];
};

static const char *judge_coin(const struct toss *toss, const struct mpc_run *r)
{
	struct gr first = {{0}}, coin;
	bool any = false;

	if (!network_honest_done(&toss->net) || network_rounds(&toss->net) > rounds_max(r) + 1)
		return "it does not end within its rounds";
	for (unsigned p = 1; p <= r->n; p++) {
		enum err e;

		if (!mpc_set_has(network_honest(&toss->net), p))
			continue;
		e = mpc_coin_result(toss->c[p - 1], &coin);
		if (run_beyond(r)) {
			if (e != ERR_MISMATCH)
				return "a coin without t + 1 of the parties";
			continue;
		}
		if (e != ERR_OK)
			return "an honest party has no coin";
		if (any && !gr_eq_var(&coin, &first))
			return "honest parties have different coins";
		first = coin;
		any = true;
	}
	return any && gr_is_scalar_var(&first) ? "the coin is no random element" : NULL;
}

const char *run_coin(struct mpc_run *r)
{
	static struct toss toss;
	const char *fault;

	memset(&toss, 0, sizeof(toss));
	run_begin(r, &toss.net);
	for (unsigned p = 1; p <= r->n; p++) {
		const struct mpc_group g = {r->n, r->t, p};
		struct rng *rng =
			rng_seeded_init(&toss.seeds[p - 1], network_agreed(&toss.net, p, 8, 8));

		CHECK(mpc_coin_new(&toss.c[p - 1], &g, 0, rng) == ERR_OK);
		network_join(&toss.net, p, mpc_coin_protocol(toss.c[p - 1]));
	}
	network_run(&toss.net);
	fault = judge_coin(&toss, r);
	run_end(r, &toss.net);
	for (unsigned p = 0; p < r->n; p++)
		mpc_coin_free(toss.c[p]);
	return fault;
}

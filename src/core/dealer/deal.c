/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/dealer/deal.h"

#include <stdlib.h>

#include "mpc/shamir.h"

/* All parties' shares of all bits: party i's of key `id` begin at all[i - 1] + at[id]. */
struct dealt {
	struct gr *all[MPC_PARTIES_MAX];
	size_t at[FHE_KEY_COUNT], total;
};

static void dealt_free(struct dealt *d)
{
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++) {
		if (d->all[i])
			secret_wipe(d->all[i], d->total * sizeof(struct gr));
		free(d->all[i]);
	}
}

static enum err dealt_make(struct dealt *d, const struct fhe_client_key *key,
			   const struct mpc_group *g, struct rng *rng)
{
	struct gr shares[MPC_PARTIES_MAX];

	for (unsigned id = 0; id < FHE_KEY_COUNT; id++) {
		d->at[id] = d->total;
		d->total += fhe_client_key_bits(key, (enum fhe_key_id)id).n;
	}
	for (unsigned p = 0; p < g->n; p++) {
		d->all[p] = calloc(d->total, sizeof(struct gr));
		if (!d->all[p])
			return ERR_NOMEM;
	}
	for (unsigned id = 0; id < FHE_KEY_COUNT; id++) {
		struct bytes bits = fhe_client_key_bits(key, (enum fhe_key_id)id);

		for (size_t i = 0; i < bits.n; i++) {
			struct gr bit = gr_scalar(bits.p[i]);

			shamir_share(shares, g, g->t, &bit, rng);
			for (unsigned p = 0; p < g->n; p++)
				d->all[p][d->at[id] + i] = shares[p];
			secret_wipe(&bit, sizeof(bit));
		}
	}
	secret_wipe(shares, sizeof(shares));
	return ERR_OK;
}

enum err threshold_deal(struct buf *objects, const struct fhe_client_key *key,
			const struct fhe_key_metadata *metadata, unsigned n, unsigned t,
			struct rng *rng, struct err_note *note)
{
	CLEANUP(dealt_free) struct dealt d = {0};
	struct mpc_group g = {.n = n, .t = t, .me = 1};

	TRY(mpc_group_check(&g, note));
	TRY(dealt_make(&d, key, &g, rng));
	for (unsigned p = 0; p < n; p++) {
		struct threshold_key_parts parts = {
			.group = {.n = n, .t = t, .me = p + 1},
			.params = &key->params,
			.metadata = metadata,
		};

		for (unsigned id = 0; id < FHE_KEY_COUNT; id++)
			parts.shares[id] = &d.all[p][d.at[id]];
		TRY(threshold_key_write(&parts, &objects[p]));
	}
	return ERR_OK;
}

/* ---- PRSS ---- */

enum err threshold_deal_prss(struct prss **ret_prss, unsigned n, unsigned t, struct rng *rng)
{
	struct mpc_group g = {.n = n, .t = t, .me = 1};
	CLEANUP(secret_free) struct secret all = {0};
	CLEANUP(secret_free) struct secret mine = {0};
	mpc_set sets[MPC_SETS_MAX];
	unsigned sets_n;

	TRY(mpc_group_check(&g, NULL));
	sets_n = mpc_sets_n(&g);
	mpc_sets(&g, sets);
	TRY(secret_alloc(&all, (size_t)sets_n * PRSS_KEY_SIZE));
	TRY(secret_alloc(&mine, all.n));
	rng_fill(rng, all.p, all.n);
	for (unsigned p = 0; p < n; p++) {
		size_t at = 0;
		enum err e;

		g.me = p + 1;
		for (size_t i = 0; i < sets_n; i++)
			if (mpc_set_has(sets[i], g.me))
				memcpy(&mine.p[PRSS_KEY_SIZE * at++], &all.p[PRSS_KEY_SIZE * i],
				       PRSS_KEY_SIZE);
		e = prss_new(&ret_prss[p], &g, bytes_from(mine.p, at * PRSS_KEY_SIZE));
		if (e == ERR_OK)
			continue;
		while (p > 0)
			prss_free(ret_prss[--p]);
		return e;
	}
	return ERR_OK;
}

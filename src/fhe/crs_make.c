/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A new CRS. One job is a batch of powers in one group. The power n + 1 in G1, which would break
 * every proof, is never computed.
 */
#include <stdlib.h>

#include "base/rng.h"
#include "fhe/crs_internal.h"
#include "fhe/team.h"

/* What one thread needs for itself. */
struct maker {
	struct bls12_446_batch batch;
	uint8_t *coordinates; /* of one batch */
};

struct making {
	const struct fhe_crs *crs;
	struct bls12_446_base *bases[BLS12_446_G2 + 1]; /* by group */
	struct secret secret;                           /* the number */
	struct maker makers[FHE_TEAM_THREADS_MAX];
	uint8_t *g, *g_hat; /* where the lists go */
};

static size_t batches_of(const struct fhe_crs *c)
{
	return (size_t)(c->n + BLS12_446_BATCH_MAX - 1) / BLS12_446_BATCH_MAX;
}

/* Jobs are the batches of: powers 1 to n in G1, n + 2 to 2 n in G1, 1 to n in G2. */
enum {
	RANGES = 3
};

static enum err batch_make(void *context, unsigned thread, size_t job)
{
	struct making *m = context;
	struct maker *own = &m->makers[thread];
	const struct fhe_crs *c = m->crs;
	size_t range = job / batches_of(c);
	uint64_t first = 1 + (uint64_t)(job % batches_of(c)) * BLS12_446_BATCH_MAX;
	uint64_t last =
		first + BLS12_446_BATCH_MAX - 1 < c->n ? first + BLS12_446_BATCH_MAX - 1 : c->n;
	enum bls12_446_group group = range < RANGES - 1 ? BLS12_446_G1 : BLS12_446_G2;
	size_t size = bls12_446_point_size(group);

	if (range == 1) {
		first += c->n + (first == 1);
		last += c->n;
	}
	if (first > last)
		return ERR_OK;
	bls12_446_base_powers(m->bases[group], &own->batch,
			      (const struct bls12_446_scalar *)(const void *)m->secret.p, first,
			      (size_t)(last - first + 1), own->coordinates);
	for (uint64_t i = first; i <= last; i++) {
		const uint8_t *from = &own->coordinates[(size_t)(i - first) * size];

		if (group == BLS12_446_G1)
			crs_element_put(group, from, &m->g[fhe_crs_g_place(c, i)]);
		else
			crs_element_put(group, from, &m->g_hat[fhe_crs_g_hat_place(i)]);
	}
	return ERR_OK;
}

static enum err making_init(struct making *m, const struct fhe_crs *c, unsigned threads)
{
	m->crs = c;
	TRY(secret_alloc(&m->secret, sizeof(struct bls12_446_scalar)));
	TRY(bls12_446_base_new(&m->bases[BLS12_446_G1], BLS12_446_G1));
	TRY(bls12_446_base_new(&m->bases[BLS12_446_G2], BLS12_446_G2));
	for (unsigned i = 0; i < threads; i++) {
		TRY(bls12_446_batch_init(&m->makers[i].batch));
		m->makers[i].coordinates = calloc(BLS12_446_BATCH_MAX, BLS12_446_G2_SIZE);
		if (!m->makers[i].coordinates)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

static void making_clear(struct making *m)
{
	secret_free(&m->secret);
	bls12_446_base_free(m->bases[BLS12_446_G1]);
	bls12_446_base_free(m->bases[BLS12_446_G2]);
	for (unsigned i = 0; i < FHE_TEAM_THREADS_MAX; i++) {
		bls12_446_batch_clear(&m->makers[i].batch);
		free(m->makers[i].coordinates);
	}
}

enum err fhe_crs_make(const struct fhe_crs *c, struct rng *rng, unsigned threads, struct buf *out)
{
	CLEANUP(making_clear) struct making m = {0};
	struct crs_places places;
	size_t before = out->n;
	enum err e;

	if (threads == 0 || threads > FHE_TEAM_THREADS_MAX)
		return ERR_RANGE;
	TRY(making_init(&m, c, threads));
	TRY(crs_frame_write(c, out, &places));
	m.g = &out->p[places.g];
	m.g_hat = &out->p[places.g_hat];
	/* Entry n + 1: two u32, version and variant, both 0. */
	memset(&m.g[c->n * CRS_G1_SIZE], CRS_VARIANT_INFINITY, CRS_ELEMENT_HEAD);
	bls12_446_scalar_draw((struct bls12_446_scalar *)(void *)m.secret.p, rng);
	e = fhe_team_run(threads, RANGES * batches_of(c), batch_make, &m);
	if (e != ERR_OK)
		out->n = before;
	return e;
}

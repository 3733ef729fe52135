/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A whole decryption: from key shares, keys of sets and ciphertexts to the message, among the
 * parties or at a user's. Besides: no message has an unmasked share, and what is opened is the
 * phase and a mask of the right size.
 */
#include <stdlib.h>
#include <string.h>

#include "mpc/decryption.h"
#include "mpc/open.h"
#include "mpc/wire.h"
#include "runs.h"

enum {
	DIMENSION = 24,
	BLOCKS = 5,
	PACKED = 2,
	NOISE_LOG = 70
};

/* Made once for each size: what changes from run to run is the ciphertexts and the session. */
struct committee {
	unsigned n, t;
	uint8_t bits[DIMENSION];
	struct gr shares[MPC_PARTIES_MAX][DIMENSION];
	struct prss *prss[MPC_PARTIES_MAX];
	struct mpc_key_share *key[MPC_PARTIES_MAX];
};

struct decryption {
	struct network net;
	const struct committee *c;
	unsigned messages[BLOCKS];
	u128 phase[BLOCKS];
	uint8_t words[BLOCKS][DIMENSION][16], body[BLOCKS][16];
	struct mpc_block blocks[BLOCKS];
	struct gr packed[MPC_PARTIES_MAX][PACKED];
	/* What must not be in a message of the party. */
	struct gr bare[MPC_PARTIES_MAX][BLOCKS + PACKED];
	bool leaked;
};

static void deal_keys(struct committee *c, unsigned me, const uint8_t (*keys)[PRSS_KEY_SIZE])
{
	const struct mpc_group g = {c->n, c->t, me};
	static uint8_t mine[MPC_SETS_MAX][PRSS_KEY_SIZE], elements[DIMENSION][GR_SIZE];
	mpc_set sets[MPC_SETS_MAX];
	size_t n = 0;

	mpc_sets(&g, sets);
	for (unsigned i = 0; i < mpc_sets_n(&g); i++)
		if (mpc_set_has(sets[i], me))
			memcpy(mine[n++], keys[i], PRSS_KEY_SIZE);
	for (unsigned i = 0; i < DIMENSION; i++)
		gr_put(elements[i], &c->shares[me - 1][i]);
	CHECK(prss_new(&c->prss[me - 1], &g, bytes_from(mine, n * PRSS_KEY_SIZE)) == ERR_OK);
	CHECK(mpc_key_share_new(&c->key[me - 1], bytes_from(elements, sizeof(elements))) == ERR_OK);
}

static const struct committee *committee_of(unsigned n, unsigned t)
{
	static struct committee all[MPC_PARTIES_MAX];
	static uint8_t keys[MPC_SETS_MAX][PRSS_KEY_SIZE];
	struct committee *c = &all[n - 1];
	const struct mpc_group g = {n, t, 1};
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, n);

	if (c->n == n)
		return c;
	c->n = n;
	c->t = t;
	for (unsigned i = 0; i < DIMENSION; i++) {
		struct gr shares[MPC_PARTIES_MAX], bit;

		c->bits[i] = (uint8_t)rng_below(rng, 2);
		bit = gr_scalar(c->bits[i]);
		shamir_share(shares, &g, t, &bit, rng);
		for (unsigned p = 0; p < n; p++)
			c->shares[p][i] = shares[p];
	}
	rng_fill(rng, keys[0], sizeof(keys));
	for (unsigned me = 1; me <= n; me++)
		deal_keys(c, me, (const uint8_t(*)[PRSS_KEY_SIZE])keys);
	return c;
}

/* In [-2^70, 2^70]; the ends, and no noise at all, come often. */
static u128 any_noise(struct rng *rng)
{
	const u128 most = (u128)1 << NOISE_LOG;

	switch (rng_below(rng, 8)) {
	case 0:
		return most;
	case 1:
		return (u128)0 - most;
	case 2:
		return 0;
	default:
		return ((u128)rng_below(rng, 1ull << 63) << 8 | rng_below(rng, 256)) - most;
	}
}

static void put_u128(uint8_t out[16], u128 v)
{
	for (unsigned i = 0; i < 16; i++)
		out[i] = (uint8_t)(v >> 8 * i);
}

static void encrypt(struct decryption *d, unsigned j)
{
	struct rng *rng = d->net.rng;
	u128 body;

	d->messages[j] = (unsigned)rng_below(rng, 16);
	d->phase[j] = ((u128)d->messages[j] << 123) + any_noise(rng);
	body = d->phase[j];
	for (unsigned i = 0; i < DIMENSION; i++) {
		u128 a = any_gr(rng).c[0];

		body += d->c->bits[i] * a;
		put_u128(d->words[j][i], a);
		for (unsigned p = 0; p < d->c->n; p++) {
			struct gr part = gr_mul_scalar(&d->c->shares[p][i], a);

			d->bare[p][j] = gr_sub(d->bare[p][j], part);
		}
	}
	for (unsigned p = 0; p < d->c->n; p++)
		d->bare[p][j] = gr_add(d->bare[p][j], gr_scalar(body));
	put_u128(d->body[j], body);
	d->blocks[j] = (struct mpc_block){.runs = {{d->words[j][0], DIMENSION, false, false}},
					  .runs_n = 1};
	d->blocks[j].body = d->body[j];
}

static void watch(void *ctx, const struct network_message *m)
{
	struct decryption *d = ctx;

	for (unsigned i = 0; i < BLOCKS + PACKED; i++) {
		uint8_t bare[GR_SIZE];

		gr_put(bare, &d->bare[m->from - 1][i]);
		d->leaked = d->leaked || memmem(m->body.p, m->body.n, bare, sizeof(bare));
	}
}

static void decryption_begin(struct decryption *d, struct mpc_run *r)
{
	struct mpc_session_id id = {{0}};

	memset(d, 0, sizeof(*d));
	d->c = committee_of(r->n, r->t);
	run_begin(r, &d->net);
	d->net.tap = watch;
	d->net.tap_ctx = d;
	for (unsigned j = 0; j < BLOCKS; j++)
		encrypt(d, j);
	memcpy(id.le, &r->seed, sizeof(r->seed));
	for (unsigned p = 0; p < r->n; p++) {
		struct prss_session *s;
		struct gr shares[BLOCKS];

		CHECK(prss_session_new(&s, d->c->prss[p], &id) == ERR_OK);
		CHECK(mpc_decryption_share(shares, d->c->key[p], s, d->blocks, BLOCKS) == ERR_OK);
		mpc_decryption_pack(d->packed[p], shares, BLOCKS);
		mpc_decryption_pack(&d->bare[p][BLOCKS], d->bare[p], BLOCKS);
		prss_session_free(s);
	}
}

static const char *judge_opened(const struct decryption *d, const struct gr *opened)
{
	const struct mpc_group *g = &d->net.group;
	u128 most = ((u128)2 * mpc_sets_n(g)) << PRSS_MASK_LOG;

	if (d->leaked)
		return "an unmasked share left a node";
	for (unsigned j = 0; j < BLOCKS; j++) {
		u128 masked = opened[j / GR_DEGREE].c[j % GR_DEGREE], mask = masked - d->phase[j];

		if (mpc_decryption_round(masked) != d->messages[j])
			return "another message";
		if (mask == 0 || mask + most >= 2 * most)
			return "a mask out of its bounds";
	}
	return NULL;
}

/* ---- among the parties ---- */

static const char *judge_public(const struct decryption *d, struct mpc_open *const *open,
				bool beyond)
{
	const char *fault = NULL;

	if (!beyond && !network_honest_done(&d->net))
		return "it does not end";
	for (unsigned p = 1; p <= d->c->n && !fault; p++) {
		const struct gr *opened;
		enum err e = mpc_open_result(open[p - 1], &opened, NULL);

		if (!mpc_set_has(network_honest(&d->net), p))
			continue;
		if (beyond)
			fault = e == ERR_NOT_READY ? NULL
						   : "a message without t + 1 of the parties";
		else
			fault = e == ERR_OK ? judge_opened(d, opened) : "no message";
	}
	return fault;
}

const char *run_public_decryption(struct mpc_run *r)
{
	static struct decryption d;
	struct mpc_open *open[MPC_PARTIES_MAX] = {0};
	const char *fault;

	decryption_begin(&d, r);
	for (unsigned p = 1; p <= r->n; p++) {
		struct mpc_open_task task = {.group = {r->n, r->t, p}};

		mpc_open_to(&task, mpc_set_all(&d.net.group), d.packed[p - 1], PACKED);
		CHECK(mpc_open_new(&open[p - 1], &task) == ERR_OK);
		network_join(&d.net, p, mpc_open_protocol(open[p - 1]));
	}
	network_run(&d.net);
	fault = judge_public(&d, open, run_beyond(r));
	run_end(r, &d.net);
	for (unsigned p = 0; p < r->n; p++)
		mpc_open_free(open[p]);
	return fault;
}

/* ---- at a user's: as the client library does it ---- */

/* One party's answer as it reaches the user: false: there is none of sense. */
static bool answer(struct decryption *d, unsigned party, struct gr ret_packed[PACKED])
{
	struct network_message m = {.from = party, .to = 1, .round = 1};
	bool comes = true;

	m.body = buf_make(mpc_wire_rings_size(PACKED));
	CHECK(mpc_wire_put_rings(&m.body, d->packed[party - 1], PACKED) == ERR_OK);
	if (mpc_set_has(d->net.hostile, party))
		comes = d->net.strategy->spoil(&d->net, &m) && !m.held && m.round == 1;
	else
		watch(d, &m);
	comes = comes && mpc_wire_get_rings(ret_packed, PACKED, buf_view(&m.body)) == ERR_OK;
	buf_free(&m.body);
	return comes;
}

const char *run_user_decryption(struct mpc_run *r)
{
	static struct decryption d;
	struct gr rows[MPC_PARTIES_MAX][PACKED], opened[PACKED];
	const struct gr *of[MPC_PARTIES_MAX];
	const char *fault = NULL;
	struct shamir_basis b;
	mpc_set valid = 0;
	unsigned absent, liars;

	decryption_begin(&d, r);
	for (unsigned p = 1; p <= r->n; p++) {
		of[p - 1] = rows[p - 1];
		if (answer(&d, p, rows[p - 1]))
			valid |= mpc_set_of(p);
	}
	absent = r->n - mpc_set_size(valid);
	liars = absent < r->t ? r->t - absent : 0;
	CHECK(shamir_basis_init(&b, valid, r->t) == ERR_OK);
	if (absent > r->t)
		fault = run_beyond(r) ? NULL : "an honest party did not answer";
	else if (shamir_open_many_var(&b, opened, NULL, of, PACKED, liars, liars, NULL) != ERR_OK)
		fault = "no message";
	else
		fault = judge_opened(&d, opened);
	run_end(r, &d.net);
	return fault;
}

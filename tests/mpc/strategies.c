/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What hostile parties do with any message, and with lists of shares. Their broadcasts and their
 * dealing: strategies_cast.c. */
#include "strategies.h"

#include <string.h>

/* ---- any message ---- */

static bool silent(struct network *net, struct network_message *m)
{
	(void)net;
	(void)m;
	return false;
}

/* Reaches half of the parties only. */
static bool half(struct network *net, struct network_message *m)
{
	return m->to <= net->group.n / 2;
}

/* Dies in the middle of a round's sending. */
static bool crashes(struct network *net, struct network_message *m)
{
	uint64_t last = 1 + network_agreed(net, m->from, 0, 0) % 12;

	return m->round < last ||
	       (m->round == last && m->to <= network_agreed(net, m->from, 1, 0) % net->group.n);
}

static bool rubbish(struct network *net, struct network_message *m)
{
	rng_fill(net->rng, m->body.p, m->body.n);
	return true;
}

static bool too_short(struct network *net, struct network_message *m)
{
	m->body.n = (size_t)rng_below(net->rng, m->body.n);
	return true;
}

static bool too_long(struct network *net, struct network_message *m)
{
	struct buf longer = buf_make(m->body.n + 64);

	CHECK(buf_add(&longer, buf_view(&m->body)) == ERR_OK);
	CHECK(buf_add_zero(&longer, 1 + (size_t)rng_below(net->rng, 64)) == ERR_OK);
	buf_free(&m->body);
	m->body = longer;
	return true;
}

/* Right, but after everybody else and after the time of the round. */
static bool late(struct network *net, struct network_message *m)
{
	(void)net;
	m->held = true;
	return true;
}

/* What it once sent, again. */
static bool replays(struct network *net, struct network_message *m)
{
	struct buf *old = &net->old[m->from - 1];

	if (old->n == 0) {
		*old = buf_make(m->body.n);
		CHECK(buf_add(old, buf_view(&m->body)) == ERR_OK);
	}
	strategy_replace(m, buf_view(old));
	return true;
}

/* Of a round far away, so that this one is never spoken of. */
static bool ahead(struct network *net, struct network_message *m)
{
	m->round += 1 + rng_below(net->rng, 1000);
	return true;
}

/* A bit or three, elsewhere for everybody: a word that still makes sense, but another one. */
static bool flips(struct network *net, struct network_message *m)
{
	for (uint64_t n = 1 + rng_below(net->rng, 3); n > 0; n--)
		m->body.p[rng_below(net->rng, m->body.n)] ^= (uint8_t)(1 << rng_below(net->rng, 8));
	return true;
}

/* Honest to some, silent to others, rubbish for the rest. */
static bool moody(struct network *net, struct network_message *m)
{
	switch ((m->to + m->from) % 3) {
	case 0:
		return false;
	case 1:
		return rubbish(net, m);
	default:
		return true;
	}
}

/* ---- lists of shares ---- */

/* How many elements a message has, if it is a list of them. */
static size_t elements(const struct network_message *m)
{
	struct reader r = reader_of(buf_view(&m->body));

	if (reader_u32le(&r) != MPC_VALUE_RINGS)
		return 0;

	uint64_t n = reader_u64le(&r);

	return m->body.n == mpc_wire_rings_size((size_t)n) ? (size_t)n : 0;
}

static void shift(struct network_message *m, size_t i, struct gr by)
{
	uint8_t *place = &m->body.p[mpc_wire_rings_size(i)];
	struct gr a = gr_add(gr_get(place), by);

	gr_put(place, &a);
}

/* 2^j is added to every share: 128 seeds in a row have every j. */
static bool one_bit(struct network *net, struct network_message *m)
{
	struct gr by = {{0}};

	by.c[network_agreed(net, m->from, 0, 0) % GR_DEGREE] = (u128)1 << net->seed % 128;
	for (size_t i = 0, n = elements(m); i < n; i++)
		shift(m, i, by);
	return true;
}

/* One bit in one element only, the same to everybody. */
static bool one_element(struct network *net, struct network_message *m)
{
	size_t n = elements(m);
	struct gr by = {{0}};

	by.c[m->from % GR_DEGREE] = (u128)1 << network_agreed(net, m->from, m->round, 1) % 128;
	if (n > 0)
		shift(m, network_agreed(net, m->from, m->round, 2) % n, by);
	return true;
}

/* Another lie to everybody. */
static bool two_faced(struct network *net, struct network_message *m)
{
	for (size_t i = 0, n = elements(m); i < n; i++)
		shift(m, i, any_gr(net->rng));
	return true;
}

/* Each liar's lies begin at another bit, and each element's. */
static bool valuations(struct network *net, struct network_message *m)
{
	for (size_t i = 0, n = elements(m); i < n; i++) {
		struct gr by = any_gr(net->rng);

		by = gr_mul_scalar(&by, (u128)1 << network_agreed(net, m->from, i, 0) % 128);
		shift(m, i, by);
	}
	return true;
}

/* All liars add the same polynomial, which is zero where t honest parties are: as many parties as
 * possible stand on another one than the right one. */
static bool together(struct network *net, struct network_message *m)
{
	struct gr by = gr_scalar((u128)1 << network_agreed(net, 0, 0, 0) % 128);
	unsigned zeros = 0, n = net->group.n;
	uint64_t first = network_agreed(net, 1, 0, 0);

	for (unsigned i = 0; i < n && zeros < net->group.t; i++) {
		unsigned p = 1 + (unsigned)((first + i) % n);
		struct gr d = gr_sub(gr_point(m->from), gr_point(p));

		if (mpc_set_has(net->hostile, p))
			continue;
		by = gr_mul(&by, &d);
		zeros++;
	}
	for (size_t i = 0, all = elements(m); i < all; i++)
		shift(m, i, by);
	return true;
}

/* ---- tables ---- */

const struct strategy strategies[] = {
	{"silent", silent, ON_ANY},
	{"half", half, ON_ANY},
	{"crashes", crashes, ON_ANY},
	{"rubbish", rubbish, ON_ANY},
	{"too-short", too_short, ON_ANY},
	{"too-long", too_long, ON_ANY},
	{"late", late, ON_ANY},
	{"replays", replays, ON_ANY},
	{"ahead", ahead, ON_ANY},
	{"flips", flips, ON_ANY},
	{"moody", moody, ON_ANY},
	{"one-bit", one_bit, ON_LISTS},
	{"one-element", one_element, ON_LISTS},
	{"two-faced", two_faced, ON_LISTS},
	{"valuations", valuations, ON_LISTS},
	{"together", together, ON_LISTS},
	{"equivocates", strategy_equivocates, ON_CASTS},
	{"slanders", strategy_slanders, ON_CASTS},
	{"bad-deal", strategy_bad_deal, ON_DEALS},
	{"worse-deal", strategy_worse_deal, ON_DEALS},
	{"wrong-degree", strategy_wrong_degree, ON_DEALS},
	{"false-complaint", strategy_false_complaint, ON_DEALS},
	{"stubborn-complaint", strategy_stubborn_complaint, ON_DEALS},
	{"false-answer", strategy_false_answer, ON_DEALS},
	{"answers-for-all", strategy_answers_for_all, ON_DEALS},
};
const size_t strategies_n = ARRAY_LEN(strategies);

const struct strategy *strategy_find(const char *name)
{
	for (size_t i = 0; i < strategies_n; i++)
		if (strcmp(strategies[i].name, name) == 0)
			return &strategies[i];
	return NULL;
}

void strategy_replace(struct network_message *m, struct bytes body)
{
	struct buf b = buf_make(body.n);

	CHECK(buf_add(&b, body) == ERR_OK);
	buf_free(&m->body);
	m->body = b;
}

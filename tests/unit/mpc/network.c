/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "network.h"

#include "mpc/wire.h"

/* ---- strategies ---- */

static bool silent(struct network *net, struct network_message *m)
{
	(void)net;
	(void)m;
	return false;
}

/* Dies in the middle of sending. */
static bool crashes(struct network *net, struct network_message *m)
{
	return m->to <= net->group.n / 2;
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

	(void)net;
	assert_ok(buf_add(&longer, buf_view(&m->body)));
	assert_ok(buf_add_zero(&longer, 1 + (size_t)rng_below(net->rng, 64)));
	buf_free(&m->body);
	m->body = longer;
	return true;
}

/* Where the elements of a message begin, if it is a list of them. */
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

/* One bit's weight is added to one element, the same to everybody. */
static bool one_bit(struct network *net, struct network_message *m)
{
	size_t n = elements(m);
	struct gr by = {{0}};

	(void)net;
	by.c[m->from % GR_DEGREE] = (u128)1 << (37 * m->from + m->round) % 128;
	if (n > 0)
		shift(m, m->from % n, by);
	return true;
}

/* Another lie to everybody. */
static bool two_faced(struct network *net, struct network_message *m)
{
	for (size_t i = 0, n = elements(m); i < n; i++)
		shift(m, i, any_gr(net->rng));
	return true;
}

/* All liars add the same polynomial, which is zero where the first t honest parties are: as many
 * parties as possible stand on another one than the right one. */
static bool together(struct network *net, struct network_message *m)
{
	struct gr by = gr_scalar((u128)1 << 3);
	unsigned zeros = 0;

	for (unsigned p = 1; p <= net->group.n && zeros < net->group.t; p++) {
		struct gr d = gr_sub(gr_point(m->from), gr_point(p));

		if (mpc_set_has(net->hostile, p))
			continue;
		by = gr_mul(&by, &d);
		zeros++;
	}
	for (size_t i = 0, n = elements(m); i < n; i++)
		shift(m, i, by);
	return true;
}

/* What it once sent, again. */
static bool replays(struct network *net, struct network_message *m)
{
	struct buf *old = &net->old[m->from - 1];

	if (old->n == 0) {
		*old = buf_make(m->body.n);
		assert_ok(buf_add(old, buf_view(&m->body)));
	}
	buf_free(&m->body);
	m->body = buf_make(old->n);
	assert_ok(buf_add(&m->body, buf_view(old)));
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

static uint32_t variant(const struct network_message *m)
{
	struct reader r = reader_of(buf_view(&m->body));

	return reader_u32le(&r);
}

/* Deals the next `unlucky` parties another sharing than the rest, and is honest otherwise. */
static bool deal_badly(struct network *net, struct network_message *m, unsigned unlucky)
{
	unsigned n = net->group.n, place = (m->to + n - m->from) % n;

	if (variant(m) == MPC_VALUE_VSS_ROUND_1 && place <= unlucky)
		m->body.p[4 + 8 + 8 + 3] ^= 1;
	return true;
}

static bool bad_deal(struct network *net, struct network_message *m)
{
	return deal_badly(net, m, net->group.t);
}

static bool worse_deal(struct network *net, struct network_message *m)
{
	return deal_badly(net, m, net->group.t + 1);
}

/* Says to all that it got something else than it did; later says the truth. */
static bool false_complaint(struct network *net, struct network_message *m)
{
	(void)net;
	if (variant(m) == MPC_VALUE_SEND && m->round == 2)
		m->body.p[m->body.n - 1] ^= 1;
	return true;
}

/* Sticks to it, too. */
static bool stubborn_complaint(struct network *net, struct network_message *m)
{
	(void)net;
	if (variant(m) == MPC_VALUE_SEND)
		m->body.p[m->body.n - 1] ^= 1;
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

const struct strategy strategies[] = {
	{"silent", silent},
	{"crashes", crashes},
	{"rubbish", rubbish},
	{"too short", too_short},
	{"too long", too_long},
	{"one bit", one_bit},
	{"two-faced", two_faced},
	{"together", together},
	{"replays", replays},
	{"ahead", ahead},
	{"flips", flips},
	{"bad deal", bad_deal},
	{"worse deal", worse_deal},
	{"false complaint", false_complaint},
	{"stubborn complaint", stubborn_complaint},
	{"moody", moody},
};
const size_t strategies_n = ARRAY_LEN(strategies);

/* ---- messages ---- */

struct line {
	struct network *net;
	unsigned from;
};

static void enqueue(struct network *net, unsigned from, unsigned to, uint64_t round,
		    struct bytes body)
{
	struct network_message m = {.from = from, .to = to, .round = round};

	m.body = buf_make(body.n);
	assert_ok(buf_add(&m.body, body));
	assert_true(net->queue_n < NETWORK_MESSAGES_MAX);
	if (mpc_set_has(net->hostile, from) && !net->strategy->spoil(net, &m)) {
		buf_free(&m.body);
		return;
	}
	net->queue[net->queue_n++] = m;
}

static enum err send(void *ctx, unsigned to, uint64_t round, struct bytes message)
{
	struct line *line = ctx;
	struct network *net = line->net;

	enqueue(net, line->from, to, round, message);
	/* The network itself sometimes says things twice. */
	if (rng_below(net->rng, 8) == 0)
		enqueue(net, line->from, to, round, message);
	return ERR_OK;
}

static struct line lines[MPC_PARTIES_MAX];

void network_init(struct network *net, unsigned n, unsigned t, uint64_t seed)
{
	*net = (struct network){.group = {n, t, 1}};
	net->rng = rng_seeded_init(&net->seeded, seed);
	net->queue = calloc(NETWORK_MESSAGES_MAX, sizeof(*net->queue));
	assert_non_null(net->queue);
}

void network_join(struct network *net, unsigned party, struct mpc_protocol *p)
{
	const struct mpc_group g = {net->group.n, net->group.t, party};

	lines[party - 1] = (struct line){net, party};
	assert_ok(mpc_session_new(&net->session[party - 1], &g, p, send, &lines[party - 1]));
}

static void deliver(struct network *net, size_t i)
{
	struct network_message m = net->queue[i];

	net->queue[i] = net->queue[--net->queue_n];
	if (net->session[m.to - 1])
		assert_ok(mpc_session_receive(net->session[m.to - 1], m.from, m.round,
					      buf_view(&m.body)));
	buf_free(&m.body);
	net->delivered++;
}

static bool waits(const struct mpc_session *s)
{
	return s && !mpc_session_done(s) && mpc_session_synchronous(s);
}

/* Of the earliest round that anybody is in: who is ahead has more time. True: somebody was waiting.
 */
static bool time_is_up(struct network *net)
{
	uint64_t round = UINT64_MAX;

	for (unsigned i = 0; i < net->group.n; i++)
		if (waits(net->session[i]) && mpc_session_round(net->session[i]) < round)
			round = mpc_session_round(net->session[i]);
	for (unsigned i = 0; i < net->group.n; i++)
		if (waits(net->session[i]))
			assert_ok(mpc_session_late(net->session[i], round));
	return round != UINT64_MAX;
}

void network_run(struct network *net)
{
	unsigned first = (unsigned)rng_below(net->rng, net->group.n);

	/* They do not begin together. */
	for (unsigned i = 0; i < net->group.n; i++) {
		struct mpc_session *s = net->session[(first + i) % net->group.n];

		if (s)
			assert_ok(mpc_session_start(s));
		while (net->queue_n > 0 && rng_below(net->rng, 3) > 0)
			deliver(net, (size_t)rng_below(net->rng, net->queue_n));
	}
	do {
		while (net->queue_n > 0)
			deliver(net, (size_t)rng_below(net->rng, net->queue_n));
	} while (time_is_up(net));
}

bool network_honest_done(const struct network *net)
{
	for (unsigned p = 1; p <= net->group.n; p++)
		if (net->session[p - 1] && !mpc_set_has(net->hostile, p) &&
		    !mpc_session_done(net->session[p - 1]))
			return false;
	return true;
}

void network_free(struct network *net)
{
	for (size_t i = 0; i < net->queue_n; i++)
		buf_free(&net->queue[i].body);
	free(net->queue);
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++) {
		mpc_session_free(net->session[i]);
		buf_free(&net->old[i]);
	}
}

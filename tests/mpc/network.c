/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "network.h"

#include <stdlib.h>

#include "mpc/gr.h"

struct gr any_gr(struct rng *rng)
{
	uint8_t raw[GR_SIZE];

	rng_fill(rng, raw, sizeof(raw));
	return gr_get(raw);
}

mpc_set any_parties(struct rng *rng, unsigned n, unsigned k)
{
	mpc_set s = 0;

	while (mpc_set_size(s) < k)
		s |= mpc_set_of(1 + (unsigned)rng_below(rng, n));
	return s;
}

uint64_t network_agreed(const struct network *net, uint64_t a, uint64_t b, uint64_t c)
{
	struct rng_seeded r;
	struct rng *rng = rng_seeded_init(&r, net->seed);
	uint64_t n = 0;

	for (unsigned i = 0; i < 3; i++) {
		r.state ^= i == 0 ? a : i == 1 ? b : c;
		rng_fill(rng, (uint8_t *)&n, sizeof(n));
		r.state ^= n;
	}
	return n >> 8;
}

/* ---- messages ---- */

static struct network_body *body_new(struct bytes bytes)
{
	struct network_body *b = calloc(1, sizeof(*b));

	CHECK(b);
	b->bytes = buf_make(bytes.n);
	CHECK(buf_add(&b->bytes, bytes) == ERR_OK);
	return b;
}

void network_body_drop(struct network_body *b)
{
	if (!b || --b->refs > 0)
		return;
	buf_free(&b->bytes);
	free(b);
}

static void message_free(struct network_message *m)
{
	if (!m->shared)
		buf_free(&m->body);
	network_body_drop(m->shared);
}

/* A party mostly says the same to all. */
static void share_body(struct network *net, struct network_message *m, struct bytes bytes)
{
	struct network_body **last = &net->last[m->from - 1];

	if (!*last || !bytes_eq_var(buf_view(&(*last)->bytes), bytes)) {
		network_body_drop(*last);
		*last = body_new(bytes);
		(*last)->refs = 1;
	}
	m->shared = *last;
	m->shared->refs++;
	m->body = m->shared->bytes;
}

static void enqueue(struct network *net, unsigned from, unsigned to, uint64_t round,
		    struct bytes bytes)
{
	struct network_message m = {.from = from, .to = to, .round = round};

	CHECK(net->queue_n < NETWORK_MESSAGES_MAX);
	if (!mpc_set_has(net->hostile, from)) {
		share_body(net, &m, bytes);
		if (net->tap)
			net->tap(net->tap_ctx, &m);
		net->queue[net->queue_n++] = m;
		return;
	}
	m.body = buf_make(bytes.n);
	CHECK(buf_add(&m.body, bytes) == ERR_OK);
	if (!net->strategy->spoil(net, &m)) {
		buf_free(&m.body);
		return;
	}
	net->held_n += m.held;
	net->queue[net->queue_n++] = m;
}

struct line {
	struct network *net;
	unsigned from;
};
static struct line lines[MPC_PARTIES_MAX];

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

void network_init(struct network *net, unsigned n, unsigned t, uint64_t seed)
{
	*net = (struct network){.group = {n, t, 1}, .seed = seed};
	net->rng = rng_seeded_init(&net->seeded, seed);
	net->queue = calloc(NETWORK_MESSAGES_MAX, sizeof(*net->queue));
	CHECK(net->queue);
}

void network_join(struct network *net, unsigned party, struct mpc_protocol *p)
{
	const struct mpc_group g = {net->group.n, net->group.t, party};

	lines[party - 1] = (struct line){net, party};
	CHECK(mpc_session_new(&net->session[party - 1], &g, p, send, &lines[party - 1]) == ERR_OK);
}

/* ---- the schedule ---- */

/* Any, but slow parties' last. What is held is not asked. */
static size_t choose(struct network *net)
{
	enum {
		TRIES = 12
	};
	size_t i = 0;

	for (unsigned tries = 0; tries < TRIES || net->queue[i].held; tries++) {
		i = (size_t)rng_below(net->rng, net->queue_n);
		if (!net->queue[i].held && !mpc_set_has(net->slow, net->queue[i].from))
			break;
	}
	return i;
}

static void deliver(struct network *net)
{
	size_t i = choose(net);
	struct network_message m = net->queue[i];

	net->queue[i] = net->queue[--net->queue_n];
	if (net->session[m.to - 1])
		CHECK(mpc_session_receive(net->session[m.to - 1], m.from, m.round,
					  buf_view(&m.body)) == ERR_OK);
	message_free(&m);
	net->delivered++;
}

static bool waits(const struct mpc_session *s)
{
	return s && !mpc_session_done(s) && mpc_session_synchronous(s);
}

/* Of the earliest round that anybody is in: who is ahead has more time. Which round that is;
 * UINT64_MAX: nobody was waiting. */
static uint64_t time_is_up(struct network *net)
{
	uint64_t round = UINT64_MAX;

	for (unsigned i = 0; i < net->group.n; i++)
		if (waits(net->session[i]) && mpc_session_round(net->session[i]) < round)
			round = mpc_session_round(net->session[i]);
	for (unsigned i = 0; i < net->group.n; i++)
		if (waits(net->session[i]))
			CHECK(mpc_session_late(net->session[i], round) == ERR_OK);
	return round;
}

/* What was held back of rounds whose time is up. */
static void release_held(struct network *net, uint64_t round)
{
	for (size_t i = 0; i < net->queue_n; i++) {
		net->held_n -= net->queue[i].held && net->queue[i].round <= round;
		net->queue[i].held = net->queue[i].held && net->queue[i].round > round;
	}
}

static void deliver_all(struct network *net)
{
	while (net->queue_n > net->held_n)
		deliver(net);
}

void network_run(struct network *net)
{
	unsigned first = (unsigned)rng_below(net->rng, net->group.n);
	uint64_t round;

	/* They do not begin together. */
	for (unsigned i = 0; i < net->group.n; i++) {
		struct mpc_session *s = net->session[(first + i) % net->group.n];

		if (s)
			CHECK(mpc_session_start(s) == ERR_OK);
		while (net->queue_n > net->held_n && rng_below(net->rng, 3) > 0)
			deliver(net);
	}
	do {
		deliver_all(net);
		round = time_is_up(net);
		release_held(net, round);
	} while (round != UINT64_MAX || net->queue_n > 0);
}

/* ---- the end ---- */

mpc_set network_honest(const struct network *net)
{
	return mpc_set_all(&net->group) & (mpc_set)~net->hostile;
}

bool network_honest_done(const struct network *net)
{
	for (unsigned p = 1; p <= net->group.n; p++)
		if (net->session[p - 1] && mpc_set_has(network_honest(net), p) &&
		    !mpc_session_done(net->session[p - 1]))
			return false;
	return true;
}

uint64_t network_rounds(const struct network *net)
{
	uint64_t rounds = 0;

	for (unsigned p = 1; p <= net->group.n; p++) {
		const struct mpc_session *s = net->session[p - 1];

		if (s && mpc_set_has(network_honest(net), p) && mpc_session_round(s) > rounds)
			rounds = mpc_session_round(s);
	}
	return rounds;
}

void network_free(struct network *net)
{
	for (size_t i = 0; i < net->queue_n; i++)
		message_free(&net->queue[i]);
	free(net->queue);
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++) {
		mpc_session_free(net->session[i]);
		network_body_drop(net->last[i]);
		buf_free(&net->old[i]);
		buf_free(&net->lie[i].told[0]);
		buf_free(&net->lie[i].told[1]);
	}
}

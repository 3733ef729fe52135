/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Keys in three rounds or none: if an honest party ends with keys, all honest members of its sets
 * have the same ones in the last round, whether they end with them or not; and no key, nor an
 * honest party's part of one, is in an honest party's message to anybody outside of its set.
 */
#include <stdlib.h>
#include <string.h>

#include "mpc/prss_abort.h"
#include "mpc/wire.h"
#include "runs.h"

enum {
	STEPS = 3,
	PARTIES_WATCHED_MAX = 7
};

struct setup {
	struct network net;
	struct rng_seeded seeds[MPC_PARTIES_MAX];
	struct mpc_prss_abort *init[MPC_PARTIES_MAX];
	struct prss *prss[MPC_PARTIES_MAX];
	unsigned sets_n;
	mpc_set sets[MPC_SETS_MAX];
	/* What honest parties said, [step][from - 1][to - 1]. */
	struct network_body *said[STEPS][MPC_PARTIES_MAX][MPC_PARTIES_MAX];
};

static void watch(void *ctx, const struct network_message *m)
{
	struct setup *s = ctx;
	struct network_body **said;

	CHECK(m->round >= 1 && m->round <= STEPS);
	said = &s->said[m->round - 1][m->from - 1][m->to - 1];
	if (!*said) {
		*said = m->shared;
		m->shared->refs++;
	}
}

/* How many sets that all of `parties` are in stand before this one. */
static size_t place_of(const struct setup *s, mpc_set parties, unsigned set)
{
	size_t at = 0;

	for (unsigned i = 0; i < set; i++)
		at += (s->sets[i] & parties) == parties;
	return at;
}

/* What `from` told `to` about the set in a round, without openings; empty: nothing. */
static struct bytes told(const struct setup *s, enum mpc_agree what, unsigned from, unsigned to,
			 unsigned set)
{
	const struct network_body *body = s->said[what][from - 1][to - 1];
	mpc_set both = mpc_set_of(from) | mpc_set_of(to);

	if (!body)
		return BYTES_NONE;
	return bytes_sub(buf_view(&body->bytes), mpc_wire_agree_size(what, place_of(s, both, set)),
			 PRSS_KEY_SIZE);
}

static bool leaves(const struct setup *s, unsigned set, struct bytes secret)
{
	for (unsigned step = 0; step < STEPS; step++)
		for (unsigned from = 1; from <= s->net.group.n; from++)
			for (unsigned to = 1; to <= s->net.group.n; to++) {
				const struct network_body *body = s->said[step][from - 1][to - 1];

				if (body && !mpc_set_has(s->sets[set], to) &&
				    memmem(body->bytes.p, body->bytes.n, secret.p, secret.n))
					return true;
			}
	return false;
}

/* Two honest members of a set, the first of which may have ended with keys. */
static const char *judge_two(const struct setup *s, unsigned set, unsigned a, unsigned b)
{
	struct bytes part = told(s, MPC_AGREE_OPENINGS, a, b, set),
		     key = told(s, MPC_AGREE_KEYS, b, a, set), mine;
	size_t at = PRSS_KEY_SIZE * place_of(s, mpc_set_of(a), set);

	if (s->net.group.n <= PARTIES_WATCHED_MAX && part.n > 0 && leaves(s, set, part))
		return "a part of a key leaves its set";
	if (!s->prss[a - 1])
		return NULL;
	mine = bytes_sub(prss_keys(s->prss[a - 1]), at, PRSS_KEY_SIZE);
	if (!bytes_eq_var(key, mine))
		return "an honest party ended with keys that another one does not have";
	at = PRSS_KEY_SIZE * place_of(s, mpc_set_of(b), set);
	if (s->prss[b - 1] &&
	    !bytes_eq_var(bytes_sub(prss_keys(s->prss[b - 1]), at, PRSS_KEY_SIZE), mine))
		return "two honest parties ended with different keys";
	return s->net.group.n <= PARTIES_WATCHED_MAX && leaves(s, set, mine)
		       ? "a key leaves its set"
		       : NULL;
}

static const char *judge_set(const struct setup *s, unsigned set)
{
	mpc_set members = s->sets[set] & network_honest(&s->net);
	const char *fault = NULL;

	for (unsigned a = 1; a <= s->net.group.n && !fault; a++)
		for (unsigned b = 1; b <= s->net.group.n && !fault; b++)
			if (a != b && mpc_set_has(members, a) && mpc_set_has(members, b))
				fault = judge_two(s, set, a, b);
	return fault;
}

static const char *judge(struct setup *s, const struct mpc_run *r)
{
	const char *fault = NULL;

	if (!network_honest_done(&s->net) || network_rounds(&s->net) > STEPS)
		return "it does not end within its rounds";
	for (unsigned p = 1; p <= r->n; p++) {
		enum err e;

		if (!mpc_set_has(network_honest(&s->net), p))
			continue;
		e = mpc_prss_abort_result(s->init[p - 1], &s->prss[p - 1]);
		if (e != ERR_OK && e != ERR_MISMATCH)
			return "an end that is neither keys nor an abort";
		if (e == ERR_OK && run_beyond(r))
			return "keys though somebody was silent";
	}
	for (unsigned set = 0; set < s->sets_n && !fault; set++)
		fault = judge_set(s, set);
	return fault;
}

static void setup_free(struct setup *s)
{
	for (unsigned p = 0; p < MPC_PARTIES_MAX; p++) {
		mpc_prss_abort_free(s->init[p]);
		prss_free(s->prss[p]);
		for (unsigned step = 0; step < STEPS; step++)
			for (unsigned to = 0; to < MPC_PARTIES_MAX; to++)
				network_body_drop(s->said[step][p][to]);
	}
	free(s);
}

const char *run_prss_abort(struct mpc_run *r)
{
	const struct mpc_session_id id = RUN_PRSS_ABORT_SESSION;
	struct setup *s = calloc(1, sizeof(*s));
	const char *fault;

	CHECK(s);
	run_begin(r, &s->net);
	s->net.tap = watch;
	s->net.tap_ctx = s;
	s->sets_n = mpc_sets_n(&s->net.group);
	mpc_sets(&s->net.group, s->sets);
	for (unsigned p = 1; p <= r->n; p++) {
		const struct mpc_group g = {r->n, r->t, p};
		struct rng *rng =
			rng_seeded_init(&s->seeds[p - 1], network_agreed(&s->net, p, 8, 8));

		CHECK(mpc_prss_abort_new(&s->init[p - 1], &g, &id, 0, rng) == ERR_OK);
		network_join(&s->net, p, mpc_prss_abort_protocol(s->init[p - 1]));
	}
	network_run(&s->net);
	fault = judge(s, r);
	for (unsigned p = 0; p < r->n; p++)
		if (s->prss[p])
			r->finished |= mpc_set_of(p + 1);
	run_end(r, &s->net);
	setup_free(s);
	return fault;
}

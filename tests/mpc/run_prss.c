/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Keys without a dealer: whoever shares a set holds the same key, and it is the one that the
 * shares of the honest parties make; no share of a set's element, no element and no key is in a
 * message to anybody outside of the set.
 */
#include <stdlib.h>
#include <string.h>

#include "mpc/broadcast.h"
#include "mpc/prss_init.h"
#include "mpc/shamir.h"
#include "mpc/wire.h"
#include "runs.h"

enum {
	PARTIES_TAINTED_MAX = 7, /* above, what is on its way would fill the memory */
	SEEN_MAX = 1 << 14
};

struct seen {
	unsigned from, to;
	struct network_body *body;
};

struct setup {
	struct network net;
	struct rng_seeded seeds[MPC_PARTIES_MAX];
	struct mpc_prss_init *init[MPC_PARTIES_MAX];
	struct prss *prss[MPC_PARTIES_MAX];
	unsigned sets_n;
	mpc_set sets[MPC_SETS_MAX];
	/* What honest parties sent in the last round, [from - 1][to - 1]. */
	struct network_body *opening[MPC_PARTIES_MAX][MPC_PARTIES_MAX];
	struct seen seen[SEEN_MAX];
	size_t seen_n;
};

static void watch(void *ctx, const struct network_message *m)
{
	struct setup *s = ctx;
	struct reader r = reader_of(buf_view(&m->body));
	struct network_body **opening = &s->opening[m->from - 1][m->to - 1];

	if (reader_u32le(&r) == MPC_VALUE_RINGS && !*opening) {
		*opening = m->shared;
		m->shared->refs++;
	}
	if (s->net.group.n > PARTIES_TAINTED_MAX)
		return;
	CHECK(s->seen_n < SEEN_MAX);
	s->seen[s->seen_n++] = (struct seen){m->from, m->to, m->shared};
	m->shared->refs++;
}

/* How many sets of the party stand before this one. */
static size_t place_of(const struct setup *s, unsigned party, unsigned set)
{
	size_t at = 0;

	for (unsigned i = 0; i < set; i++)
		at += mpc_set_has(s->sets[i], party);
	return at;
}

/* What `from` told `to` about the set; an empty one: it had no opening of that party. */
static struct bytes told(const struct setup *s, unsigned from, unsigned to, unsigned set)
{
	const struct network_body *body = s->opening[from - 1][to - 1];
	size_t at = mpc_wire_rings_size(place_of(s, to, set));

	if (!body || body->bytes.n < at + GR_SIZE)
		return BYTES_NONE;
	return bytes_sub(buf_view(&body->bytes), at, GR_SIZE);
}

/* The element of a set as the honest parties' shares make it, and its key. */
static const char *element_of(const struct setup *s, unsigned member, unsigned set,
			      uint8_t ret_element[GR_SIZE], struct hash32 *ret_key)
{
	mpc_set from = network_honest(&s->net) & (mpc_set)~mpc_set_of(member);
	struct gr shares[MPC_PARTIES_MAX] = {0}, element;
	const struct bytes part = bytes_from(ret_element, GR_SIZE);
	struct shamir_basis b;

	for (unsigned p = 1; p <= s->net.group.n; p++) {
		struct bytes share = BYTES_NONE;

		if (!mpc_set_has(from, p))
			continue;
		share = told(s, p, member, set);
		if (share.n == 0)
			return "an honest party did not open a set to its member";
		shares[p - 1] = gr_get(share.p);
	}
	CHECK(shamir_basis_init(&b, from, s->net.group.t) == ERR_OK);
	if (shamir_open_var(&b, &element, NULL, shares, 0, 0) != ERR_OK)
		return "honest parties' shares are of no polynomial";
	gr_put(ret_element, &element);
	CHECK(mpc_hash(ret_key, MPC_NAME_AGREE_RANDOM, &part, 1) == ERR_OK);
	return NULL;
}

static bool said(const struct setup *s, mpc_set from, mpc_set to, struct bytes secret)
{
	for (size_t i = 0; i < s->seen_n; i++) {
		const struct seen *m = &s->seen[i];
		struct bytes body = buf_view(&m->body->bytes);

		if (mpc_set_has(from, m->from) && mpc_set_has(to, m->to) && body.n >= secret.n &&
		    memmem(body.p, body.n, secret.p, secret.n))
			return true;
	}
	return false;
}

static const char *judge_set(const struct setup *s, unsigned set)
{
	mpc_set honest = network_honest(&s->net), all = mpc_set_all(&s->net.group);
	mpc_set members = s->sets[set] & honest;
	unsigned member = 1 + (unsigned)__builtin_ctz(members);
	uint8_t element[GR_SIZE];
	struct hash32 key;
	const char *fault = element_of(s, member, set, element, &key);

	for (unsigned p = 1; p <= s->net.group.n && !fault; p++) {
		size_t at = PRSS_KEY_SIZE * place_of(s, p, set);

		if (mpc_set_has(members, p) &&
		    memcmp(&prss_keys(s->prss[p - 1]).p[at], key.b, PRSS_KEY_SIZE) != 0)
			fault = "a key that is not of the element";
		if (mpc_set_has(honest, p) && p != member &&
		    said(s, mpc_set_of(p), all & (mpc_set)~s->sets[set], told(s, p, member, set)))
			fault = "a share of a set's element leaves the set";
	}
	if (!fault && (said(s, honest, all, BYTES_OF(element)) ||
		       said(s, honest, all, bytes_from(key.b, PRSS_KEY_SIZE))))
		fault = "a set's element or key is in a message";
	return fault;
}

/* Of what the honest parties compute from their keys. */
static const char *judge_use(const struct setup *s)
{
	const struct mpc_session_id id = {{1}};
	struct gr shares[MPC_PARTIES_MAX] = {0}, mask;
	struct shamir_basis b;

	for (unsigned p = 1; p <= s->net.group.n; p++) {
		struct prss_session *session;

		if (!mpc_set_has(network_honest(&s->net), p))
			continue;
		CHECK(prss_session_new(&session, s->prss[p - 1], &id) == ERR_OK);
		CHECK(prss_mask(session, &shares[p - 1], 1) == ERR_OK);
		prss_session_free(session);
	}
	CHECK(shamir_basis_init(&b, network_honest(&s->net), s->net.group.t) == ERR_OK);
	return shamir_open_var(&b, &mask, NULL, shares, 0, 0) == ERR_OK &&
			       gr_is_scalar_var(&mask) && mask.c[0] != 0
		       ? NULL
		       : "masks of the keys are no sharing of a number";
}

static const char *judge(struct setup *s, const struct mpc_run *r)
{
	const char *fault = NULL;

	if (!network_honest_done(&s->net) ||
	    network_rounds(&s->net) > 2 + 3 * mpc_broadcast_rounds(&s->net.group, false))
		return "it does not end within its rounds";
	for (unsigned p = 1; p <= r->n; p++) {
		enum err e = mpc_prss_init_result(s->init[p - 1], &s->prss[p - 1]);

		if (mpc_set_has(network_honest(&s->net), p) &&
		    e != (run_beyond(r) ? ERR_MISMATCH : ERR_OK))
			return e == ERR_OK ? "keys without t + 1 of the parties"
					   : "an honest party has no keys";
	}
	for (unsigned set = 0; set < s->sets_n && !fault && !run_beyond(r); set++)
		fault = judge_set(s, set);
	return fault || run_beyond(r) ? fault : judge_use(s);
}

static void setup_free(struct setup *s)
{
	for (size_t i = 0; i < s->seen_n; i++)
		network_body_drop(s->seen[i].body);
	for (unsigned p = 0; p < MPC_PARTIES_MAX; p++) {
		mpc_prss_init_free(s->init[p]);
		prss_free(s->prss[p]);
		for (unsigned to = 0; to < MPC_PARTIES_MAX; to++)
			network_body_drop(s->opening[p][to]);
	}
	free(s);
}

const char *run_prss_init(struct mpc_run *r)
{
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
			rng_seeded_init(&s->seeds[p - 1], network_agreed(&s->net, p, 9, 9));

		CHECK(mpc_prss_init_new(&s->init[p - 1], &g, rng) == ERR_OK);
		network_join(&s->net, p, mpc_prss_init_protocol(s->init[p - 1]));
	}
	network_run(&s->net);
	fault = judge(s, r);
	run_end(r, &s->net);
	setup_free(s);
	return fault;
}

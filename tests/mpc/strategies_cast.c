/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What hostile parties do with broadcasts and as dealers of a verifiable sharing. */
#include "mpc/hash.h"
#include "strategies.h"

static uint32_t variant(const struct network_message *m)
{
	struct reader r = reader_of(buf_view(&m->body));

	return reader_u32le(&r);
}

/* What is broadcast, where the message is the sender's own. */
static bool is_cast(const struct network_message *m, uint32_t cast)
{
	struct reader r = reader_of(buf_view(&m->body));

	return reader_u32le(&r) == MPC_VALUE_SEND && reader_u32le(&r) == cast;
}

static void keep(struct buf *place, struct bytes value)
{
	buf_free(place);
	*place = buf_make(value.n);
	CHECK(buf_add(place, value) == ERR_OK);
}

/* ---- two values ---- */

enum {
	FIRST,
	SECOND,
	NEITHER
};

/* What the liars show `to` of `sender` in this round. */
static unsigned shown(const struct network *net, unsigned sender, unsigned to, uint64_t round)
{
	uint64_t chance = network_agreed(net, sender, to, round);

	/* In half of the runs everybody is shown one thing; in the others some see nothing. */
	return (unsigned)(chance % (2 + network_agreed(net, 2, 0, 0) % 2));
}

static bool tell_one(struct network *net, struct network_message *m)
{
	struct network_lie *lie = &net->lie[m->from - 1];
	struct bytes value = bytes_sub(buf_view(&m->body), 4, m->body.n - 4);
	unsigned which = shown(net, m->from, m->to, m->round);

	keep(&lie->told[FIRST], value);
	keep(&lie->told[SECOND], value);
	lie->told[SECOND].p[value.n - 1] ^= 1;
	if (which == SECOND)
		m->body.p[m->body.n - 1] ^= 1;
	return which != NEITHER;
}

/* A map of echoes or votes: what is said of honest senders stays. */
static void honest_entries(const struct network *net, const struct network_message *m, bool votes,
			   struct bincode_writer *w, uint64_t *n)
{
	struct reader r = reader_of(buf_view(&m->body));

	(void)reader_u32le(&r);
	for (uint64_t left = reader_u64le(&r); left > 0 && r.err == ERR_OK; left--) {
		unsigned sender = mpc_wire_role(&r, net->group.n);
		struct bytes said =
			votes ? reader_bytes(&r, sizeof(struct hash32)) : mpc_wire_cast(&r);

		if (r.err != ERR_OK || mpc_set_has(net->hostile, sender))
			continue;
		mpc_wire_put_role(w, sender);
		bincode_put_raw(w, said);
		++*n;
	}
}

static void hostile_entries(const struct network *net, const struct network_message *m, bool votes,
			    struct bincode_writer *w, uint64_t *n)
{
	for (unsigned sender = 1; sender <= net->group.n; sender++) {
		unsigned which = shown(net, sender, m->to, m->round);
		struct bytes value;
		struct hash32 hash;

		if (!mpc_set_has(net->hostile, sender) || which == NEITHER ||
		    net->lie[sender - 1].told[which].n == 0)
			continue;
		value = buf_view(&net->lie[sender - 1].told[which]);
		mpc_wire_put_role(w, sender);
		if (votes) {
			CHECK(mpc_hash(&hash, MPC_NAME_BROADCAST, &value, 1) == ERR_OK);
			value = BYTES_OF(hash.b);
			bincode_put_raw(w, value);
		} else {
			bincode_put_raw(w, value);
		}
		++*n;
	}
}

bool strategy_equivocates(struct network *net, struct network_message *m)
{
	uint32_t is = variant(m);
	bool votes = is == MPC_VALUE_VOTES || is == MPC_VALUE_EMPTY;
	struct buf body = buf_make(m->body.n + (64 << 20)), all = buf_make(m->body.n + (64 << 20));
	struct bincode_writer w = {.out = &body}, out = {.out = &all};
	uint64_t n = 0;

	if (is == MPC_VALUE_SEND)
		return tell_one(net, m);
	if (is != MPC_VALUE_ECHOES && !votes)
		return true;
	if (is != MPC_VALUE_EMPTY)
		honest_entries(net, m, votes, &w, &n);
	hostile_entries(net, m, votes, &w, &n);
	bincode_put_u32(&out, votes ? MPC_VALUE_VOTES : MPC_VALUE_ECHOES);
	bincode_put_u64(&out, n);
	bincode_put_raw(&out, buf_view(&body));
	CHECK(bincode_end(&w) == ERR_OK && bincode_end(&out) == ERR_OK);
	strategy_replace(m, buf_view(&all));
	buf_free(&body);
	buf_free(&all);
	return true;
}

bool strategy_slanders(struct network *net, struct network_message *m)
{
	uint32_t is = variant(m);
	size_t at = 4 + 8;
	struct reader r = reader_of(buf_view(&m->body));

	if (is != MPC_VALUE_ECHOES && is != MPC_VALUE_VOTES)
		return true;
	(void)reader_u32le(&r);
	for (uint64_t left = reader_u64le(&r); left > 0 && r.err == ERR_OK; left--) {
		(void)mpc_wire_role(&r, net->group.n);
		if (is == MPC_VALUE_VOTES)
			(void)reader_bytes(&r, sizeof(struct hash32));
		else
			(void)mpc_wire_cast(&r);
		at = m->body.n - r.in.n;
		if (r.err == ERR_OK)
			m->body.p[at - 1] ^= 1;
	}
	return true;
}

/* ---- dealers ---- */

enum {
	FIRST_COEFFICIENT = 4 + 8 + 8 /* variant, secrets, coefficients */
};

static bool deal_badly(struct network *net, struct network_message *m, unsigned unlucky)
{
	unsigned n = net->group.n, place = (m->to + n - m->from) % n;

	if (variant(m) == MPC_VALUE_VSS_ROUND_1 && place <= unlucky)
		m->body.p[FIRST_COEFFICIENT + 3] ^= 1;
	return true;
}

bool strategy_bad_deal(struct network *net, struct network_message *m)
{
	return deal_badly(net, m, 1 + (unsigned)(network_agreed(net, 3, 0, 0) % net->group.t));
}

bool strategy_worse_deal(struct network *net, struct network_message *m)
{
	return deal_badly(net, m, net->group.t + 1);
}

bool strategy_wrong_degree(struct network *net, struct network_message *m)
{
	struct gr point = gr_point(m->to), more = gr_scalar(1), a;

	if (variant(m) != MPC_VALUE_VSS_ROUND_1)
		return true;
	for (unsigned i = 0; i <= net->group.t; i++)
		more = gr_mul(&more, &point);
	a = gr_add(gr_get(&m->body.p[FIRST_COEFFICIENT]), more);
	gr_put(&m->body.p[FIRST_COEFFICIENT], &a);
	return true;
}

/* The place of the crossings with `other` of what `dealer` dealt, in a broadcast of the second
 * round; 0: there is none. */
static size_t crossing_at(const struct network_message *m, size_t n, unsigned dealer,
			  unsigned other)
{
	size_t head = 4 + 4 + 8, row = (m->body.n - head) / n, cell = (row - 8) / n;

	if ((m->body.n - head) % n != 0 || (row - 8) % n != 0)
		return 0;
	return head + (dealer - 1) * row + 8 + (other - 1) * cell + 8;
}

bool strategy_false_complaint(struct network *net, struct network_message *m)
{
	unsigned n = net->group.n, other = 1 + m->from % n;
	unsigned dealer = 1 + (unsigned)(network_agreed(net, 0, 0, 0) % n);
	size_t at;

	while (mpc_set_has(net->hostile, dealer))
		dealer = 1 + dealer % n;
	if (!is_cast(m, MPC_CAST_VSS_ROUND_2))
		return true;
	at = crossing_at(m, n, dealer, other);
	if (at > 0)
		m->body.p[at] ^= 1;
	return true;
}

bool strategy_stubborn_complaint(struct network *net, struct network_message *m)
{
	if (is_cast(m, MPC_CAST_VSS_ROUND_3))
		m->body.p[m->body.n - 1] ^= 1;
	return strategy_false_complaint(net, m);
}

bool strategy_false_answer(struct network *net, struct network_message *m)
{
	/* The first polynomial's first coefficient: behind roles, what it is, two lengths. */
	const size_t at = 4 + 4 + 8 + 2 * 8 + 4 + 2 * 8;

	if (is_cast(m, MPC_CAST_VSS_ROUND_4) && m->body.n > at)
		m->body.p[at] ^= 1;
	return deal_badly(net, m, 1);
}

/* The sender's own polynomials in its broadcast of the fourth round; none: it says none. */
static struct bytes own_polys(const struct network_message *m)
{
	struct reader r = reader_of(bytes_sub(buf_view(&m->body), 8, m->body.n - 8));

	for (uint64_t n = reader_u64le(&r); n > 0 && r.err == ERR_OK; n--) {
		uint64_t dealer = reader_u64le(&r);
		struct bytes entry;

		(void)reader_u64le(&r);
		entry = r.in;
		mpc_wire_skip_value_or_poly(&r);
		if (r.err == ERR_OK && dealer == m->from)
			return bytes_sub(entry, 0, entry.n - r.in.n);
	}
	return BYTES_NONE;
}

bool strategy_answers_for_all(struct network *net, struct network_message *m)
{
	unsigned happy = 1 + (m->from + 1) % net->group.n; /* the one behind the unlucky */
	struct buf body = buf_make(2 * m->body.n + 64);
	struct bincode_writer w = {.out = &body};
	struct bytes polys, entries;
	struct reader r;

	if (!is_cast(m, MPC_CAST_VSS_ROUND_4))
		return deal_badly(net, m, 1);
	polys = own_polys(m);
	if (polys.n == 0)
		return true;
	entries = bytes_sub(buf_view(&m->body), 8, m->body.n - 8);
	r = reader_of(entries);
	bincode_put_u32(&w, MPC_VALUE_SEND);
	bincode_put_u32(&w, MPC_CAST_VSS_ROUND_4);
	bincode_put_u64(&w, reader_u64le(&r) + 1);
	bincode_put_raw(&w, r.in);
	mpc_wire_put_role(&w, m->from);
	mpc_wire_put_role(&w, happy);
	bincode_put_raw(&w, polys);
	CHECK(bincode_end(&w) == ERR_OK);
	strategy_replace(m, buf_view(&body));
	buf_free(&body);
	return true;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/vss_internal.h"

/* ---- polynomials: u64 n || n coefficients, the highest of them not zero ---- */

static bool is_zero(const struct gr *a)
{
	return gr_is_scalar_var(a) && a->c[0] == 0;
}

static void put_poly(struct bincode_writer *w, const struct vss_poly *p, unsigned degree)
{
	unsigned n = degree + 1;

	while (n > 0 && is_zero(&p->c[n - 1]))
		n--;
	bincode_put_u64(w, n);
	for (unsigned i = 0; i < n; i++)
		mpc_wire_put_gr(w, &p->c[i]);
}

static struct vss_poly get_poly(struct reader *r, unsigned degree)
{
	uint64_t n = bincode_len(r, degree + 1);
	struct vss_poly p = {0};

	for (uint64_t i = 0; i < n; i++)
		p.c[i] = mpc_wire_gr(r);
	return p;
}

static size_t poly_size(const struct mpc_vss *v)
{
	return 8 + (v->t + 1) * (size_t)GR_SIZE;
}

/* ---- round 1, to one party: its polynomials, and pads for its crossings with us ---- */

size_t vss_round_1_size(const struct mpc_vss *v)
{
	return 4 + 8 + v->m * 2 * poly_size(v) + 8 + v->n * (8 + v->m * GR_SIZE);
}

enum err vss_put_round_1(const struct mpc_vss *v, struct buf *out, unsigned to)
{
	struct bincode_writer w = {.out = out};

	bincode_put_u32(&w, MPC_VALUE_VSS_ROUND_1);
	bincode_put_u64(&w, v->m);
	for (size_t s = 0; s < v->m; s++) {
		struct vss_poly in_x = vss_row(v, s, to, true), in_y = vss_row(v, s, to, false);

		put_poly(&w, &in_x, v->t);
		put_poly(&w, &in_y, v->t);
	}
	bincode_put_u64(&w, v->n);
	for (unsigned dealer = 1; dealer <= v->n; dealer++) {
		bincode_put_u64(&w, v->m);
		for (size_t s = 0; s < v->m; s++)
			mpc_wire_put_gr(&w, &v->pads_out[vss_pad(v, to, dealer, s)]);
	}
	return bincode_end(&w);
}

static void forget_round_1(struct mpc_vss *v, unsigned from)
{
	memset(vss_pair(v, from, 0), 0, v->m * sizeof(struct vss_pair));
	memset(&v->pads_in[vss_pad(v, from, 1, 0)], 0, v->n * v->m * sizeof(struct gr));
}

void vss_get_round_1(struct mpc_vss *v, unsigned from, struct bytes word)
{
	struct reader r = reader_of(word);

	if (reader_u32le(&r) != MPC_VALUE_VSS_ROUND_1 || reader_u64le(&r) != v->m)
		reader_fail(&r, ERR_MALFORMED);
	for (size_t s = 0; s < v->m && r.err == ERR_OK; s++) {
		vss_pair(v, from, s)->in_x = get_poly(&r, v->t);
		vss_pair(v, from, s)->in_y = get_poly(&r, v->t);
	}
	if (reader_u64le(&r) != v->n)
		reader_fail(&r, ERR_MALFORMED);
	for (unsigned dealer = 1; dealer <= v->n; dealer++) {
		if (reader_u64le(&r) != v->m)
			reader_fail(&r, ERR_MALFORMED);
		for (size_t s = 0; s < v->m && r.err == ERR_OK; s++)
			v->pads_in[vss_pad(v, from, dealer, s)] = mpc_wire_gr(&r);
	}
	if (reader_end(&r) != ERR_OK)
		forget_round_1(v, from);
}

/* ---- round 2: for each dealer, each other party, each secret: two padded crossings ---- */

size_t vss_round_2_size(const struct mpc_vss *v)
{
	return 4 + 8 + v->n * (8 + v->n * (8 + v->m * 2 * (size_t)GR_SIZE));
}

enum err vss_put_round_2(const struct mpc_vss *v, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	bincode_put_u32(&w, MPC_CAST_VSS_ROUND_2);
	bincode_put_u64(&w, v->n);
	for (unsigned dealer = 1; dealer <= v->n; dealer++) {
		bincode_put_u64(&w, v->n);
		for (unsigned other = 1; other <= v->n; other++) {
			bincode_put_u64(&w, v->m);
			for (size_t s = 0; s < v->m; s++) {
				const struct gr *two = vss_crossing(v, v->me, dealer, other, s);

				mpc_wire_put_gr(&w, &two[0]);
				mpc_wire_put_gr(&w, &two[1]);
			}
		}
	}
	return bincode_end(&w);
}

bool vss_get_round_2(struct mpc_vss *v, unsigned from, struct bytes value)
{
	struct reader r = reader_of(value);

	if (value.n != vss_round_2_size(v) || reader_u32le(&r) != MPC_CAST_VSS_ROUND_2 ||
	    reader_u64le(&r) != v->n)
		return false;
	for (unsigned dealer = 1; dealer <= v->n; dealer++) {
		if (reader_u64le(&r) != v->n)
			return false;
		for (unsigned other = 1; other <= v->n; other++) {
			if (reader_u64le(&r) != v->m)
				return false;
			for (size_t s = 0; s < v->m; s++) {
				struct gr *two = vss_crossing(v, from, dealer, other, s);

				two[0] = mpc_wire_gr(&r);
				two[1] = mpc_wire_gr(&r);
			}
		}
	}
	return reader_end(&r) == ERR_OK;
}

/* ---- maps: u64 n || n times (roles || entry), ascending ---- */

/* The reader stands at the entry of `key`, or it has failed. The value's form was checked when it
 * was broadcast. */
static struct reader find(struct bytes value, uint32_t variant, const unsigned *key, unsigned roles,
			  void (*skip)(struct reader *r))
{
	struct reader r = reader_of(value);
	uint64_t n;

	if (reader_u32le(&r) != variant)
		reader_fail(&r, ERR_MALFORMED);
	n = reader_u64le(&r);
	for (uint64_t i = 0; i < n && r.err == ERR_OK; i++) {
		bool is = true;

		for (unsigned k = 0; k < roles; k++)
			is = reader_u64le(&r) == key[k] && is;
		if (is)
			return r;
		skip(&r);
	}
	reader_fail(&r, ERR_NOT_FOUND);
	return r;
}

static bool get_elements(const struct mpc_vss *v, struct reader *r, struct gr *ret_elements)
{
	if (reader_u64le(r) != v->m)
		return false;
	for (size_t s = 0; s < v->m; s++)
		ret_elements[s] = mpc_wire_gr(r);
	return r->err == ERR_OK;
}

/* ---- round 3: what a crossing is, from each of the three who know ---- */

static bool conflicts(const struct mpc_vss *v, unsigned dealer, unsigned party, unsigned other)
{
	return mpc_set_has(v->conflict[dealer - 1][party - 1], other);
}

/* Every pair of parties in both orders, for each dealer. */
size_t vss_round_3_size(const struct mpc_vss *v)
{
	return 4 + 8 + (size_t)v->n * v->n * v->n * (3 * 8 + 8 + v->m * GR_SIZE);
}

/* F(alpha_other, alpha_party) as we know it: as its dealer, as the party, or as the other. */
static struct gr crossing_value(const struct mpc_vss *v, unsigned dealer, unsigned party,
				unsigned other, size_t s)
{
	const struct vss_pair *pair = vss_pair(v, dealer, s);

	if (dealer == v->me) {
		struct vss_poly row = vss_row(v, s, party, true);

		return vss_eval(v, &row, other);
	}
	return party == v->me ? vss_eval(v, &pair->in_x, other) : vss_eval(v, &pair->in_y, party);
}

/* Calls `each` for every conflict that we know the answer to, in the order of the map. */
static void my_conflicts(const struct mpc_vss *v, void *ctx,
			 void (*each)(const struct mpc_vss *v, void *ctx, unsigned dealer,
				      unsigned party, unsigned other))
{
	for (unsigned d = 1; d <= v->n; d++)
		for (unsigned i = 1; i <= v->n; i++)
			for (unsigned j = 1; j <= v->n; j++)
				if (conflicts(v, d, i, j) &&
				    (v->me == d || v->me == i || v->me == j))
					each(v, ctx, d, i, j);
}

static void count(const struct mpc_vss *v, void *ctx, unsigned dealer, unsigned party,
		  unsigned other)
{
	(void)v;
	(void)dealer;
	(void)party;
	(void)other;
	++*(uint64_t *)ctx;
}

static void put_crossing(const struct mpc_vss *v, void *ctx, unsigned dealer, unsigned party,
			 unsigned other)
{
	struct bincode_writer *w = ctx;

	mpc_wire_put_role(w, dealer);
	mpc_wire_put_role(w, party);
	mpc_wire_put_role(w, other);
	bincode_put_u64(w, v->m);
	for (size_t s = 0; s < v->m; s++) {
		struct gr a = crossing_value(v, dealer, party, other, s);

		mpc_wire_put_gr(w, &a);
	}
}

enum err vss_put_round_3(const struct mpc_vss *v, struct buf *out)
{
	struct bincode_writer w = {.out = out};
	uint64_t n = 0;

	my_conflicts(v, &n, count);
	bincode_put_u32(&w, MPC_CAST_VSS_ROUND_3);
	bincode_put_u64(&w, n);
	my_conflicts(v, &w, put_crossing);
	return bincode_end(&w);
}

bool vss_get_round_3(const struct mpc_vss *v, struct bytes value, unsigned dealer, unsigned party,
		     unsigned other, struct gr *ret_elements)
{
	const unsigned key[] = {dealer, party, other};
	struct reader r = find(value, MPC_CAST_VSS_ROUND_3, key, 3, mpc_wire_skip_rings);

	return get_elements(v, &r, ret_elements);
}

/* ---- round 4: of each unhappy party, its polynomials by the dealer, its crossings by the others
 * ---- */

enum {
	SAYS_VALUES = 0,
	SAYS_POLYS = 1
};

size_t vss_round_4_size(const struct mpc_vss *v)
{
	return 4 + 8 + (size_t)v->n * v->n * (2 * 8 + 4 + 8 + v->m * poly_size(v));
}

static bool speaks_of(const struct mpc_vss *v, unsigned dealer)
{
	return !mpc_set_has(v->unhappy[dealer - 1], v->me) && !mpc_set_has(v->corrupt, dealer);
}

static void put_about(const struct mpc_vss *v, struct bincode_writer *w, unsigned dealer,
		      unsigned unhappy)
{
	mpc_wire_put_role(w, dealer);
	mpc_wire_put_role(w, unhappy);
	bincode_put_u32(w, dealer == v->me ? SAYS_POLYS : SAYS_VALUES);
	bincode_put_u64(w, v->m);
	for (size_t s = 0; s < v->m; s++) {
		if (dealer == v->me) {
			struct vss_poly row = vss_row(v, s, unhappy, true);

			put_poly(w, &row, v->t);
		} else {
			struct gr a = vss_eval(v, &vss_pair(v, dealer, s)->in_y, unhappy);

			mpc_wire_put_gr(w, &a);
		}
	}
}

enum err vss_put_round_4(const struct mpc_vss *v, struct buf *out)
{
	struct bincode_writer w = {.out = out};
	uint64_t n = 0;

	for (unsigned dealer = 1; dealer <= v->n; dealer++)
		if (speaks_of(v, dealer))
			n += mpc_set_size(v->unhappy[dealer - 1]);
	bincode_put_u32(&w, MPC_CAST_VSS_ROUND_4);
	bincode_put_u64(&w, n);
	for (unsigned dealer = 1; dealer <= v->n; dealer++)
		for (unsigned unhappy = 1; unhappy <= v->n && speaks_of(v, dealer); unhappy++)
			if (mpc_set_has(v->unhappy[dealer - 1], unhappy))
				put_about(v, &w, dealer, unhappy);
	return bincode_end(&w);
}

bool vss_get_values(const struct mpc_vss *v, struct bytes value, unsigned dealer, unsigned unhappy,
		    struct gr *ret_elements)
{
	const unsigned key[] = {dealer, unhappy};
	struct reader r = find(value, MPC_CAST_VSS_ROUND_4, key, 2, mpc_wire_skip_value_or_poly);

	return reader_u32le(&r) == SAYS_VALUES && get_elements(v, &r, ret_elements);
}

bool vss_get_polys(const struct mpc_vss *v, struct bytes value, unsigned dealer, unsigned unhappy,
		   struct vss_poly *ret_polys)
{
	const unsigned key[] = {dealer, unhappy};
	struct reader r = find(value, MPC_CAST_VSS_ROUND_4, key, 2, mpc_wire_skip_value_or_poly);

	if (reader_u32le(&r) != SAYS_POLYS || reader_u64le(&r) != v->m)
		return false;
	for (size_t s = 0; s < v->m && r.err == ERR_OK; s++)
		ret_polys[s] = get_poly(&r, v->t);
	return r.err == ERR_OK;
}

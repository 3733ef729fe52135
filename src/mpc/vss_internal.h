/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the two files of verifiable sharing share: its state, and its messages. */
#ifndef MPC_VSS_INTERNAL_H
#define MPC_VSS_INTERNAL_H

#include "mpc/broadcast.h"
#include "mpc/vss.h"
#include "mpc/wire.h"

/* A polynomial of degree at most t, from the constant coefficient. */
struct vss_poly {
	struct gr c[MPC_PARTIES_MAX];
};

/* What a dealer gave us of one secret: F(X, alpha_me) and F(alpha_me, Y). */
struct vss_pair {
	struct vss_poly in_x, in_y;
};

struct mpc_vss {
	struct mpc_protocol protocol;
	struct mpc_vss_task task;
	unsigned n, t, me;
	size_t m; /* secrets of a dealer */
	unsigned stage;
	bool published; /* broadcasts */
	mpc_set corrupt;
	mpc_set read; /* whose word of the first round is taken in */

	/* F of each of our secrets: f[secret * (t + 1)^2 + a * (t + 1) + b] belongs to X^a Y^b. */
	struct gr *f;
	struct vss_pair *pairs; /* [dealer - 1][secret] */
	struct gr *pads_out;    /* [party - 1][dealer - 1][secret]: ours to the party */
	struct gr *pads_in;     /* [party - 1][dealer - 1][secret]: the party's to us */

	struct mpc_broadcast *broadcast;
	struct buf value;     /* what we broadcast */
	mpc_set crossings_of; /* whose padded crossings are valid */
	struct gr *crossings; /* [party - 1][dealer - 1][other - 1][secret][2] */
	/* Bit (other - 1) of conflict[dealer - 1][party - 1]: the two do not agree at their
	 * crossing. */
	mpc_set conflict[MPC_PARTIES_MAX][MPC_PARTIES_MAX];
	mpc_set unhappy[MPC_PARTIES_MAX]; /* with the dealer */
	struct gr *shares;                /* [dealer - 1][secret] */
};

static inline struct vss_pair *vss_pair(const struct mpc_vss *v, unsigned dealer, size_t secret)
{
	return &v->pairs[(dealer - 1) * v->m + secret];
}

static inline size_t vss_pad(const struct mpc_vss *v, unsigned party, unsigned dealer,
			     size_t secret)
{
	return ((size_t)(party - 1) * v->n + dealer - 1) * v->m + secret;
}

/* The two crossings that `party` claims with `other`, of what `dealer` gave it. */
static inline struct gr *vss_crossing(const struct mpc_vss *v, unsigned party, unsigned dealer,
				      unsigned other, size_t secret)
{
	size_t row = (size_t)(party - 1) * v->n + dealer - 1;

	return &v->crossings[2 * ((row * v->n + other - 1) * v->m + secret)];
}

/* ---- messages ---- */

size_t vss_round_1_size(const struct mpc_vss *v);
enum err vss_put_round_1(const struct mpc_vss *v, struct buf *out, unsigned to) MUST_USE;
/* Takes in a party's word; what makes no sense leaves zeros. */
void vss_get_round_1(struct mpc_vss *v, unsigned from, struct bytes word);

size_t vss_round_2_size(const struct mpc_vss *v);
enum err vss_put_round_2(const struct mpc_vss *v, struct buf *out) MUST_USE;
/* False: not what has to be said; nothing is taken in. */
bool vss_get_round_2(struct mpc_vss *v, unsigned from, struct bytes value);

size_t vss_round_3_size(const struct mpc_vss *v);
enum err vss_put_round_3(const struct mpc_vss *v, struct buf *out) MUST_USE;
/* What a party says that the crossing of `party` and `other` is: m elements. False: nothing. */
bool vss_get_round_3(const struct mpc_vss *v, struct bytes value, unsigned dealer, unsigned party,
		     unsigned other, struct gr *ret_elements);

size_t vss_round_4_size(const struct mpc_vss *v);
enum err vss_put_round_4(const struct mpc_vss *v, struct buf *out) MUST_USE;
/* What a party says about `unhappy` and the dealer: its values at the crossing, m elements; or of
 * the dealer the m polynomials. False: nothing of that form. */
bool vss_get_values(const struct mpc_vss *v, struct bytes value, unsigned dealer, unsigned unhappy,
		    struct gr *ret_elements);
bool vss_get_polys(const struct mpc_vss *v, struct bytes value, unsigned dealer, unsigned unhappy,
		   struct vss_poly *ret_polys);

/* ---- polynomials ---- */

/* F(X, alpha_party), or F(alpha_party, Y), of our own secret number `secret`. */
struct vss_poly vss_row(const struct mpc_vss *v, size_t secret, unsigned party, bool in_x);

static inline struct gr vss_eval(const struct mpc_vss *v, const struct vss_poly *p, unsigned party)
{
	return shamir_eval(p->c, v->t, party);
}

#endif

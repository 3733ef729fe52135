/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Shamir's sharing over the ring: a secret is f(0), party i holds f(alpha_i), f has degree at most
 * `degree`. From above: the points of a polynomial are a Reed-Solomon word, and what hostile
 * parties changed or held back is corrected.
 *
 * Rules of correction. Of q shares at most `liars` may be wrong. A radius e is right only where
 * e + liars < q - degree, and only where 2 e <= q - degree - 1; the caller's radius is checked
 * against both. So sharings of degree 2 t among n = 3 t + 1 parties are never corrected: with a
 * radius of 1 already, t liars could agree on another word that passes. They are only checked.
 */
#ifndef MPC_SHAMIR_H
#define MPC_SHAMIR_H

#include "base/rng.h"
#include "mpc/gr.h"
#include "mpc/group.h"

/* ---- sharing ---- */

/* ret_shares[i - 1] is party i's. The other coefficients are of `rng`; all is wiped but the shares.
 */
void shamir_share(struct gr *ret_shares, const struct mpc_group *g, unsigned degree,
		  const struct gr *secret, struct rng *rng);

/* f(alpha_party), f by its coefficients from the constant one. */
struct gr shamir_eval(const struct gr *coefficients, unsigned degree, unsigned party);

/* ---- opening ---- */

/*
 * What opening the shares of one set of parties takes: for its first degree + 1 members the row
 * that gives the secret, and for each other member the row that predicts its share. Depends on
 * nothing else; one is made for a whole batch.
 */
struct shamir_basis {
	unsigned degree;
	mpc_set parties;
	unsigned n;                                        /* of them */
	uint8_t party[MPC_PARTIES_MAX];                    /* ascending */
	struct gr secret[MPC_PARTIES_MAX];                 /* degree + 1 */
	struct gr check[MPC_PARTIES_MAX][MPC_PARTIES_MAX]; /* n - degree - 1 rows */
};

/* ERR_RANGE: fewer than degree + 1 parties. */
enum err shamir_basis_init(struct shamir_basis *ret, mpc_set parties, unsigned degree) MUST_USE;

/*
 * Opens one value: shares[i - 1] is party i's, of those in the basis. *ret_wrong: whose shares were
 * not on the polynomial (NULL: not wanted). ERR_MISMATCH: more than `radius` of them, or no answer
 * that is right for certain. ERR_RANGE: a radius that `liars` forbids (above). Shares are public
 * here: whoever opens a value learns it.
 */
enum err shamir_open_var(const struct shamir_basis *b, struct gr *ret_secret, mpc_set *ret_wrong,
			 const struct gr *shares, unsigned liars, unsigned radius) MUST_USE;

/*
 * The same of `count` values at once: party i's shares are shares[i - 1][0 .. count - 1]. What
 * agrees costs degree + 1 products and the checks, only the others are decoded. ERR_MISMATCH with
 * the first such value in *ret_failed (NULL: not wanted); then nothing is written to ret_secrets.
 */
enum err shamir_open_many_var(const struct shamir_basis *b, struct gr *ret_secrets,
			      mpc_set *ret_wrong, const struct gr *const *shares, size_t count,
			      unsigned liars, unsigned radius, size_t *ret_failed) MUST_USE;

/* The largest radius that q shares, of which `liars` may be wrong, allow: 0 means check only. */
unsigned shamir_radius(unsigned q, unsigned degree, unsigned liars);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/shamir.h"

#include <stdlib.h>

#include "base/secret.h"
#include "mpc/gf16.h"

/* ---- sharing ---- */

struct gr shamir_eval(const struct gr *coefficients, unsigned degree, unsigned party)
{
	struct gr point = gr_point(party);
	struct gr sum = coefficients[degree];

	for (unsigned i = degree; i-- > 0;) {
		sum = gr_mul(&sum, &point);
		sum = gr_add(sum, coefficients[i]);
	}
	return sum;
}

void shamir_share(struct gr *ret_shares, const struct mpc_group *g, unsigned degree,
		  const struct gr *secret, struct rng *rng)
{
	struct gr f[MPC_PARTIES_MAX];

	f[0] = *secret;
	for (unsigned i = 1; i <= degree; i++) {
		uint8_t raw[GR_SIZE];

		rng_fill(rng, raw, sizeof(raw));
		f[i] = gr_get(raw);
		secret_wipe(raw, sizeof(raw));
	}
	for (unsigned party = 1; party <= g->n; party++)
		ret_shares[party - 1] = shamir_eval(f, degree, party);
	secret_wipe(f, sizeof(f));
}

/* ---- opening ---- */

/* row[i] = the i-th Lagrange polynomial of the first degree + 1 parties, at the point of `party`.
 */
static enum err lagrange(struct gr *row, const struct shamir_basis *b, unsigned party)
{
	struct gr at = gr_point(party);

	for (unsigned i = 0; i <= b->degree; i++) {
		struct gr over = gr_scalar(1), under = gr_scalar(1), inverse;

		for (unsigned k = 0; k <= b->degree; k++) {
			struct gr other = gr_point(b->party[k]);
			struct gr near = gr_sub(at, other);
			struct gr far = gr_sub(gr_point(b->party[i]), other);

			if (k == i)
				continue;
			over = gr_mul(&over, &near);
			under = gr_mul(&under, &far);
		}
		TRY(gr_inv(&inverse, &under));
		row[i] = gr_mul(&over, &inverse);
	}
	return ERR_OK;
}

enum err shamir_basis_init(struct shamir_basis *ret, mpc_set parties, unsigned degree)
{
	struct shamir_basis b = {.degree = degree, .parties = parties};

	for (unsigned party = 1; party <= MPC_PARTIES_MAX; party++)
		if (mpc_set_has(parties, party))
			b.party[b.n++] = (uint8_t)party;
	if (b.n < degree + 1)
		return ERR_RANGE;
	TRY(lagrange(b.secret, &b, 0));
	for (unsigned i = degree + 1; i < b.n; i++)
		TRY(lagrange(b.check[i - degree - 1], &b, b.party[i]));
	*ret = b;
	return ERR_OK;
}

unsigned shamir_radius(unsigned q, unsigned degree, unsigned liars)
{
	unsigned beyond = q > degree ? q - degree - 1 : 0;
	unsigned sure = beyond > liars ? beyond - liars : 0;

	return sure < beyond / 2 ? sure : beyond / 2;
}

static struct gr combine(const struct gr *row, const struct shamir_basis *b,
			 const struct gr *shares)
{
	struct gr sum = {{0}};

	for (unsigned i = 0; i <= b->degree; i++) {
		struct gr part = gr_mul(&row[i], &shares[b->party[i] - 1]);

		sum = gr_add(sum, part);
	}
	return sum;
}

/* How far each share past the basis is from what the basis predicts, and the lowest bit in which
 * any is: 128 if none. */
static unsigned residuals(struct gr *residual, const struct shamir_basis *b,
			  const struct gr *shares)
{
	u128 any = 0;
	unsigned bit = 0;

	for (unsigned i = b->degree + 1; i < b->n; i++) {
		struct gr *r = &residual[i];

		*r = gr_sub(shares[b->party[i] - 1],
			    combine(b->check[i - b->degree - 1], b, shares));
		any |= r->c[0] | r->c[1] | r->c[2] | r->c[3];
	}
	while (bit < 128 && !(any >> bit & 1))
		bit++;
	return bit;
}

/*
 * The errors' lowest bits: the checks are linear and modulo 2 those of a code over the field, so
 * the residuals' lowest plane is a word whose distance to the code is where the errors are.
 * ret_wrong: the parties that it shows.
 */
static enum err locate(mpc_set *ret_wrong, const struct shamir_basis *b, const struct gr *residual,
		       unsigned plane, unsigned radius)
{
	uint8_t x[MPC_PARTIES_MAX], y[MPC_PARTIES_MAX] = {0}, f[MPC_PARTIES_MAX];
	mpc_set wrong = 0;

	for (unsigned i = 0; i < b->n; i++) {
		x[i] = b->party[i];
		if (i > b->degree)
			y[i] = gr_bits(&residual[i], plane);
	}
	TRY(gf16_decode_var(f, b->degree + 1, x, y, b->n, radius));
	for (unsigned i = 0; i < b->n; i++)
		if (gf16_eval_var(f, b->degree + 1, x[i]) != y[i])
			wrong |= mpc_set_of(b->party[i]);
	*ret_wrong = wrong;
	return wrong ? ERR_OK : ERR_MISMATCH;
}

static enum err radius_check(const struct shamir_basis *b, unsigned liars, unsigned radius)
{
	return b->n <= b->degree + liars || radius > shamir_radius(b->n, b->degree, liars)
		       ? ERR_RANGE
		       : ERR_OK;
}

/* Each round finds somebody, or it is over. */
static enum err correct(const struct shamir_basis *first, struct gr *ret_secret, mpc_set *ret_wrong,
			const struct gr *shares, unsigned radius)
{
	struct shamir_basis b = *first;
	struct gr residual[MPC_PARTIES_MAX];
	mpc_set wrong = 0, more;

	for (;;) {
		unsigned plane = residuals(residual, &b, shares);

		if (plane == 128) {
			*ret_secret = combine(b.secret, &b, shares);
			*ret_wrong = wrong;
			return ERR_OK;
		}
		TRY(locate(&more, &b, residual, plane, radius - mpc_set_size(wrong)));
		wrong |= more;
		TRY(shamir_basis_init(&b, first->parties & (mpc_set)~wrong, b.degree));
	}
}

enum err shamir_open_var(const struct shamir_basis *b, struct gr *ret_secret, mpc_set *ret_wrong,
			 const struct gr *shares, unsigned liars, unsigned radius)
{
	struct gr secret;
	mpc_set wrong;

	TRY(radius_check(b, liars, radius));
	TRY(correct(b, &secret, &wrong, shares, radius));
	*ret_secret = secret;
	if (ret_wrong)
		*ret_wrong = wrong;
	return ERR_OK;
}

enum err shamir_open_many_var(const struct shamir_basis *basis, struct gr *ret_secrets,
			      mpc_set *ret_wrong, const struct gr *const *shares, size_t count,
			      unsigned liars, unsigned radius, size_t *ret_failed)
{
	struct shamir_basis b = *basis;
	struct gr *secrets = calloc(count ? count : 1, sizeof(*secrets));
	mpc_set wrong = 0, more;
	enum err e = radius_check(basis, liars, radius);

	if (!secrets)
		return ERR_NOMEM;
	for (size_t i = 0; i < count && e == ERR_OK; i++) {
		struct gr one[MPC_PARTIES_MAX] = {0};

		for (unsigned k = 0; k < b.n; k++)
			one[b.party[k] - 1] = shares[b.party[k] - 1][i];
		e = correct(&b, &secrets[i], &more, one, radius - mpc_set_size(wrong));
		if (e == ERR_MISMATCH && ret_failed)
			*ret_failed = i;
		if (e == ERR_OK && more) {
			/* Whoever lied once is a liar: it is not listened to for the rest, and
			 * there is one liar less to find. */
			wrong |= more;
			e = shamir_basis_init(&b, basis->parties & (mpc_set)~wrong, b.degree);
		}
	}
	if (e == ERR_OK) {
		memcpy(ret_secrets, secrets, count * sizeof(*secrets));
		if (ret_wrong)
			*ret_wrong = wrong;
	}
	secret_wipe(secrets, count * sizeof(*secrets));
	free(secrets);
	return e;
}

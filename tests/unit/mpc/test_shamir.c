/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Sharing, opening in spite of liars, and where correction would be wrong. */
#include "mpc_test.h"

/* An error in bit `bit` and above, in any coefficient. */
static struct gr any_error(struct rng *rng, unsigned bit)
{
	struct gr e = any_gr(rng);

	for (unsigned i = 0; i < GR_DEGREE; i++)
		e.c[i] <<= bit;
	e.c[rng_below(rng, GR_DEGREE)] |= (u128)1 << bit;
	return e;
}

static void one_opening(struct rng *rng)
{
	static const struct mpc_group groups[] = {{4, 1, 1}, {7, 2, 1}, {13, 4, 1}, {15, 4, 1}};
	const struct mpc_group *g = &groups[rng_below(rng, ARRAY_LEN(groups))];
	unsigned silent = (unsigned)rng_below(rng, g->t + 1);
	unsigned liars = (unsigned)rng_below(rng, g->t - silent + 1);
	mpc_set there = any_parties(rng, g->n, g->n - silent), lying = 0, wrong;
	struct gr secret = any_gr(rng), shares[MPC_PARTIES_MAX], got;
	struct shamir_basis b;

	shamir_share(shares, g, g->t, &secret, rng);
	while (mpc_set_size(lying) < liars) {
		unsigned party = 1 + (unsigned)rng_below(rng, g->n);

		if (!mpc_set_has(there, party) || mpc_set_has(lying, party))
			continue;
		lying |= mpc_set_of(party);
		/* every plane from the lowest to the highest, alone and mixed */
		shares[party - 1] =
			gr_add(shares[party - 1], any_error(rng, (unsigned)rng_below(rng, 128)));
	}
	for (unsigned party = 1; party <= g->n; party++)
		if (!mpc_set_has(there, party))
			shares[party - 1] = any_gr(rng); /* is not to be looked at */

	assert_ok(shamir_basis_init(&b, there, g->t));
	assert_ok(shamir_open_var(&b, &got, &wrong, shares, g->t - silent, g->t - silent));
	assert_true(gr_eq_var(&got, &secret));
	assert_int_equal(wrong, lying);
}

static void test_opens_whatever_t_do(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);

	(void)state;
	for (unsigned run = 0; run < 4000; run++)
		one_opening(rng);
}

/* Without a liar any degree + 1 shares give the secret, fewer say nothing of it. */
static void test_any_quorum(void **state)
{
	const struct mpc_group g = {13, 4, 1};
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);

	(void)state;
	for (unsigned run = 0; run < 200; run++) {
		struct gr secret = any_gr(rng), shares[MPC_PARTIES_MAX], got;
		struct shamir_basis b;

		shamir_share(shares, &g, 4, &secret, rng);
		assert_ok(shamir_basis_init(&b, any_parties(rng, 13, 5), 4));
		assert_ok(shamir_open_var(&b, &got, NULL, shares, 0, 0));
		assert_true(gr_eq_var(&got, &secret));
		assert_int_equal(shamir_basis_init(&b, any_parties(rng, 13, 4), 4), ERR_RANGE);
	}
}

/* 4 silent, 1 lying: 9 words, of which 8 are right. It says so, and gives nothing. */
static void test_too_many_are_noticed(void **state)
{
	const struct mpc_group g = {13, 4, 1};
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct gr secret = any_gr(rng), shares[MPC_PARTIES_MAX], got = gr_scalar(99);
	const struct gr untouched = got;
	struct shamir_basis b;

	(void)state;
	shamir_share(shares, &g, 4, &secret, rng);
	shares[2] = gr_add(shares[2], gr_scalar((u128)1 << 127));
	assert_ok(shamir_basis_init(&b, 0x1ff, 4));
	assert_int_equal(shamir_open_var(&b, &got, NULL, shares, 4, 0), ERR_MISMATCH);
	assert_true(gr_eq_var(&got, &untouched));
}

/*
 * Degree 2 t among 3 t + 1: t liars add a word of the code whose zeros are at 2 t honest parties.
 * One honest party is then alone against all; a radius of one would call it the liar.
 */
static void test_liars_who_agree(void **state)
{
	const struct mpc_group g = {13, 4, 1};
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct gr secret = any_gr(rng), shares[MPC_PARTIES_MAX], got;
	struct shamir_basis b;
	mpc_set wrong;

	(void)state;
	shamir_share(shares, &g, 8, &secret, rng);
	assert_ok(shamir_basis_init(&b, mpc_set_all(&g), 8));
	for (unsigned liar = 10; liar <= 13; liar++) {
		struct gr w = gr_scalar(1);

		for (unsigned honest = 1; honest <= 8; honest++) {
			struct gr d = gr_sub(gr_point(liar), gr_point(honest));

			w = gr_mul(&w, &d);
		}
		shares[liar - 1] = gr_add(shares[liar - 1], w);
	}
	assert_int_equal(shamir_radius(13, 8, 4), 0);
	assert_int_equal(shamir_open_var(&b, &got, NULL, shares, 4, 0), ERR_MISMATCH);
	assert_int_equal(shamir_open_var(&b, &got, NULL, shares, 4, 1), ERR_RANGE);
	assert_int_equal(shamir_open_var(&b, &got, NULL, shares, 4, 2), ERR_RANGE);
	/* What the rule keeps out: with a promise of one liar only, the same words open to a wrong
	 * value, and the honest party is blamed. */
	assert_ok(shamir_open_var(&b, &got, &wrong, shares, 1, 1));
	assert_false(gr_eq_var(&got, &secret));
	assert_int_equal(wrong, mpc_set_of(9));
}

static void test_radius(void **state)
{
	static const struct {
		unsigned q, degree, liars, want;
	} cases[] = {{13, 4, 4, 4}, {12, 4, 4, 3}, {9, 4, 4, 0}, {8, 4, 4, 0},  {13, 8, 4, 0},
		     {4, 1, 1, 1},  {3, 1, 1, 0},  {4, 2, 1, 0}, {15, 4, 4, 5}, {9, 4, 0, 2}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(shamir_radius(cases[i].q, cases[i].degree, cases[i].liars),
				 cases[i].want);
}

/* A batch in which liars take turns: each value is right, and each of them is named. */
static void test_many(void **state)
{
	enum {
		COUNT = 50
	};
	const struct mpc_group g = {13, 4, 1};
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	static struct gr rows[MPC_PARTIES_MAX][COUNT];
	const struct gr *of[MPC_PARTIES_MAX];
	struct gr secrets[COUNT], got[COUNT];
	struct shamir_basis b;
	size_t failed = 0;
	mpc_set wrong;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		struct gr shares[MPC_PARTIES_MAX];

		secrets[i] = any_gr(rng);
		shamir_share(shares, &g, 4, &secrets[i], rng);
		for (unsigned p = 0; p < g.n; p++)
			rows[p][i] = shares[p];
	}
	for (unsigned p = 0; p < MPC_PARTIES_MAX; p++)
		of[p] = rows[p];
	for (unsigned k = 0; k < 4; k++)
		for (unsigned i = 10 * k; i < COUNT; i += 3)
			rows[3 * k][i] = gr_add(rows[3 * k][i], any_error(rng, 10 * k));
	assert_ok(shamir_basis_init(&b, mpc_set_all(&g), 4));
	assert_ok(shamir_open_many_var(&b, got, &wrong, of, COUNT, 4, 4, NULL));
	assert_memory_equal(got, secrets, sizeof(got));
	assert_int_equal(wrong, 1 | 1 << 3 | 1 << 6 | 1 << 9);

	/* a fifth */
	rows[12][47] = gr_add(rows[12][47], gr_scalar(1));
	memset(got, 0, sizeof(got));
	assert_int_equal(shamir_open_many_var(&b, got, &wrong, of, COUNT, 4, 4, &failed),
			 ERR_MISMATCH);
	assert_int_equal(failed, 47);
	assert_true(gr_is_scalar_var(&got[0]) && got[0].c[0] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens_whatever_t_do),
		cmocka_unit_test(test_any_quorum),
		cmocka_unit_test(test_too_many_are_noticed),
		cmocka_unit_test(test_liars_who_agree),
		cmocka_unit_test(test_radius),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

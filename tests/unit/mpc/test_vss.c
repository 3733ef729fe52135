/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Verifiable sharing among liars: what every dealer shared is one polynomial for all honest
 * parties, an honest dealer's is its secret, and they agree who is corrupt. */
#include "mpc/vss.h"
#include "network.h"

enum {
	SECRETS = 2
};

struct dealing {
	struct network net;
	struct gr secret[MPC_PARTIES_MAX][SECRETS];
	struct mpc_vss *v[MPC_PARTIES_MAX];
};

static void check_dealer(const struct dealing *d, unsigned dealer, mpc_set honest, mpc_set corrupt)
{
	unsigned t = d->net.group.t;
	struct shamir_basis b;

	assert_ok(shamir_basis_init(&b, honest, t));
	for (unsigned s = 0; s < SECRETS; s++) {
		struct gr shares[MPC_PARTIES_MAX] = {0}, secret;

		for (unsigned p = 1; p <= d->net.group.n; p++)
			if (mpc_set_has(honest, p))
				shares[p - 1] = mpc_vss_shares(d->v[p - 1], dealer)[s];
		/* no share of an honest party is off the polynomial */
		assert_ok(shamir_open_var(&b, &secret, NULL, shares, 0, 0));
		if (mpc_set_has(honest, dealer))
			assert_true(gr_eq_var(&secret, &d->secret[dealer - 1][s]));
		if (mpc_set_has(corrupt, dealer))
			assert_true(gr_is_scalar_var(&secret) && secret.c[0] == 0);
	}
}

static mpc_set one_run(unsigned n, unsigned t, unsigned liars, const struct strategy *how,
		       uint64_t seed)
{
	struct dealing d = {0};
	struct rng_seeded seeds[MPC_PARTIES_MAX];
	mpc_set honest, corrupt = 0;
	bool first = true;

	network_init(&d.net, n, t, seed);
	d.net.hostile = any_parties(d.net.rng, n, liars);
	d.net.strategy = how;
	honest = mpc_set_all(&d.net.group) & (mpc_set)~d.net.hostile;
	for (unsigned p = 1; p <= n; p++) {
		struct mpc_vss_task task = {.group = {n, t, p},
					    .n = SECRETS,
					    .secrets = d.secret[p - 1],
					    .rng = rng_seeded_init(&seeds[p - 1], 100 * seed + p)};

		for (unsigned s = 0; s < SECRETS; s++)
			d.secret[p - 1][s] = any_gr(d.net.rng);
		assert_ok(mpc_vss_new(&d.v[p - 1], &task));
		network_join(&d.net, p, mpc_vss_protocol(d.v[p - 1]));
	}
	network_run(&d.net);

	bool good = network_honest_done(&d.net);
	for (unsigned p = 1; p <= n && good; p++) {
		if (!mpc_set_has(honest, p))
			continue;
		if (first)
			corrupt = mpc_vss_corrupt(d.v[p - 1]);
		first = false;
		good = mpc_vss_corrupt(d.v[p - 1]) == corrupt && !(corrupt & honest);
	}
	if (!good)
		print_error("# n=%u liars=%u %s seed %llu\n", n, liars, how->name,
			    (unsigned long long)seed);
	assert_true(good);
	for (unsigned dealer = 1; dealer <= n; dealer++)
		check_dealer(&d, dealer, honest, corrupt);
	network_free(&d.net);
	for (unsigned p = 0; p < n; p++)
		mpc_vss_free(d.v[p]);
	return corrupt;
}

static void matrix(unsigned n, unsigned t, uint64_t seeds)
{
	for (size_t s = 0; s < strategies_n; s++)
		for (unsigned liars = 0; liars <= t; liars++)
			for (uint64_t seed = 1; seed <= seeds; seed++)
				(void)one_run(n, t, liars, &strategies[s], seed);
}

static void test_four(void **state)
{
	(void)state;
	matrix(4, 1, 20);
}

static void test_seven(void **state)
{
	(void)state;
	matrix(7, 2, 2);
}

/* Who is found out: nobody of the honest (above), and those who cannot hide. */
static void test_guilt(void **state)
{
	static const struct {
		const char *name;
		unsigned guilty; /* of one liar among four */
	} cases[] = {{"silent", 1},     {"rubbish", 1},         {"bad deal", 0},
		     {"worse deal", 1}, {"false complaint", 0}, {"stubborn complaint", 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t s = 0; s < strategies_n; s++)
			if (strcmp(strategies[s].name, cases[i].name) == 0) {
				mpc_set corrupt = one_run(4, 1, 1, &strategies[s], 77);

				if (mpc_set_size(corrupt) != cases[i].guilty)
					print_error("# %s: %u\n", cases[i].name,
						    mpc_set_size(corrupt));
				assert_int_equal(mpc_set_size(corrupt), cases[i].guilty);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four),
		cmocka_unit_test(test_seven),
		cmocka_unit_test(test_guilt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

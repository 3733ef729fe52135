/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys without a dealer: whoever shares a set holds the same key, all keys differ, and what is made
 * of them is a sharing, whatever t others do. */
#include "mpc/prss_init.h"
#include "network.h"

struct setup {
	struct network net;
	struct mpc_prss_init *init[MPC_PARTIES_MAX];
	struct prss *prss[MPC_PARTIES_MAX];
};

/* Where the key of set number `set` lies among the party's. */
static const uint8_t *key_of(const struct setup *s, const mpc_set *sets, unsigned party,
			     unsigned set)
{
	size_t at = 0;

	for (unsigned i = 0; i < set; i++)
		at += mpc_set_has(sets[i], party);
	return &prss_keys(s->prss[party - 1]).p[at * PRSS_KEY_SIZE];
}

static void check_keys(const struct setup *s, mpc_set honest)
{
	const struct mpc_group *g = &s->net.group;
	mpc_set sets[MPC_SETS_MAX];
	static uint8_t all[MPC_SETS_MAX][PRSS_KEY_SIZE];

	mpc_sets(g, sets);
	for (unsigned i = 0; i < mpc_sets_n(g); i++) {
		const uint8_t *first = NULL;

		for (unsigned p = 1; p <= g->n; p++) {
			const uint8_t *key;

			if (!mpc_set_has(sets[i] & honest, p))
				continue;
			key = key_of(s, sets, p, i);
			if (first)
				assert_memory_equal(key, first, PRSS_KEY_SIZE);
			first = key;
		}
		assert_non_null(first);
		memcpy(all[i], first, PRSS_KEY_SIZE);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(all[k], all[i], PRSS_KEY_SIZE);
	}
}

/* Of what the honest parties compute from them. */
static void check_use(const struct setup *s, mpc_set honest)
{
	const struct mpc_session_id id = {{1}};
	struct gr shares[MPC_PARTIES_MAX] = {0}, mask;
	struct shamir_basis b;

	for (unsigned p = 1; p <= s->net.group.n; p++) {
		struct prss_session *session;

		if (!mpc_set_has(honest, p))
			continue;
		assert_ok(prss_session_new(&session, s->prss[p - 1], &id));
		assert_ok(prss_mask(session, &shares[p - 1], 1));
		prss_session_free(session);
	}
	assert_ok(shamir_basis_init(&b, honest, s->net.group.t));
	assert_ok(shamir_open_var(&b, &mask, NULL, shares, 0, 0));
	assert_true(gr_is_scalar_var(&mask) && mask.c[0] != 0);
}

static void one_run(unsigned n, unsigned t, unsigned liars, const struct strategy *how,
		    uint64_t seed)
{
	struct rng_seeded seeds[MPC_PARTIES_MAX];
	struct setup s = {0};
	mpc_set honest;

	network_init(&s.net, n, t, seed);
	s.net.hostile = any_parties(s.net.rng, n, liars);
	s.net.strategy = how;
	honest = mpc_set_all(&s.net.group) & (mpc_set)~s.net.hostile;
	for (unsigned p = 1; p <= n; p++) {
		const struct mpc_group g = {n, t, p};

		assert_ok(mpc_prss_init_new(&s.init[p - 1], &g,
					    rng_seeded_init(&seeds[p - 1], 100 * seed + p)));
		network_join(&s.net, p, mpc_prss_init_protocol(s.init[p - 1]));
	}
	network_run(&s.net);
	for (unsigned p = 1; p <= n; p++)
		if (mpc_set_has(honest, p)) {
			bool good = mpc_session_done(s.net.session[p - 1]) &&
				    mpc_prss_init_result(s.init[p - 1], &s.prss[p - 1]) == ERR_OK;

			if (!good)
				print_error("# n=%u liars=%u %s seed %llu\n", n, liars, how->name,
					    (unsigned long long)seed);
			assert_true(good);
		}
	check_keys(&s, honest);
	check_use(&s, honest);
	network_free(&s.net);
	for (unsigned p = 0; p < n; p++) {
		mpc_prss_init_free(s.init[p]);
		prss_free(s.prss[p]);
	}
}

static void test_four(void **state)
{
	(void)state;
	for (size_t s = 0; s < strategies_n; s++)
		for (unsigned liars = 0; liars <= 1; liars++)
			for (uint64_t seed = 1; seed <= 10; seed++)
				one_run(4, 1, liars, &strategies[s], seed);
}

static void test_seven(void **state)
{
	(void)state;
	for (size_t s = 0; s < strategies_n; s++)
		one_run(7, 2, 2, &strategies[s], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four),
		cmocka_unit_test(test_seven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

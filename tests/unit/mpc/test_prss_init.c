/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys without a dealer among liars (tests/mpc): who has a set has its key, nobody else anything
 * of it. */
#include "mpc/broadcast.h"
#include "mpc/prss_init.h"
#include "mpc_test.h"

enum {
	MEETS = ON_ANY | ON_CASTS | ON_DEALS | ON_LISTS
};

static void test_four(void **state)
{
	(void)state;
	mpc_matrix(run_prss_init, MEETS, 4, 1, 3);
}

static void test_seven(void **state)
{
	(void)state;
	for (size_t s = 0; s < strategies_n; s++) {
		struct mpc_run r = {7, 2, 2, &strategies[s], 1};

		assert_null(run_prss_init(&r));
	}
}

/* With more than t silent there are no keys, and everybody knows that. */
static void test_too_many_are_silent(void **state)
{
	struct mpc_run r = {4, 1, 2, strategy_find("silent"), 1};

	(void)state;
	assert_null(run_prss_init(&r));
}

/* In a committee that the published implementation is part of: its rounds, and the same keys. */
static void test_as_published(void **state)
{
	struct mpc_prss_init *init[4];
	struct rng_seeded seeds[4];
	struct prss *first, *other;
	struct network net;

	(void)state;
	network_init(&net, 4, 1, 1);
	for (unsigned p = 1; p <= 4; p++) {
		const struct mpc_group g = {4, 1, p};

		assert_ok(mpc_prss_init_new(&init[p - 1], &g, rng_seeded_init(&seeds[p - 1], p)));
		mpc_prss_init_as_published(init[p - 1]);
		network_join(&net, p, mpc_prss_init_protocol(init[p - 1]));
	}
	network_run(&net);
	/* a round of dealing, a broadcast, an opening */
	assert_int_equal(network_rounds(&net), 1 + mpc_broadcast_rounds(&net.group, true) + 1);
	assert_ok(mpc_prss_init_result(init[0], &first));
	assert_ok(mpc_prss_init_result(init[1], &other));
	/* the first set is {1, 2, 3} */
	assert_memory_equal(prss_keys(first).p, prss_keys(other).p, PRSS_KEY_SIZE);
	prss_free(first);
	prss_free(other);
	network_free(&net);
	for (unsigned p = 0; p < 4; p++)
		mpc_prss_init_free(init[p]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four),
		cmocka_unit_test(test_seven),
		cmocka_unit_test(test_too_many_are_silent),
		cmocka_unit_test(test_as_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Verifiable sharing and the coin among liars (tests/mpc), and who is found out. */
#include "mpc/coin.h"
#include "mpc/vss.h"
#include "mpc_test.h"

enum {
	MEETS = ON_ANY | ON_CASTS | ON_DEALS
};

static void test_four(void **state)
{
	(void)state;
	mpc_matrix(run_vss, MEETS, 4, 1, 8);
}

static void test_seven(void **state)
{
	(void)state;
	mpc_matrix(run_vss, MEETS, 7, 2, 1);
}

static void test_coin(void **state)
{
	(void)state;
	mpc_matrix(run_coin, MEETS | ON_LISTS, 4, 1, 4);
	mpc_matrix(run_coin, MEETS | ON_LISTS, 7, 2, 1);
}

/* Of two runs with other random numbers no coin is the same, and before the end there is none. */
static void test_coin_is_not_known_before(void **state)
{
	const struct mpc_group g = {4, 1, 1};
	struct rng_seeded seeded;
	struct mpc_coin *c;
	struct gr coin;

	(void)state;
	assert_ok(mpc_coin_new(&c, &g, 0, rng_seeded_init(&seeded, 1)));
	assert_int_equal(mpc_coin_result(c, &coin), ERR_NOT_READY);
	assert_int_equal(mpc_coin_corrupt(c), 0);
	mpc_coin_free(c);
}

/* Who is found out: nobody of the honest (in every run), and those who cannot hide. */
static void test_guilt(void **state)
{
	static const struct {
		const char *name;
		unsigned guilty; /* of one liar among four */
	} cases[] = {{"silent", 1},          {"rubbish", 1},     {"late", 1},
		     {"bad-deal", 0},        {"worse-deal", 1},  {"wrong-degree", 1},
		     {"false-complaint", 0}, {"false-answer", 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mpc_run r = {4, 1, 1, strategy_find(cases[i].name), 77};

		assert_non_null(r.how);
		assert_null(run_vss(&r));
		if (r.corrupt != (cases[i].guilty ? r.hostile : 0))
			print_error("# %s: %x\n", cases[i].name, r.corrupt);
		assert_int_equal(r.corrupt, cases[i].guilty ? r.hostile : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four),  cmocka_unit_test(test_seven),
		cmocka_unit_test(test_coin),  cmocka_unit_test(test_coin_is_not_known_before),
		cmocka_unit_test(test_guilt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Robust opening: every strategy, every number of liars (tests/mpc); and its limits. */
#include "mpc/open.h"
#include "mpc_test.h"

enum {
	SECRETS = 3
};

struct opening {
	struct network net;
	struct gr secrets[SECRETS];
	struct gr shares[MPC_PARTIES_MAX][SECRETS];
	struct mpc_open *open[MPC_PARTIES_MAX];
};

/* `absent` are not even there. */
static void opening_make(struct opening *o, unsigned n, unsigned t, uint64_t seed,
			 mpc_set receivers, bool synchronous, mpc_set absent)
{
	network_init(&o->net, n, t, seed);
	memset(o->open, 0, sizeof(o->open));
	for (unsigned i = 0; i < SECRETS; i++) {
		struct gr row[MPC_PARTIES_MAX];

		o->secrets[i] = any_gr(o->net.rng);
		shamir_share(row, &o->net.group, t, &o->secrets[i], o->net.rng);
		for (unsigned p = 0; p < n; p++)
			o->shares[p][i] = row[p];
	}
	for (unsigned p = 1; p <= n; p++) {
		struct mpc_open_task task = {.group = {n, t, p}, .synchronous = synchronous};

		mpc_open_to(&task, receivers, o->shares[p - 1], SECRETS);
		if (mpc_set_has(absent, p))
			continue;
		assert_ok(mpc_open_new(&o->open[p - 1], &task));
		network_join(&o->net, p, mpc_open_protocol(o->open[p - 1]));
	}
}

static void opening_free(struct opening *o)
{
	network_free(&o->net);
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++)
		mpc_open_free(o->open[i]);
}

static bool all_right(const struct opening *o, mpc_set receivers)
{
	for (unsigned p = 1; p <= o->net.group.n; p++) {
		const struct gr *secrets;
		mpc_set wrong;

		if (mpc_set_has(o->net.hostile, p) || !mpc_set_has(receivers, p))
			continue;
		if (mpc_open_result(o->open[p - 1], &secrets, &wrong) != ERR_OK ||
		    memcmp(secrets, o->secrets, sizeof(o->secrets)) != 0)
			return false;
		/* Nobody is blamed who did nothing, but for coming later than the answer. */
		if (mpc_session_synchronous(o->net.session[p - 1]) && (wrong & ~o->net.hostile))
			return false;
	}
	return true;
}

static void test_four(void **state)
{
	(void)state;
	mpc_matrix(run_open_waiting, ON_ANY | ON_LISTS, 4, 1, 20);
	mpc_matrix(run_open_timed, ON_ANY | ON_LISTS, 4, 1, 20);
}

static void test_thirteen(void **state)
{
	(void)state;
	mpc_matrix(run_open_waiting, ON_ANY | ON_LISTS, 13, 4, 2);
	mpc_matrix(run_open_timed, ON_ANY | ON_LISTS, 13, 4, 2);
}

/* 2 t + 1 are enough while nobody lies, 2 t are not; one liar more than t means waiting, not a
 * wrong answer. */
static void test_quorum(void **state)
{
	const mpc_set all = 0x1fff;
	struct opening o;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		opening_make(&o, 13, 4, seed, all, false, 0x1e00);
		network_run(&o.net);
		o.net.hostile = 0x1e00;
		assert_true(network_honest_done(&o.net) && all_right(&o, all));
		opening_free(&o);

		opening_make(&o, 13, 4, seed, all, false, 0x1f00);
		network_run(&o.net);
		for (unsigned p = 0; p < 8; p++)
			assert_int_equal(mpc_open_result(o.open[p], NULL, NULL), ERR_NOT_READY);
		opening_free(&o);

		opening_make(&o, 13, 4, seed, all, true, 0x1f00);
		network_run(&o.net);
		for (unsigned p = 0; p < 8; p++)
			assert_int_equal(mpc_open_result(o.open[p], NULL, NULL), ERR_MISMATCH);
		opening_free(&o);
	}
}

static void test_more_than_t_liars(void **state)
{
	struct opening o;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		opening_make(&o, 4, 1, seed, 0xf, seed % 2, 0);
		o.net.hostile = 0xc;
		o.net.strategy = strategy_find("two-faced");
		network_run(&o.net);
		for (unsigned p = 0; p < 2; p++)
			assert_int_equal(mpc_open_result(o.open[p], NULL, NULL),
					 seed % 2 ? ERR_MISMATCH : ERR_NOT_READY);
		opening_free(&o);
	}
}

/* What a session keeps for later and what it drops. */
static void test_session_limits(void **state)
{
	const uint8_t word[] = {1, 2, 3};
	struct opening o;
	struct mpc_session *s;

	(void)state;
	opening_make(&o, 4, 1, 1, 0xf, false, 0);
	s = o.net.session[0];
	assert_ok(mpc_session_receive(s, 2, 1, BYTES_OF(word)));
	assert_ok(mpc_session_receive(s, 2, 1, BYTES_OF(word)));
	assert_ok(mpc_session_receive(s, 2, SESSION_ROUNDS_AHEAD, BYTES_OF(word)));
	assert_ok(mpc_session_receive(s, 2, SESSION_ROUNDS_AHEAD + 1, BYTES_OF(word)));
	assert_ok(mpc_session_receive(s, 2, UINT64_MAX, BYTES_OF(word)));
	assert_ok(mpc_session_receive(s, 2, 0, BYTES_OF(word)));
	assert_int_equal(mpc_session_receive(s, 1, 1, BYTES_OF(word)), ERR_RANGE);
	assert_int_equal(mpc_session_receive(s, 5, 1, BYTES_OF(word)), ERR_RANGE);
	assert_int_equal(mpc_session_counts(s).repeated, 1);
	assert_int_equal(mpc_session_counts(s).too_far, 2);
	assert_int_equal(mpc_session_counts(s).old, 1);
	assert_ok(mpc_session_start(s));
	assert_int_equal(mpc_session_silent(s), 0xc);
	opening_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four),           cmocka_unit_test(test_thirteen),
		cmocka_unit_test(test_quorum),         cmocka_unit_test(test_more_than_t_liars),
		cmocka_unit_test(test_session_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

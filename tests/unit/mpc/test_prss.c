/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Numbers that nobody knows: known answers (another implementation of the same definition),
 * degrees, values, counters. */
#include "base/hex.h"
#include "crypto/sha.h"
#include "mpc/prss.h"
#include "mpc_test.h"

typedef enum err make_fn(struct prss_session *s, struct gr *ret, size_t n);

static const struct mpc_session_id session_id = {
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

/* The key of set number i says i. */
static void key_of_set(uint8_t key[PRSS_KEY_SIZE], unsigned n, unsigned i)
{
	for (unsigned k = 0; k < PRSS_KEY_SIZE; k++)
		key[k] = n == 4 ? (uint8_t)(0x40 + i) : (uint8_t)(k % 2 ? i >> 8 : i);
}

static struct prss *party(unsigned n, unsigned t, unsigned me)
{
	const struct mpc_group g = {n, t, me};
	mpc_set sets[MPC_SETS_MAX];
	uint8_t *keys = calloc(MPC_SETS_MAX, PRSS_KEY_SIZE);
	size_t at = 0;
	struct prss *p;

	assert_non_null(keys);
	mpc_sets(&g, sets);
	for (unsigned i = 0; i < mpc_sets_n(&g); i++)
		if (mpc_set_has(sets[i], me))
			key_of_set(&keys[PRSS_KEY_SIZE * at++], n, i);
	assert_ok(prss_new(&p, &g, bytes_from(keys, at * PRSS_KEY_SIZE)));
	assert_int_equal(prss_keys_n(p), at);
	assert_memory_equal(prss_keys(p).p, keys, at * PRSS_KEY_SIZE);
	free(keys);
	return p;
}

static void test_known_answers(void **state)
{
	static const struct {
		unsigned n, t, me;
		size_t count;
		make_fn *make;
		const char *want; /* SHA-256 of the elements */
	} cases[] = {
		{4, 1, 1, 3, prss_next,
		 "2b1b06463d07b2a2500df3c2d59b677f9db81301d0ebffa34fede0c135be7a81"},
		{4, 1, 2, 3, prss_next,
		 "9b7314a76ade8e7d4a0bc86404bb4835b119a51939b113dcff3a8fc4e862bdcf"},
		{4, 1, 4, 3, prss_next,
		 "98ba30eb94f01b7b9f45970d0feae03cfca03b1e37a9c4464c6c89567efde246"},
		{4, 1, 1, 3, prss_zero,
		 "8d1272b554a4c11ef9fdbc4ed7cee891fa7cdfc356e2819c129724cae4688224"},
		{4, 1, 2, 3, prss_zero,
		 "1051d70e2465c9a0b5a6726b12deb11c90d3e58ce37763153c20a160a20937f9"},
		{4, 1, 4, 3, prss_zero,
		 "95bdd789a212a387939c127a3a0f75e2066f9d226bb752cc1d1c6ec0521dd2a1"},
		{4, 1, 1, 3, prss_mask,
		 "e4747b7a76493a5fa2b99880cef585ab182351eec05eb542be927ea1aafe8d63"},
		{4, 1, 2, 3, prss_mask,
		 "2aaa5e0bdeb510a8f2383a73b43aa8271845a4518c855dd1586948c203eef68a"},
		{4, 1, 4, 3, prss_mask,
		 "b2794a8b47fe581127185384207d2a40c3482e07ff65095f9d02a829553f963a"},
		{13, 4, 7, 2, prss_next,
		 "7b5faff05e5d7f5db01dbe332b60cfe4a3abd954aec7ded8d22bdcf0cc10225b"},
		{13, 4, 7, 2, prss_zero,
		 "1cc4fb429836de7ff2786e14c53340b966e2c7c2ddde93984033789bfcc3903f"},
		{13, 4, 7, 2, prss_mask,
		 "b05d996c03ce11e2bea9f75e3c3665e80fa09c8546cf54cf1a01fa65dcc905ea"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct prss *p = party(cases[i].n, cases[i].t, cases[i].me);
		struct prss_session *s;
		struct gr out[3];
		uint8_t bytes[3 * GR_SIZE];
		struct hash32 want, digest;

		assert_ok(prss_session_new(&s, p, &session_id));
		/* one after the other is the same as in one go */
		assert_ok(cases[i].make(s, out, 1));
		assert_ok(cases[i].make(s, &out[1], cases[i].count - 1));
		for (size_t k = 0; k < cases[i].count; k++)
			gr_put(&bytes[k * GR_SIZE], &out[k]);
		const struct bytes part = bytes_from(bytes, cases[i].count * GR_SIZE);
		assert_ok(sha256(&digest, &part, 1));
		assert_ok(hex_decode_fixed(want.b, 32, bytes_str(cases[i].want)));
		assert_memory_equal(digest.b, want.b, 32);
		prss_session_free(s);
		prss_free(p);
	}
}

/* All parties' shares lie on one polynomial of the degree, and on none below. */
static void check_sharing(unsigned n, unsigned t, make_fn *make, unsigned degree, bool zero,
			  bool scalar)
{
	enum {
		COUNT = 100
	};
	static struct gr shares[MPC_PARTIES_MAX][COUNT];
	const struct gr *of[MPC_PARTIES_MAX];
	struct gr secret[COUNT];
	struct shamir_basis b, low;

	for (unsigned me = 1; me <= n; me++) {
		struct prss *p = party(n, t, me);
		struct prss_session *s;

		assert_ok(prss_session_new(&s, p, &session_id));
		assert_ok(make(s, shares[me - 1], COUNT));
		of[me - 1] = shares[me - 1];
		prss_session_free(s);
		prss_free(p);
	}
	assert_ok(shamir_basis_init(&b, (mpc_set)((1u << n) - 1), degree));
	assert_ok(shamir_open_many_var(&b, secret, NULL, of, COUNT, 0, 0, NULL));
	assert_ok(shamir_basis_init(&low, (mpc_set)((1u << n) - 1), degree - 1));
	assert_int_equal(shamir_open_many_var(&low, secret, NULL, of, COUNT, 0, 0, NULL),
			 ERR_MISMATCH);
	for (unsigned i = 0; i < COUNT; i++) {
		const u128 limit = (u128)mpc_sets_n(&(struct mpc_group){n, t, 1}) << 111;

		if (scalar) {
			assert_true(gr_is_scalar_var(&secret[i]));
			assert_true(secret[i].c[0] + limit < 2 * limit);
		}
		assert_int_equal(zero, gr_is_scalar_var(&secret[i]) && secret[i].c[0] == 0);
		for (unsigned k = 0; k < i && !zero; k++)
			assert_false(gr_eq_var(&secret[i], &secret[k]));
	}
}

static void test_sharings(void **state)
{
	static const unsigned groups[][2] = {{4, 1}, {7, 2}, {13, 4}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		unsigned n = groups[i][0], t = groups[i][1];

		check_sharing(n, t, prss_next, t, false, false);
		check_sharing(n, t, prss_zero, 2 * t, true, false);
		check_sharing(n, t, prss_mask, t, false, true);
	}
}

/* Another session, other numbers; the same again, the same. */
static void test_sessions(void **state)
{
	struct mpc_session_id other = session_id;
	struct prss *p = party(4, 1, 3);
	struct prss_session *a, *b, *c;
	struct gr x, y, z;

	(void)state;
	other.le[15] ^= 1;
	assert_ok(prss_session_new(&a, p, &session_id));
	assert_ok(prss_session_new(&b, p, &session_id));
	assert_ok(prss_session_new(&c, p, &other));
	assert_ok(prss_mask(a, &x, 1));
	assert_ok(prss_mask(b, &y, 1));
	assert_ok(prss_mask(c, &z, 1));
	assert_true(gr_eq_var(&x, &y) && !gr_eq_var(&x, &z));
	assert_ok(prss_mask(a, &y, 1));
	assert_false(gr_eq_var(&x, &y));
	prss_session_free(a);
	prss_session_free(b);
	prss_session_free(c);
	prss_free(p);
}

static void test_refuses(void **state)
{
	const struct mpc_group good = {4, 1, 1}, bad = {4, 2, 1};
	const uint8_t keys[4 * PRSS_KEY_SIZE] = {0};
	struct prss *p;

	(void)state;
	assert_int_equal(prss_new(&p, &bad, bytes_from(keys, 3 * PRSS_KEY_SIZE)), ERR_RANGE);
	assert_int_equal(prss_new(&p, &good, bytes_from(keys, 4 * PRSS_KEY_SIZE)), ERR_RANGE);
	assert_int_equal(prss_new(&p, &good, bytes_from(keys, 2 * PRSS_KEY_SIZE)), ERR_RANGE);
	assert_int_equal(prss_new(&p, &good, bytes_from(keys, 3 * PRSS_KEY_SIZE - 1)), ERR_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_sharings),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Reliable broadcast among liars: honest parties agree about everybody, and believe each other. */
#include "mpc/broadcast.h"
#include "mpc/wire.h"
#include "network.h"

enum {
	SIZE_MAX_OF_VALUE = 512
};

struct round_of_words {
	struct network net;
	struct mpc_broadcast *b[MPC_PARTIES_MAX];
	struct buf said[MPC_PARTIES_MAX];
};

/* A list of elements, in the form of the wire. */
static void any_value(struct buf *out, struct rng *rng)
{
	struct bincode_writer w = {.out = out};
	uint64_t n = rng_below(rng, 5);

	*out = buf_make(SIZE_MAX_OF_VALUE);
	bincode_put_u32(&w, MPC_CAST_RINGS);
	bincode_put_u64(&w, n);
	for (uint64_t i = 0; i < n; i++) {
		struct gr a = any_gr(rng);

		mpc_wire_put_gr(&w, &a);
	}
	assert_ok(bincode_end(&w));
}

static void check_agreement(const struct round_of_words *r, mpc_set senders)
{
	const struct network *net = &r->net;

	for (unsigned sender = 1; sender <= net->group.n; sender++) {
		struct bytes first = BYTES_NONE;
		int known = -1;

		for (unsigned p = 1; p <= net->group.n; p++) {
			struct bytes value = BYTES_NONE;
			bool has;

			if (mpc_set_has(net->hostile, p))
				continue;
			has = mpc_broadcast_value(r->b[p - 1], sender, &value);
			if (known < 0) {
				known = has;
				first = value;
			}
			assert_int_equal(has, known);
			assert_true(!has || bytes_eq_var(value, first));
		}
		if (!mpc_set_has(senders, sender))
			assert_int_equal(known, 0);
		else if (!mpc_set_has(net->hostile, sender))
			assert_true(known == 1 &&
				    bytes_eq_var(first, buf_view(&r->said[sender - 1])));
	}
}

static void one_run(unsigned n, unsigned t, unsigned liars, unsigned corrupt,
		    const struct strategy *how, uint64_t seed)
{
	struct round_of_words r = {0};
	struct network *net = &r.net;
	mpc_set senders = (mpc_set)((1u << n) - 1), known = 0;

	network_init(net, n, t, seed);
	net->hostile = any_parties(net->rng, n, liars);
	net->strategy = how;
	if (seed % 3 == 0)
		senders = any_parties(net->rng, n, 1 + (unsigned)rng_below(net->rng, n));
	for (unsigned p = 1; p <= n && mpc_set_size(known) < corrupt; p++)
		known |= net->hostile & mpc_set_of(p);
	for (unsigned p = 1; p <= n; p++) {
		struct mpc_broadcast_task task = {.group = {n, t, p},
						  .senders = senders,
						  .corrupt = known,
						  .size_max = SIZE_MAX_OF_VALUE};

		any_value(&r.said[p - 1], net->rng);
		if (mpc_set_has(senders, p))
			task.value = buf_view(&r.said[p - 1]);
		assert_ok(mpc_broadcast_new(&r.b[p - 1], &task));
		network_join(net, p, mpc_broadcast_protocol(r.b[p - 1]));
	}
	network_run(net);
	if (!network_honest_done(net))
		print_error("# n=%u liars=%u %s seed %llu\n", n, liars, how->name,
			    (unsigned long long)seed);
	assert_true(network_honest_done(net));
	for (unsigned p = 1; p <= n; p++)
		assert_true(mpc_set_has(net->hostile, p) ||
			    mpc_session_round(net->session[p - 1]) == 3 + t);
	check_agreement(&r, senders & (mpc_set)~known);
	network_free(net);
	for (unsigned i = 0; i < n; i++) {
		mpc_broadcast_free(r.b[i]);
		buf_free(&r.said[i]);
	}
}

static void matrix(unsigned n, unsigned t, uint64_t seeds)
{
	for (size_t s = 0; s < strategies_n; s++)
		for (unsigned liars = 0; liars <= t; liars++)
			for (uint64_t seed = 1; seed <= seeds; seed++)
				one_run(n, t, liars, (unsigned)seed % (liars + 1), &strategies[s],
					seed);
}

static void test_four(void **state)
{
	(void)state;
	matrix(4, 1, 40);
}

static void test_thirteen(void **state)
{
	(void)state;
	matrix(13, 4, 2);
}

/* A value's form is checked without believing any of its lengths. */
static void test_values(void **state)
{
	static const struct {
		struct bytes bytes;
		enum err want;
	} cases[] = {
		{BYTES_LIT("\0\0\0\0"), ERR_OK},
		{BYTES_LIT("\1\0\0\0\0\0\0\0\0\0\0\0"), ERR_OK},
		{BYTES_LIT("\1\0\0\0\1\0\0\0\0\0\0\0"), ERR_TOO_BIG},
		{BYTES_LIT("\1\0\0\0\377\377\377\377\377\377\377\377"), ERR_TOO_BIG},
		{BYTES_LIT("\2\0\0\0\0"), ERR_TRUNCATED},
		{BYTES_LIT("\3\0\0\0\0\0\0\0\0\0\0\0"), ERR_UNSUPPORTED},
		{BYTES_LIT("\4\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), ERR_OK},
		{BYTES_LIT("\5\0\0\0\0\0\0\0\0\0\0\0"), ERR_OK},
		{BYTES_LIT("\6\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"
			   "\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
		 ERR_OK},
		{BYTES_LIT("\6\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\2\0\0\0"),
		 ERR_UNSUPPORTED},
		{BYTES_LIT("\7\0\0\0"), ERR_UNSUPPORTED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reader r = reader_of(cases[i].bytes);
		struct bytes value = mpc_wire_cast(&r);

		assert_int_equal(r.err, cases[i].want);
		assert_true(value.n == (r.err == ERR_OK ? cases[i].bytes.n : 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four),
		cmocka_unit_test(test_thirteen),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

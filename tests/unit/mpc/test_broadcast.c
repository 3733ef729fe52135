/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Reliable broadcast among liars: honest parties agree about everybody, and believe each other. */
#include "mpc/broadcast.h"
#include "mpc/wire.h"
#include "mpc_test.h"
#include "strategies.h"

/* ---- the published implementation's rounds ---- */

/*
 * Party 4 sends its value to 1 and 2, echoes it to 1 only, and votes for it so that 2 follows just
 * before the end and 3 never does.
 */
static struct buf vote;

static bool splits(struct network *net, struct network_message *m)
{
	const uint32_t is = m->body.p[0];
	bool votes = m->round == 3 ? m->to == 2 : m->to != 3;

	(void)net;
	if (is == MPC_VALUE_SEND) {
		const struct bytes value = bytes_sub(buf_view(&m->body), 4, m->body.n - 4);
		struct bincode_writer w = {.out = &vote};
		struct hash32 hash;

		buf_free(&vote);
		vote = buf_make(64);
		assert_ok(mpc_hash(&hash, MPC_NAME_BROADCAST, &value, 1));
		bincode_put_u32(&w, MPC_VALUE_VOTES);
		bincode_put_u64(&w, 1);
		mpc_wire_put_role(&w, 4);
		bincode_put_raw(&w, BYTES_OF(hash.b));
		assert_ok(bincode_end(&w));
		return m->to != 3;
	}
	if (is == MPC_VALUE_ECHOES && m->to == 1)
		return true;
	strategy_replace(m, is == MPC_VALUE_ECHOES ? BYTES_LIT("\4\0\0\0\0\0\0\0\0\0\0\0")
			    : votes                ? buf_view(&vote)
						   : BYTES_LIT("\10\0\0\0"));
	return true;
}

/* How many of the three honest parties hold party 4's word. */
static unsigned believers(bool published)
{
	static const struct strategy how = {"splits", splits, ON_CASTS};
	const uint8_t value[] = {MPC_CAST_BOT, 0, 0, 0};
	struct mpc_broadcast *b[4];
	struct network net;
	unsigned n = 0;

	network_init(&net, 4, 1, 1);
	net.hostile = mpc_set_of(4);
	net.strategy = &how;
	for (unsigned p = 1; p <= 4; p++) {
		struct mpc_broadcast_task task = {.group = {4, 1, p},
						  .senders = mpc_set_of(4),
						  .size_max = sizeof(value),
						  .published = published};

		if (p == 4)
			task.value = BYTES_OF(value);
		assert_ok(mpc_broadcast_new(&b[p - 1], &task));
		network_join(&net, p, mpc_broadcast_protocol(b[p - 1]));
	}
	network_run(&net);
	assert_true(network_honest_done(&net));
	assert_int_equal(network_rounds(&net), mpc_broadcast_rounds(&net.group, published));
	for (unsigned p = 1; p <= 4; p++) {
		struct bytes got;

		n += p < 4 && mpc_broadcast_value(b[p - 1], 4, &got);
		mpc_broadcast_free(b[p - 1]);
	}
	network_free(&net);
	buf_free(&vote);
	return n;
}

/* That its rounds do not suffice is why ours are others. */
static void test_published_rounds_can_be_split(void **state)
{
	(void)state;
	assert_int_equal(believers(true), 2);
	assert_int_equal(believers(false), 0);
}

/* And without liars they are right, and as many as published. */
static void test_published_rounds(void **state)
{
	const uint8_t value[] = {MPC_CAST_BOT, 0, 0, 0};
	struct mpc_broadcast *b[13];
	struct network net;

	(void)state;
	network_init(&net, 13, 4, 1);
	for (unsigned p = 1; p <= 13; p++) {
		const struct mpc_broadcast_task task = {.group = {13, 4, p},
							.senders = 0x1fff,
							.value = BYTES_OF(value),
							.size_max = sizeof(value),
							.published = true};

		assert_ok(mpc_broadcast_new(&b[p - 1], &task));
		network_join(&net, p, mpc_broadcast_protocol(b[p - 1]));
	}
	network_run(&net);
	assert_int_equal(network_rounds(&net), 3 + 4);
	for (unsigned p = 1; p <= 13; p++) {
		struct bytes got;

		for (unsigned sender = 1; sender <= 13; sender++)
			assert_true(mpc_broadcast_value(b[p - 1], sender, &got) &&
				    bytes_eq_var(got, BYTES_OF(value)));
		mpc_broadcast_free(b[p - 1]);
	}
	network_free(&net);
}

static void test_four(void **state)
{
	(void)state;
	mpc_matrix(run_broadcast, ON_ANY | ON_CASTS, 4, 1, 40);
}

static void test_thirteen(void **state)
{
	(void)state;
	mpc_matrix(run_broadcast, ON_ANY | ON_CASTS, 13, 4, 1);
}

/* The strategy that broadcast is about, often enough to meet the rare splits that a threshold too
 * low by one allows. */
static void test_equivocation(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct mpc_run r = {4, 1, 1, strategy_find("equivocates"), seed};

		assert_null(run_broadcast(&r));
	}
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
		cmocka_unit_test(test_equivocation),
		cmocka_unit_test(test_published_rounds_can_be_split),
		cmocka_unit_test(test_published_rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

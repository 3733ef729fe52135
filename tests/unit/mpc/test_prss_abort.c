/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys in three rounds or none (tests/mpc): whatever liars do, no two honest parties end with
 * different keys. */
#include "mpc/prss_abort.h"

#include <string.h>

#include "mpc/wire.h"
#include "mpc_test.h"

enum {
	PARTIES = 4,
	COMMON = 2, /* sets of three of four that two of them share */
	PART_SIZE = PRSS_KEY_SIZE + MPC_OPENING_SIZE
};

static const struct mpc_session_id session = RUN_PRSS_ABORT_SESSION;

static void test_four(void **state)
{
	(void)state;
	mpc_matrix(run_prss_abort, ON_ANY, 4, 1, 20);
}

static void test_seven(void **state)
{
	(void)state;
	mpc_matrix(run_prss_abort, ON_ANY, 7, 2, 3);
}

static bool honest(struct network *net, struct network_message *m)
{
	(void)net;
	(void)m;
	return true;
}

/* Nobody lies: all have keys, in the largest committee as well. */
static void test_all_honest(void **state)
{
	static const struct strategy how = {"honest", honest, ON_ANY};
	static const unsigned sizes[][2] = {{4, 1}, {5, 1}, {7, 2}, {13, 4}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct mpc_run r = {sizes[i][0], sizes[i][1], 1, &how, i + 1};

		assert_null(run_prss_abort(&r));
		assert_int_equal(r.finished | r.hostile, (1u << r.n) - 1);
		assert_int_equal(r.rounds, 3);
	}
}

/* One silent party ends it for everybody. */
static void test_one_is_silent(void **state)
{
	struct mpc_run r = {7, 2, 1, strategy_find("silent"), 1};

	(void)state;
	assert_null(run_prss_abort(&r));
	assert_int_equal(r.finished, 0);
}

/* ---- liars who know the protocol ---- */

static unsigned victim(const struct network *net)
{
	unsigned p = 1;

	while (mpc_set_has(net->hostile, p))
		p++;
	return p;
}

/* Another word about the first set, in the last round and to one party only. */
static bool late_lie(struct network *net, struct network_message *m)
{
	if (m->round == 3 && m->to == victim(net))
		m->body.p[mpc_wire_agree_size(MPC_AGREE_KEYS, 0)] ^= 1;
	return true;
}

/* That one ends without keys, the others with: who uses keys must know that all have them. */
static void test_some_may_finish(void **state)
{
	static const struct strategy how = {"late lie", late_lie, ON_ANY};

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct mpc_run r = {4, 1, 1, &how, seed};

		assert_null(run_prss_abort(&r));
		assert_int_equal(mpc_set_size(r.finished), 2);
		assert_int_equal(r.finished & r.hostile, 0);
	}
}

/* Commits another part towards one party, opens that, and tells it the key that it must have then:
 * nothing that this party hears from the liar itself is wrong. */
static bool two_keys(struct network *net, struct network_message *m)
{
	static uint8_t changed[MPC_PARTIES_MAX][PRSS_KEY_SIZE];
	uint8_t part[PART_SIZE] = {7}, *p = &m->body.p[mpc_wire_agree_size(0, 0)];
	uint8_t *mine = changed[m->from - 1];
	struct buf where = buf_make(32);
	struct hash32 h;

	if (m->to != victim(net))
		return true;
	assert_ok(buf_add_u64le(&where, m->from));
	assert_ok(buf_add(&where, BYTES_OF(session.le)));
	assert_ok(buf_add_u64le(&where, 0));

	const struct bytes words[] = {buf_view(&where), BYTES_OF(part)};

	assert_ok(mpc_hash(&h, MPC_NAME_COMMITMENT, words, 2));
	if (m->round == 1)
		memcpy(p, h.b, sizeof(h.b));
	for (size_t i = 0; m->round == 2 && i < PRSS_KEY_SIZE; i++)
		mine[i] = p[i] ^ part[i];
	if (m->round == 2)
		memcpy(p, part, sizeof(part));
	for (size_t i = 0; m->round == 3 && i < PRSS_KEY_SIZE; i++)
		p[i] ^= mine[i];
	buf_free(&where);
	return true;
}

/* It is the honest members of that set who see that they have different keys; who is in no set with
 * the victim's other key may finish, or not. */
static void test_two_keys(void **state)
{
	static const struct strategy how = {"two keys", two_keys, ON_ANY};

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct mpc_run r = {4, 1, 1, &how, seed};
		unsigned p = 1;

		assert_null(run_prss_abort(&r));
		while (mpc_set_has(r.hostile, p))
			p++;
		assert_false(mpc_set_has(r.finished, p));
		assert_true(mpc_set_size(r.finished) <= 1);
	}
}

/* ---- by hand ---- */

struct hand {
	struct mpc_prss_abort *init;
	struct rng_seeded seeded;
	struct mpc_outbox out;
	struct buf in[PARTIES];
	uint8_t part[PARTIES][COMMON][PART_SIZE]; /* of others, for the sets that we share */
};

/* Party 1 of four, whose sets are {1, 2, 3}, {1, 2, 4} and {1, 3, 4}. */
static const unsigned set_of[PARTIES][COMMON] = {[1] = {0, 1}, [2] = {0, 2}, [3] = {1, 2}};

static void hand_begin(struct hand *h)
{
	const struct mpc_group g = {PARTIES, 1, 1};

	*h = (struct hand){0};
	assert_ok(mpc_prss_abort_new(&h->init, &g, &session, 5, rng_seeded_init(&h->seeded, 3)));
	rng_fill(&h->seeded.base, &h->part[0][0][0], sizeof(h->part));
}

static enum mpc_progress hand_round(struct hand *h, bool late)
{
	struct mpc_inbox in = {.spoke = 0xe};
	enum mpc_progress progress = MPC_WAIT;

	for (unsigned p = 0; p < PARTIES; p++)
		in.of[p] = buf_view(&h->in[p]);
	assert_ok(protocol_take(mpc_prss_abort_protocol(h->init), &in, late, &progress));
	return progress;
}

static void hand_send(struct hand *h)
{
	struct mpc_expectation wants;

	mpc_outbox_clear(&h->out);
	assert_ok(protocol_send(mpc_prss_abort_protocol(h->init), &h->out, &wants));
	assert_int_equal(wants.from, 0xe);
	assert_true(wants.synchronous);
	assert_int_equal(wants.size_max, h->out.to[1].n);
}

static void hand_say(struct hand *h, unsigned p, enum mpc_agree what, struct bytes items)
{
	buf_free(&h->in[p]);
	h->in[p] = buf_make(256);
	assert_ok(mpc_wire_put_agree(&h->in[p], what, items));
}

static void hand_end(struct hand *h)
{
	mpc_prss_abort_free(h->init);
	mpc_outbox_clear(&h->out);
	for (unsigned p = 0; p < PARTIES; p++)
		buf_free(&h->in[p]);
}

/* SHAKE256("COMMTMNT" || u64 role || u128 session || u64 round || part || opening). */
static struct hash32 commitment(unsigned party, const uint8_t part[PART_SIZE])
{
	uint8_t text[8 + 16 + 8] = {[0] = (uint8_t)party, [24] = 5};
	const struct bytes words[] = {BYTES_OF(text), bytes_from(part, PART_SIZE)};
	struct hash32 c;

	memcpy(&text[8], session.le, sizeof(session.le));
	assert_ok(mpc_hash(&c, MPC_NAME_COMMITMENT, words, 2));
	return c;
}

static void hand_commitments(struct hand *h)
{
	hand_send(h);
	for (unsigned p = 1; p < PARTIES; p++) {
		uint8_t items[COMMON][32];

		for (unsigned i = 0; i < COMMON; i++) {
			const struct hash32 c = commitment(p + 1, h->part[p][i]);

			memcpy(items[i], c.b, sizeof(c.b));
		}
		hand_say(h, p, MPC_AGREE_COMMITMENTS, bytes_from(&items[0][0], sizeof(items)));
	}
}

/* Variant 6, then 0, 1, 2; a u64 length; the items one after the other: bytes of a mixed
 * committee. The key is the XOR of the three parts. */
static void test_messages(void **state)
{
	static const uint8_t head[3][16] = {{6, 0, 0, 0, 0, 0, 0, 0, 2},
					    {6, 0, 0, 0, 1, 0, 0, 0, 2},
					    {6, 0, 0, 0, 2, 0, 0, 0, 2}};
	static const size_t sizes[] = {16 + 2 * 32, 16 + 2 * 32, 16 + 2 * 16};
	uint8_t keys[3][PRSS_KEY_SIZE] = {{0}}, first[32];
	struct hash32 c;
	struct prss *prss;
	struct hand h;

	(void)state;
	hand_begin(&h);
	for (unsigned round = 0; round < 3; round++) {
		if (round == 0)
			hand_commitments(&h);
		else
			hand_send(&h);
		assert_int_equal(mpc_prss_abort_result(h.init, &prss), ERR_NOT_READY);
		for (unsigned p = 1; p < PARTIES; p++) {
			const struct buf *b = &h.out.to[p];

			assert_int_equal(b->n, sizes[round]);
			assert_memory_equal(b->p, head[round], 16);
			for (unsigned i = 0; i < COMMON; i++) {
				uint8_t *key = keys[set_of[p][i]], items[COMMON][PRSS_KEY_SIZE];

				/* ours once: from the first who is told of the set */
				for (unsigned k = 0; round == 1 && k < PRSS_KEY_SIZE; k++)
					key[k] ^= h.part[p][i][k] ^
						  (p == 1 || (p == 2 && i == 1)
							   ? b->p[16 + PART_SIZE * i + k]
							   : 0);
				memcpy(items[0], keys[set_of[p][0]], PRSS_KEY_SIZE);
				memcpy(items[1], keys[set_of[p][1]], PRSS_KEY_SIZE);
				if (round == 2)
					assert_memory_equal(&b->p[16], items, sizeof(items));
				if (round == 2)
					hand_say(&h, p, MPC_AGREE_KEYS,
						 bytes_from(&items[0][0], sizeof(items)));
			}
			if (round == 1)
				hand_say(&h, p, MPC_AGREE_OPENINGS,
					 bytes_from(&h.part[p][0][0], sizeof(h.part[p])));
		}
		if (round == 0)
			memcpy(first, &h.out.to[1].p[16], sizeof(first));
		if (round == 1) {
			c = commitment(1, &h.out.to[1].p[16]);
			assert_memory_equal(c.b, first, sizeof(first));
		}
		assert_int_equal(hand_round(&h, false), round == 2 ? MPC_DONE : MPC_ROUND_OVER);
	}
	assert_ok(mpc_prss_abort_result(h.init, &prss));
	assert_memory_equal(prss_keys(prss).p, keys, sizeof(keys));
	prss_free(prss);
	hand_end(&h);
}

/* Each wrong word ends it at once, whatever the others say. */
static void test_wrong_words(void **state)
{
	struct prss *prss;
	struct hand h;

	(void)state;
	for (unsigned wrong = 0; wrong < 6; wrong++) {
		bool opened = wrong < 2;

		hand_begin(&h);
		hand_commitments(&h);
		if (wrong == 2)
			h.in[2].n--; /* too short */
		if (wrong == 3)
			h.in[2].p[8] = 3; /* another number */
		if (wrong == 4)
			h.in[2].p[4] = MPC_AGREE_OPENINGS; /* another kind */
		if (wrong == 5)
			h.in[2].p[0] = MPC_VALUE_RINGS;
		assert_int_equal(hand_round(&h, false), opened ? MPC_ROUND_OVER : MPC_DONE);
		if (opened) {
			hand_send(&h);
			h.part[2][1][wrong == 0 ? 0 : PART_SIZE - 1] ^= 0x80;
			for (unsigned p = 1; p < PARTIES; p++)
				hand_say(&h, p, MPC_AGREE_OPENINGS,
					 bytes_from(&h.part[p][0][0], sizeof(h.part[p])));
			assert_int_equal(hand_round(&h, false), MPC_DONE);
		}
		assert_int_equal(mpc_prss_abort_result(h.init, &prss), ERR_MISMATCH);
		hand_end(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four),
		cmocka_unit_test(test_seven),
		cmocka_unit_test(test_all_honest),
		cmocka_unit_test(test_one_is_silent),
		cmocka_unit_test(test_some_may_finish),
		cmocka_unit_test(test_two_keys),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_wrong_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Masked shares of LWE ciphertexts: what they open to, for every message and noise; how masks lie
 * in memory; that nothing unmasked comes out. */
#include "mpc/decryption.h"
#include "mpc_test.h"

enum {
	DIMENSION = 40,
	NOISE_LOG = 70
};

static const u128 one = 1;

struct committee {
	unsigned n, t;
	struct prss *prss[MPC_PARTIES_MAX];
	struct mpc_key_share *key[MPC_PARTIES_MAX];
	uint8_t bits[DIMENSION];
};

static void committee_make(struct committee *c, unsigned n, unsigned t, struct rng *rng)
{
	static uint8_t set_keys[MPC_SETS_MAX][PRSS_KEY_SIZE];
	static uint8_t elements[MPC_PARTIES_MAX][DIMENSION][GR_SIZE];
	mpc_set sets[MPC_SETS_MAX];

	*c = (struct committee){.n = n, .t = t};
	for (unsigned i = 0; i < DIMENSION; i++) {
		const struct mpc_group g = {n, t, 1};
		struct gr shares[MPC_PARTIES_MAX], bit;

		c->bits[i] = (uint8_t)rng_below(rng, 2);
		bit = gr_scalar(c->bits[i]);
		shamir_share(shares, &g, t, &bit, rng);
		for (unsigned p = 0; p < n; p++)
			gr_put(elements[p][i], &shares[p]);
	}
	rng_fill(rng, set_keys[0], sizeof(set_keys));
	for (unsigned me = 1; me <= n; me++) {
		const struct mpc_group g = {n, t, me};
		uint8_t *keys = calloc(MPC_SETS_MAX, PRSS_KEY_SIZE);
		size_t at = 0;

		assert_non_null(keys);
		mpc_sets(&g, sets);
		for (unsigned i = 0; i < mpc_sets_n(&g); i++)
			if (mpc_set_has(sets[i], me))
				memcpy(&keys[PRSS_KEY_SIZE * at++], set_keys[i], PRSS_KEY_SIZE);
		assert_ok(prss_new(&c->prss[me - 1], &g, bytes_from(keys, at * PRSS_KEY_SIZE)));
		assert_ok(mpc_key_share_new(&c->key[me - 1],
					    bytes_from(elements[me - 1], sizeof(elements[0]))));
		free(keys);
	}
}

static void committee_free(struct committee *c)
{
	for (unsigned p = 0; p < c->n; p++) {
		prss_free(c->prss[p]);
		mpc_key_share_free(c->key[p]);
	}
}

static void put_u128(uint8_t out[16], u128 v)
{
	for (unsigned i = 0; i < 16; i++)
		out[i] = (uint8_t)(v >> 8 * i);
}

/* Runs that cut a mask in three, the second of them backwards and negated, and the words to go with
 * them, so that <mask, bits> is what it was. */
struct lwe {
	uint8_t words[DIMENSION][16], body[16];
	struct mpc_block block;
};

static void encrypt(struct lwe *c, const struct committee *of, unsigned message, u128 noise,
		    struct rng *rng)
{
	enum {
		FIRST = 7,
		SECOND = 20
	};
	u128 body = (u128)message << 123;

	body += noise;
	for (unsigned i = 0; i < DIMENSION; i++) {
		bool turned = i >= FIRST && i < FIRST + SECOND;
		unsigned place = turned ? FIRST + SECOND - 1 - (i - FIRST) : i;
		struct gr a = any_gr(rng);

		body += of->bits[i] ? a.c[0] : 0;
		put_u128(c->words[place], turned ? (u128)0 - a.c[0] : a.c[0]);
	}
	put_u128(c->body, body);
	c->block = (struct mpc_block){
		.runs = {{c->words[0], FIRST, false, false},
			 {c->words[FIRST], SECOND, true, true},
			 {c->words[FIRST + SECOND], DIMENSION - FIRST - SECOND, false, false}},
		.runs_n = 3,
		.body = c->body,
	};
}

static struct mpc_session_id session_of(uint64_t run)
{
	struct mpc_session_id id = {{0}};

	memcpy(id.le, &run, sizeof(run));
	return id;
}

static u128 any_noise(struct rng *rng)
{
	u128 wide = (u128)rng_below(rng, 1ull << 63) << 8 | rng_below(rng, 256);

	return wide - (one << NOISE_LOG); /* [-2^70, 2^70) */
}

static void run_one(const struct committee *c, uint64_t run, struct rng *rng)
{
	enum {
		BLOCKS = 5
	};
	const struct mpc_session_id id = session_of(run);
	struct gr shares[MPC_PARTIES_MAX][BLOCKS], packed[MPC_PARTIES_MAX][2], opened[2];
	const struct gr *of[MPC_PARTIES_MAX];
	unsigned messages[BLOCKS];
	struct lwe cts[BLOCKS];
	struct mpc_block blocks[BLOCKS];
	struct shamir_basis b;

	for (unsigned j = 0; j < BLOCKS; j++) {
		messages[j] = run < 16 ? (unsigned)run : (unsigned)rng_below(rng, 16);
		encrypt(&cts[j], c, messages[j],
			run % 7 == 0 ? (u128)0 - (one << NOISE_LOG) : any_noise(rng), rng);
		blocks[j] = cts[j].block;
	}
	for (unsigned p = 0; p < c->n; p++) {
		struct prss_session *s;

		assert_ok(prss_session_new(&s, c->prss[p], &id));
		assert_ok(mpc_decryption_share(shares[p], c->key[p], s, blocks, BLOCKS));
		mpc_decryption_pack(packed[p], shares[p], BLOCKS);
		of[p] = packed[p];
		prss_session_free(s);
	}
	assert_ok(shamir_basis_init(&b, (mpc_set)((1u << c->n) - 1), c->t));
	assert_ok(shamir_open_many_var(&b, opened, NULL, of, 2, c->t, c->t, NULL));
	for (unsigned j = 0; j < BLOCKS; j++)
		assert_int_equal(mpc_decryption_round(opened[j / 4].c[j % 4]), messages[j]);
	assert_true((opened[1].c[1] | opened[1].c[2] | opened[1].c[3]) == 0);
}

static void check_committee(unsigned n, unsigned t, unsigned runs)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct committee c;

	committee_make(&c, n, t, rng);
	for (uint64_t run = 0; run < runs; run++)
		run_one(&c, run, rng);
	committee_free(&c);
}

static void test_four(void **state)
{
	(void)state;
	check_committee(4, 1, 1000);
}

static void test_thirteen(void **state)
{
	(void)state;
	check_committee(13, 4, 50);
}

/* The phase itself, from unmasked shares: no party's share of it is ever given out. */
static void test_nothing_unmasked(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct committee c;
	struct lwe ct;

	(void)state;
	committee_make(&c, 4, 1, rng);
	encrypt(&ct, &c, 0, 0, rng);
	for (uint64_t run = 0; run < 200; run++) {
		const struct mpc_session_id id = session_of(run);
		struct gr share, mask, bare;
		struct prss_session *s, *same;

		assert_ok(prss_session_new(&s, c.prss[1], &id));
		assert_ok(prss_session_new(&same, c.prss[1], &id));
		assert_ok(mpc_decryption_share(&share, c.key[1], s, &ct.block, 1));
		assert_ok(prss_mask(same, &mask, 1));
		assert_false(mask.c[0] == 0 || gr_is_scalar_var(&mask));
		/* All runs have the same unmasked share, and none shows it. */
		bare = gr_sub(share, mask);
		assert_false(gr_eq_var(&share, &bare));
		static struct gr first;
		if (run == 0)
			first = bare;
		assert_true(gr_eq_var(&bare, &first));
		prss_session_free(s);
		prss_session_free(same);
	}
	committee_free(&c);
}

/* The whole of it among liars, and at the user's: no honest node's message has an unmasked share.
 */
static void test_among_liars(void **state)
{
	(void)state;
	mpc_matrix(run_public_decryption, ON_ANY | ON_LISTS, 4, 1, 20);
	mpc_matrix(run_public_decryption, ON_ANY | ON_LISTS, 13, 4, 1);
	mpc_matrix(run_user_decryption, ON_ANY | ON_LISTS, 4, 1, 20);
	mpc_matrix(run_user_decryption, ON_ANY | ON_LISTS, 13, 4, 1);
}

/* t + 1 are silent: no message, and nothing unmasked. */
static void test_without_quorum(void **state)
{
	(void)state;
	for (unsigned t = 1; t <= 4; t++)
		for (uint64_t seed = 1; seed <= 10; seed++) {
			struct mpc_run r = {3 * t + 1, t, t + 1, strategy_find("silent"), seed};

			assert_null(run_public_decryption(&r));
			assert_null(run_user_decryption(&r));
		}
}

static void test_rounding(void **state)
{
	const u128 step = one << 123;

	(void)state;
	for (unsigned m = 0; m < 16; m++) {
		assert_int_equal(mpc_decryption_round(m * step), m);
		assert_int_equal(mpc_decryption_round(m * step + step / 2 - 1), m);
		assert_int_equal(mpc_decryption_round(m * step - step / 2), m);
	}
	assert_int_equal(mpc_decryption_round((u128)0 - step), 0);
	assert_int_equal(mpc_decryption_round((u128)0 - 1), 0);
}

static void test_refuses(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	const struct mpc_session_id id = session_of(0);
	struct committee c;
	struct prss_session *s;
	struct gr share;
	struct lwe ct;

	(void)state;
	committee_make(&c, 4, 1, rng);
	encrypt(&ct, &c, 0, 0, rng);
	assert_ok(prss_session_new(&s, c.prss[0], &id));
	ct.block.runs[2].n--;
	assert_int_equal(mpc_decryption_share(&share, c.key[0], s, &ct.block, 1), ERR_MISMATCH);
	ct.block.runs[2].n += 2;
	assert_int_equal(mpc_decryption_share(&share, c.key[0], s, &ct.block, 1), ERR_MISMATCH);
	assert_int_equal(mpc_decryption_share(&share, c.key[0], s, &ct.block, 0), ERR_RANGE);
	assert_int_equal(mpc_decryption_share(&share, c.key[0], s, &ct.block, MPC_BLOCKS_MAX + 1),
			 ERR_RANGE);
	prss_session_free(s);
	committee_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four),
		cmocka_unit_test(test_thirteen),
		cmocka_unit_test(test_nothing_unmasked),
		cmocka_unit_test(test_among_liars),
		cmocka_unit_test(test_without_quorum),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A committee decrypts what the whole key decrypts: every type, both squashed formats, every
 * message of a block, noise up to its bound on either side, up to t parties silent or lying. And
 * what a mask is.
 *
 * RUNS decryptions in each of four settings (100000 is the long form), by SEED.
 */
#include <math.h>
#include <stdlib.h>

#include "support.h"
#include "support_threshold.h"

static const u128 one = 1;

enum {
	NOISE_LOG = 70
};

static const enum fhe_type types[] = {FHE_BOOL,   FHE_UINT4,   FHE_UINT8,   FHE_UINT16, FHE_UINT32,
				      FHE_UINT64, FHE_UINT128, FHE_UINT160, FHE_UINT256};

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *given = getenv(name);

	return given ? strtoull(given, NULL, 10) : otherwise;
}

static struct rng *test_rng(struct rng_seeded *r)
{
	uint64_t seed = number_of("SEED", 1);

	print_message("# SEED=%llu\n", (unsigned long long)seed);
	return rng_seeded_init(r, seed);
}

/* [-2^70, 2^70], its ends often. */
static u128 any_noise(struct rng *rng)
{
	u128 wide = (u128)rng_below(rng, 1ull << 63) << 8 | rng_below(rng, 256);

	switch (rng_below(rng, 4)) {
	case 0:
		return one << NOISE_LOG;
	case 1:
		return (u128)0 - (one << NOISE_LOG);
	default:
		return wide - (one << NOISE_LOG);
	}
}

static mpc_set any_of(struct rng *rng, unsigned n, unsigned k)
{
	mpc_set s = 0;

	while (mpc_set_size(s) < k)
		s |= mpc_set_of(1 + (unsigned)rng_below(rng, n));
	return s;
}

/* A liar's shares: anything, or almost right. */
static void lie(struct gr *shares, size_t n, struct rng *rng)
{
	uint8_t raw[GR_SIZE];

	for (size_t i = 0; i < n; i++) {
		if (rng_below(rng, 2) == 0) {
			shares[i].c[rng_below(rng, 4)] += one << rng_below(rng, 128);
			continue;
		}
		rng_fill(rng, raw, sizeof(raw));
		shares[i] = gr_get(raw);
	}
}

static void values_agree(const struct fhe_plaintext *a, const struct fhe_plaintext *b,
			 enum fhe_type type, uint64_t run)
{
	if (a->n != b->n || memcmp(a->le, b->le, a->n) != 0)
		fail_msg("run %llu, type %d: another value", (unsigned long long)run, (int)type);
}

/* Clear, opened by all but the silent, and as a user opens it: four blocks in an element. */
static void decrypt_every_way(const struct committee *c, uint64_t run, enum fhe_type type,
			      enum fhe_format format, struct bytes ciphertext, struct rng *rng)
{
	static struct committee_shares shares;
	unsigned silent = (unsigned)rng_below(rng, c->t + 1);
	mpc_set present = mpc_set_all(&(struct mpc_group){.n = c->n}) ^ any_of(rng, c->n, silent);
	mpc_set bad = any_of(rng, c->n, (unsigned)rng_below(rng, c->t - silent + 1)) & present;
	struct gr opened[MPC_BLOCKS_MAX], packed[MPC_PARTIES_MAX][MPC_BLOCKS_MAX / GR_DEGREE];
	const struct gr *of[MPC_PARTIES_MAX];
	struct fhe_plaintext clear, value;
	unsigned liars = c->t - silent;
	struct shamir_basis b;
	mpc_set wrong = 0;

	OK(fhe_decrypt(c->clear, &clear, type, format, ciphertext, NULL));
	OK(committee_decrypt(&shares, c, run, type, format, ciphertext));
	assert_int_equal(shares.n, threshold_blocks(type));
	for (unsigned p = 0; p < c->n; p++)
		if (mpc_set_has(bad, p + 1))
			lie(shares.of[p], shares.n, rng);
	OK(committee_open(&value, &wrong, opened, c, &shares, present, type));
	assert_int_equal(wrong, bad);
	values_agree(&value, &clear, type, run);

	for (unsigned p = 0; p < c->n; p++) {
		mpc_decryption_pack(packed[p], shares.of[p], shares.n);
		of[p] = packed[p];
	}
	OK(shamir_basis_init(&b, present, c->t));
	OK(shamir_open_many_var(&b, packed[0], NULL, of, (shares.n + 3) / 4, liars,
				shamir_radius(c->n - silent, c->t, liars), NULL));
	for (size_t i = 0; i < shares.n; i++)
		opened[i] = gr_scalar(packed[0][i / 4].c[i % 4]);
	OK(threshold_value(&value, type, opened, shares.n));
	values_agree(&value, &clear, type, run);
}

static void check_runs(const struct fhe_params *params, unsigned n, unsigned t, uint64_t runs)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct committee c;

	committee_make(&c, committee_key(params, rng), n, t, rng);
	for (uint64_t run = 0; run < runs; run++) {
		enum fhe_type type = types[rng_below(rng, ARRAY_LEN(types))];
		enum test_form form = (enum test_form)rng_below(rng, 3);
		struct fhe_plaintext value = test_value(type, rng), clear;
		struct buf ct = test_encrypt(c.clear, form, type, &value, any_noise(rng), rng);

		OK(fhe_decrypt(c.clear, &clear, type, form_format(form), buf_view(&ct), NULL));
		values_agree(&clear, &value, type, run);
		decrypt_every_way(&c, run, type, form_format(form), buf_view(&ct), rng);
		buf_free(&ct);
	}
	print_message("# n=%u t=%u: %llu decryptions\n", n, t, (unsigned long long)runs);
	committee_free(&c);
}

static void test_four(void **state)
{
	(void)state;
	check_runs(&fhe_params_test, 4, 1, number_of("RUNS", 300));
}

static void test_thirteen(void **state)
{
	(void)state;
	check_runs(&fhe_params_test, 13, 4, number_of("RUNS", 40));
}

static void test_four_default(void **state)
{
	(void)state;
	check_runs(&fhe_params_v1_7, 4, 1, number_of("RUNS", 1000) / 100);
}

static void test_thirteen_default(void **state)
{
	(void)state;
	check_runs(&fhe_params_v1_7, 13, 4, number_of("RUNS", 300) / 100);
}

/* Each message of a block, with the noise at both ends, none, and the least below zero. */
static void test_every_message(void **state)
{
	const u128 noises[] = {0, one << NOISE_LOG, (u128)0 - (one << NOISE_LOG), (u128)0 - 1};
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	uint64_t run = 1000000;
	struct committee c;

	(void)state;
	committee_make(&c, committee_key(&fhe_params_test, rng), 4, 1, rng);
	for (unsigned form = FORM_LIST; form <= FORM_EXPANDED_FROM_LIST; form++)
		for (unsigned m = 0; m < 16; m++)
			for (size_t i = 0; i < ARRAY_LEN(noises); i++) {
				struct fhe_plaintext value = {.le = {(uint8_t)m}, .n = 1};
				struct buf ct = test_encrypt(c.clear, (enum test_form)form,
							     FHE_UINT4, &value, noises[i], rng);

				decrypt_every_way(&c, run++, FHE_UINT4,
						  form_format((enum test_form)form), buf_view(&ct),
						  rng);
				buf_free(&ct);
			}
	committee_free(&c);
}

/* Ciphertexts of tfhe-rs itself, and its keys. */
static void test_published(void **state)
{
	static const struct {
		const char *key, *ciphertext;
		enum fhe_type type;
		enum fhe_format format;
	} rows[] = {
		{"tfhe/ck_full.bin", "tfhe/nat_full_csq64.bin", FHE_UINT64, FHE_BIG_COMPRESSED},
		{"tfhe/ck_full.bin", "tfhe/nat_full_sq8.bin", FHE_UINT8, FHE_BIG_EXPANDED},
		{"tfhe/ck_test.bin", "tfhe/nat_test_csq64.bin", FHE_UINT64, FHE_BIG_COMPRESSED},
		{"tfhe/ck_test.bin", "tfhe/nat_test_sq8.bin", FHE_UINT8, FHE_BIG_EXPANDED},
		{"tfhe/ck_test.bin", "tfhe/nat_test_sqbool.bin", FHE_BOOL, FHE_BIG_EXPANDED},
	};
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf object = vector_read(rows[i].key), ct = vector_read(rows[i].ciphertext);
		struct fhe_client_key *key;
		struct committee c;

		OK(fhe_client_key_read(&key, buf_view(&object), NULL));
		committee_make(&c, key, 4, 1, rng);
		decrypt_every_way(&c, i, rows[i].type, rows[i].format, buf_view(&ct), rng);
		committee_free(&c);
		buf_free(&object);
		buf_free(&ct);
	}
}

/* ---- masks ---- */

/*
 * E, as an opened phase shows it: the sum over all sets of two uniform numbers in [-2^110, 2^110).
 * In units of 2^110 it is at most 2 C(n, t), its mean is 0 and its variance 2 C(n, t) / 3.
 */
static void check_masks(unsigned n, unsigned t, uint64_t runs)
{
	const struct fhe_plaintext value = {.n = 32};
	const double sets = mpc_sets_n(&(struct mpc_group){.n = n, .t = t, .me = 1});
	const double bound = 2 * sets, variance = bound / 3;
	static struct committee_shares shares;
	double sum = 0, squares = 0, largest = 0, count = 0;
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct committee c;
	struct buf ct;

	committee_make(&c, committee_key(&fhe_params_test, rng), n, t, rng);
	ct = test_encrypt(c.clear, FORM_EXPANDED, FHE_UINT256, &value, 0, rng);
	for (uint64_t run = 0; run < runs; run++) {
		struct gr opened[MPC_BLOCKS_MAX];
		struct fhe_plaintext zero;

		OK(committee_decrypt(&shares, &c, run, FHE_UINT256, FHE_BIG_EXPANDED,
				     buf_view(&ct)));
		OK(committee_open(&zero, NULL, opened, &c, &shares,
				  mpc_set_all(&(struct mpc_group){.n = n}), FHE_UINT256));
		values_agree(&zero, &value, FHE_UINT256, run);
		for (size_t i = 0; i < shares.n; i++) {
			u128 e = opened[i].c[0];
			double x = e >> 127 ? -ldexp((double)((u128)0 - e), -110)
					    : ldexp((double)e, -110);

			assert_true(fabs(x) <= bound);
			largest = fmax(largest, fabs(x));
			sum += x;
			squares += x * x;
			count++;
		}
	}
	print_message("# n=%u: %.0f masks, mean %.3f, variance %.2f (%.2f), largest %.1f of "
		      "%.0f, times 2^110\n",
		      n, count, sum / count, squares / count, variance, largest, bound);
	/* Eight standard deviations; of x^2 it is about sqrt(2) times the variance. */
	assert_true(fabs(sum / count) < 8 * sqrt(variance / count));
	assert_true(fabs(squares / count - variance) < 8 * variance * sqrt(2 / count));
	assert_true(ldexp(bound, 110) + ldexp(1, NOISE_LOG) < ldexp(1, 122));
	buf_free(&ct);
	committee_free(&c);
}

static void test_masks(void **state)
{
	(void)state;
	check_masks(4, 1, number_of("RUNS", 100));
	check_masks(13, 4, number_of("RUNS", 100) / 5);
}

/* A committee can be mixed: masks are taken from the end, as the other implementation does. */
static void test_mask_order(void **state)
{
	const struct mpc_session_id id = {{0}};
	const struct fhe_plaintext value = {.n = 4};
	static struct committee_shares shares;
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct gr masks[8], opened[MPC_BLOCKS_MAX], at[MPC_PARTIES_MAX];
	struct committee_shares mask_shares;
	struct fhe_plaintext found;
	struct committee c;
	struct buf ct;

	(void)state;
	committee_make(&c, committee_key(&fhe_params_test, rng), 4, 1, rng);
	ct = test_encrypt(c.clear, FORM_EXPANDED, FHE_UINT32, &value, 0, rng);
	OK(committee_decrypt(&shares, &c, 0, FHE_UINT32, FHE_BIG_EXPANDED, buf_view(&ct)));
	OK(committee_open(&found, NULL, opened, &c, &shares, 0xf, FHE_UINT32));
	mask_shares.n = shares.n;
	for (unsigned p = 0; p < 4; p++) {
		struct prss_session *s;

		OK(prss_session_new(&s, c.prss[p], &id));
		OK(prss_mask(s, mask_shares.of[p], shares.n));
		prss_session_free(s);
	}
	for (size_t j = 0; j < shares.n; j++) {
		struct shamir_basis b;

		for (unsigned p = 0; p < 4; p++)
			at[p] = mask_shares.of[p][j];
		OK(shamir_basis_init(&b, 0xf, 1));
		OK(shamir_open_var(&b, &masks[j], NULL, at, 0, 0));
	}
	/* The message and the noise are 0: what is opened is the mask. */
	for (size_t j = 0; j < shares.n; j++)
		assert_true(gr_eq_var(&opened[j], &masks[shares.n - 1 - j]));
	buf_free(&ct);
	committee_free(&c);
}

/* ---- what is refused ---- */

static void refused(const struct committee *c, enum fhe_type type, enum fhe_format format,
		    struct bytes ciphertext, enum err want)
{
	const struct mpc_session_id id = {{9}};
	struct gr shares[MPC_BLOCKS_MAX], first[MPC_BLOCKS_MAX], mask;
	struct prss_session *s, *fresh;
	struct err_note note = {0};
	size_t n = 77;

	memset(shares, 0x5a, sizeof(shares));
	memcpy(first, shares, sizeof(first));
	OK(prss_session_new(&s, c->prss[0], &id));
	OK(prss_session_new(&fresh, c->prss[0], &id));
	assert_int_equal(
		threshold_key_shares(shares, &n, c->keys[0], s, type, format, ciphertext, &note),
		want);
	assert_true(note.text[0]);
	assert_int_equal(n, 77);
	assert_memory_equal(shares, first, sizeof(first));
	/* nothing was taken from the session */
	OK(prss_mask(s, shares, 1));
	OK(prss_mask(fresh, &mask, 1));
	assert_true(gr_eq_var(&mask, shares));
	prss_session_free(s);
	prss_session_free(fresh);
}

static void test_refuses(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct fhe_client_key *other = committee_key(&fhe_params_v1_7, rng);
	struct fhe_plaintext value = {.le = {7}, .n = 1}, out;
	struct buf list, expanded, foreign;
	struct gr blocks[2] = {{{0}}, {{0, 1, 0, 0}}};
	struct committee c;

	(void)state;
	committee_make(&c, committee_key(&fhe_params_test, rng), 4, 1, rng);
	list = test_encrypt(c.clear, FORM_LIST, FHE_UINT8, &value, 0, rng);
	expanded = test_encrypt(c.clear, FORM_EXPANDED, FHE_UINT8, &value, 0, rng);
	foreign = test_encrypt(other, FORM_EXPANDED, FHE_UINT8, &value, 0, rng);
	refused(&c, FHE_UINT8, FHE_SMALL_COMPRESSED, buf_view(&list), ERR_UNSUPPORTED);
	refused(&c, FHE_UINT8, FHE_SMALL_EXPANDED, buf_view(&list), ERR_UNSUPPORTED);
	refused(&c, FHE_UINT8, (enum fhe_format)4, buf_view(&list), ERR_UNSUPPORTED);
	refused(&c, FHE_UINT8, FHE_BIG_EXPANDED, buf_view(&list), ERR_MISMATCH);
	refused(&c, FHE_UINT8, FHE_BIG_COMPRESSED, buf_view(&expanded), ERR_MISMATCH);
	refused(&c, FHE_UINT16, FHE_BIG_COMPRESSED, buf_view(&list), ERR_MISMATCH);
	refused(&c, FHE_UINT4, FHE_BIG_EXPANDED, buf_view(&expanded), ERR_MISMATCH);
	refused(&c, FHE_UINT512, FHE_BIG_COMPRESSED, buf_view(&list), ERR_UNSUPPORTED);
	refused(&c, (enum fhe_type)99, FHE_BIG_COMPRESSED, buf_view(&list), ERR_UNSUPPORTED);
	refused(&c, FHE_UINT8, FHE_BIG_EXPANDED, buf_view(&foreign), ERR_MISMATCH);

	assert_int_equal(threshold_value(&out, FHE_UINT8, blocks, 2), ERR_CORRUPT);
	assert_int_equal(threshold_value(&out, FHE_UINT8, blocks, 1), ERR_MISMATCH);
	assert_int_equal(threshold_value(&out, FHE_UINT512, blocks, 2), ERR_MISMATCH);
	OK(threshold_value(&out, FHE_BOOL, blocks, 1));
	assert_int_equal(out.le[0], 0);
	blocks[0].c[0] = (u128)5 << 123;
	OK(threshold_value(&out, FHE_BOOL, blocks, 1));
	assert_int_equal(out.le[0], 1);
	assert_int_equal(threshold_blocks(FHE_UINT256), MPC_BLOCKS_MAX);
	assert_int_equal(threshold_blocks(FHE_UINT512), 0);
	assert_int_equal(threshold_packing_factor(FHE_BOOL), 1);
	assert_int_equal(threshold_packing_factor(FHE_UINT4), 2);
	buf_free(&list);
	buf_free(&expanded);
	buf_free(&foreign);
	fhe_client_key_free(other);
	committee_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four),          cmocka_unit_test(test_thirteen),
		cmocka_unit_test(test_four_default),  cmocka_unit_test(test_thirteen_default),
		cmocka_unit_test(test_every_message), cmocka_unit_test(test_published),
		cmocka_unit_test(test_masks),         cmocka_unit_test(test_mask_order),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

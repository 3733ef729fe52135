/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A node's part of a threshold decryption, from secret key shares and secret keys of sets: masks
 * and the other numbers of a PRSS, the masked shares, packing, sharing, rounding. Public are the
 * ciphertext and the session.
 */
#include "base/rng.h"
#include "ct.h"
#include "mpc/decryption.h"
#include "mpc/shamir.h"

enum {
	DIMENSION = 48,
	BLOCKS = 5,
	KEYS = 3 /* of the sets that a party of four is in */
};

static const struct mpc_group group = {4, 1, 2};

static void secret_fill(struct rng *r, uint8_t *out, size_t n)
{
	(void)r;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(7 * i + 3);
	CT_SECRET(out, n);
}

static struct rng *secret_rng(void)
{
	static const struct rng_ops ops = {.fill = secret_fill};
	static struct rng rng = {.ops = &ops};

	return &rng;
}

static struct prss_session *session(struct prss **ret_prss)
{
	const struct mpc_session_id id = {{1, 2, 3}};
	uint8_t keys[KEYS * PRSS_KEY_SIZE];
	struct prss_session *s;

	rng_fill(secret_rng(), keys, sizeof(keys));
	CHECK(prss_new(ret_prss, &group, BYTES_OF(keys)) == ERR_OK);
	CHECK(prss_session_new(&s, *ret_prss, &id) == ERR_OK);
	return s;
}

static struct mpc_key_share *key_share(void)
{
	static uint8_t elements[DIMENSION * GR_SIZE];
	struct mpc_key_share *k;

	rng_fill(secret_rng(), elements, sizeof(elements));
	CHECK(mpc_key_share_new(&k, BYTES_OF(elements)) == ERR_OK);
	return k;
}

static void blocks_make(struct mpc_block blocks[BLOCKS])
{
	static uint8_t words[DIMENSION * 16], body[16];

	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = (uint8_t)(11 * i);
	for (unsigned j = 0; j < BLOCKS; j++)
		blocks[j] = (struct mpc_block){
			.runs = {{words, j + 1, true, false},
				 {&words[16 * (j + 1)], DIMENSION - j - 1, true, true}},
			.runs_n = 2,
			.body = body};
}

/* The marking works: memcheck knows that the value came from a secret. */
static void check_secret(const void *p)
{
	uint8_t undefined = 0;

	CHECK(VALGRIND_GET_VBITS(p, &undefined, 1) == 1 && undefined != 0);
}

static void good(void)
{
	struct gr shares[BLOCKS], packed[2], dealt[MPC_PARTIES_MAX], number, product;
	struct mpc_block blocks[BLOCKS];
	struct mpc_key_share *key = key_share();
	struct prss *prss;
	struct prss_session *s = session(&prss);

	blocks_make(blocks);
	CHECK(mpc_decryption_share(shares, key, s, blocks, BLOCKS) == ERR_OK);
	check_secret(&shares[0]);
	mpc_decryption_pack(packed, shares, BLOCKS);
	check_secret(&packed[1]);
	CHECK(prss_next(s, &number, 1) == ERR_OK);
	check_secret(&number);
	product = gr_mul(&number, &packed[0]);
	check_secret(&product);
	CHECK(prss_zero(s, &number, 1) == ERR_OK);
	check_secret(&number);
	shamir_share(dealt, &group, group.t, &product, secret_rng());
	check_secret(&dealt[3]);
	/* the volatile sink takes what is secret, and does nothing with it */
	ct_sink = mpc_decryption_round(dealt[0].c[0]);
	prss_session_free(s);
	prss_free(prss);
	mpc_key_share_free(key);
}

/* Leaves out the words that meet a zero. */
static void skip_zeros(void)
{
	uint8_t elements[GR_SIZE];
	struct gr bit;

	rng_fill(secret_rng(), elements, sizeof(elements));
	bit = gr_get(elements);
	if (bit.c[0] & 1)
		ct_sink += 1;
}

/* Opens before anybody else has the shares: what corrects looks where they are wrong. */
static void corrected(void)
{
	struct gr dealt[MPC_PARTIES_MAX], secret = gr_scalar(5), opened;
	struct shamir_basis b;

	shamir_share(dealt, &group, group.t, &secret, secret_rng());
	CHECK(shamir_basis_init(&b, 15, group.t) == ERR_OK);
	ct_sink = (unsigned)shamir_open_var(&b, &opened, NULL, dealt, 1, 1);
}

/* The mask's sign by comparing. */
static void sign_of_mask(void)
{
	struct prss *prss;
	struct prss_session *s = session(&prss);
	struct gr mask;

	CHECK(prss_mask(s, &mask, 1) == ERR_OK);
	if (mask.c[0] >> 127)
		ct_sink += 1;
	prss_session_free(s);
	prss_free(prss);
}

/* A phase to its message by a table. */
static void round_by_table(void)
{
	static const volatile unsigned table[32] = {0, 1};
	uint8_t raw[GR_SIZE];

	rng_fill(secret_rng(), raw, sizeof(raw));
	ct_sink += table[raw[15] >> 3];
}

int main(int argc, char **argv)
{
	static const struct ct_case cases[] = {
		{"good", good},
		{"skip_zeros", skip_zeros},
		{"corrected", corrected},
		{"sign_of_mask", sign_of_mask},
		{"round_by_table", round_by_table},
	};

	return ct_main(argc, argv, cases, ARRAY_LEN(cases));
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/decryption.h"

#include <endian.h>
#include <stdlib.h>

/* ---- key shares ---- */

struct mpc_key_share {
	struct secret memory;
	const struct gr *bits;
	size_t n;
};

enum err mpc_key_share_new(struct mpc_key_share **ret, struct bytes elements)
{
	struct mpc_key_share *k;
	struct gr *bits;
	enum err e;

	if (elements.n == 0 || elements.n % GR_SIZE != 0 ||
	    elements.n / GR_SIZE > MPC_LWE_DIMENSION_MAX)
		return ERR_RANGE;
	k = calloc(1, sizeof(*k));
	if (!k)
		return ERR_NOMEM;
	k->n = elements.n / GR_SIZE;
	e = secret_alloc(&k->memory, k->n * sizeof(*bits));
	if (e != ERR_OK) {
		free(k);
		return e;
	}
	bits = (struct gr *)(void *)k->memory.p; /* secrets are aligned for anything */
	for (size_t i = 0; i < k->n; i++)
		bits[i] = gr_get(&elements.p[i * GR_SIZE]);
	k->bits = bits;
	*ret = k;
	return ERR_OK;
}

void mpc_key_share_free(struct mpc_key_share *k)
{
	if (!k)
		return;
	secret_free(&k->memory);
	free(k);
}

size_t mpc_key_share_dimension(const struct mpc_key_share *k)
{
	return k->n;
}

/* ---- our share of a phase ---- */

static u128 word(const uint8_t *words, size_t i)
{
	uint64_t w[2];

	memcpy(w, &words[16 * i], sizeof(w));
	return (u128)le64toh(w[1]) << 64 | le64toh(w[0]);
}

/* sum += the run's words times the bits that they meet. The hot loop: four products for each word.
 */
static void add_run(struct gr *sum, const struct mpc_mask_run *run, const struct gr *bits)
{
	u128 c[GR_DEGREE] = {0};
	u128 sign = run->negated ? (u128)0 - 1 : 1;

	for (size_t i = 0; i < run->n; i++) {
		u128 a = word(run->words, run->backwards ? run->n - 1 - i : i);

		for (unsigned k = 0; k < GR_DEGREE; k++)
			c[k] += a * bits[i].c[k];
	}
	for (unsigned k = 0; k < GR_DEGREE; k++)
		sum->c[k] += sign * c[k];
	secret_wipe(c, sizeof(c));
}

static size_t dimension(const struct mpc_block *b)
{
	size_t n = 0;

	for (unsigned i = 0; i < b->runs_n; i++)
		n += b->runs[i].n;
	return n;
}

/* share := our share of body - <mask, secret>, added to what it is. */
static void add_phase(struct gr *share, const struct mpc_key_share *key, const struct mpc_block *b)
{
	struct gr product = {{0}};
	size_t at = 0;

	for (unsigned i = 0; i < b->runs_n; at += b->runs[i++].n)
		add_run(&product, &b->runs[i], &key->bits[at]);
	*share = gr_add(*share, gr_scalar(word(b->body, 0)));
	*share = gr_sub(*share, product);
	secret_wipe(&product, sizeof(product));
}

enum err mpc_decryption_share(struct gr *ret_shares, const struct mpc_key_share *key,
			      struct prss_session *session, const struct mpc_block *blocks,
			      size_t blocks_n)
{
	struct gr shares[MPC_BLOCKS_MAX], masks[MPC_BLOCKS_MAX];

	if (blocks_n == 0 || blocks_n > MPC_BLOCKS_MAX)
		return ERR_RANGE;
	for (size_t j = 0; j < blocks_n; j++)
		if (blocks[j].runs_n > MPC_MASK_RUNS_MAX || dimension(&blocks[j]) != key->n)
			return ERR_MISMATCH;
	/* The mask comes first: there is no moment in which an unmasked share lies anywhere. */
	TRY(prss_mask(session, masks, blocks_n));
	for (size_t j = 0; j < blocks_n; j++) {
		shares[j] = masks[blocks_n - 1 - j];
		add_phase(&shares[j], key, &blocks[j]);
	}
	memcpy(ret_shares, shares, blocks_n * sizeof(*shares));
	secret_wipe(masks, sizeof(masks));
	secret_wipe(shares, sizeof(shares));
	return ERR_OK;
}

void mpc_decryption_pack(struct gr *ret_packed, const struct gr *shares, size_t n)
{
	for (size_t at = 0; at < n; at += GR_DEGREE) {
		const struct gr *four[GR_DEGREE] = {0};

		for (size_t k = 0; k < GR_DEGREE && at + k < n; k++)
			four[k] = &shares[at + k];
		ret_packed[at / GR_DEGREE] = gr_pack(four);
	}
}

/*
 * To the next multiple of 2^123, of which 16 are messages; the uppermost bit is padding. The last
 * 2^123 below zero are a negative noise of message 0, as in the published implementation.
 */
unsigned mpc_decryption_round(u128 phase)
{
	unsigned nearest = (unsigned)((phase + ((u128)1 << 122)) >> 123) & 15;
	unsigned below_zero = ((unsigned)(phase >> 123) + 1) >> 5; /* 1 for 31 */

	return nearest & (below_zero - 1);
}

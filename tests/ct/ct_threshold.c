/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A party's shares from its vault's object to masked shares, the keys of an epoch, what a user
 * gets, and a value out of opened blocks. Secret are the shares, the keys of the sets, the phases.
 */
#include "core/dealer/deal.h"
#include "core/epoch_data.h"
#include "ct.h"

enum {
	N = 4,
	HEAD = 16,
	SHARE_SIZE = 92
};

struct party {
	struct buf key, epoch, ciphertext;
};

static struct party party_make(void)
{
	struct buf object = ct_vector("tfhe/ck_test.bin"), objects[N];
	struct party p = {.epoch = buf_make(EPOCH_DATA_SIZE_MAX),
			  .ciphertext = ct_vector("tfhe/nat_test_csq64.bin")};
	struct prss *prss[MPC_PARTIES_MAX];
	struct fhe_key_metadata m = {0};
	struct fhe_client_key *key;
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 1);

	CHECK(fhe_client_key_read(&key, buf_view(&object), NULL) == ERR_OK);
	for (unsigned i = 0; i < N; i++)
		objects[i] = buf_make(THRESHOLD_KEY_SIZE_MAX);
	CHECK(threshold_deal(objects, key, &m, N, 1, rng, NULL) == ERR_OK);
	CHECK(threshold_deal_prss(prss, N, 1, rng) == ERR_OK);
	CHECK(epoch_data_write(m.key_id, prss[0], &p.epoch) == ERR_OK);
	p.key = buf_take(&objects[0]);
	for (unsigned i = 0; i < N; i++) {
		buf_free(&objects[i]);
		prss_free(prss[i]);
	}
	fhe_client_key_free(key);
	buf_free(&object);
	return p;
}

static void party_free(struct party *p)
{
	buf_free(&p->key);
	buf_free(&p->epoch);
	buf_free(&p->ciphertext);
}

/* What stands between the heads and tails of shares, and the keys at the end of the epoch. */
static void secrets_mark(struct party *p)
{
	static const uint8_t head[HEAD] = {[8] = GR_DEGREE};

	for (size_t i = 0; i + SHARE_SIZE <= p->key.n; i++) {
		if (memcmp(&p->key.p[i], head, HEAD) != 0 || p->key.p[i + HEAD + GR_SIZE + 4] != 1)
			continue;
		CT_SECRET(&p->key.p[i + HEAD], GR_SIZE);
		i += SHARE_SIZE - 1;
	}
	CT_SECRET(&p->epoch.p[p->epoch.n - 3 * PRSS_KEY_SIZE], 3 * PRSS_KEY_SIZE);
}

static size_t shares_make(struct gr *shares)
{
	const struct mpc_session_id id = {{1}};
	struct party p = party_make();
	struct prss_session *session;
	struct threshold_key *key;
	struct epoch_data epoch;
	size_t n;

	secrets_mark(&p);
	CHECK(threshold_key_read(&key, buf_view(&p.key), NULL) == ERR_OK);
	CHECK(epoch_data_read(&epoch, buf_view(&p.epoch), NULL) == ERR_OK);
	CHECK(prss_session_new(&session, epoch.prss, &id) == ERR_OK);
	CHECK(threshold_key_shares(shares, &n, key, session, FHE_UINT64, FHE_BIG_COMPRESSED,
				   buf_view(&p.ciphertext), NULL) == ERR_OK);
	prss_session_free(session);
	epoch_data_free(&epoch);
	threshold_key_free(key);
	party_free(&p);
	return n;
}

static void good(void)
{
	struct gr shares[MPC_BLOCKS_MAX], packed[MPC_BLOCKS_MAX / GR_DEGREE];
	static const enum fhe_type types[] = {FHE_UINT64, FHE_BOOL};
	size_t n = shares_make(shares);

	CHECK(n == 16);
	mpc_decryption_pack(packed, shares, n);
	CT_PUBLIC(packed, sizeof(packed)); /* masked */
	for (size_t i = 0; i < 4; i++)
		ct_sink += (unsigned)packed[i].c[0];
	for (size_t t = 0; t < ARRAY_LEN(types); t++) {
		struct fhe_plaintext value;

		for (size_t i = 0; i < n; i++) {
			shares[i] = gr_scalar((u128)(i % 16) << 123);
			CT_SECRET(&shares[i].c[0], sizeof(shares[i].c[0]));
		}
		CHECK(threshold_value(&value, types[t], shares, threshold_blocks(types[t])) ==
		      ERR_OK);
		CT_PUBLIC(&value, sizeof(value));
		CHECK(value.le[0] == (types[t] == FHE_BOOL ? 0 : 0x10));
	}
}

/* One who looks whether a share is zero. */
static void branch(void)
{
	struct gr shares[MPC_BLOCKS_MAX];
	size_t n = shares_make(shares);

	for (size_t i = 0; i < n; i++)
		if (shares[i].c[0] == 0)
			ct_sink += (unsigned)i;
}

/* A message out of a table. */
static void table(void)
{
	static const volatile uint8_t messages[16] = {1, 2, 3, 4};
	u128 phase = (u128)5 << 123;

	CT_SECRET(&phase, sizeof(phase));
	ct_sink += messages[(unsigned)(phase >> 123) & 15];
}

int main(int argc, char **argv)
{
	static const struct ct_case cases[] = {
		{"good", good}, {"branch", branch}, {"table", table}};

	return ct_main(argc, argv, cases, ARRAY_LEN(cases));
}

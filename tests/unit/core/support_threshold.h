/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A committee in one process: a key in the clear, its shares, a set-up of an epoch; ciphertexts
 * with any noise. */
#ifndef TEST_CORE_SUPPORT_THRESHOLD_H
#define TEST_CORE_SUPPORT_THRESHOLD_H

#include "core/dealer/deal.h"
#include "fhe/dealer/dealer.h"
#include "mpc/shamir.h"

struct committee {
	unsigned n, t;
	struct fhe_client_key *clear;
	struct fhe_key_metadata metadata;
	struct buf objects[MPC_PARTIES_MAX];
	struct threshold_key *keys[MPC_PARTIES_MAX];
	struct prss *prss[MPC_PARTIES_MAX];
};

/* Takes the key over. */
void committee_make(struct committee *c, struct fhe_client_key *key, unsigned n, unsigned t,
		    struct rng *rng);
void committee_free(struct committee *c);

/* A fresh key. */
struct fhe_client_key *committee_key(const struct fhe_params *params, struct rng *rng);

/* All parties' masked shares of one ciphertext, in the session of this number; what came of it is
 * the same for all. */
struct committee_shares {
	struct gr of[MPC_PARTIES_MAX][MPC_BLOCKS_MAX];
	size_t n;
};
enum err committee_decrypt(struct committee_shares *ret, const struct committee *c,
			   uint64_t session, enum fhe_type type, enum fhe_format format,
			   struct bytes ciphertext);

/* Opened by the parties in `present`, of whom at most t minus the missing lie; the liars are those
 * found. */
enum err committee_open(struct fhe_plaintext *ret_value, mpc_set *ret_wrong, struct gr *ret_opened,
			const struct committee *c, const struct committee_shares *shares,
			mpc_set present, enum fhe_type type);

/* ---- ciphertexts ---- */

enum test_form {
	FORM_LIST,              /* BigCompressed */
	FORM_EXPANDED,          /* BigExpanded, under the noise-squashing key */
	FORM_EXPANDED_FROM_LIST /* the same, under the key of its compression */
};
static inline enum fhe_format form_format(enum test_form f)
{
	return f == FORM_LIST ? FHE_BIG_COMPRESSED : FHE_BIG_EXPANDED;
}

/* `noise` is added to each block. */
struct buf test_encrypt(const struct fhe_client_key *key, enum test_form form, enum fhe_type type,
			const struct fhe_plaintext *value, u128 noise, struct rng *rng);

struct fhe_plaintext test_value(enum fhe_type type, struct rng *rng);

#endif

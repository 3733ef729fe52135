/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The answer to a user decryption: every plaintext, or our share of it, signed and sealed for the
 * user (signcrypt.h), the payload, both signatures. Pure computation on immutable inputs, for a
 * pool thread. The answer is public; two answers to one request would differ, so that the first is
 * stored and given out for ever.
 */
#ifndef CORE_USER_DECRYPTION_H
#define CORE_USER_DECRYPTION_H

#include "base/limits.h"
#include "core/decryption_request.h"
#include "core/signing_key.h"
#include "mpc/decryption.h"

enum {
	/* A value of a committee: u64 count, ring elements of four blocks each. */
	USER_DECRYPTION_SHARE_MAX = 8 + MPC_BLOCKS_MAX / GR_DEGREE * GR_SIZE,
	/* Of the packed answer and of the payload, for each value; in the clear it is 1048. */
	USER_DECRYPTION_ITEM_MAX = SIGNCRYPT_OVERHEAD + USER_DECRYPTION_SHARE_MAX + 96,
	USER_DECRYPTION_ANSWER_MAX =
		USER_DECRYPTION_ITEM_MAX * HANDLES_PER_REQUEST_MAX + DECRYPTION_ANSWER_REST_MAX
};

/*
 * The packed kms.v1.UserDecryptionResponse for known values; `answer` is appended to. This node
 * holds the whole key: party 1, degree 0, no packing. Takes 44 bytes from `rng` for each value, in
 * the order of the items. Errors of signcrypt_seal.
 */
enum err user_decryption_sign(struct buf *answer, const struct decryption_request *r,
			      const struct fhe_plaintext *values, const struct signing_key *signer,
			      struct rng *rng) MUST_USE;

/* One party's masked shares of the blocks of a value, as threshold_key_shares gives them. */
struct user_decryption_shares {
	const struct gr *blocks;
	size_t n; /* threshold_blocks of the item's type: what users' programs will expect */
};

/*
 * The same for a committee: what the user gets is our share of each value, four blocks in one
 * element, and opens it with those of the others. Party g->me, degree g->t. ERR_RANGE for a number
 * of blocks that the item's type does not have; errors of signcrypt_seal.
 */
enum err user_decryption_sign_shares(struct buf *answer, const struct decryption_request *r,
				     const struct user_decryption_shares *shares,
				     const struct mpc_group *g, const struct signing_key *signer,
				     struct rng *rng) MUST_USE;

#endif

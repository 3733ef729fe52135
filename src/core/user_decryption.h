/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The answer to a user decryption: every plaintext signed and sealed for the user (signcrypt.h),
 * the payload, both signatures. Pure computation on immutable inputs, for a pool thread. The answer
 * is public; two answers to one request would differ, so that the first is stored and given out for
 * ever.
 */
#ifndef CORE_USER_DECRYPTION_H
#define CORE_USER_DECRYPTION_H

#include "base/limits.h"
#include "core/decryption_request.h"
#include "core/signing_key.h"

/* A value takes at most 1048 bytes in the packed answer and in the payload. */
enum {
	USER_DECRYPTION_ITEM_MAX = SIGNCRYPT_OVERHEAD + 128,
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

#endif

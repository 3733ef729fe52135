/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The answer to a public decryption: plaintexts, payload, both signatures. Pure computation on
 * immutable inputs, for a pool thread. Plaintexts are wiped once the answer is packed; until the
 * node gives the answer out they are secret.
 */
#ifndef CORE_PUBLIC_DECRYPTION_H
#define CORE_PUBLIC_DECRYPTION_H

#include "base/limits.h"
#include "core/decryption_request.h"
#include "core/signing_key.h"

/* A value takes at most 44 bytes in the packed answer and in the payload. */
enum {
	PUBLIC_DECRYPTION_ITEM_MAX = 64,
	PUBLIC_DECRYPTION_ANSWER_MAX =
		PUBLIC_DECRYPTION_ITEM_MAX * HANDLES_PER_REQUEST_MAX + DECRYPTION_ANSWER_REST_MAX
};

/* What is signed for the chain: EIP-712 PublicDecryptVerification over handles, one 32-byte
 * big-endian word per value, extra data. ERR_RANGE for a value above 32 bytes. */
enum err public_decryption_digest(struct hash32 *ret_digest, const struct decryption_request *r,
				  const struct fhe_plaintext *values) MUST_USE;

/* What is signed with separator "PUBL_DEC": the payload in bincode. Appended. */
enum err public_decryption_payload(struct buf *out, const struct decryption_request *r,
				   const struct fhe_plaintext *values,
				   const struct signing_key *signer) MUST_USE;

/* The packed kms.v1.PublicDecryptionResponse for known values; `answer` is appended to. */
enum err public_decryption_sign(struct buf *answer, const struct decryption_request *r,
				const struct fhe_plaintext *values,
				const struct signing_key *signer) MUST_USE;

#endif

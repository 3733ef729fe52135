/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a node signs about a preprocessing and about a key, and the packed answers. Pure computation
 * on immutable inputs, for a pool thread.
 */
#ifndef CORE_KEY_GENERATION_H
#define CORE_KEY_GENERATION_H

#include "core/key_request.h"
#include "core/signing_key.h"

enum {
	KEY_ANSWER_MAX = 4096
};

/* EIP-712 PrepKeygenVerification, and its packed kms.v1.KeyGenPreprocResult; appended. */
enum err key_preproc_digest(struct hash32 *ret_digest, const struct key_request *r) MUST_USE;
enum err key_preproc_answer(struct buf *answer, const struct key_request *r,
			    const struct signing_key *signer) MUST_USE;

/* EIP-712 KeygenVerification over the digests of `m`, in their order. ERR_UNSUPPORTED: a digest of
 * an object that has no number in the contracts. */
enum err key_generation_digest(struct hash32 *ret_digest, const struct key_request *r,
			       const struct fhe_key_metadata *m) MUST_USE;

/* Adds the node's signature over its digests to `m`. */
enum err key_generation_sign(struct fhe_key_metadata *m, const struct key_request *r,
			     const struct signing_key *signer) MUST_USE;

/* The packed kms.v1.KeyGenResult for what is stored with a key; appended. */
enum err key_generation_answer(struct buf *answer, const struct key_request *r,
			       const struct fhe_key_metadata *m) MUST_USE;

#endif

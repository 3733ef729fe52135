/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a node signs about a preprocessing, a key and a CRS, and the packed answers. Pure
 * computation on immutable inputs, for a pool thread.
 */
#ifndef CORE_KEY_GENERATION_H
#define CORE_KEY_GENERATION_H

#include "core/key_request.h"
#include "core/signing_key.h"
#include "fhe/crs_metadata.h"

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

/* EIP-712 CrsgenVerification over the digest of `m`; adding the signature; the packed
 * kms.v1.CrsGenResult, appended. */
enum err crs_generation_digest(struct hash32 *ret_digest, const struct key_request *r,
			       const struct fhe_crs_metadata *m) MUST_USE;
enum err crs_generation_sign(struct fhe_crs_metadata *m, const struct key_request *r,
			     const struct signing_key *signer) MUST_USE;
enum err crs_generation_answer(struct buf *answer, const struct key_request *r,
			       const struct fhe_crs_metadata *m) MUST_USE;

/* Did this node sign `m` for a request of this content? ERR_STATE_MOVED: for another, or another
 * node did. What is not signed (context, parameters, signing schemes) is not looked at. */
enum err key_generation_check(const struct key_request *r, const struct fhe_key_metadata *m,
			      const struct signing_key *signer, struct err_note *note) MUST_USE;
enum err crs_generation_check(const struct key_request *r, const struct fhe_crs_metadata *m,
			      const struct signing_key *signer, struct err_note *note) MUST_USE;

/* An attestation with the extra data of `r`, not signed yet; has it these? */
void key_attestation_begin(struct fhe_attestation *a, const struct key_request *r);
bool key_attestation_fits(const struct fhe_attestation *a, const struct key_request *r);

/* The public object that a digest is of (enum fhe_pub_data), as it is called in answers and in the
 * vault; NULL. */
const char *key_object_type(uint32_t pub_data);

#endif

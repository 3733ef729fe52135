/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Decryption by a node of a committee. Of each ciphertext we have masked shares of its blocks:
 *
 *   - for a user they are sealed and signed at once; nobody else is asked
 *   - publicly they are opened with the other nodes, one session for each ciphertext, and what
 *     comes out is signed
 *
 * The session of ciphertext i of a request is that of (request id, i). Masks are a function of
 * epoch and session: computing it again gives the same shares, which tells nobody anything new.
 * That a session is used for one ciphertext only is what request_store sees to.
 *
 * Pure computation on immutable inputs, for a pool thread; opening.h is the part between.
 */
#ifndef CORE_THRESHOLD_DECRYPTION_H
#define CORE_THRESHOLD_DECRYPTION_H

#include "core/decryption_request.h"
#include "core/opening.h"
#include "core/signing_key.h"

/* Errors of threshold_key_shares; the note names the entry. */
enum err threshold_opening_make(struct opening **ret_opening, const struct decryption_request *r,
				struct err_note *note) MUST_USE;

/* The packed answer from what was opened; `o` is that of this request. ERR_CORRUPT: no value came
 * out, so that the nodes' shares are not of one key. */
enum err threshold_public_answer(struct buf *answer, const struct decryption_request *r,
				 const struct opening *o, const struct signing_key *signer,
				 struct err_note *note) MUST_USE;

enum err threshold_user_answer(struct buf *answer, const struct decryption_request *r,
			       const struct signing_key *signer, struct rng *rng,
			       struct err_note *note) MUST_USE;

#endif

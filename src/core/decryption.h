/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the service does differently for each kind of decryption: one row; and the computation that
 * all kinds share. */
#ifndef CORE_DECRYPTION_H
#define CORE_DECRYPTION_H

#include "core/decryption_request.h"
#include "core/signing_key.h"

struct decryption_kind {
	size_t answer_item_max; /* bytes of the answer that one value takes */
	enum err (*sign)(struct buf *answer, const struct decryption_request *r,
			 const struct fhe_plaintext *values, const struct signing_key *signer,
			 struct rng *rng);
};

/* By kind; empty for those that are no decryptions. */
extern const struct decryption_kind decryption_kinds[REQUEST_KINDS];

/*
 * Decrypt and sign: the packed response of the request's kind. `answer` is empty and becomes large
 * enough. Pure computation on immutable inputs, for a pool thread; `rng` must be one that any
 * thread may use. A failure of decryption is a fault of the ciphertext; its note names the entry.
 */
enum err decryption_answer(struct buf *answer, const struct decryption_request *r,
			   const struct signing_key *signer, struct rng *rng,
			   struct err_note *note) MUST_USE;

#endif

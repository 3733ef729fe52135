/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The proof without which the core is never called: for every handle, where and when the host chain
 * allowed its decryption, and what its ciphertext must hash to and why.
 *
 * It is opaque and starts empty. Only the checks fill it: acl.c calls proof_permit,
 * ciphertext.c calls proof_bind (lint keeps it so). The functions that talk to the core take a
 * proof and abort on one that is not complete or not of that very request. It is stored in the
 * operation's row, and read back after a restart.
 */
#ifndef CONNECTOR_WORKER_PROOF_H
#define CONNECTOR_WORKER_PROOF_H

#include "base/arena.h"
#include "base/u256.h"

struct proof;

/* Nothing is proven yet about the `handles_n` handles of the request with this content digest. */
enum err proof_new(struct arena *a, struct proof **ret_proof, struct hash32 content_digest,
		   size_t handles_n) MUST_USE;

/* Handle i was allowed by the ACL of `chain` at this block. */
void proof_permit(struct proof *p, size_t i, struct chain_id chain, struct block_number block,
		  struct hash32 hash);

enum proof_source {
	PROOF_COMMITMENT = 1,  /* digest from the gateway's event */
	PROOF_ATTESTATION = 2, /* digest attested by a majority of coprocessors */
};

/* The ciphertext of handle i has been fetched and has this digest. */
void proof_bind(struct proof *p, size_t i, struct u256 key_id, struct hash32 digest,
		enum proof_source source);

/* Of what is no decryption and has no handles, instead: all parts of it. */
enum proof_part {
	PROOF_ORIGIN = 1,    /* the configured contract of the configured chain asked for it */
	PROOF_SINGLE = 2,    /* the core was given nothing else under this id */
	PROOF_CONFIRMED = 4, /* the chain's state agrees: context and epoch, or what is given up */
};
void proof_note(struct proof *p, enum proof_part part);

bool proof_permitted(const struct proof *p); /* all handles, or all parts */
bool proof_complete(const struct proof *p, const struct hash32 *content_digest, size_t handles_n);

enum err proof_encode(const struct proof *p, struct buf *out) MUST_USE;

/* ERR_CORRUPT also when it is another request's. */
enum err proof_decode(struct arena *a, struct proof **ret_proof, struct bytes stored,
		      struct hash32 content_digest, size_t handles_n) MUST_USE;

/* What a stored proof says, one line per handle, for `inspect`. ERR_CORRUPT. */
enum err proof_describe(struct buf *out, struct bytes stored) MUST_USE;

#endif

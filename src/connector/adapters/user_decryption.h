/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The other sources of a user decryption, beside its event: the calldata of the older request
 * functions, and the user's signature of the unified one. Knows no transport. */
#ifndef CONNECTOR_ADAPTERS_USER_DECRYPTION_H
#define CONNECTOR_ADAPTERS_USER_DECRYPTION_H

#include "connector/adapters/decryption.h"
#include "eth/eip712.h"

/* ---- calldata ---- */

struct user_calldata {
	bool delegated;
	struct address delegator; /* delegated */
	struct address user;      /* who signed: the user, or the delegate */
	struct bytes public_key;
	const struct user_pair {
		struct hash32 handle;
		struct address contract;
	} * pairs;
	size_t pairs_n;

	/* What the signature covers, beside key and delegator. */
	struct u256 chain_id; /* of all handles */
	const struct address *contracts;
	size_t contracts_n;
	struct u256 start_s, duration_days;
	struct bytes signature, extra_data;
};

/*
 * Input of a call of userDecryptionRequest (the older one) or delegatedUserDecryptionRequest.
 * ERR_UNSUPPORTED: of another function; ERR_MALFORMED, ERR_TOO_BIG, ERR_NOMEM. Views into `input`.
 */
enum err user_calldata_decode(struct arena *a, struct user_calldata *ret,
			      struct bytes input) MUST_USE;

/* Is this the call that emitted the event? The contract takes handles, user, key and extra data
 * from it as they stand there. */
bool user_calldata_is_of(const struct user_calldata *c, const struct decryption_request *r);

/* What the user, or the delegate, has signed. `domain`: the gateway's contract with the chain id of
 * the call. ERR_NOMEM, ERR_TOO_BIG. */
enum err user_calldata_digest(struct hash32 *ret_digest, const struct eip712_domain *domain,
			      const struct user_calldata *c) MUST_USE;

/* ---- the unified form ---- */

/* What the user signs, or a contract wallet vouches for: on the host chain, for the gateway's
 * contract. ERR_NOMEM, ERR_TOO_BIG. */
enum err user_signature_digest(struct hash32 *ret_digest, const struct eip712_domain *domain,
			       const struct decryption_request *r) MUST_USE;

#endif

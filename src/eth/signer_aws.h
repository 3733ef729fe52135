/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A signer whose key is in AWS KMS: spec ECC_SECG_P256K1, usage SIGN_VERIFY. The key never leaves
 * it. A signature costs one request; each is checked against the address before it is given on.
 *
 * Loop thread. At most AWS_KMS_IN_FLIGHT_MAX requests at once and AWS_KMS_WAITING_MAX waiting. What
 * fails is asked again with a back-off until AWS_KMS_SIGN_MS are over, whatever the reason: a
 * policy that forbids today may allow in a minute. A breaker keeps the haste out of it.
 */
#ifndef ETH_SIGNER_AWS_H
#define ETH_SIGNER_AWS_H

#include "base/breaker.h"
#include "base/rng.h"
#include "eth/signer.h"
#include "net/aws_client.h"

struct signer_aws_options {
	struct transport *transport;
	struct clock *clock;
	struct rng *rng;
	const struct ecdsa *ecdsa;
	const char *const *env; /* read in signer_aws_new only */
	const char *key_id;     /* id, ARN or "alias/…" */
	const char *region;     /* NULL or empty: the ARN's, else of the environment, … */
	const char *endpoint;   /* NULL or empty: of the environment, else by the region */
	/* It answers no more (the breaker opened), with the reason; or again (NULL). May be NULL.
	 */
	void (*changed)(void *ctx, const char *down);
	void *ctx;
};

/*
 * Begins to ask for the public key. `opened` is called once, later: ERR_OK, and ret_signer signs
 * for its address from then on; else the signer is to be freed. What passes is tried again for
 * AWS_KMS_OPEN_MS; ERR_CONFIG_VALUE and ERR_CONFIG_FILE are the operator's: no such key, no
 * permission, not a key of this kind.
 * Errors of signer_aws_new itself: ERR_CONFIG_VALUE, ERR_CONFIG_FILE with a note, ERR_NOMEM.
 */
typedef void signer_aws_opened_fn(void *ctx, enum err err, const struct err_note *note);
enum err signer_aws_new(struct signer **ret_signer, const struct signer_aws_options *options,
			signer_aws_opened_fn *opened, void *ctx, struct err_note *note) MUST_USE;

/* For logs and metrics, of a signer that signer_aws_new made. */
struct signer_aws_state {
	enum aws_source source;
	const char *region, *endpoint; /* NULL before they are known */
	enum breaker_state breaker;
	uint64_t breaker_opened; /* how often */
	size_t waiting, in_flight;
};
struct signer_aws_state signer_aws_state(const struct signer *s);

/* The region in "arn:aws:kms:REGION:…"; false: `key_id` is no ARN of a key. */
bool signer_aws_arn_region(struct bytes *ret_region, const char *key_id);

/* ---- the answers, for tests ---- */

/* GetPublicKey. ERR_MALFORMED; ERR_UNSUPPORTED for a key of another kind; with a note. */
enum err signer_aws_read_public_key(const struct ecdsa *e, struct address *ret_address,
				    struct bytes body, struct err_note *note) MUST_USE;
/* Sign. ERR_MALFORMED, ERR_MISMATCH for a signature of somebody else; with a note. */
enum err signer_aws_read_signature(const struct ecdsa *e, struct signature65 *ret_sig,
				   struct bytes body, struct hash32 digest, struct address signer,
				   struct err_note *note) MUST_USE;

#endif

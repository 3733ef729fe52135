/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Signer of transactions. Asynchronous because AWS KMS is HTTP: `done` exactly once, later, on the
 * loop thread.
 */
#ifndef ETH_SIGNER_H
#define ETH_SIGNER_H

#include "base/clock.h"
#include "crypto/ecdsa.h"

struct signer;

typedef void signer_done_fn(void *ctx, enum err err, const struct signature65 *sig);

struct signer_ops {
	enum err (*sign)(struct signer *s, struct hash32 digest, signer_done_fn *done, void *ctx);
	void (*free)(struct signer *s); /* no done is called any more */
};

struct signer {
	const struct signer_ops *ops;
	struct address address;
	struct err_note note; /* why there was no signature the last time; empty: there was */
};

static inline MUST_USE enum err signer_sign(struct signer *s, struct hash32 digest,
					    signer_done_fn *done, void *ctx)
{
	return s->ops->sign(s, digest, done, ctx);
}
static inline void signer_free(struct signer *s)
{
	if (s)
		s->ops->free(s);
}

/* A raw private key, held as a secret; `ecdsa` is borrowed. ERR_CONFIG_VALUE for a scalar that is
 * no key. */
enum err signer_raw_new(struct signer **ret_signer, struct clock *clock, const struct ecdsa *ecdsa,
			const struct secret32 *key) MUST_USE;

#endif

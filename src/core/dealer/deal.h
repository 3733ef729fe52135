/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What only the dealer of a local network may do: cut a whole key into the shares of n parties. A
 * library of its own (core_dealer_lib), linked by kms-dev-dealer and tests, never by a released
 * program.
 */
#ifndef CORE_DEALER_DEAL_H
#define CORE_DEALER_DEAL_H

#include "base/rng.h"
#include "core/threshold_key.h"
#include "fhe/client_key.h"
#include "mpc/prss.h"

/*
 * Shares every bit of every secret key with degree t, and appends party i's object
 * (threshold_key.h) to objects[i - 1]: buffers that THRESHOLD_KEY_SIZE_MAX fits, and that hold a
 * secret then. ERR_RANGE for n and t, with a note; ERR_NOMEM.
 */
enum err threshold_deal(struct buf *objects, const struct fhe_client_key *key,
			const struct fhe_key_metadata *metadata, unsigned n, unsigned t,
			struct rng *rng, struct err_note *note) MUST_USE;

/* The parties' set-ups of an epoch, ret_prss[i - 1] of party i, the caller's to free; as
 * prss_init.h makes them without a dealer. */
enum err threshold_deal_prss(struct prss **ret_prss, unsigned n, unsigned t,
			     struct rng *rng) MUST_USE;

#endif

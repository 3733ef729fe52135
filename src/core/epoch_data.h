/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a party keeps of an epoch: the context that it belongs to, and the keys of its sets (PRSS).
 * In the private vault, EpochData/<epoch>. Form, ours:
 *
 *   - safe_serialize header "claviger::EpochData", u32 0
 *   - context id 32, u8 parties, u8 threshold, u64 our party (from 1)
 *   - u64 n, n * key of 16 bytes: of each set that we are in, in the order of mpc_sets
 *
 * Whatever follows from these numbers is computed, not stored.
 */
#ifndef CORE_EPOCH_DATA_H
#define CORE_EPOCH_DATA_H

#include "core/vault.h"
#include "mpc/prss.h"

#define EPOCH_DATA_TYPE "EpochData"
enum {
	EPOCH_DATA_SIZE_MAX = MPC_SETS_MAX * PRSS_KEY_SIZE + 256
};

struct epoch_data {
	struct hash32 context_id;
	struct prss *prss; /* owned; the group is in it */
};

/* ERR_MISMATCH: another object; ERR_MALFORMED, ERR_TRUNCATED, ERR_UNSUPPORTED, ERR_TOO_BIG,
 * ERR_NOMEM. */
enum err epoch_data_read(struct epoch_data *ret_data, struct bytes object,
			 struct err_note *note) MUST_USE;
void epoch_data_free(struct epoch_data *d); /* wipes; NULL and empty allowed */

/* Appends. `out` then holds a secret (at most EPOCH_DATA_SIZE_MAX bytes): buf_wipe it. */
enum err epoch_data_write(struct hash32 context_id, const struct prss *prss,
			  struct buf *out) MUST_USE;

/* Out of the vault, and into it. ERR_NOT_FOUND, ERR_CORRUPT; others as vault_read_secret and
 * vault_write. */
enum err epoch_data_load(struct epoch_data *ret_data, const struct vault *private_vault,
			 struct hash32 epoch_id, struct err_note *note) MUST_USE;
enum err epoch_data_store(const struct vault *private_vault, struct hash32 epoch_id,
			  struct hash32 context_id, const struct prss *prss,
			  struct err_note *note) MUST_USE;

#endif

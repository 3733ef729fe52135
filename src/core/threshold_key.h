/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * One party's part of an FHE key: its shares of all secret keys, as they lie in the private vault
 * under FheKeyShares/<epoch>/<key id>, and what is computed with them. Form, ours:
 *
 *   - safe_serialize header "claviger::FheKeyShares", u32 0
 *   - u8 parties, u8 threshold, u64 our party (from 1)
 *   - the parameter set (fhe/params.h)
 *   - for each secret key, in the order of enum fhe_key_id: u64 n, n * share of a bit (none: 0)
 *   - KeyGenMetadata, as in the object of a centralised node (fhe/key_handles.h)
 *
 * A share is written as the published implementation writes Share<ResiduePoly<Z128, 4>>: u32 0, u32
 * 0, u64 4, four numbers of 128 bits, u32 0, u64 party. Who made the shares does not show: a dealer
 * of a local network, or all parties together.
 *
 * In memory only what decryption needs is kept: the shares of the noise-squashing key and of its
 * compression key, in locked memory. Formats that are not squashed would need a bootstrap by the
 * node, and are refused.
 */
#ifndef CORE_THRESHOLD_KEY_H
#define CORE_THRESHOLD_KEY_H

#include "base/limits.h"
#include "core/vault.h"
#include "fhe/decrypt.h"
#include "fhe/key_handles.h"
#include "fhe/params.h"
#include "mpc/decryption.h"

#define THRESHOLD_KEY_TYPE "FheKeyShares"
enum {
	THRESHOLD_KEY_SIZE_MAX = VAULT_OBJECT_SIZE_MAX /* 1.6 MB with the default parameters */
};

/* Immutable, any thread. */
struct threshold_key;

/* ERR_MISMATCH: another object; ERR_MALFORMED, ERR_TRUNCATED, ERR_UNSUPPORTED, ERR_TOO_BIG: not a
 * whole key, or shares of somebody else among ours; ERR_NOMEM. */
enum err threshold_key_read(struct threshold_key **ret_key, struct bytes object,
			    struct err_note *note) MUST_USE;
void threshold_key_free(struct threshold_key *k); /* wipes; NULL allowed */

/* The same out of the vault. ERR_CORRUPT: does not decode, or says that it is another key;
 * ERR_NOT_FOUND; others as vault_read_secret. */
enum err threshold_key_load(struct threshold_key **ret_key, const struct vault *private_vault,
			    struct hash32 epoch_id, struct hash32 key_id,
			    struct err_note *note) MUST_USE;

struct hash32 threshold_key_id(const struct threshold_key *k);
const struct fhe_key_metadata *threshold_key_metadata(const struct threshold_key *k);
const struct fhe_params *threshold_key_params(const struct threshold_key *k);
const struct mpc_group *threshold_key_group(const struct threshold_key *k); /* n, t, me */

/* What an object is made from. All borrowed. */
struct threshold_key_parts {
	struct mpc_group group;
	const struct fhe_params *params;
	const struct fhe_key_metadata *metadata;
	/* Our share of every bit, fhe_params_key_bits of them each; NULL where that is 0. */
	const struct gr *shares[FHE_KEY_COUNT];
};

/* Appends. `out` (THRESHOLD_KEY_SIZE_MAX must fit) then holds a secret: buf_wipe it. */
enum err threshold_key_write(const struct threshold_key_parts *parts, struct buf *out) MUST_USE;

/* ---- decryption ---- */

/*
 * Our masked shares of all blocks of one ciphertext, in their order; ret_shares has room for
 * MPC_BLOCKS_MAX. `session` is fresh and is used for nothing else. Errors are those of fhe_decrypt;
 * ERR_UNSUPPORTED for a format that is not squashed too. Nothing is taken from `session` then.
 */
enum err threshold_key_shares(struct gr *ret_shares, size_t *ret_n, const struct threshold_key *k,
			      struct prss_session *session, enum fhe_type type,
			      enum fhe_format format, struct bytes ciphertext,
			      struct err_note *note) MUST_USE;

/* How many blocks a value has: what threshold_key_shares gives. 0 for a type that has no
 * decryption. */
size_t threshold_blocks(enum fhe_type type);

/* Four bits (message and carry) for each block, but a Boolean: how users' programs call that. */
unsigned threshold_packing_factor(enum fhe_type type);

/*
 * The opened blocks of a value, not packed, to the value; secret until it is given out.
 * ERR_CORRUPT: no number, so that the parties' shares are not of one key; ERR_MISMATCH: not this
 * type's number of blocks.
 */
enum err threshold_value(struct fhe_plaintext *ret_value, enum fhe_type type,
			 const struct gr *opened, size_t n) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The node's secp256k1 signing key and its objects in the vault, all at request_id_signing_key:
 *
 *   - private: SigningKey (safe_serialize PrivateSigKey)
 *   - public: VerfKey, TypedVerfKey (safe_serialize PublicSigKey); VerfAddress, TypedVerfAddress
 *     (text, EIP-55)
 *
 * The typed ones are per signature scheme; ECDSA's lie at the plain id, and ECDSA is the only
 * scheme that this node has.
 */
#ifndef CORE_SIGNING_KEY_H
#define CORE_SIGNING_KEY_H

#include "base/rng.h"
#include "core/vault.h"
#include "crypto/ecdsa.h"

/* Immutable once filled; any thread. `ecdsa` is borrowed. */
struct signing_key {
	const struct ecdsa *ecdsa;
	struct secret key; /* 32 bytes */
	struct public_key33 public_key;
	struct address address;
};

/* Fresh from `rng`. ERR_NOMEM, ERR_CRYPTO. */
enum err signing_key_generate(struct signing_key *ret_key, const struct ecdsa *ecdsa,
			      struct rng *rng) MUST_USE;

/* ERR_NOT_FOUND: none there; otherwise as vault_read_secret; ERR_CORRUPT: not a key. */
enum err signing_key_load(struct signing_key *ret_key, const struct ecdsa *ecdsa,
			  const struct vault *private_vault, struct err_note *note) MUST_USE;

void signing_key_free(struct signing_key *k);

/* The scalar for a signing call; wipe it (CLEANUP(secret32_wipe)). */
struct secret32 signing_key_scalar(const struct signing_key *k);

/* Serialised forms, appended. The private one only ever goes to a buffer that is wiped. */
enum err signing_key_encode_private(struct buf *out, const struct signing_key *k) MUST_USE;
enum err signing_key_encode_public(struct buf *out, struct public_key33 pk) MUST_USE;

/* bincode PublicSigKey, 41 bytes: the verification_key of responses. */
enum {
	VERIFICATION_KEY_SIZE = 41
};
void signing_key_verification_key(uint8_t out[VERIFICATION_KEY_SIZE], const struct signing_key *k);

/* The private object. ERR_ALREADY_DONE if there is one. */
enum err signing_key_store_private(const struct signing_key *k, const struct vault *private_vault,
				   struct err_note *note) MUST_USE;

/* The four public objects. */
struct signing_key_public {
	unsigned present; /* of the four */
	unsigned missing;
	unsigned written;
};

/*
 * Compare what is there with the key: ERR_CONFIG_VALUE with a note if anything differs. With
 * `write`, what is missing is written.
 */
enum err signing_key_public_sync(struct signing_key_public *ret_found, const struct signing_key *k,
				 const struct vault *public_vault, bool write,
				 struct err_note *note) MUST_USE;

/* The names of the four, for programs that list them; ended by NULL. */
extern const char *const signing_key_public_types[];

#endif

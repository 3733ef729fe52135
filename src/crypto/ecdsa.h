/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * secp256k1 signatures by libsecp256k1 (recovery module).
 *
 * Secret scalars come as `struct secret32`; signing is constant time, nonces are RFC 6979, s is in
 * the lower half. A context is created once per process (ecdsa_new) and is immutable after: any
 * thread may use it.
 */
#ifndef CRYPTO_ECDSA_H
#define CRYPTO_ECDSA_H

#include "base/secret.h"
#include "base/u256.h"

struct ecdsa;

/* r || s || v, v in {27, 28}: what Ethereum contracts recover. */
struct signature65 {
	uint8_t b[65];
};

/* r || s */
struct signature64 {
	uint8_t b[64];
};

/* SEC1 compressed point */
struct public_key33 {
	uint8_t b[33];
};

/* Blinded with 32 bytes of `seed` (from rng_system). ERR_NOMEM, ERR_CRYPTO. */
enum err ecdsa_new(struct ecdsa **ret_e, const uint8_t seed[32]) MUST_USE;
void ecdsa_free(struct ecdsa *e);

/* 0 < key < order: ERR_OK, otherwise ERR_BAD_REQUEST. */
enum err ecdsa_key_check(const struct ecdsa *e, const struct secret32 *key) MUST_USE;
enum err ecdsa_public_key(const struct ecdsa *e, struct public_key33 *ret_pk,
			  const struct secret32 *key) MUST_USE;
enum err ecdsa_address(const struct ecdsa *e, struct address *ret_address,
		       const struct secret32 *key) MUST_USE;

/* Address of a SEC1 point, compressed (33) or uncompressed (65). ERR_MALFORMED. */
enum err ecdsa_address_of_point(const struct ecdsa *e, struct address *ret_address,
				struct bytes sec1) MUST_USE;

/* Errors: ERR_BAD_REQUEST for a key that ecdsa_key_check refuses, ERR_CRYPTO. */
enum err ecdsa_sign65(const struct ecdsa *e, struct signature65 *ret_sig,
		      const struct secret32 *key, struct hash32 digest) MUST_USE;
enum err ecdsa_sign64(const struct ecdsa *e, struct signature64 *ret_sig,
		      const struct secret32 *key, struct hash32 digest) MUST_USE;

/* Who signed. Rejects a high s and v outside {27, 28, 0, 1}: ERR_MISMATCH; any other length than
 * 65: ERR_MALFORMED. */
enum err ecdsa_recover(const struct ecdsa *e, struct address *ret_signer, struct bytes signature65,
		       struct hash32 digest) MUST_USE;

/*
 * The Ethereum form of a signature that was made elsewhere: DER (RFC 3279, section 2.2.3,
 * ECDSA-Sig-Value), s in either half, and nobody says v. `signer` is whose it must be.
 * ERR_MALFORMED when it is not DER or holds a number outside of 1 .. order - 1, ERR_MISMATCH when
 * the signer has not signed this digest.
 */
enum err ecdsa_signature_of_der(const struct ecdsa *e, struct signature65 *ret_sig,
				struct bytes der, struct hash32 digest,
				struct address signer) MUST_USE;

/* ERR_MISMATCH when it does not verify or s is high; ERR_MALFORMED when `pk` is no point. */
enum err ecdsa_verify64(const struct ecdsa *e, struct public_key33 pk, struct signature64 sig,
			struct hash32 digest) MUST_USE;

/* The KMS's "internal" signature: ECDSA over SHA-256(dsep8 || message). ERR_RANGE if dsep8 is not 8
 * long. */
enum err ecdsa_sign_kms(const struct ecdsa *e, struct signature64 *ret_sig,
			const struct secret32 *key, const char *dsep8,
			struct bytes message) MUST_USE;

#endif

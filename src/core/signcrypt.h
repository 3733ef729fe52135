/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Signcryption: how a plaintext travels to one user, so that only that user reads it and can tell
 * who sent it, and for which request.
 *
 *	enc_key  the user's ML-KEM-512 key, as it comes in a request
 *	link     what ties an answer to its request: an EIP-712 digest over enc_key, handles, user
 *	message  u64 length || plaintext || i32 type || u64 32 || link
 *	sealed   message || signature (64) || fingerprint of the server's key (32),
 *		 by AES-256-GCM under the encapsulated secret
 *
 * where the signature is ECDSA over SHA-256("USER_DEC" || message || user (20) || fingerprint of
 * enc_key), and a fingerprint is SHAKE-256("SIGNCRYP" || u64 length || key). The forms are those of
 * the existing KMS (HybridKemCt and UserDecryptionResponsePayload in bincode).
 *
 * Pure computation on immutable inputs, for a pool thread. Plaintexts, and what is made of them
 * before it is sealed, are secret and wiped here; what is appended to `out` is public.
 */
#ifndef CORE_SIGNCRYPT_H
#define CORE_SIGNCRYPT_H

#include "core/signing_key.h"
#include "crypto/mlkem.h"
#include "eth/eip712.h"
#include "fhe/types.h"

/* ---- the user's key ---- */

enum {
	/* safe_serialize header of "UnifiedPublicEncKey", version, variant, u64 length, key */
	ENC_KEY_SIZE = 69 + MLKEM_512_EK_SIZE
};

struct enc_key {
	struct bytes serialized; /* ENC_KEY_SIZE bytes as received: what is hashed and signed */
	struct bytes ek;         /* the ML-KEM-512 key in it */
};

/* Views into `serialized`. ERR_MALFORMED for all but exactly one ML-KEM-512 key: another header,
 * version, variant (ML-KEM-1024) or length, bytes left over, a coefficient that is not below q. */
enum err enc_key_read(struct enc_key *ret_key, struct bytes serialized,
		      struct err_note *note) MUST_USE;

/* EIP-712 UserDecryptionLinker(publicKey, handles, userAddress) under the request's domain. Handles
 * are the padded ones. ERR_NOMEM, ERR_TOO_BIG. */
enum err signcrypt_link(struct hash32 *ret_link, const struct eip712_domain *domain,
			const struct enc_key *key, const struct hash32 *handles, size_t handles_n,
			struct address user) MUST_USE;

/* ---- sealing ---- */

enum {
	/* A threshold share of a 2048-bit value takes 8 KiB; a value in the clear 32 bytes. */
	SIGNCRYPT_PLAINTEXT_SIZE_MAX = 16384,

	/* What sealing adds: nonce, two lengths and the KEM's ciphertext; around the plaintext 52
	 * bytes of message, signature, fingerprint; the tag. */
	SIGNCRYPT_OVERHEAD = 12 + 8 + MLKEM_512_CT_SIZE + 8 + 52 + 64 + 32 + 16
};

/* From one server to one user: the same for all plaintexts of an answer. */
struct signcrypt {
	const struct signing_key *signer; /* borrowed */
	struct bytes ek;                  /* view */
	struct address user;
	struct hash32 link;
	struct hash32 server_fingerprint, user_fingerprint;
};

/* ERR_CRYPTO, ERR_NOMEM. */
enum err signcrypt_begin(struct signcrypt *ret_s, const struct signing_key *signer,
			 const struct enc_key *key, struct address user,
			 struct hash32 link) MUST_USE;

/*
 * Appends plaintext.n + SIGNCRYPT_OVERHEAD bytes. Takes 32 bytes (the KEM's message), then 12 (the
 * nonce) from `rng`. ERR_RANGE past SIGNCRYPT_PLAINTEXT_SIZE_MAX; ERR_TOO_BIG, ERR_NOMEM,
 * ERR_CRYPTO. The buffer is unchanged on failure.
 */
enum err signcrypt_seal(struct buf *out, const struct signcrypt *s, enum fhe_type type,
			struct bytes plaintext, struct rng *rng) MUST_USE;

/* ---- the answer ---- */

struct signcrypted {
	enum fhe_type type;
	struct bytes sealed;
	struct bytes external_handle; /* as received, not padded */
	uint32_t packing_factor;      /* 1 for a value in the clear */
};

/* UserDecryptionResponsePayload. */
struct signcrypt_payload {
	const uint8_t *verification_key; /* VERIFICATION_KEY_SIZE bytes */
	struct hash32 link;
	const struct signcrypted *items;
	size_t items_n;
	uint32_t party_id; /* from 1 */
	uint32_t degree;   /* 0 for one server that holds the whole key */
};

/* Appends its bincode: what both signatures cover, and what the chain gets. */
enum err signcrypt_payload_encode(struct buf *out, const struct signcrypt_payload *p) MUST_USE;

/* What the external signature signs: EIP-712 UserDecryptResponseVerification(publicKey, ctHandles,
 * userDecryptedShare, extraData), the share being the encoded payload. ERR_NOMEM, ERR_TOO_BIG. */
enum err signcrypt_response_digest(struct hash32 *ret_digest, const struct eip712_domain *domain,
				   const struct enc_key *key, const struct hash32 *handles,
				   size_t handles_n, struct bytes payload,
				   struct bytes extra_data) MUST_USE;

#endif

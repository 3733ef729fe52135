/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * AES-256-GCM (NIST SP 800-38D) by OpenSSL: 12-byte nonce, 16-byte tag behind the ciphertext. One
 * key must never see one nonce twice. Additional data may be empty.
 */
#ifndef CRYPTO_AES_GCM_H
#define CRYPTO_AES_GCM_H

#include "base/secret.h"

enum {
	AES_GCM_NONCE_SIZE = 12,
	AES_GCM_TAG_SIZE = 16,
	AES_GCM_SIZE_MAX = 1 << 30, /* of a plaintext, and of additional data */
};

/* Appends ciphertext || tag, plaintext.n + 16 bytes. ERR_RANGE past AES_GCM_SIZE_MAX, ERR_TOO_BIG
 * and ERR_NOMEM of the buffer, ERR_CRYPTO. The buffer is unchanged on failure. */
enum err aes_gcm_seal(struct buf *out, const struct secret32 *key,
		      const uint8_t nonce[AES_GCM_NONCE_SIZE], struct bytes aad,
		      struct bytes plaintext) MUST_USE;

/* Appends the plaintext, sealed.n - 16 bytes. ERR_MISMATCH if key, nonce, additional data or text
 * are not what was sealed (or `sealed` is too short to have been); else as aes_gcm_seal. Nothing
 * that was not authenticated reaches the buffer. */
enum err aes_gcm_open(struct buf *out, const struct secret32 *key,
		      const uint8_t nonce[AES_GCM_NONCE_SIZE], struct bytes aad,
		      struct bytes sealed) MUST_USE;

#endif

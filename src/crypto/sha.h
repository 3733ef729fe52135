/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * SHA-256 (FIPS 180-4), its HMAC (FIPS 198-1), SHA-3 and SHAKE (FIPS 202) by OpenSSL, algorithms
 * fetched once per process. The KMS prefixes every hashed message with an 8-byte domain separator:
 * `dsep8` must be exactly 8 characters.
 */
#ifndef CRYPTO_SHA_H
#define CRYPTO_SHA_H

#include "base/u256.h"

enum {
	KMS_DSEP_SIZE = 8,
	SHA3_512_SIZE = 64
};

/* parts are hashed as if concatenated. */
enum err sha256(struct hash32 *ret_digest, const struct bytes *parts, size_t parts_n) MUST_USE;
enum err sha3_256(struct hash32 *ret_digest, const struct bytes *parts, size_t parts_n) MUST_USE;
enum err sha3_512(uint8_t ret_digest[SHA3_512_SIZE], const struct bytes *parts,
		  size_t parts_n) MUST_USE;
enum err shake128(uint8_t *out, size_t out_n, const struct bytes *parts, size_t parts_n) MUST_USE;
enum err shake256(uint8_t *out, size_t out_n, const struct bytes *parts, size_t parts_n) MUST_USE;

/* HMAC-SHA-256 of the parts as if concatenated. The result is as secret as the key. */
enum err hmac_sha256(struct hash32 *ret_mac, struct bytes key, const struct bytes *parts,
		     size_t parts_n) MUST_USE;

/*
 * The KMS digest of an object that comes in pieces: SHAKE-256(dsep8 || pieces), 32 bytes. Errors as
 * kms_digest; _final leaves nothing but the freeing to do.
 */
struct kms_digest_stream;
enum err kms_digest_stream_new(struct kms_digest_stream **ret_stream, const char *dsep8) MUST_USE;
enum err kms_digest_stream_add(struct kms_digest_stream *s, struct bytes piece) MUST_USE;
enum err kms_digest_stream_final(struct kms_digest_stream *s, struct hash32 *ret_digest) MUST_USE;
void kms_digest_stream_free(struct kms_digest_stream *s);

/* SHAKE-256(dsep8 || data), 32 bytes: the KMS digest, e.g. dsep8 "PDAT_KEY". ERR_RANGE if dsep8 is
 * not 8 long. */
enum err kms_digest(struct hash32 *ret_digest, const char *dsep8, struct bytes data) MUST_USE;

#endif

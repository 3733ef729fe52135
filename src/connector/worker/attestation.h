/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Ciphertext attestations (RFC-023): what a coprocessor says under its signature about the
 * ciphertext of a handle, and when enough of them say the same. Pure functions, no I/O.
 */
#ifndef CONNECTOR_WORKER_ATTESTATION_H
#define CONNECTOR_WORKER_ATTESTATION_H

#include "base/u256.h"
#include "crypto/ecdsa.h"

/* The storage layer's numbers, which are the signed ones. */
enum ct_format {
	CT_UNCOMPRESSED_ON_CPU = 10,
	CT_COMPRESSED_ON_CPU = 11,
	CT_UNCOMPRESSED_ON_GPU = 20,
	CT_COMPRESSED_ON_GPU = 21,
};
/* "compressed_on_cpu" …; ERR_UNSUPPORTED. */
enum err ct_format_from_name(enum ct_format *ret_format, struct bytes name) MUST_USE;
bool ct_format_compressed(enum ct_format f);

enum {
	ATTESTATION_TEXT_MAX = 4096,
	COPROCESSOR_CONTEXT_ID = 1
};

struct attestation {
	struct u256 key_id;
	struct hash32 ciphertext_digest;
	struct hash32 sns_digest; /* keccak-256 of the ct128 object */
	enum ct_format format;
	struct address signer;
	struct signature65 signature;
};

/* The header's JSON. Unknown members are ignored; version must be 1. ERR_MALFORMED,
 * ERR_UNSUPPORTED, ERR_TOO_BIG. */
enum err attestation_parse(struct attestation *ret_a, struct bytes text) MUST_USE;

/* keccak-256 of the 170 canonical bytes. */
struct hash32 attestation_digest(const struct attestation *a, const struct hash32 *handle,
				 struct u256 context);

/* ERR_MISMATCH unless the signature recovers to `signer`, under coprocessor context 1. */
enum err attestation_verify(const struct attestation *a, const struct hash32 *handle,
			    const struct ecdsa *ecdsa) MUST_USE;

/*
 * The material that at least `threshold` distinct signers attest: largest group first, smallest
 * material on a tie. All of `list` must be verified and of registered signers. Returns the index of
 * one of the winners, or -1.
 */
int attestation_consensus(const struct attestation *const *list, size_t n, size_t threshold);

/* Same key, digests and format. */
bool attestation_agrees(const struct attestation *a, const struct attestation *b);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a KMS node signed about objects that it made, as it lies beside them in the private vault:
 * the end of KeyGenMetadata and of CrsGenMetadata alike.
 *
 *   - Option<extra data>, vec external signature, u64 n, n * (scheme, signature)
 *
 * The list of further signatures is empty in all published objects, and in ours; any other count is
 * ERR_UNSUPPORTED here.
 */
#ifndef FHE_ATTESTATION_H
#define FHE_ATTESTATION_H

#include "base/limits.h"
#include "base/u256.h"
#include "codec/bincode.h"

struct fhe_attestation {
	bool has_extra;
	uint8_t extra[FHE_KEY_EXTRA_SIZE_MAX];
	size_t extra_n;
	uint8_t signature[FHE_KEY_SIGNATURE_SIZE_MAX]; /* EIP-712, r, s, v */
	size_t signature_n;
};

/* Errors are latched in the reader; the note begins with `object`. */
void fhe_attestation_read(struct reader *r, struct fhe_attestation *a, const char *object,
			  struct err_note *note);
void fhe_attestation_write(struct bincode_writer *w, const struct fhe_attestation *a);

/* 32 bytes; and 32 bytes with their count before them. */
struct hash32 fhe_hash_read(struct reader *r);
struct hash32 fhe_hash_vec_read(struct reader *r);

#endif

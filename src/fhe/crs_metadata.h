/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * CrsGenMetadata: what a centralised KMS keeps of a CRS in its private vault, one object per CRS
 * and epoch, at CrsInfo/<epoch>/<CRS id>. The CRS itself is public.
 *
 *   - safe_serialize header "CrsGenMetadata", u32 1, u32 0 (Current), u32 2, CRS id 32, vec digest,
 *     u32 largest number of bits, attestation (attestation.h)
 *
 * Byte-exact with upstream's published test object after the header.
 */
#ifndef FHE_CRS_METADATA_H
#define FHE_CRS_METADATA_H

#include "fhe/attestation.h"

struct fhe_crs_metadata {
	struct hash32 crs_id;
	struct hash32 digest; /* SHAKE-256("PDAT_CRS" || stored object) */
	uint32_t bits_max;
	struct fhe_attestation attestation;
};

enum {
	FHE_CRS_METADATA_SIZE_MAX = FHE_KEY_EXTRA_SIZE_MAX + FHE_KEY_SIGNATURE_SIZE_MAX + 256
};

/* ERR_MISMATCH for another object, ERR_UNSUPPORTED for another version, ERR_MALFORMED. */
enum err kms_crs_metadata_read(struct fhe_crs_metadata *ret_metadata, struct bytes serialized,
			       struct err_note *note) MUST_USE;

/* Appends at most FHE_CRS_METADATA_SIZE_MAX bytes. */
enum err kms_crs_metadata_write(const struct fhe_crs_metadata *m, struct buf *out) MUST_USE;

#endif

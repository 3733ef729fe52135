/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * KmsFheKeyHandles: the object in the private vault of a centralised KMS, one per key and epoch, at
 * FhePrivateKey/<epoch>/<key id>. Form V1:
 *
 *   - safe_serialize header "KmsFheKeyHandles", u32 1, ClientKey (versioned, no header),
 *     Option<DecompressionKey>, KeyGenMetadata
 *   - KeyGenMetadata: u32 0, u32 0 (Current), u32 3, key id 32, preprocessing id 32,
 *     map: u64 n, n * (u32 0, u32 PubDataType, vec digest),
 *     Option<vec extra data>, vec external signature,
 *     u64 n, n * (u32 0, u32 0, u32 scheme, vec signature)
 *
 * KeyGenMetadata's inner form is byte-exact with upstream's published test objects. Two things are
 * ours by inference, no published object shows them: the outer enum's place and tags, and the
 * prefix of a stored signature (whose count is 0 in all published objects; any other count is
 * ERR_UNSUPPORTED here). A DecompressionKey (Fourier-domain, only needed for 64-bit compressed
 * inputs) is not read: ERR_UNSUPPORTED.
 */
#ifndef FHE_KEY_HANDLES_H
#define FHE_KEY_HANDLES_H

#include "fhe/attestation.h"
#include "fhe/decrypt.h"

/* PubDataType of the KMS: which public object a digest is of. */
enum fhe_pub_data {
	FHE_PUB_SERVER_KEY = 0,
	FHE_PUB_PUBLIC_KEY = 1,
	FHE_PUB_COMPRESSED_XOF_KEY_SET = 9
};

struct fhe_key_digest {
	uint32_t pub_data;    /* enum fhe_pub_data */
	struct hash32 digest; /* SHAKE-256("PDAT_KEY" || stored object) */
};

struct fhe_key_metadata {
	struct hash32 key_id, preproc_id;
	struct fhe_key_digest digests[FHE_KEY_DIGESTS_MAX];
	size_t digests_n;
	struct fhe_attestation attestation;
};

/* KeyGenMetadata, as a part of objects: of this one, and of a party's key shares. Errors are
 * latched in the reader; the note begins with `object`. */
void fhe_key_metadata_read(struct reader *r, struct fhe_key_metadata *m, const char *object,
			   struct err_note *note);
void fhe_key_metadata_write(struct bincode_writer *w, const struct fhe_key_metadata *m);

struct fhe_key_handles {
	struct fhe_client_key *client_key; /* owned */
	struct fhe_key_metadata metadata;
};

/* Errors as fhe_client_key_read; ERR_MISMATCH for another object. */
enum err kms_fhe_key_handles_read(struct fhe_key_handles *ret_handles, struct bytes serialized,
				  struct err_note *note) MUST_USE;
void kms_fhe_key_handles_free(struct fhe_key_handles *h);

/* Appends safe_serialize(KmsFheKeyHandles) without DecompressionKey. As secret and as large as a
 * ClientKey. */
enum err kms_fhe_key_handles_write(const struct fhe_client_key *k,
				   const struct fhe_key_metadata *metadata,
				   struct buf *out) MUST_USE;

#endif

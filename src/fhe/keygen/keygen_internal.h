/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the files of keygen/ share. */
#ifndef FHE_KEYGEN_INTERNAL_H
#define FHE_KEYGEN_INTERNAL_H

#include "fhe/keygen/keygen.h"
#include "fhe/keygen/rows.h"

/* tfhe-rs: the domain separators of the two streams. */
#define FHE_KEYGEN_SECRET_DSEP "TFHEKGen"
#define FHE_KEYGEN_MASK_DSEP   "TFHE_GEN"

enum {
	FHE_KEYGEN_SEED_SIZE = 16,
};

struct fhe_keygen {
	struct fhe_client_key *client_key;
	struct secret seed;                                         /* of the secret stream */
	uint8_t mask_seed[FHE_SEED_DSEP_SIZE + FHE_MASK_SEED_SIZE]; /* public, as it is stored */
	struct fhe_parts parts;
};

/* The two streams, each from its beginning. */
enum err fhe_keygen_secrets_open(struct aes_ctr **ret_stream, const struct fhe_keygen *g) MUST_USE;
enum err fhe_keygen_masks_open(struct aes_ctr **ret_stream, const struct fhe_keygen *g) MUST_USE;

#endif

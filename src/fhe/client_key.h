/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The client key in memory: parameters, the bits of every secret key (one byte per bit, all in one
 * secret allocation) and the tag. Immutable once built; any number of threads may use it. Only fhe/
 * looks inside.
 */
#ifndef FHE_CLIENT_KEY_H
#define FHE_CLIENT_KEY_H

#include "base/secret.h"
#include "fhe/decrypt.h"
#include "fhe/params.h"

struct fhe_client_key {
	struct fhe_params params;
	struct fhe_key_part parts[FHE_KEY_COUNT]; /* bits point into `secret`; empty if the key has
						     none of this kind */
	uint64_t polynomials[FHE_KEY_COUNT];      /* as GLWE keys repeat it on the wire */
	struct secret secret;
	struct bytes tag; /* into tag_bytes */
	uint8_t tag_bytes[FHE_TAG_SIZE_MAX];
};

/* The versioned ClientKey without the safe_serialize header, as a part of larger objects. Latches;
 * on error the result is NULL. */
struct fhe_client_key *fhe_client_key_read_body(struct reader *r, struct err_note *note);

/* A key with zero bits for a parameter set: what reading and generation fill. The tag is copied.
 * ERR_NOMEM, ERR_TOO_BIG. */
enum err fhe_client_key_alloc(struct fhe_client_key **ret_key, const struct fhe_params *params,
			      struct bytes tag) MUST_USE;

/* Bits of one key, one per byte; empty if the key lacks it. Secret. */
static inline struct bytes fhe_client_key_bits(const struct fhe_client_key *k, enum fhe_key_id id)
{
	return k->parts[id].bits;
}

/* Appends safe_serialize(high_level_api::ClientKey). `out` (CLIENT_KEY_SIZE_MAX must fit) then
 * holds a secret: buf_wipe it. */
enum err fhe_client_key_write(const struct fhe_client_key *k, struct buf *out) MUST_USE;

/* The versioned form, on struct fhe_client_key; "high_level_api::ClientKey". */
extern const struct layout fhe_client_key_layout;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms.v1.KeyGenPreprocRequest, KeyGenRequest and CrsGenRequest, from bytes off the wire to
 * something that can be served, or a refusal: what decryption_request is for decryptions.
 *
 * Served: a standard key set, all secret keys fresh, compressed. Any other is refused at once, with
 * the preprocessing already. A CRS is for lists of up to 2048 bits, or of another power of two.
 */
#ifndef CORE_KEY_REQUEST_H
#define CORE_KEY_REQUEST_H

#include "core/request_fields.h"
#include "core/request_kind.h"
#include "fhe/params.h"

/* FheParameter. Stored numbers. */
enum key_params {
	KEY_PARAMS_DEFAULT = 0,
	KEY_PARAMS_TEST = 1,
};
const struct fhe_params *key_params_of(enum key_params params);

enum {
	CRS_BITS_DEFAULT = 2048, /* also the most */
};

/* Views point into the arena that it was read with. */
struct key_request {
	enum request_kind kind;
	struct hash32 id;         /* of a key generation: the key's */
	struct hash32 preproc_id; /* of all but a key generation: its own id */
	struct request_where where;
	struct eip712_domain domain;
	struct bytes extra_data;
	bool has_params; /* otherwise those of the preprocessing */
	enum key_params params;
	uint32_t bits_max;       /* of a CRS; else 0 */
	bool wants_ecdsa;        /* `signatures` has one entry */
	bool extra_data_differs; /* to be logged */

	/* SHA-256 over all that decides the answer. */
	struct hash32 digest;
};

/* Errors as decryption_request_read. */
enum err key_request_read(struct key_request *ret_request, enum request_kind kind,
			  const struct key_ring *keys, struct bytes message, struct arena *memory,
			  struct err_note *note) MUST_USE;

#endif

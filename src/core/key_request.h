/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms.v1.KeyGenPreprocRequest and kms.v1.KeyGenRequest, from bytes off the wire to something that
 * can be served, or a refusal: what decryption_request is for decryptions.
 *
 * Served: a standard key set, all secret keys fresh, compressed. Any other is refused at once, with
 * the preprocessing already.
 */
#ifndef CORE_KEY_REQUEST_H
#define CORE_KEY_REQUEST_H

#include "core/request_fields.h"
#include "core/request_kind.h"

/* FheParameter. Stored numbers. */
enum key_params {
	KEY_PARAMS_DEFAULT = 0,
	KEY_PARAMS_TEST = 1,
};

/* Views point into the arena that it was read with. */
struct key_request {
	enum request_kind kind;
	struct hash32 id;         /* of a key generation: the key's */
	struct hash32 preproc_id; /* of a preprocessing: its own */
	struct request_where where;
	struct eip712_domain domain;
	struct bytes extra_data;
	bool has_params; /* otherwise those of the preprocessing */
	enum key_params params;
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

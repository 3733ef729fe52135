/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms.v1.PublicDecryptionRequest and kms.v1.UserDecryptionRequest, from bytes off the wire to
 * something that can be served, or a refusal. Both have the same fields; a user decryption says in
 * addition for whom.
 *
 * Order of the checks: form of every field, then context and epoch, then key. The note of a refusal
 * is written for the client: it names the field, never anything that the node knows and the client
 * does not.
 */
#ifndef CORE_DECRYPTION_REQUEST_H
#define CORE_DECRYPTION_REQUEST_H

#include "base/limits.h"
#include "core/key_ring.h"
#include "core/request_fields.h"
#include "core/request_kind.h"
#include "core/signcrypt.h"
#include "eth/eip712.h"
#include "fhe/types.h"

/* Of an answer, besides what is there for each value. */
enum {
	DECRYPTION_ANSWER_REST_MAX = CORE_EXTRA_DATA_MAX + 4096
};

struct decryption_item {
	struct bytes ciphertext;
	struct bytes external_handle; /* as received */
	struct hash32 handle;         /* left-padded: what is hashed and signed */
	enum fhe_type type;
	enum fhe_format format;
	struct hash32 digest; /* SHA-256 of the ciphertext */
};

/* Views point into the arena that it was read with. */
struct decryption_request {
	enum request_kind kind;
	struct hash32 id, key_id;
	struct request_where where;
	struct eip712_domain domain;
	struct bytes extra_data;
	const struct decryption_item *items;
	size_t items_n;
	struct address user;     /* of a user decryption: who reads the answer, */
	struct enc_key enc_key;  /* and with which key */
	bool wants_ecdsa;        /* `signatures` has one entry */
	bool extra_data_differs; /* extra_data names another context or epoch, or has an unknown
				    form: to be logged */

	/* SHA-256 over all that decides the answer: two requests with the same digest have the same
	 * answer. */
	struct hash32 digest;
	const struct fhe_client_key *key;

	/* Instead of `key`, on a node of a committee. And what the sessions of this id are used
	 * for: a digest over key, epoch, context and the ciphertexts. Whatever else differs, the
	 * same is hidden under the same masks. */
	const struct threshold_key *share;
	const struct prss *prss;
	struct hash32 session_use;
};

/*
 * Unpack and check. `memory` is the arena made for the message (protobuf_arena).
 * ERR_MALFORMED, ERR_TOO_BIG, ERR_BAD_REQUEST: INVALID_ARGUMENT; ERR_UNSUPPORTED: well formed, but
 * a signature scheme or ciphertext format that this node does not serve; ERR_NOT_FOUND: unknown
 * context, epoch or key; ERR_NOT_READY: an epoch that is being set up; ERR_NOMEM.
 */
enum err decryption_request_read(struct decryption_request *ret_request, enum request_kind kind,
				 const struct key_ring *keys, struct bytes message,
				 struct arena *memory, struct err_note *note) MUST_USE;

#endif

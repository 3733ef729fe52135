/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Adapter of the gateway's Decryption contract: its events, its answer call, its errors; and our
 * canonical encodings of what an operation carries. Knows no transport.
 */
#ifndef CONNECTOR_ADAPTERS_DECRYPTION_H
#define CONNECTOR_ADAPTERS_DECRYPTION_H

#include "connector/adapters/events.h"

/* ---- events ---- */

enum {
	DECRYPTION_EVENTS_N = 6
};
extern const struct event_row decryption_events[DECRYPTION_EVENTS_N];

/* ---- content of a request ---- */

/* What only a user decryption has: for whom, and what the user has signed. */
struct user_request {
	struct address user; /* who reads the answer: the user, or the delegate */
	struct bytes public_key;

	/*
	 * The unified form says everything; its signature was not checked on chain. Of the older
	 * one (false) contracts, validity and signature stand in the calldata only:
	 * user_calldata_decode.
	 */
	bool unified;
	const struct user_entry {
		struct address contract, owner;
	} * entries;                             /* of each handle */
	const struct address *allowed_contracts; /* none: any contract */
	size_t allowed_contracts_n;
	struct u256 start_s, duration_s;
	struct bytes signature;
};

struct decryption_request {
	const struct hash32 *handles;
	size_t handles_n;
	struct bytes extra_data;         /* verbatim from the event */
	const struct user_request *user; /* NULL: a public decryption */
};
enum err decryption_request_decode(struct arena *a, struct decryption_request *ret,
				   enum op_kind kind, struct bytes content) MUST_USE;

/* Its handles, 32 bytes each, as a view of the content. ERR_MALFORMED. */
enum err content_handles(struct bytes *ret_handles, struct bytes content) MUST_USE;

/* One ciphertext's on-chain commitment, as the older event form carries it. */
struct sns_material {
	struct hash32 handle;
	struct u256 key_id;
	struct hash32 digest;
	const struct address *coprocessors;
	size_t coprocessors_n;
};
/* handles_n rows in handle order; ret_n = 0 if the event form carried none. */
enum err sns_materials_decode(struct arena *a, const struct sns_material **ret_rows, size_t *ret_n,
			      struct bytes materials) MUST_USE;

/* ---- handles and extra data ---- */

struct chain_id handle_chain_id(const struct hash32 *handle); /* bytes 22..29, big endian */
unsigned handle_fhe_type(const struct hash32 *handle);        /* byte 30 */

struct extra_data {
	bool has_context, has_epoch;
	struct u256 context, epoch;
};
/* Empty or 0x00 …, 0x01 || context …, 0x02 || context || epoch …: what follows is ignored, as by
 * all readers of the protocol. ERR_BAD_REQUEST: another first byte, or too short. */
enum err extra_data_parse(struct extra_data *ret, struct bytes extra_data) MUST_USE;

/* What goes to the core and is signed: the single byte 0x00 becomes empty, everything else stays as
 * it is. */
struct bytes extra_data_for_core(struct bytes extra_data);

/* ---- answer ---- */

struct decryption_answer {
	struct bytes result;     /* n words of 32 bytes; to a user the payload, bincode */
	struct bytes signature;  /* 65 bytes, the core's EIP-712 */
	struct bytes extra_data; /* as the core echoed it */
};
enum err decryption_answer_encode(struct buf *out, const struct decryption_answer *a) MUST_USE;
enum err decryption_answer_decode(struct decryption_answer *ret, enum op_kind kind,
				  struct bytes stored) MUST_USE;

/* Call data of publicDecryptionResponse or userDecryptionResponse (uint256,bytes,bytes,bytes). */
enum err decryption_response_call(struct buf *out, enum op_kind kind, struct u256 request_id,
				  const struct decryption_answer *a) MUST_USE;

/* ---- reverts ---- */

/* Has the gateway as many answers to a public decryption as it needs? For view_bool_result. */
enum err decryption_is_done_call(struct buf *out, struct u256 request_id) MUST_USE;

/*
 * What a revert of a response call means for us: ERR_ALREADY_DONE (our answer is there, or nobody
 * waits for it any more), ERR_TRANSIENT (node behind, rotation), ERR_BAD_REQUEST (never
 * acceptable). *ret_name is the error's name for the reason, or "unknown revert".
 */
enum err decryption_classify_revert(const char **ret_name, struct bytes revert_data);

#endif

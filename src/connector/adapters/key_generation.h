/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Adapter of KMSGeneration, on the gateway (v0.10 to v0.12) and on the host chain (from v0.13 on):
 * its events, what nodes sign about keys and CRSs, its answer calls, its views. The forms differ in
 * the extra data: the gateway's has none, and signs none.
 */
#ifndef CONNECTOR_ADAPTERS_KEY_GENERATION_H
#define CONNECTOR_ADAPTERS_KEY_GENERATION_H

#include "connector/adapters/events.h"
#include "eth/eip712.h"

enum {
	KEY_GENERATION_EVENTS_N = 10
};
extern const struct event_row key_generation_events[KEY_GENERATION_EVENTS_N];

/* ---- content ---- */

/* Of every kind that KMSGeneration asks for; what a kind does not have is zero. */
struct key_request {
	bool host;          /* the host chain's form: extra data is signed, even if it is empty */
	struct u256 first;  /* keygen, key reshare: the preprocessing; crsgen: most bits */
	struct u256 second; /* prep keygen of a gateway: its epoch, 0; key reshare: the key */
	uint8_t params;     /* 0 default, 1 test */
	struct bytes extra_data; /* verbatim */
};
enum err key_request_encode(struct buf *out, const struct key_request *r) MUST_USE;
/* Views into `content`. */
enum err key_request_decode(struct key_request *ret, struct bytes content) MUST_USE;

/* PRSSInit names nothing: the id by which the core knows it. */
struct u256 prss_init_id(void);

/* ---- digests of a key ---- */

struct key_digest {
	uint8_t type; /* as in contracts: 0 server, 1 public, 3 compressed key set */
	struct bytes digest;
};
/* "ServerKey", "PublicKey", "CompressedXofKeySet", as the core calls them. ERR_UNSUPPORTED. */
enum err key_type_from_name(uint8_t *ret_type, const char *name) MUST_USE;
enum err key_type_name(const char **ret_name, uint8_t type) MUST_USE;

/* An abi_value for a (uint8,bytes)[]; in the arena, borrowing the digests. */
enum err key_digests_value(struct arena *a, struct abi_value *ret, const struct key_digest *digests,
			   size_t n) MUST_USE;

/* ---- what nodes sign: EIP-712 under KMSGeneration's domain, or ProtocolConfig's ---- */

enum err prep_keygen_digest(struct hash32 *ret, const struct eip712_domain *d, struct u256 id,
			    const struct key_request *r) MUST_USE;
enum err keygen_digest(struct hash32 *ret, const struct eip712_domain *d, struct u256 prep_id,
		       struct u256 key_id, const struct key_digest *digests, size_t n,
		       const struct key_request *r) MUST_USE;
enum err crsgen_digest(struct hash32 *ret, const struct eip712_domain *d, struct u256 id,
		       struct u256 bits, struct bytes crs_digest,
		       const struct key_request *r) MUST_USE;

/* ---- answers ---- */

enum err prep_keygen_response_call(struct buf *out, struct u256 id,
				   struct bytes signature) MUST_USE;
enum err keygen_response_call(struct buf *out, struct u256 key_id, const struct key_digest *digests,
			      size_t n, struct bytes signature) MUST_USE;
enum err crsgen_response_call(struct buf *out, struct u256 id, struct bytes crs_digest,
			      struct bytes signature) MUST_USE;

/* ---- views, host chain ---- */

enum err is_request_done_call(struct buf *out, struct u256 id) MUST_USE; /* view_bool_result */
enum err completed_key_ids_call(struct buf *out) MUST_USE;
enum err completed_crs_ids_call(struct buf *out) MUST_USE;
/* ERR_TOO_BIG: more than EPOCH_MATERIALS_MAX. */
enum err completed_ids_result(struct arena *a, const struct u256 **ret_ids, size_t *ret_n,
			      struct bytes data) MUST_USE;
enum err key_info_call(struct buf *out, struct u256 key_id) MUST_USE;
struct key_info {
	struct u256 key_id, prep_id;
	uint8_t params;
	const struct key_digest *digests; /* in the arena */
	size_t digests_n;
};
enum err key_info_result(struct arena *a, struct key_info *ret, struct bytes data) MUST_USE;
enum err crs_materials_call(struct buf *out, struct u256 crs_id) MUST_USE;
enum err crs_materials_result(struct arena *a, struct bytes *ret_digest,
			      struct bytes data) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Adapter of ProtocolConfig, on the host chain from v0.14 on: contexts and epochs. Its events, what
 * a new context's hash is of, its answer calls. Its views are with GatewayConfig's (views.h).
 */
#ifndef CONNECTOR_ADAPTERS_PROTOCOL_CONFIG_H
#define CONNECTOR_ADAPTERS_PROTOCOL_CONFIG_H

#include "connector/adapters/key_generation.h"

enum {
	PROTOCOL_CONFIG_EVENTS_N = 4
};
extern const struct event_row protocol_config_events[PROTOCOL_CONFIG_EVENTS_N];

/* topic0 of NewKmsContext, to read an older one. */
struct hash32 new_context_topic(void);

/* ---- content ---- */

struct kms_node_params {
	struct address tx_sender, signer;
	struct bytes ip_address, storage_url, mpc_identity, ca_cert, storage_prefix;
	int32_t party_id;
};

struct pcr_values {
	struct bytes pcr[3];
};

struct new_context {
	struct u256 previous;
	const struct kms_node_params *nodes; /* in the arena, as all below */
	size_t nodes_n;
	int32_t threshold; /* thresholds.mpc */
	struct bytes software_version;
	const struct pcr_values *pcrs;
	size_t pcrs_n;
};
/* Views into `content`. ERR_TOO_BIG: a threshold that no core can have. */
enum err new_context_decode(struct arena *a, struct new_context *ret,
			    struct bytes content) MUST_USE;
/* What the contract keeps of a context: the hash of its nodes, thresholds, version and PCRs. */
struct hash32 new_context_info_hash(struct bytes content);

struct new_epoch {
	struct u256 context, previous_context, previous_epoch;
	struct block_number material_block;
};
enum err new_epoch_decode(struct new_epoch *ret, struct bytes content) MUST_USE;

/* 0x02 || context || epoch: what the results of an epoch are signed with. */
enum {
	EPOCH_EXTRA_DATA_SIZE = 65
};
void epoch_extra_data(uint8_t out[EPOCH_EXTRA_DATA_SIZE], struct u256 context, struct u256 epoch);

/* ---- answers ---- */

struct epoch_key {
	struct u256 prep_id, key_id;
	const struct key_digest *digests;
	size_t digests_n;
	struct bytes signature;
};
struct epoch_crs {
	struct u256 crs_id, max_bits;
	struct bytes digest, signature;
};
enum err confirm_context_call(struct buf *out, struct u256 context) MUST_USE;
enum err confirm_epoch_call(struct buf *out, struct u256 epoch, const struct epoch_key *keys,
			    size_t keys_n, const struct epoch_crs *crss, size_t crss_n) MUST_USE;

/* ---- views ---- */

enum err context_anchor_call(struct buf *out, struct u256 context) MUST_USE;
enum err context_anchor_result(struct block_number *ret_block, struct hash32 *ret_hash,
			       struct bytes data) MUST_USE;
enum err is_live_context_call(struct buf *out, struct u256 context) MUST_USE; /* view_bool_result */
enum err current_context_and_epoch_call(struct buf *out) MUST_USE;
enum err current_context_and_epoch_result(struct u256 *ret_context, struct u256 *ret_epoch,
					  struct bytes data) MUST_USE;

#endif

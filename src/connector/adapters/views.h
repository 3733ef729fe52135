/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Adapters of the contracts that the worker only reads: each function encodes one view call or
 * decodes its result. They know no transport. Results are strict: a bool is one word, 0 or 1; empty
 * data (no such contract or function) is ERR_MALFORMED.
 */
#ifndef CONNECTOR_ADAPTERS_VIEWS_H
#define CONNECTOR_ADAPTERS_VIEWS_H

#include "eth/abi.h"

/* ---- ACL, host chain ---- */
enum err acl_is_allowed_for_decryption_call(struct buf *out, const struct hash32 *handle) MUST_USE;
enum err acl_is_allowed_call(struct buf *out, const struct hash32 *handle,
			     struct address account) MUST_USE;
enum err acl_is_delegated_call(struct buf *out, struct address delegator, struct address delegate,
			       struct address contract, const struct hash32 *handle) MUST_USE;
/* What the account signed to hold from before this time is void: view_u256_result, in seconds. */
enum err acl_signatures_void_before_call(struct buf *out, struct address account) MUST_USE;

/* ---- an account that is a contract (ERC-1271) ---- */
enum err account_is_valid_signature_call(struct buf *out, const struct hash32 *digest,
					 struct bytes signature) MUST_USE;
/* Whatever is not the standard's answer is a no; a contract that is not there answers nothing. */
bool account_says_valid(struct bytes data);

/* ---- GatewayConfig (gateway) and ProtocolConfig (ethereum): contexts ---- */
enum err config_is_valid_kms_context_call(struct buf *out, struct u256 context) MUST_USE;
enum err config_is_valid_epoch_for_context_call(struct buf *out, struct u256 context,
						struct u256 epoch) MUST_USE;

/* ---- GatewayConfig: KMS nodes ---- */
/* Of the current context, in all generations; of a context, since there are contexts (an unknown
 * one reverts). */
enum err gateway_config_is_kms_signer_call(struct buf *out, struct address signer) MUST_USE;
enum err gateway_config_is_kms_signer_for_context_call(struct buf *out, struct u256 context,
						       struct address signer) MUST_USE;

/* The result of any of the above. */
enum err view_bool_result(bool *ret_value, struct bytes data) MUST_USE;
enum err view_u256_result(struct u256 *ret_value, struct bytes data) MUST_USE;

/* ---- GatewayConfig: coprocessors ---- */
struct coprocessor {
	struct address tx_sender;
	struct address signer;
	struct bytes bucket_url; /* as registered: may be empty or nonsense */
};
enum err gateway_config_signers_call(struct buf *out) MUST_USE;
enum err gateway_config_tx_senders_call(struct buf *out) MUST_USE;
enum err gateway_config_threshold_call(struct buf *out) MUST_USE;
enum err gateway_config_coprocessor_call(struct buf *out, struct address tx_sender) MUST_USE;

/* At most COPROCESSORS_MAX, else ERR_TOO_BIG; memory in the arena. */
enum err gateway_config_addresses_result(struct arena *a, const struct address **ret_list,
					 size_t *ret_n, struct bytes data) MUST_USE;
/* 1 .. COPROCESSORS_MAX; anything else is ERR_MISMATCH: the registry cannot be used. */
enum err gateway_config_threshold_result(size_t *ret_threshold, struct bytes data) MUST_USE;
/* The URL is copied into the arena. */
enum err gateway_config_coprocessor_result(struct arena *a, struct coprocessor *ret,
					   struct bytes data) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The surroundings of one connector in the simulated world: a gateway with its contracts, one host
 * chain with its ACL, three coprocessors with a bucket each, one core. Services are started on it
 * with `env`.
 */
#ifndef TEST_CONNECTOR_WORLD_H
#define TEST_CONNECTOR_WORLD_H

#include "connector/adapters/decryption.h"
#include "connector/worker/attestation.h"
#include "eth/eip712.h"
#include "sim.h"

enum {
	WORLD_COPROCESSORS = 3,
	WORLD_GATEWAY_CHAIN = 54321,
	WORLD_HOST_CHAIN = 12345,
	WORLD_HANDLES_MAX = 200
};

struct world {
	struct arena kept;
	struct sim sim;
	struct sim_net net;
	struct sim_chain gateway, host;
	struct sim_bucket buckets[WORLD_COPROCESSORS];
	struct sim_core core;
	struct ecdsa *ecdsa;
	struct eip712_domain domain;

	/* the contracts' state */
	struct address decryption, gateway_config, acl;
	struct secret32 coprocessor_keys[WORLD_COPROCESSORS];
	struct address signers[WORLD_COPROCESSORS], tx_senders[WORLD_COPROCESSORS];
	const char *urls[WORLD_COPROCESSORS];
	size_t threshold;
	struct hash32 allowed[WORLD_HANDLES_MAX];
	size_t allowed_n;
	struct world_grant { /* isAllowed; with a delegator: delegated to `account` for `contract`
			      */
		struct hash32 handle;
		struct address account, delegator, contract;
		bool delegated;
	} grants[32];
	size_t grants_n;
	struct u256 void_before;
	struct address wallet; /* a contract that answers isValidSignature */
	struct bytes wallet_says;
	bool wallet_reverts;
	unsigned wallet_calls;
	uint64_t wallet_gas; /* of the last such call */
	struct u256 valid_context;
	struct address kms_signer; /* the core's, in the valid context */
	bool kms_signers_unknown;  /* a GatewayConfig that has no such view */
	unsigned signer_calls, context_signer_calls;
	unsigned acl_calls;

	/* env */
	struct provider *gateway_provider, *host_provider;
	struct provider *hosts[1];
	struct channel *cores[1];
	struct host_chain_config host_config;
	struct connector_config config;
	struct log log; /* world_log_keep, world_log_count */
	struct connector_metrics metrics;
	struct inflight inflight;
	struct connector_env env;
};

void world_init(struct world *w, uint64_t seed);
void world_free(struct world *w); /* services must have stopped */

/* A handle of the host chain: `tag` makes it unique. */
struct hash32 world_handle(uint8_t tag, uint8_t fhe_type);
void world_allow(struct world *w, struct hash32 handle);

/* Put a ciphertext's object where both schemes look, in one bucket; attested by that coprocessor.
 */
struct sim_object *world_publish_attested(struct world *w, unsigned coprocessor,
					  struct hash32 handle, struct bytes body);
struct sim_object *world_publish_committed(struct world *w, unsigned coprocessor,
					   struct bytes body);

/* Write an attestation of `body` as it may be, into the object. */
void world_attest(struct world *w, struct sim_object *o, unsigned coprocessor, struct hash32 handle,
		  struct bytes body, uint64_t key_id);

/* Emit a public decryption request in the gateway's head block: legacy form (committed by
 * `committers` bits), handle form, or both. */
enum {
	WORLD_LEGACY = 1,
	WORLD_HANDLES = 2
};
void world_request(struct world *w, uint64_t id, const struct hash32 *handles, size_t n,
		   struct bytes extra_data, unsigned forms, unsigned committers, struct bytes body);

/* Insert a row directly, as the listener would. */
void world_insert(struct world *w, uint64_t id, const struct hash32 *handles, size_t n,
		  struct bytes extra_data, unsigned committers, struct bytes body);

/* op_add_insert and the index of its handles. */
void world_add_insert(struct world *w, struct store_batch *b, const struct operation *op);

/* The same of a user decryption; both forms of it. `committers` as above, 0: handles only. */
void world_insert_user(struct world *w, uint64_t id, const struct decryption_request *request,
		       unsigned committers, struct bytes body);
/* Its logs in the gateway's head block, in both generations. */
void world_request_user(struct world *w, uint64_t id, const struct decryption_request *request,
			unsigned committers, struct bytes body);
void world_grant(struct world *w, struct hash32 handle, struct address account);
void world_delegate(struct world *w, struct hash32 handle, struct address delegator,
		    struct address delegate, struct address contract);

/* Of every call that the core gets (spy.c; `ctx` is a world): the row of what it is about has a
 * proof that is complete and its own, and the bytes that go out are those that the proof names. */
void spy_on_core(void *ctx, const struct rpc_call *call);

/* State of the only row, or of request `id`. */
const char *world_state(struct world *w, uint64_t id);
const char *world_reason(struct world *w, uint64_t id);
bool world_wait_state(struct world *w, uint64_t id, const char *state, int64_t ms);

/* From now on what is logged is kept; lines that have `words`. */
void world_log_keep(struct world *w);
unsigned world_log_count(struct world *w, const char *words);

#endif

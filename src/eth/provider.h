/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Provider: the traffic with one chain over JSON-RPC. It knows no contract; the adapters of
 * connector/adapters know contracts and no transport.
 *
 * A chain may have several endpoints. One is asked after the other, in the order of configuration,
 * until one answers; where a quorum is wanted, as many as that must say the same. An endpoint is
 * believed only while it serves the right chain, and of several only while it keeps in step with
 * the others (provider_options.verify_chain and below).
 *
 * Errors in replies: ERR_NOT_READY (no quorum, or nobody has reached that block yet), ERR_TIMEOUT,
 * ERR_UNAVAILABLE (transport); ERR_MALFORMED, ERR_TOO_BIG, ERR_MISMATCH (a lying or broken
 * endpoint); ERR_REMOTE (the node answered with a JSON-RPC error: code, message and revert data are
 * given). `done` comes exactly once, later, on the loop thread, unless cancelled by provider_free.
 */
#ifndef ETH_PROVIDER_H
#define ETH_PROVIDER_H

#include "base/arena.h"
#include "base/breaker.h"
#include "base/json.h"
#include "base/u256.h"
#include "net/transport.h"

struct provider;
struct provider_event;
typedef void provider_event_fn(void *ctx, const struct provider_event *e);

struct provider_options {
	const char *url; /* copied */
	struct chain_id chain_id;
	int64_t timeout_ms;     /* of one request from the call to its reply, waiting for a slot
				   included */
	unsigned in_flight_max; /* further requests wait in order; 0 = 64 */

	/* More endpoints of the same chain, asked in this order after `url`; copied. In all at most
	 * PROVIDER_ENDPOINTS_MAX. */
	const char *const *more_urls;
	size_t more_urls_n;
	/*
	 * So many endpoints must agree on logs, calls, blocks, receipts and transactions; 0 and 1:
	 * one is enough. "latest" is then the newest block that so many have reached.
	 */
	unsigned quorum;
	/* Nothing is read from an endpoint before it has said the right chain id. Always so where
	 * there are several. */
	bool verify_chain;
	int64_t head_poll_ms; /* how often the heads of several are read; 0 = 1000 */

	provider_event_fn *event; /* NULL: nobody listens */
	void *event_ctx;
};

/* What the service should log. Called on the loop thread, from inside; it must not call the
 * provider. Hosts only: no path, no credentials. */
enum provider_event_kind {
	PROVIDER_WRONG_CHAIN,   /* it serves `chain_id`: nothing is read from it */
	PROVIDER_ENDPOINT_DOWN, /* its breaker opened; `detail` is the last error */
	PROVIDER_ENDPOINT_UP,
	PROVIDER_DISAGREED, /* to `method`; `detail` says who said what, by digest */
};
struct provider_event {
	enum provider_event_kind kind;
	const char *host;
	uint64_t chain_id;
	const char *method; /* NULL but for PROVIDER_DISAGREED */
	const char *detail;
};

/* What may wait for a slot; ERR_BUSY beyond. */
enum {
	PROVIDER_WAITING_MAX = 4096,
	PROVIDER_WAITING_BYTES_MAX = 64 << 20
};

enum err provider_new(struct provider **ret_provider, struct transport *transport,
		      struct clock *clock, const struct provider_options *opts,
		      struct err_note *note) MUST_USE;
void provider_free(struct provider *p); /* cancels all: no done is called any more */

struct chain_id provider_chain_id(const struct provider *p);
/* Whether every endpoint must have said the right chain id before anything is read from it. */
bool provider_verifies_chain(const struct provider *p);
/* Of the first endpoint, for logs: no path, no credentials. */
const char *provider_host(const struct provider *p);

/* For metrics and status. */
struct provider_endpoint {
	const char *host;
	enum breaker_state breaker;
	uint64_t opened, failures; /* ever */
	bool chain_right, head_known;
	struct block_number head;
	bool in_step; /* with the others: neither behind nor incredibly far ahead */
};
unsigned provider_endpoints_n(const struct provider *p);
void provider_endpoint_status(const struct provider *p, unsigned i,
			      struct provider_endpoint *ret_status);

/* What a node said. Everything in it is valid during the callback only. */
struct provider_error {
	enum err err;
	struct err_note note;
	int64_t rpc_code;         /* ERR_REMOTE */
	const char *rpc_message;  /* ERR_REMOTE; "" otherwise */
	struct bytes revert_data; /* ERR_REMOTE: decoded error.data, empty if there was none */
	unsigned endpoint;        /* who answered: for provider_head_of */
};

enum block_tag_kind {
	BLOCK_LATEST,
	BLOCK_SAFE,
	BLOCK_FINALIZED,
	BLOCK_PENDING,
	BLOCK_NUMBER
};
struct block_tag {
	enum block_tag_kind kind;
	struct block_number number; /* BLOCK_NUMBER */
};

/*
 * The mechanism under all helpers: `params` is a JSON array (borrowed), `result` is borrowed, NULL
 * on error. `method` is letters, digits and '_'; `reply_max` 0 means JSON_RPC_BODY_MAX. ERR_BUSY:
 * too many are waiting; ERR_TOO_BIG: the request passes JSON_RPC_REQUEST_MAX; ERR_RANGE, ERR_NOMEM.
 * These are also what the typed helpers return.
 */
typedef void provider_json_fn(void *ctx, const struct provider_error *e, const json_t *result);
enum err provider_request(struct provider *p, const char *method, json_t *params, size_t reply_max,
			  provider_json_fn *done, void *ctx) MUST_USE;

/* ---- typed helpers ---- */

struct block_head {
	struct block_number number;
	struct hash32 hash, parent_hash;
	uint64_t timestamp_s;
};
/* ERR_NOT_FOUND: the node does not have that block (yet). A pending block has no hash:
 * ERR_MALFORMED. */
typedef void provider_head_fn(void *ctx, const struct provider_error *e,
			      const struct block_head *head);
enum err provider_head(struct provider *p, struct block_tag tag, provider_head_fn *done,
		       void *ctx) MUST_USE;

/* The same from one endpoint alone, the one whose answer it belongs to. Where a quorum is wanted,
 * from as many as that. */
enum err provider_head_of(struct provider *p, unsigned endpoint, struct block_tag tag,
			  provider_head_fn *done, void *ctx) MUST_USE;

typedef void provider_u64_fn(void *ctx, const struct provider_error *e, uint64_t value);
enum err provider_get_chain_id(struct provider *p, provider_u64_fn *done,
			       void *ctx) MUST_USE; /* eth_chainId */
enum err provider_nonce(struct provider *p, struct address account, struct block_tag tag,
			provider_u64_fn *done, void *ctx) MUST_USE;

struct call_msg {
	struct address from;
	struct address to;
	struct bytes data;
	uint64_t gas; /* 0 = not given */
	bool create;  /* `data` is a constructor, and there is no `to`: what it returns is the
			 result */
};
typedef void provider_bytes_fn(void *ctx, const struct provider_error *e, struct bytes data);
enum err provider_call(struct provider *p, const struct call_msg *msg, struct block_tag at,
		       provider_bytes_fn *done, void *ctx) MUST_USE;
enum err provider_estimate_gas(struct provider *p, const struct call_msg *msg,
			       provider_u64_fn *done, void *ctx) MUST_USE;

struct event_log {
	struct address address;
	struct hash32 topics[4];
	unsigned topics_n;
	struct bytes data;
	struct block_number block;
	struct hash32 block_hash;
	struct hash32 tx_hash;
	uint64_t log_index;
	bool removed;
};
struct log_filter {
	const struct address *addresses;
	size_t addresses_n;
	const struct hash32 *topic0; /* any of */
	size_t topic0_n;
	struct block_number from, to; /* inclusive */
};
/*
 * Logs outside the filter (address, topic, range), removed ones, two with one index and two hashes
 * for one block make the whole reply ERR_MISMATCH; more than LOGS_PER_WINDOW_MAX make it
 * ERR_TOO_BIG. Sorted by (block, index). ERR_RANGE: from is after to.
 */
typedef void provider_logs_fn(void *ctx, const struct provider_error *e,
			      const struct event_log *logs, size_t logs_n);
enum err provider_logs(struct provider *p, const struct log_filter *filter, provider_logs_fn *done,
		       void *ctx) MUST_USE;

struct fee_history {
	struct wei base_fee_next;
	struct wei priority; /* median of the 20th percentiles that are not zero, at least 1 wei */
};
typedef void provider_fee_fn(void *ctx, const struct provider_error *e,
			     const struct fee_history *fee);
enum err provider_fee_history(struct provider *p, provider_fee_fn *done, void *ctx) MUST_USE;

typedef void provider_hash_fn(void *ctx, const struct provider_error *e, const struct hash32 *hash);
enum err provider_send_raw(struct provider *p, struct bytes raw, provider_hash_fn *done,
			   void *ctx) MUST_USE;

struct receipt {
	struct hash32 tx_hash;
	bool success;
	struct block_number block;
	struct hash32 block_hash;
	uint64_t gas_used;
};
/* `receipt` is NULL with e->err == ERR_OK when the node has none (yet). */
typedef void provider_receipt_fn(void *ctx, const struct provider_error *e,
				 const struct receipt *receipt);
enum err provider_receipt(struct provider *p, struct hash32 tx, provider_receipt_fn *done,
			  void *ctx) MUST_USE;

/*
 * eth_sendRawTransactionSync (EIP-7966): the reply waits for the block. ERR_REMOTE with code 4:
 * sent, and not in a block in the node's time; a node without the method says so with -32601, if it
 * keeps to the standard.
 */
enum err provider_send_raw_sync(struct provider *p, struct bytes raw, provider_receipt_fn *done,
				void *ctx) MUST_USE;

struct transaction {
	struct hash32 hash;
	bool creates; /* a contract: `to` means nothing */
	struct address to;
	struct bytes input;
};
/* `transaction` is NULL with e->err == ERR_OK when the node does not know it (yet). */
typedef void provider_transaction_fn(void *ctx, const struct provider_error *e,
				     const struct transaction *transaction);
enum err provider_transaction(struct provider *p, struct hash32 tx, provider_transaction_fn *done,
			      void *ctx) MUST_USE;

#endif

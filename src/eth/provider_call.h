/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside eth/ only: one JSON-RPC call from its first byte to its callback. */
#ifndef ETH_PROVIDER_CALL_H
#define ETH_PROVIDER_CALL_H

#include "eth/provider.h"

struct call;

/* Turns the result into what the caller's function takes and calls it, once. With e->err set,
 * `result` is NULL. */
typedef void call_finish_fn(struct call *c, struct provider_error *e, const json_t *result);

enum {
	METHOD_SIZE = 48
};

struct call {
	/* for the helper that makes the call */
	call_finish_fn *finish;
	union {
		provider_json_fn *json;
		provider_head_fn *head;
		provider_u64_fn *u64;
		provider_bytes_fn *bytes;
		provider_logs_fn *logs;
		provider_fee_fn *fee;
		provider_hash_fn *hash;
		provider_receipt_fn *receipt;
		provider_transaction_fn *transaction;
	} done;
	void *ctx;
	struct hash32 hash;       /* what the reply must name */
	struct block_tag tag;     /* likewise */
	struct log_filter filter; /* its arrays lie in `arena` */
	struct arena arena;

	/* the provider's */
	struct provider *provider;
	struct call *prev, *next;
	uint64_t id;
	char method[METHOD_SIZE];
	struct buf *request; /* while it is written: the provider's one buffer */
	struct buf body;     /* while it waits */
	size_t reply_max;
	int64_t deadline_ms;
	struct http_ticket ticket;
	enum err failed;
};

/*
 * Start a request: the caller appends the params, a JSON array, to (*ret_call)->request and submits
 * before anything else is begun. call_drop throws it away (for CLEANUP); submit takes it and leaves
 * NULL.
 */
enum err provider_begin(struct provider *p, struct call **ret_call, const char *method) MUST_USE;
enum err provider_submit(struct provider *p, struct call **call, size_t reply_max) MUST_USE;
void call_drop(struct call **call);

/* Note a reply that does not hold what the method promises. Keeps an error that stands already. */
void call_fail(struct call *c, struct provider_error *e, enum err err, const char *what);

/* "0x1f" between quotes; a block tag likewise. */
enum err call_add_quantity(struct call *c, uint64_t v) MUST_USE;
enum err call_add_hex(struct call *c, struct bytes v) MUST_USE;
enum err call_add_tag(struct call *c, struct block_tag tag) MUST_USE;

#endif

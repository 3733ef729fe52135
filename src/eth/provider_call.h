/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside eth/ only: the provider, and one JSON-RPC call from its first byte to its callback. */
#ifndef ETH_PROVIDER_CALL_H
#define ETH_PROVIDER_CALL_H

#include "base/limits.h"
#include "eth/provider.h"
#include "eth/rpc_endpoints.h"

struct call;

/* Turns the result into what the caller's function takes and calls it, once. With e->err set,
 * `result` is NULL. */
typedef void call_finish_fn(struct call *c, struct provider_error *e, const json_t *result);

/*
 * Whether the result is what the method promises (else call_fail), and its digest: two endpoints
 * that say the same have the same. A node that does not have the thing (yet) says nothing that
 * others could contradict: then `absent`. Used where there are several endpoints.
 */
struct rpc_vote {
	bool cast, absent;
	struct hash32 digest;
	bool measured;      /* a number, and what it is measured by: */
	struct u256 height; /* of call.measures */
	struct fee_history fee;
};
typedef void call_judge_fn(struct call *c, struct provider_error *e, const json_t *result,
			   struct rpc_vote *vote);

enum {
	METHOD_SIZE = 48,
	PIN_SIZE = 20, /* "0x" and 16 digits between quotes */
};

/* One endpoint that is asked. */
struct attempt {
	struct call *call;
	struct http_ticket ticket;
	bool open;
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
	call_judge_fn *judge;          /* NULL: any result will do */
	bool votes;                    /* the provider's quorum must agree */
	bool measures;                 /* it need not: honest ones may differ; see call_settled */
	const struct rpc_vote *chosen; /* for `finish` of such a call; NULL: the result itself */
	bool any_chain;                /* may go to an endpoint of another chain */
	bool errors_are_final; /* the node's own error is the answer: nobody else is asked */
	unsigned only;         /* endpoint + 1 that is asked alone; 0 = any */

	/* the provider's */
	struct provider *provider;
	struct call *prev, *next;
	uint64_t id;
	char method[METHOD_SIZE];
	struct buf *request; /* while it is written: the provider's one buffer */
	struct buf body;     /* while it waits */
	size_t reply_max;
	int64_t deadline_ms;
	size_t pin_at;  /* where in the request a block number takes the place of "latest"; 0 = none
			 */
	bool has_block; /* the endpoint must have reached `block` */
	uint64_t block;
	struct attempt attempts[PROVIDER_ENDPOINTS_MAX];
	unsigned open_n;
	uint32_t tried; /* bit set */
	struct rpc_vote cast[PROVIDER_ENDPOINTS_MAX];
	enum err failed;
	struct err_note failed_note;
};

struct call_list {
	struct call *first, *last;
	size_t n;
};

struct provider {
	struct transport *transport;
	struct clock *clock;
	struct rpc_endpoints *endpoints;
	bool managed; /* endpoints are chosen; else there is one and it is asked */
	unsigned quorum;
	provider_event_fn *event;
	void *event_ctx;
	struct chain_id chain_id;
	int64_t timeout_ms;
	unsigned in_flight_max;
	uint64_t next_id;
	struct buf request;
	bool request_open; /* a call is being written */
	struct call_list running, waiting, failed;
	size_t waiting_bytes;
	struct timer timer;  /* delivers `failed` */
	struct timer expiry; /* the deadline of the call that waits longest */
};

/* ---- provider_route.c: whom a call is put to ---- */

/* Asks one endpoint, or a quorum of them. ERR_NOT_READY: not enough of them can be asked now. */
enum err call_start(struct call *c, struct bytes body, http_done_fn *done) MUST_USE;
void call_cancel(struct call *c);

/*
 * One attempt has ended, as *e and `result` say. True: that is the answer, or *e is changed to why
 * there is none. False: others are still asked.
 *
 * Of a call that measures, with a quorum of q, all that can be asked are, unless q say the same;
 * the answer is the q-th highest. So that many endpoints say at least as much, and fewer than q
 * that lie cannot raise it above what an honest one says; nor can they lower it below that where
 * there are enough others.
 */
bool call_settled(struct call *c, unsigned endpoint, struct provider_error *e, const json_t *result,
		  http_done_fn *done);

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
/* The first parameter of eth_call and eth_estimateGas. */
enum err call_add_msg(struct call *c, const struct call_msg *msg) MUST_USE;

/* Ceilings of replies. */
enum {
	SMALL_REPLY_MAX = 64 << 10, /* a number or a hash, or an error in words */
	CALL_REPLY_MAX = 1 << 20,   /* what a contract returns or reverts with, two digits a byte */
};

#endif

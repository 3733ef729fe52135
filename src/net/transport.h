/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Seam 3 of 5: HTTP, request -> reply, asynchronous. JSON-RPC, object stores and AWS go through it.
 *
 * The real one (transport_curl) is libcurl multi on the loop, HTTP/1.1, no redirects, http and
 * https only. Tests and the simulator give their own. Called on the loop thread; `done` is called
 * exactly once per request, always later (never from inside send), unless the request was
 * cancelled: then never.
 */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include "base/bytes.h"
#include "net/loop.h"

struct http_header {
	const char *name;
	const char *value;
};

/* A piece of a reply's body as it comes, in order, before `done` and with its ctx. It must call
 * nothing of the transport. */
typedef void http_piece_fn(void *ctx, struct bytes piece);

struct http_request {
	const char *method; /* "GET", "HEAD", "POST", "PUT" */
	const char *url;
	const struct http_header *headers;
	size_t headers_n;
	struct bytes body;          /* copied */
	int64_t timeout_ms;         /* whole request, > 0 */
	int64_t connect_timeout_ms; /* 0 = timeout_ms */
	size_t body_max; /* reply body ceiling: ERR_TOO_BIG beyond, also by Content-Length before
			    any byte */
	http_piece_fn *piece; /* NULL: nobody wants to know */
	bool direct;          /* never by a proxy: for addresses that mean another machine there */
	bool secret; /* headers or bodies hold secrets: our copies are wiped, and body_max is
			set aside at once. Who takes the reply's buffer wipes it. */
};

/*
 * With ERR_OK status, headers and body are there, whatever the status says. With any other error
 * only `err` and `note` are: status 0, no headers, an empty body, and no `owner` to take from.
 * Everything is valid during the callback only.
 */
struct http_reply {
	enum err err;
	struct err_note note;
	int status; /* 200, 404, … */
	struct bytes body;
	struct buf *owner; /* the buffer under body: a callback may buf_take it, to keep it */
	const struct http_header *headers; /* names in lower case */
	size_t headers_n;
};

typedef void http_done_fn(void *ctx, const struct http_reply *reply);

struct transport;

/* Identifies a running request for cancelling. All-zero stands for none. */
struct http_ticket {
	uint64_t id;
};

struct transport_ops {
	/*
	 * Everything in `req` is copied. ret_ticket must not be NULL; it is written on success, and
	 * before any `done`. ERR_BUSY at HTTP_IN_FLIGHT_MAX, ERR_RANGE without a timeout,
	 * ERR_BAD_REQUEST for a URL, method or header that is none, ERR_NOMEM.
	 */
	enum err (*send)(struct transport *t, struct http_ticket *ret_ticket,
			 const struct http_request *req, http_done_fn *done, void *ctx);
	/* Unknown and finished tickets are fine, and so is 0: no request has it. */
	void (*cancel)(struct transport *t, struct http_ticket ticket);
	void (*free)(struct transport *t); /* cancels all; allowed inside a done */
};

struct transport {
	const struct transport_ops *ops;
};

static inline MUST_USE enum err transport_send(struct transport *t, struct http_ticket *ret_ticket,
					       const struct http_request *req, http_done_fn *done,
					       void *ctx)
{
	return t->ops->send(t, ret_ticket, req, done, ctx);
}
static inline void transport_cancel(struct transport *t, struct http_ticket ticket)
{
	t->ops->cancel(t, ticket);
}
static inline void transport_free(struct transport *t)
{
	if (t)
		t->ops->free(t);
}

/* Value of a header by lower-case name; NULL if absent. */
const char *http_reply_header(const struct http_reply *reply, const char *name);

/*
 * In front of another transport: requests to ws:// and wss:// URLs, which must be POST with a
 * JSON-RPC 2.0 request that begins {"jsonrpc":"2.0","id":NUMBER, go over a WebSocket that stays
 * open, one for each URL as long as ids differ; replies look like HTTP's with status 200. All
 * others go to `inner`, which is the new one's, also on failure. ERR_NOMEM.
 */
enum err transport_ws_new(struct transport **ret_transport, struct loop *loop,
			  struct transport *inner) MUST_USE;

enum err transport_curl_new(struct transport **ret_transport, struct loop *loop) MUST_USE;

#endif

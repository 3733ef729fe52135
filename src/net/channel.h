/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Seam 4 of 5: unary gRPC, call -> reply, asynchronous.
 *
 * The real one (channel_grpc) is our HTTP/2 client on nghttp2: one connection per channel, made at
 * the first call and made again when lost. Calls on the loop thread; `done` exactly once, always
 * later, unless cancelled.
 */
#ifndef NET_CHANNEL_H
#define NET_CHANNEL_H

#include "base/bytes.h"
#include "net/loop.h"

/* The codes of gRPC, by their numbers on the wire. */
enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

/* "NOT_FOUND"; "UNKNOWN" for a number outside the list. */
const char *grpc_status_name(enum grpc_status s);

struct rpc_call {
	const char *path;     /* "/kms_service.v1.CoreServiceEndpoint/PublicDecrypt" */
	struct bytes message; /* the packed request; copied */
	int64_t timeout_ms;   /* > 0; also sent as grpc-timeout */
	size_t reply_max;     /* <= GRPC_MESSAGE_MAX */
	/* Metadata of W3C Trace Context, copied; NULL or "": none. At most TRACEPARENT_SIZE - 1
	 * characters are sent, and what is longer is not. */
	const char *traceparent;
};

/*
 * Transport failures are statuses too, as gRPC defines them: no connection = UNAVAILABLE, deadline
 * = DEADLINE_EXCEEDED; `text` is then ours. `text` and `message` are valid during the callback
 * only.
 */
struct rpc_reply {
	enum grpc_status status;
	const char *text;     /* grpc-message, decoded, printable; "" if none, never NULL */
	struct bytes message; /* GRPC_OK only, otherwise empty */
};

typedef void rpc_done_fn(void *ctx, const struct rpc_reply *reply);

struct channel;

/* Identifies a running call for cancelling. All-zero stands for none. */
struct rpc_ticket {
	uint64_t id;
};

struct channel_ops {
	/* path and message are copied. ret_ticket must not be NULL; it is written on success, and
	 * before any `done`. */
	enum err (*call)(struct channel *c, struct rpc_ticket *ret_ticket,
			 const struct rpc_call *call, rpc_done_fn *done, void *ctx);
	/* Unknown and finished tickets are fine, and so is 0: no call has it. */
	void (*cancel)(struct channel *c, struct rpc_ticket ticket);
	void (*free)(struct channel *c); /* cancels all; allowed inside a done */
};

struct channel {
	const struct channel_ops *ops;
};

static inline MUST_USE enum err channel_call(struct channel *c, struct rpc_ticket *ret_ticket,
					     const struct rpc_call *call, rpc_done_fn *done,
					     void *ctx)
{
	return c->ops->call(c, ret_ticket, call, done, ctx);
}
static inline void channel_cancel(struct channel *c, struct rpc_ticket ticket)
{
	c->ops->cancel(c, ticket);
}
static inline void channel_free(struct channel *c)
{
	if (c)
		c->ops->free(c);
}

struct tls;

struct channel_grpc_options {
	/* "http://host:port" (HTTP/2 with prior knowledge), "https://host:port" or "unix:PATH" */
	const char *url;
	/*
	 * https only, and there required: our certificate, and whose we accept. Without identities
	 * in it the server's certificate must name the host of the URL. Lives longer than the
	 * channel.
	 */
	const struct tls *tls;
	/* https: the one name that the server's certificate must be for, whatever the URL and `tls`
	 * say. NULL or "": those do. */
	const char *identity;
	int64_t keepalive_ms;         /* 0 = GRPC_KEEPALIVE_MS */
	int64_t keepalive_timeout_ms; /* 0 = GRPC_KEEPALIVE_TIMEOUT_MS */
};

/*
 * No connection is made yet. Errors: ERR_CONFIG_VALUE with a note.
 *
 * A call: ERR_RANGE for a timeout, path or reply_max outside its bounds. When connections fail
 * twice in a row, calls fail UNAVAILABLE at once for a while (50 ms, growing to 1 s) instead of
 * trying again. After GOAWAY calls that have not left fail UNAVAILABLE at once, the others go on.
 * Over TLS a call leaves when the server has accepted our certificate and spoken HTTP/2, not
 * before. When a server with calls open is silent for keepalive_ms it is asked by PING; without an
 * answer the connection is lost.
 */
enum err channel_grpc_open(struct channel **ret_channel, struct loop *loop,
			   const struct channel_grpc_options *options,
			   struct err_note *note) MUST_USE;

/* How an URL of channel_grpc_open is protected, for checks before there is a loop.
 * ERR_CONFIG_VALUE with a note. */
enum channel_grpc_way {
	CHANNEL_GRPC_UNIX,     /* a socket file: its mode */
	CHANNEL_GRPC_LOOPBACK, /* http to this machine: not at all from its other users */
	CHANNEL_GRPC_PLAIN,    /* http to elsewhere: not at all */
	CHANNEL_GRPC_TLS,
};
enum err channel_grpc_url_way(enum channel_grpc_way *ret_way, const char *url,
			      struct err_note *note) MUST_USE;

/* After tls_reload: the next call makes a connection of its own, at once; calls in progress end on
 * theirs. Of a channel that channel_grpc_open or channel_grpc_new made. */
void channel_grpc_renew(struct channel *c);

/* Without TLS. */
enum err channel_grpc_new(struct channel **ret_channel, struct loop *loop, const char *url,
			  struct err_note *note) MUST_USE;

#endif

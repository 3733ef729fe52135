/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Unary gRPC server on nghttp2, on the loop.
 *
 * A service is a table of methods. A handler may answer at once or keep the call and answer later
 * from the loop thread (long polls do). A call stays valid until it is answered, even when the peer
 * is gone: the answer is dropped then. The bytes of all calls, requests and replies not yet taken,
 * count against one budget: beyond it, requests get RESOURCE_EXHAUSTED.
 *
 * A peer is who its certificate names, or without TLS its address (of IPv6 the first 64 bits; of a
 * Unix socket the user who connected). Connections, calls and bytes of one peer are bounded on
 * their own.
 */
#ifndef NET_GRPC_SERVER_H
#define NET_GRPC_SERVER_H

#include "net/channel.h"
#include "net/tls.h"

struct grpc_server;
struct grpc_call;

typedef void grpc_handler_fn(void *ctx, struct grpc_call *call);

struct grpc_method {
	const char *path; /* "/grpc.health.v1.Health/Check" */
	grpc_handler_fn *handler;
	size_t request_max; /* 0 = GRPC_MESSAGE_MAX */
};

/* 0 = the value of base/limits.h by the same name. */
struct grpc_server_limits {
	size_t connections;           /* GRPC_CONNECTIONS_MAX */
	size_t in_flight_bytes;       /* GRPC_IN_FLIGHT_BYTES_MAX */
	size_t peer_connections;      /* GRPC_PEER_CONNECTIONS_MAX */
	size_t peer_calls;            /* GRPC_PEER_CALLS_MAX */
	size_t peer_in_flight_bytes;  /* GRPC_PEER_IN_FLIGHT_BYTES_MAX */
	int64_t handshake_ms;         /* GRPC_HANDSHAKE_TIMEOUT_MS: TLS and HTTP/2 together */
	int64_t idle_ms;              /* GRPC_IDLE_TIMEOUT_MS */
	int64_t body_ms;              /* GRPC_BODY_TIMEOUT_MS */
	int64_t body_rate_min;        /* GRPC_BODY_RATE_MIN, bytes a second */
	int64_t keepalive_ms;         /* GRPC_KEEPALIVE_MS */
	int64_t keepalive_timeout_ms; /* GRPC_KEEPALIVE_TIMEOUT_MS */
};

/* A connection was turned away or ended for a fault of the other side; for the log. `peer` is a
 * name as in struct grpc_peer. The server must not be freed in it. */
typedef void grpc_refused_fn(void *ctx, const char *peer, const char *why);

struct grpc_server_options {
	const char *listen; /* "127.0.0.1:50051", "[::1]:50051" or "unix:PATH" */
	const struct grpc_method *methods;
	size_t methods_n;
	void *ctx;                /* given to every handler, and to `refused` */
	const struct tls *tls;    /* NULL: plain text. Lives longer than the server */
	grpc_refused_fn *refused; /* may be NULL */
	void *refused_ctx;        /* given to `refused` instead; NULL: ctx */
	struct grpc_server_limits limits;
};

/* Listens when it returns. A taken port is ERR_CONFIG_VALUE with a note. Port 0 = any; see
 * grpc_server_port. */
enum err grpc_server_new(struct grpc_server **ret_server, struct loop *loop,
			 const struct grpc_server_options *opts, struct err_note *note) MUST_USE;
unsigned grpc_server_port(const struct grpc_server *s);

/* Stop accepting, send GOAWAY, let calls in progress finish for at most grace_ms; then drained(ctx)
 * is called. */
void grpc_server_drain(struct grpc_server *s, int64_t grace_ms, loop_fn *drained, void *ctx);

/* After tls_reload: sends GOAWAY on every connection, lets its calls finish, and goes on listening:
 * who comes again proves itself anew. Not from inside a handler: post it. */
void grpc_server_renew(struct grpc_server *s);

/* Closes everything at once. Calls not yet answered are answered for nobody: grpc_call_* on them
 * must not follow. Not from inside a handler: post it. */
void grpc_server_free(struct grpc_server *s);

/* The request message; valid until the call is answered. */
struct bytes grpc_call_request(const struct grpc_call *call);

/* ms left until the client's deadline, INT64_MAX without one. When it has passed the client has its
 * DEADLINE_EXCEEDED; the call waits for its answer all the same. */
int64_t grpc_call_time_left_ms(const struct grpc_call *call);

/* Who calls; valid until the call is answered. */
struct grpc_peer {
	const char *name;   /* "core-1.example"; "192.0.2.7", "2001:db8::/64" or
			       "unix:1000", a user's number */
	bool authenticated; /* the name is from a certificate that the server accepted */
	int64_t since_ms;   /* when it connected, on the loop's monotonic clock */
};
struct grpc_peer grpc_call_peer(const struct grpc_call *call);

/* Exactly one answer per call; the call is gone afterwards. The message is copied; `text` is for
 * people and may be NULL. */
void grpc_call_reply(struct grpc_call *call, struct bytes message);
void grpc_call_fail(struct grpc_call *call, enum grpc_status status, const char *text);

#endif

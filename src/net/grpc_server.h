/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Unary gRPC server on nghttp2, on the loop.
 *
 * A service is a table of methods. A handler may answer at once or keep the call and answer later
 * from the loop thread (long polls do). A call stays valid until it is answered, even when the peer
 * is gone: the answer is dropped then. All request bytes held by the server are bounded by
 * GRPC_IN_FLIGHT_BYTES_MAX: beyond, RESOURCE_EXHAUSTED.
 */
#ifndef NET_GRPC_SERVER_H
#define NET_GRPC_SERVER_H

#include "net/channel.h"

struct grpc_server;
struct grpc_call;

typedef void grpc_handler_fn(void *ctx, struct grpc_call *call);

struct grpc_method {
	const char *path; /* "/grpc.health.v1.Health/Check" */
	grpc_handler_fn *handler;
	size_t request_max; /* 0 = GRPC_MESSAGE_MAX */
};

struct grpc_server_options {
	const char *listen; /* "127.0.0.1:50051", "[::1]:50051" or "unix:PATH" */
	const struct grpc_method *methods;
	size_t methods_n;
	void *ctx; /* given to every handler */
};

/* Listens when it returns. A taken port is ERR_CONFIG_VALUE with a note. Port 0 = any; see
 * grpc_server_port. */
enum err grpc_server_new(struct grpc_server **ret_server, struct loop *loop,
			 const struct grpc_server_options *opts, struct err_note *note) MUST_USE;
unsigned grpc_server_port(const struct grpc_server *s);

/* Stop accepting, send GOAWAY, let calls in progress finish for at most grace_ms; then drained(ctx)
 * is called. */
void grpc_server_drain(struct grpc_server *s, int64_t grace_ms, loop_fn *drained, void *ctx);

/* Closes everything at once. Calls not yet answered are answered for nobody: grpc_call_* on them
 * must not follow. Not from inside a handler: post it. */
void grpc_server_free(struct grpc_server *s);

/* The request message; valid until the call is answered. */
struct bytes grpc_call_request(const struct grpc_call *call);

/* ms left until the client's deadline, INT64_MAX without one. */
int64_t grpc_call_time_left_ms(const struct grpc_call *call);

/* Exactly one answer per call; the call is gone afterwards. The message is copied; `text` is for
 * people and may be NULL. */
void grpc_call_reply(struct grpc_call *call, struct bytes message);
void grpc_call_fail(struct grpc_call *call, enum grpc_status status, const char *text);

#endif

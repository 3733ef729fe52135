/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside of the gRPC server, in three files: grpc_server.c listens, drains and ends; grpc_conn.c is
 * one connection (what HTTP/2 does); grpc_call.c is one call (request, handler, answer).
 */
#ifndef NET_GRPC_SERVER_INTERNAL_H
#define NET_GRPC_SERVER_INTERNAL_H

#include "base/limits.h"
#include "net/dial.h"
#include "net/grpc_server.h"
#include "net/h2.h"

/* Calls that handlers hold, those without a listener any more included. */
enum {
	GRPC_HELD_MAX = 16 * GRPC_STREAMS_MAX
};

enum grpc_call_state {
	GRPC_CALL_RECEIVING, /* the request is on its way */
	GRPC_CALL_READY,     /* whole; waits for its handler */
	GRPC_CALL_HELD,      /* the handler has it */
	GRPC_CALL_ANSWERED,  /* the answer is on its way */
};

struct grpc_call {
	struct h2_stream stream; /* first: user data of the stream */
	struct grpc_call *next;  /* in its connection's list, or among the server's orphans */
	struct grpc_call *prev;
	struct grpc_server *server;
	struct grpc_conn *conn; /* NULL when the peer is gone */
	enum grpc_call_state state;
	const struct grpc_method *method; /* NULL = unknown path */
	size_t charged;                   /* request bytes counted in server->in_flight */
	int64_t deadline_ms;
	bool is_post;
	bool grpc_content;
	bool bad_timeout;
	bool headers_too_big;
	bool stop_peer; /* answered before the request was whole */
};

/* In the order of arrival. */
struct grpc_call_list {
	struct grpc_call *first;
	struct grpc_call *last;
};

struct grpc_conn {
	struct grpc_server *server;
	struct grpc_conn *next;
	struct grpc_conn *prev;
	struct h2_io io;
	struct timer timer; /* handshake, then idle */
	bool settled;
	bool leaving; /* the last GOAWAY is sent */
	struct grpc_call_list calls;
	unsigned ready_n; /* of them, whole and not yet handled */
	int64_t active_ms;
	/* Streams that the peer reset before they were answered: a leaky bucket. */
	unsigned resets;
	int64_t resets_ms;
};

struct evconnlistener;

struct grpc_server {
	struct loop *loop;
	const struct grpc_method *methods;
	size_t methods_n;
	void *ctx;
	struct listen_socket socket;
	struct evconnlistener *listener; /* owns the descriptor */
	struct timer accept_again;
	struct grpc_conn *conns;
	size_t conns_n;
	struct grpc_call_list orphans; /* held by handlers, their peers are gone */
	size_t held_n;
	size_t in_flight;
	bool in_handler;

	bool draining;
	struct timer drain_timer;
	loop_fn *drained;
	void *drained_ctx;
};

/* grpc_call.c */
struct grpc_call *grpc_call_new(struct grpc_conn *c, int32_t id);
void grpc_call_header(struct grpc_call *call, struct bytes name, struct bytes value);
void grpc_call_headers_end(struct grpc_call *call);
void grpc_call_data(struct grpc_call *call, struct bytes piece);
void grpc_call_end(struct grpc_call *call);
/* The stream is gone; the call with it, unless a handler holds it. True if it was never answered.
 */
bool grpc_call_lost(struct grpc_call *call);
void grpc_call_free(struct grpc_call *call);
/* Gives whole requests of this connection to their handlers. Not from inside nghttp2. */
void grpc_calls_handle(struct grpc_conn *c);

/* grpc_conn.c */
/* Takes fd. Without memory it is closed: the peer may try again. */
void grpc_conn_accept(struct grpc_server *s, int fd);
void grpc_conn_close(struct grpc_conn *c);
void grpc_conn_drain(struct grpc_conn *c);

/* grpc_server.c: a connection closed. */
void grpc_server_conn_gone(struct grpc_server *s);

#endif

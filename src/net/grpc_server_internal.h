/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside of the gRPC server, in four files: grpc_server.c listens, drains and ends; grpc_conn.c is
 * one connection (what HTTP/2 does); grpc_call.c is one call (request, handler, answer);
 * grpc_peer.c counts what one peer has, on however many connections.
 */
#ifndef NET_GRPC_SERVER_INTERNAL_H
#define NET_GRPC_SERVER_INTERNAL_H

#include "base/limits.h"
#include "net/dial.h"
#include "net/grpc_server.h"
#include "net/h2.h"
#include "net/tls_internal.h"

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
	struct grpc_peer_entry *peer;
	enum grpc_call_state state;
	const struct grpc_method *method; /* NULL = unknown path */
	size_t charged; /* counted as in flight, of the request and of the reply */
	size_t reply_charged;
	int64_t deadline_ms;
	struct timer timer; /* deadline, and whether anything moves */
	int64_t begun_ms;
	int64_t since_ms; /* of its connection */
	int64_t moved_ms; /* RECEIVING: bytes came; ANSWERED: bytes were seen to leave */
	size_t sent;      /* of the answer, at moved_ms */
	bool is_post;
	bool grpc_content;
	bool bad_timeout;
	bool headers_too_big;
	bool too_many;  /* of this peer */
	bool stop_peer; /* answered before the request was whole */
};

/* In the order of arrival. */
struct grpc_call_list {
	struct grpc_call *first;
	struct grpc_call *last;
};

/* Lives as long as a connection or a call refers to it. */
struct grpc_peer_entry {
	struct grpc_peer_entry *next;
	struct grpc_server *server;
	size_t connections;
	size_t calls; /* also those whose connection is gone */
	size_t in_flight;
	bool authenticated;
	char name[TLS_NAME_SIZE];
};

struct grpc_conn {
	struct grpc_server *server;
	struct grpc_peer_entry *peer;    /* by address, after a TLS handshake by identity */
	struct tls_handshake *handshake; /* NULL once it is done */
	struct grpc_conn *next;
	struct grpc_conn *prev;
	struct h2_io io;
	struct timer timer; /* handshake, then keepalive and idle */
	struct tls_expiry expiry;
	bool settled;
	bool asked;   /* it has had a call */
	bool leaving; /* the last GOAWAY is sent */
	bool ending;  /* told to go for being idle */
	struct grpc_call_list calls;
	unsigned ready_n;   /* of them, whole and not yet handled */
	int64_t since_ms;   /* accepted */
	int64_t active_ms;  /* something came */
	int64_t call_ms;    /* a call began or ended */
	int64_t pinged_ms;  /* our PING is unanswered since then; 0 = there is none */
	int64_t drained_ms; /* told to go then; 0 = was not */
	/* Streams that the peer reset before they were answered: a leaky bucket. */
	unsigned resets;
	int64_t resets_ms;
};

struct evconnlistener;
struct sockaddr;

struct grpc_server {
	struct loop *loop;
	const struct grpc_method *methods;
	size_t methods_n;
	void *ctx;
	const struct tls *tls;
	grpc_refused_fn *refused;
	void *refused_ctx;
	struct grpc_server_limits limits; /* no zeros */
	struct listen_socket socket;
	struct evconnlistener *listener; /* owns the descriptor */
	struct timer accept_again;
	struct grpc_conn *conns;
	size_t conns_n;
	struct grpc_peer_entry *peers;
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
void grpc_conn_accept(struct grpc_server *s, int fd, const struct sockaddr *sa);
void grpc_conn_close(struct grpc_conn *c);
void grpc_conn_drain(struct grpc_conn *c);

/* grpc_peer.c */
/* Of TCP. */
void grpc_peer_address(char ret_name[TLS_NAME_SIZE], const struct sockaddr *sa);
/* Of a Unix socket: the user that connected, whom the kernel knows. */
void grpc_peer_unix(char ret_name[TLS_NAME_SIZE], int fd);
/* One connection more of this peer; NULL when that is one too many, or without memory. */
struct grpc_peer_entry *grpc_peer_connected(struct grpc_server *s, const char *name,
					    bool authenticated);
void grpc_peer_disconnected(struct grpc_peer_entry *p);
/* Always counted; false when the limit is passed. */
bool grpc_peer_call_begins(struct grpc_peer_entry *p);
void grpc_peer_call_ends(struct grpc_peer_entry *p);
/* How many bytes more the peer, and the server, may hold. */
size_t grpc_peer_room(const struct grpc_peer_entry *p);
void grpc_peer_charge(struct grpc_peer_entry *p, size_t n);
void grpc_peer_discharge(struct grpc_peer_entry *p, size_t n);

/* grpc_server.c: a connection closed. */
void grpc_server_conn_gone(struct grpc_server *s);

#endif

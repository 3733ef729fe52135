/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside of the gRPC client, in two files: channel_grpc.c has the calls (what the caller sees),
 * channel_conn.c the connections (what HTTP/2 does). A channel has one connection for new calls and
 * perhaps older ones that finish theirs.
 */
#ifndef NET_CHANNEL_GRPC_H
#define NET_CHANNEL_GRPC_H

#include "net/channel.h"
#include "net/dial.h"
#include "net/h2.h"
#include "net/tls_internal.h"
#include "net/trace.h"

struct channel_grpc;

struct channel_conn {
	struct channel_grpc *channel;
	struct channel_conn *next;
	struct dial *dial;            /* until connected */
	struct tls_handshake *secure; /* then, for https, until that is done */
	struct h2_io io;
	bool ready;         /* requests may be submitted */
	bool settled;       /* the peer proved to speak HTTP/2 */
	bool draining;      /* no new calls */
	struct timer timer; /* handshake, then keepalive */
	struct tls_expiry expiry;
	int64_t active_ms; /* something came */
	int64_t pinged_ms; /* our PING is unanswered since then; 0 = there is none */
};

struct channel_call {
	struct h2_stream stream; /* first: user data of the stream */
	struct channel_call *next;
	struct channel_call *prev;
	struct channel_grpc *channel;
	struct channel_conn *conn; /* NULL once finished */
	uint64_t id;
	bool submitted;
	struct timer deadline;
	int64_t deadline_ms;
	rpc_done_fn *done;
	void *ctx;

	int http_status;
	bool grpc_content;
	bool has_status;
	enum grpc_status status;
	struct buf text;
	char traceparent[TRACEPARENT_SIZE]; /* "": none */
	char path[];
};

struct call_list {
	struct channel_call *first;
	struct channel_call *last;
};

struct channel_grpc {
	struct channel base;
	struct loop *loop;
	struct dial_target target;
	const struct tls *tls; /* https */
	char identity[TLS_NAME_SIZE];
	int64_t keepalive_ms;
	int64_t keepalive_timeout_ms;
	struct channel_conn *conns;   /* all */
	struct channel_conn *current; /* for new calls; NULL = to be made */
	struct call_list open;
	struct call_list finished; /* result is there, done is not yet called */
	struct timer finish;       /* calls the dones of `finished` */
	uint64_t last_id;

	unsigned failures; /* connections in a row that came to nothing */
	int64_t retry_ms;  /* no new connection before */
	struct err_note why;

	bool busy;  /* inside a done */
	bool freed; /* in a done: the memory goes when it returns */
};

/* channel_grpc.c: the call has its result and leaves the stream; done is called a little later. */
void channel_call_finish(struct channel_call *call, enum grpc_status status, const char *text);
/* From the top of the loop only. The channel may be gone afterwards. */
void channel_finish_now(struct channel_grpc *ch);
void channel_finish_later(struct channel_grpc *ch);

/* channel_conn.c */
enum err channel_conn_open(struct channel_grpc *ch) MUST_USE;
void channel_conn_close(struct channel_conn *c);
/* Whatever connection there is takes no new calls. */
void channel_conn_renew(struct channel_grpc *ch);
enum err channel_conn_submit(struct channel_conn *c, struct channel_call *call) MUST_USE;
/* Takes the call off its stream, telling the peer. */
void channel_conn_forget(struct channel_call *call);

#endif

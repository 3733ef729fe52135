/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside aws_client.c and aws_calls.c only: a client, and the calls that it has under way. */
#ifndef NET_AWS_INTERNAL_H
#define NET_AWS_INTERNAL_H

#include "net/aws_client.h"

enum call_state {
	CALL_WAITS, /* for credentials */
	CALL_SENT,
	CALL_FAILED, /* its `done` is due */
};

struct aws_call {
	struct aws_call *next, *prev;
	struct aws_client *client;
	enum call_state state;
	const char *target;
	struct buf body;
	int64_t timeout_ms;
	aws_done_fn *done;
	void *ctx;

	/* of a read */
	struct buf url; /* text and NUL; empty: no read */
	bool head;
	char region[AWS_REGION_SIZE]; /* empty: the client's */
	int64_t connect_timeout_ms;
	size_t body_max;
	http_piece_fn *piece;
	http_done_fn *read_done;

	struct http_ticket ticket;
	uint64_t generation; /* of the credentials that it was sent with */
	bool expire;         /* and they were such as expire */
	bool renewed;        /* credentials were fetched for it */
	bool set;            /* the clock was set for it */
	enum err err;
	struct err_note note;
};

struct aws_client {
	struct transport *transport;
	struct clock *clock;
	struct arena arena;
	struct aws_settings settings;
	struct aws_credentials *credentials;
	const char *service;
	struct buf endpoint;           /* text and NUL, once it is known */
	struct aws_call *first, *last; /* as they came */
	struct timer timer;            /* failed calls */
	struct timer busy;             /* what the transport had no room for */
	bool refreshing;
	uint64_t generation; /* of the credentials */
};

/* Takes a call that is made but for its place in the list, and sends it now or later. */
void aws_call_begin(struct aws_call *a);

#endif

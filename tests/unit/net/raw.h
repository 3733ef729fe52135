/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A raw HTTP/2 client without TLS, to do what ours would not. */
#ifndef TEST_NET_RAW_H
#define TEST_NET_RAW_H

#include "testing.h"

#include <nghttp2/nghttp2.h>

struct raw {
	nghttp2_session *session;
	struct loop *loop;
	int fd;
	char grpc_status[8];
	char http_status[8];
	uint32_t goaway;
	bool got_goaway;
	struct bytes body; /* what is left of the request */
	bool eof;          /* the request ends with it */
};

void set_nonblocking(int fd);

/* Connects; the server runs on `loop`. */
void raw_start(struct raw *r, struct loop *loop, unsigned port);
/* Lets both sides talk for 20 rounds of 1 ms. */
void raw_pump(struct raw *r);
int32_t raw_request(struct raw *r, const char *method, const char *path, const char *content_type,
		    const char *timeout);
void raw_end(struct raw *r);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One HTTP request of transport_curl: the easy handle, the limits on its reply, and what its end
 * means. */
#ifndef NET_CURL_REQUEST_H
#define NET_CURL_REQUEST_H

#include <curl/curl.h>

#include "net/transport.h"

struct curl_transport;

struct curl_request {
	struct curl_request *next; /* in the transport's list */
	struct curl_request *prev;
	struct curl_transport *transport;
	uint64_t id;
	CURL *easy;
	bool in_multi;
	struct timer deadline;
	http_done_fn *done;
	http_piece_fn *piece;
	void *ctx;

	struct curl_slist *send_headers;
	struct buf send_body;

	bool plain; /* http, not https */
	bool secret;
	bool head;
	size_t body_max;
	bool too_big;
	bool malformed;
	int status;
	bool headers_whole; /* the empty line was there */
	size_t header_bytes;
	size_t headers_n;
	struct buf headers; /* name NUL value NUL … */
	struct buf body;
	struct http_header *header_views;
	char error[CURL_ERROR_SIZE];
};

/* ERR_BAD_REQUEST for a URL, method or header that is none; ERR_NOMEM. */
enum err curl_request_new(struct curl_request **ret_request,
			  const struct http_request *req) MUST_USE;
void curl_request_free(struct curl_request *r);

/* The reply after curl said that the transfer ended; views point into `r`. */
void curl_request_result(struct curl_request *r, CURLcode code, struct http_reply *out);

#endif

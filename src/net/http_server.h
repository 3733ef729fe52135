/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The monitoring server: a few read-only routes over plain HTTP/1.1 (libevent's evhttp inside). A
 * handler may answer later from the loop thread (a health check asks others first). HEAD is
 * answered like GET without the body.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "base/bytes.h"
#include "net/loop.h"

struct http_server;
struct http_exchange;

typedef void http_handler_fn(void *ctx, struct http_exchange *x);

struct http_route {
	const char *path; /* exact: "/healthz" */
	http_handler_fn *handler;
};

/* `listen`: "ip:port". A taken port is ERR_CONFIG_VALUE with a note. The routes array must outlive
 * the server. */
enum err http_server_new(struct http_server **ret_server, struct loop *loop, const char *listen,
			 const struct http_route *routes, size_t routes_n, void *ctx,
			 struct err_note *note) MUST_USE;
unsigned http_server_port(const struct http_server *s);
void http_server_free(struct http_server *s);

/* Exactly one answer per exchange, even when peer or server are gone; gone afterwards. Content is
 * copied. */
void http_exchange_reply(struct http_exchange *x, int status, const char *content_type,
			 struct bytes body);

#endif

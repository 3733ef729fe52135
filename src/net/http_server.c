/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/dial.h"
#include "net/loop_internal.h"

enum {
	HEADERS_MAX = 8 << 10,
	TIMEOUT_S = 10,
	RECOUNT_MS = 250,
	RECOUNT_FULL_MS = 5, /* somebody may be waiting */
};

struct http_exchange {
	struct http_server *server; /* NULL once the server is gone */
	struct http_exchange *next;
	struct http_exchange *prev;
	struct evhttp_request *req;
	bool head;
};

/*
 * evhttp has no limit on connections, tells nobody when one ends, and gives a peer that sends a
 * byte now and then all the time in the world. So each bufferevent that it gets is also held here:
 * one without callbacks was given up by evhttp.
 */
struct connection {
	struct bufferevent *bev;
	int64_t due_ms; /* the next request must be whole by then, or the last answer taken */
	bool busy;      /* a handler has its request */
	bool served;    /* it has had an answer */
	bool told_to_go;
};

struct http_server {
	struct loop *loop;
	const struct http_route *routes;
	size_t routes_n;
	void *ctx;
	struct listen_socket socket;
	struct evhttp *http;
	struct evhttp_bound_socket *bound;
	struct http_exchange *exchanges;
	/* By age. While the table is full nothing is accepted, but somebody who only sits there is
	 * told to go at once: who floods this port pushes out himself, not the next probe. */
	struct connection connections[MONITORING_CONNECTIONS_MAX];
	size_t connections_n;
	struct timer recount;
};

/* ---- connections ---- */

static int64_t now_ms(const struct http_server *s)
{
	return clock_mono_ms(loop_clock(s->loop));
}

static void connections_recount(struct http_server *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->connections_n; i++) {
		bufferevent_event_cb on_event = NULL;

		bufferevent_getcb(s->connections[i].bev, NULL, NULL, &on_event, NULL);
		if (on_event)
			s->connections[kept++] = s->connections[i];
		else
			bufferevent_decref(s->connections[i].bev);
	}
	s->connections_n = kept;
}

/* evhttp sees the end of the connection in the next round of the loop, and lets go of it. */
static void connection_dismiss(struct connection *c)
{
	c->told_to_go = true;
	(void)shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
}

/* Room for another one: the oldest that never asked for anything, else the oldest of the idle.
 * False: all wait for their answers. */
static bool connections_make_room(struct http_server *s)
{
	struct connection *oldest = NULL;

	for (size_t i = 0; i < s->connections_n; i++) {
		struct connection *c = &s->connections[i];

		if (c->told_to_go)
			return true;
		if (!c->busy && (!oldest || (oldest->served && !c->served)))
			oldest = c;
	}
	if (oldest)
		connection_dismiss(oldest);
	return oldest != NULL;
}

static void on_recount(void *ctx);

static void recount_in(struct http_server *s, int64_t delay_ms)
{
	clock_timer_set(loop_clock(s->loop), &s->recount, delay_ms, on_recount, s);
}

static void on_recount(void *ctx)
{
	struct http_server *s = ctx;
	int64_t now = now_ms(s);

	connections_recount(s);
	for (size_t i = 0; i < s->connections_n; i++)
		if (!s->connections[i].busy && s->connections[i].due_ms <= now)
			connection_dismiss(&s->connections[i]);
	if (s->connections_n == MONITORING_CONNECTIONS_MAX) {
		recount_in(s, connections_make_room(s) ? 0 : RECOUNT_FULL_MS);
		return;
	}
	evconnlistener_enable(evhttp_bound_socket_get_listener(s->bound));
	if (s->connections_n > 0)
		recount_in(s, RECOUNT_MS);
}

static struct bufferevent *on_connection(struct event_base *base, void *ctx)
{
	struct http_server *s = ctx;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, 0);

	if (!bev)
		return NULL;
	/* Callbacks come only after this; until then the newest is not counted again. */
	connections_recount(s);
	if (s->connections_n == MONITORING_CONNECTIONS_MAX)
		return bev;
	bufferevent_incref(bev);
	s->connections[s->connections_n++] = (struct connection){
		.bev = bev, .due_ms = now_ms(s) + MONITORING_REQUEST_TIMEOUT_MS};
	if (s->connections_n < MONITORING_CONNECTIONS_MAX) {
		if (!s->recount.armed)
			recount_in(s, RECOUNT_MS);
		return bev;
	}
	evconnlistener_disable(evhttp_bound_socket_get_listener(s->bound));
	recount_in(s, 0);
	return bev;
}

static struct connection *connection_of(struct http_server *s, struct evhttp_request *req)
{
	struct evhttp_connection *of = evhttp_request_get_connection(req);
	struct bufferevent *bev = of ? evhttp_connection_get_bufferevent(of) : NULL;

	for (size_t i = 0; bev && i < s->connections_n; i++)
		if (s->connections[i].bev == bev)
			return &s->connections[i];
	return NULL;
}

static void connection_asked(struct http_server *s, struct evhttp_request *req)
{
	struct connection *c = connection_of(s, req);

	if (c)
		c->busy = true;
}

static void connection_answered(struct http_server *s, struct evhttp_request *req)
{
	struct connection *c = connection_of(s, req);

	if (!c)
		return;
	c->busy = false;
	c->served = true;
	c->due_ms = now_ms(s) + MONITORING_ANSWER_TIMEOUT_MS;
}

/* ---- answers ---- */

static void send_reply(struct http_server *s, struct evhttp_request *req, bool head, int status,
		       const char *content_type, struct bytes body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *out = evhttp_request_get_output_buffer(req);
	char length[24];

	evhttp_add_header(headers, "Content-Type", content_type);
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(headers, "Cache-Control", "no-store");
	snprintf(length, sizeof(length), "%zu", body.n);
	evhttp_add_header(headers, "Content-Length", length);
	if (!head && body.n > 0)
		evbuffer_add(out, body.p, body.n);
	connection_answered(s, req);
	evhttp_send_reply(req, status, NULL, NULL);
}

void http_exchange_reply(struct http_exchange *x, int status, const char *content_type,
			 struct bytes body)
{
	if (x->server) {
		if (x->prev)
			x->prev->next = x->next;
		else
			x->server->exchanges = x->next;
		if (x->next)
			x->next->prev = x->prev;
		/* When the peer is gone evhttp only frees the request. */
		send_reply(x->server, x->req, x->head, status, content_type, body);
	}
	free(x);
}

static void refuse(struct http_server *s, struct evhttp_request *req, int status, const char *text)
{
	send_reply(s, req, false, status, "text/plain; charset=utf-8", bytes_str(text));
}

static void route(struct http_server *s, struct evhttp_request *req)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	enum evhttp_cmd_type cmd = evhttp_request_get_command(req);
	struct http_exchange *x;
	size_t i = 0;

	if (cmd != EVHTTP_REQ_GET && cmd != EVHTTP_REQ_HEAD) {
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
		refuse(s, req, 405, "method not allowed\n");
		return;
	}
	while (i < s->routes_n && path && strcmp(s->routes[i].path, path) != 0)
		i++;
	if (!path || i == s->routes_n) {
		refuse(s, req, 404, "not found\n");
		return;
	}
	x = calloc(1, sizeof(*x));
	if (!x) {
		refuse(s, req, 503, "out of memory\n");
		return;
	}
	*x = (struct http_exchange){
		.server = s, .next = s->exchanges, .req = req, .head = cmd == EVHTTP_REQ_HEAD};
	if (s->exchanges)
		s->exchanges->prev = x;
	s->exchanges = x;
	connection_asked(s, req);
	s->routes[i].handler(s->ctx, x);
}

static void on_request(struct evhttp_request *req, void *ctx)
{
	struct http_server *s = ctx;

	loop_enter(s->loop);
	route(s, req);
}

/* ---- life ---- */

static enum err server_bind(struct http_server *s)
{
	struct evconnlistener *listener;

	s->http = evhttp_new(loop_base(s->loop));
	if (!s->http)
		return ERR_NOMEM;
	evhttp_set_max_headers_size(s->http, HEADERS_MAX);
	evhttp_set_max_body_size(s->http, MONITORING_BODY_MAX);
	evhttp_set_timeout(s->http, TIMEOUT_S);
	/* All that evhttp knows, so that 405 is said here and not 501 there. */
	evhttp_set_allowed_methods(s->http, 0xffff);
	evhttp_set_gencb(s->http, on_request, s);
	evhttp_set_bevcb(s->http, on_connection, s);
	listener =
		evconnlistener_new(loop_base(s->loop), NULL, NULL,
				   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, s->socket.fd);
	if (!listener)
		return ERR_NOMEM;
	s->bound = evhttp_bind_listener(s->http, listener);
	if (!s->bound) {
		s->socket.fd = -1;
		evconnlistener_free(listener);
		return ERR_NOMEM;
	}
	s->socket.fd = -1;
	return ERR_OK;
}

enum err http_server_new(struct http_server **ret_server, struct loop *loop, const char *listen,
			 const struct http_route *routes, size_t routes_n, void *ctx,
			 struct err_note *note)
{
	struct http_server *s = calloc(1, sizeof(*s));
	enum err e;

	if (!s)
		return err_say(note, ERR_NOMEM, "out of memory");
	s->loop = loop;
	s->routes = routes;
	s->routes_n = routes_n;
	s->ctx = ctx;
	e = listen_socket_open(&s->socket, listen, note);
	if (e != ERR_OK) {
		free(s);
		return e;
	}
	e = server_bind(s);
	if (e != ERR_OK) {
		http_server_free(s);
		return err_say(note, e, "out of memory");
	}
	*ret_server = s;
	return ERR_OK;
}

unsigned http_server_port(const struct http_server *s)
{
	return s->socket.port;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	clock_timer_cancel(loop_clock(s->loop), &s->recount);
	for (struct http_exchange *x = s->exchanges; x; x = x->next) {
		/* The request may outlive its connection: then it is ours to end. */
		if (!evhttp_request_get_connection(x->req))
			evhttp_send_error(x->req, 503, NULL);
		x->server = NULL;
	}
	if (s->http)
		evhttp_free(s->http);
	for (size_t i = 0; i < s->connections_n; i++)
		bufferevent_decref(s->connections[i].bev);
	listen_socket_unlink(&s->socket);
	if (s->socket.fd >= 0)
		close(s->socket.fd);
	free(s);
}

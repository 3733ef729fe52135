/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/grpc_server.h"

#include <event2/listener.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/grpc_server_internal.h"
#include "net/loop_internal.h"

enum {
	ACCEPT_PAUSE_MS = 100
};

/* ---- accepting ---- */

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
		      int sa_n, void *ctx)
{
	struct grpc_server *s = ctx;

	(void)listener;
	(void)sa_n;
	loop_enter(s->loop);
	if (!s->socket.path[0])
		socket_no_delay(fd);
	grpc_conn_accept(s, fd, sa);
}

static void on_accept_again(void *ctx)
{
	struct grpc_server *s = ctx;

	if (s->listener)
		evconnlistener_enable(s->listener);
}

/* Out of descriptors: the connection stays in the queue and would wake us without end. */
static void on_accept_error(struct evconnlistener *listener, void *ctx)
{
	struct grpc_server *s = ctx;

	evconnlistener_disable(listener);
	clock_timer_set(loop_clock(s->loop), &s->accept_again, ACCEPT_PAUSE_MS, on_accept_again, s);
}

static void listener_close(struct grpc_server *s)
{
	clock_timer_cancel(loop_clock(s->loop), &s->accept_again);
	if (!s->listener)
		return;
	listen_socket_unlink(&s->socket);
	evconnlistener_free(s->listener);
	s->listener = NULL;
}

/* ---- life ---- */

static struct grpc_server_limits limits_fill(struct grpc_server_limits l)
{
	const struct {
		size_t *place;
		size_t value;
	} sizes[] = {
		{&l.connections, GRPC_CONNECTIONS_MAX},
		{&l.in_flight_bytes, GRPC_IN_FLIGHT_BYTES_MAX},
		{&l.peer_connections, GRPC_PEER_CONNECTIONS_MAX},
		{&l.peer_calls, GRPC_PEER_CALLS_MAX},
		{&l.peer_in_flight_bytes, GRPC_PEER_IN_FLIGHT_BYTES_MAX},
	};
	const struct {
		int64_t *place;
		int64_t value;
	} numbers[] = {
		{&l.handshake_ms, GRPC_HANDSHAKE_TIMEOUT_MS},
		{&l.idle_ms, GRPC_IDLE_TIMEOUT_MS},
		{&l.body_ms, GRPC_BODY_TIMEOUT_MS},
		{&l.body_rate_min, GRPC_BODY_RATE_MIN},
		{&l.keepalive_ms, GRPC_KEEPALIVE_MS},
		{&l.keepalive_timeout_ms, GRPC_KEEPALIVE_TIMEOUT_MS},
	};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (*sizes[i].place == 0)
			*sizes[i].place = sizes[i].value;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (*numbers[i].place <= 0)
			*numbers[i].place = numbers[i].value;
	return l;
}

enum err grpc_server_new(struct grpc_server **ret_server, struct loop *loop,
			 const struct grpc_server_options *opts, struct err_note *note)
{
	struct grpc_server *s = calloc(1, sizeof(*s));
	enum err e;

	if (!s)
		return err_say(note, ERR_NOMEM, "out of memory");
	s->loop = loop;
	s->methods = opts->methods;
	s->methods_n = opts->methods_n;
	s->ctx = opts->ctx;
	s->tls = opts->tls;
	s->refused = opts->refused;
	s->refused_ctx = opts->refused_ctx ? opts->refused_ctx : opts->ctx;
	s->limits = limits_fill(opts->limits);
	e = listen_socket_open(&s->socket, opts->listen, note);
	if (e != ERR_OK) {
		free(s);
		return e;
	}
	s->listener =
		evconnlistener_new(loop_base(loop), on_accept, s,
				   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, s->socket.fd);
	if (!s->listener) {
		listen_socket_unlink(&s->socket);
		close(s->socket.fd);
		free(s);
		return err_say(note, ERR_NOMEM, "out of memory");
	}
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	*ret_server = s;
	return ERR_OK;
}

unsigned grpc_server_port(const struct grpc_server *s)
{
	return s->socket.port;
}

void grpc_server_free(struct grpc_server *s)
{
	if (!s)
		return;
	CHECK(!s->in_handler);
	s->draining = false;
	listener_close(s);
	clock_timer_cancel(loop_clock(s->loop), &s->drain_timer);
	while (s->conns)
		grpc_conn_close(s->conns);
	while (s->orphans.first)
		grpc_call_free(s->orphans.first);
	free(s);
}

/* ---- draining ---- */

static void on_drained(void *ctx)
{
	struct grpc_server *s = ctx;
	loop_fn *drained = s->drained;

	s->drained = NULL;
	if (drained)
		drained(s->drained_ctx);
}

static void on_drain_timeout(void *ctx)
{
	struct grpc_server *s = ctx;

	s->draining = false;
	while (s->conns)
		grpc_conn_close(s->conns);
	on_drained(s);
}

void grpc_server_conn_gone(struct grpc_server *s)
{
	if (s->draining && !s->conns)
		clock_timer_set(loop_clock(s->loop), &s->drain_timer, 0, on_drained, s);
}

static void conns_drain(struct grpc_server *s)
{
	for (struct grpc_conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		grpc_conn_drain(c);
	}
}

void grpc_server_renew(struct grpc_server *s)
{
	CHECK(!s->in_handler);
	conns_drain(s);
}

void grpc_server_drain(struct grpc_server *s, int64_t grace_ms, loop_fn *drained, void *ctx)
{
	listener_close(s);
	s->draining = true;
	s->drained = drained;
	s->drained_ctx = ctx;
	clock_timer_set(loop_clock(s->loop), &s->drain_timer, grace_ms, on_drain_timeout, s);
	conns_drain(s);
	grpc_server_conn_gone(s);
}

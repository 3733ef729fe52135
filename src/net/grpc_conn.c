/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/grpc_server_internal.h"
#include "net/loop_internal.h"

/* Resets of unanswered calls that a peer may send: so many at once, then so many per second. */
enum {
	RESETS_BURST = 1000,
	RESETS_PER_S = 100
};

/* A connection without calls for so long can be given up: its owner makes another one. */
enum {
	IDLE_ENOUGH_MS = 1000
};

static const uint8_t DRAIN_PING[8] = "drain";
static const uint8_t ALIVE_PING[8] = "alive?";

static int64_t now_ms(const struct grpc_conn *c)
{
	return clock_mono_ms(loop_clock(c->server->loop));
}

void grpc_conn_close(struct grpc_conn *c)
{
	struct grpc_server *s = c->server;
	struct grpc_call *call, *next;

	for (call = c->calls.first; call; call = next) {
		next = call->next;
		grpc_call_lost(call);
	}
	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->conns_n--;
	clock_timer_cancel(loop_clock(s->loop), &c->timer);
	tls_expiry_cancel(&c->expiry);
	tls_handshake_cancel(c->handshake);
	h2_io_close(&c->io);
	grpc_peer_disconnected(c->peer);
	free(c);
	grpc_server_conn_gone(s);
}

static void refused(const struct grpc_server *s, const char *peer, const char *why)
{
	if (s->refused)
		s->refused(s->refused_ctx, peer, why);
}

static void conn_lost(void *ctx, const char *why)
{
	struct grpc_conn *c = ctx;

	char text[TLS_TEXT_SIZE];

	if (!c->settled) {
		(void)snprintf(text, sizeof(text), "lost before HTTP/2 stood: %s", why);
		refused(c->server, c->peer->name, text);
	}
	grpc_conn_close(c);
}

static void conn_received(void *ctx)
{
	struct grpc_conn *c = ctx;

	c->active_ms = now_ms(c);
	c->pinged_ms = 0;
	grpc_calls_handle(c);
	h2_io_flush(&c->io);
}

static void on_timer(void *ctx);

static void timer_set(struct grpc_conn *c, int64_t delay_ms)
{
	clock_timer_set(loop_clock(c->server->loop), &c->timer, delay_ms, on_timer, c);
}

/* Is there somebody still? Silence is no fault, an unanswered question is. */
static int64_t keepalive(struct grpc_conn *c, int64_t now)
{
	const struct grpc_server_limits *l = &c->server->limits;

	if (c->pinged_ms == 0 && now - c->active_ms >= l->keepalive_ms) {
		nghttp2_submit_ping(c->io.session, NGHTTP2_FLAG_NONE, ALIVE_PING);
		h2_io_flush(&c->io);
		c->pinged_ms = now;
	}
	return c->pinged_ms != 0 ? c->pinged_ms + l->keepalive_timeout_ms
				 : c->active_ms + l->keepalive_ms;
}

/* Until HTTP/2 stands: the time for that. Then: the peer is dead, or has nothing for us. */
static void on_timer(void *ctx)
{
	struct grpc_conn *c = ctx;
	const struct grpc_server_limits *l = &c->server->limits;
	int64_t now = now_ms(c);
	int64_t next;

	if (!c->settled || c->ending) {
		if (!c->settled)
			refused(c->server, c->peer->name,
				c->handshake ? "no TLS handshake in time"
					     : "no HTTP/2 connection in time");
		grpc_conn_close(c);
		return;
	}
	if (c->pinged_ms != 0 && now - c->pinged_ms >= l->keepalive_timeout_ms) {
		grpc_conn_close(c);
		return;
	}
	/* Whoever leaves the PING behind GOAWAY unanswered goes on with new calls for ever. */
	if (c->drained_ms != 0 && !c->leaving && now - c->drained_ms >= l->keepalive_timeout_ms) {
		grpc_conn_close(c);
		return;
	}
	if (!c->calls.first && now - c->call_ms >= l->idle_ms) {
		nghttp2_session_terminate_session(c->io.session, NGHTTP2_NO_ERROR);
		h2_io_flush(&c->io);
		c->ending = true; /* a peer that does not take the GOAWAY is closed next time */
		timer_set(c, l->handshake_ms);
		return;
	}
	next = keepalive(c, now);
	if (!c->calls.first && c->call_ms + l->idle_ms < next)
		next = c->call_ms + l->idle_ms;
	timer_set(c, next > now ? next - now : 1);
}

/* ---- what the peer says ---- */

static struct grpc_call *call_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2_io *io = ctx;
	struct grpc_call *call;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	call = grpc_call_new(io->ctx, frame->hd.stream_id);
	if (!call)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
	struct grpc_call *call = call_of(session, frame->hd.stream_id);

	(void)flags;
	(void)ctx;
	if (call && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		grpc_call_header(call, bytes_from(name, name_n), bytes_from(value, value_n));
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
		   void *ctx)
{
	struct grpc_call *call = call_of(session, id);

	(void)flags;
	(void)ctx;
	if (call)
		grpc_call_data(call, bytes_from(p, n));
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2_io *io = ctx;
	struct grpc_conn *c = io->ctx;
	struct grpc_call *call = call_of(session, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_SETTINGS && !c->settled) {
		c->settled = true;
		c->active_ms = c->call_ms = now_ms(c);
		timer_set(c, 0);
	}
	if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) &&
	    memcmp(frame->ping.opaque_data, DRAIN_PING, sizeof(DRAIN_PING)) == 0) {
		/* Everything that the peer sent before it saw the first GOAWAY is here now. */
		c->leaving = true;
		nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
				      nghttp2_session_get_last_proc_stream_id(session),
				      NGHTTP2_NO_ERROR, NULL, 0);
	}
	if (!call)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		grpc_call_headers_end(call);
	if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		grpc_call_end(call);
	return 0;
}

/*
 * RFC 9113, 8.1: after an early answer NO_ERROR asks the peer to stop sending, without harm to the
 * answer. Not before the answer is out: nghttp2 sends nothing more on a stream that is about to be
 * reset.
 */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct grpc_call *call = call_of(session, frame->hd.stream_id);

	(void)ctx;
	if (call && call->stop_peer && frame->hd.type == NGHTTP2_HEADERS)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					  NGHTTP2_NO_ERROR);
	return 0;
}

/* One peer may not make this process start calls only to throw them away. */
static bool resets_too_many(struct grpc_conn *c)
{
	int64_t now = now_ms(c);
	int64_t forgiven = (now - c->resets_ms) * RESETS_PER_S / 1000;

	if (forgiven > 0) {
		c->resets = forgiven >= c->resets ? 0 : c->resets - (unsigned)forgiven;
		c->resets_ms = now;
	}
	return ++c->resets > RESETS_BURST;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t h2_error, void *ctx)
{
	struct h2_io *io = ctx;
	struct grpc_conn *c = io->ctx;
	struct grpc_call *call = call_of(session, id);

	(void)h2_error;
	if (!call)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	if (grpc_call_lost(call) && resets_too_many(c))
		nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
	return 0;
}

/* ---- life ---- */

static void callbacks_set(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
}

static const struct h2_side server_side = {.server = true,
					   .callbacks_set = callbacks_set,
					   .received = conn_received,
					   .lost = conn_lost};

/* How little is lost with a connection; 0: it stays. */
static unsigned dispensable(const struct grpc_conn *c)
{
	if (!c->settled)
		return 3; /* does not speak HTTP/2 yet */
	if (!c->asked)
		return 2;
	return !c->calls.first && now_ms(c) - c->call_ms >= IDLE_ENOUGH_MS ? 1 : 0;
}

/* Of two that may go: which one; of equals the one that has been idle longest. */
static bool goes_before(const struct grpc_conn *a, const struct grpc_conn *b)
{
	unsigned of_a = dispensable(a), of_b = dispensable(b);

	return of_a != of_b ? of_a > of_b : a->call_ms <= b->call_ms;
}

/*
 * Where a limit is reached, who only sits there goes and not who comes: else idle connections would
 * keep a peer of the same address out for as long as they like. The limit is that of the peer
 * (`of_peer`) or that of the server.
 */
static struct grpc_peer_entry *connect_after_all(struct grpc_server *s, const char *name,
						 bool authenticated, bool of_peer)
{
	struct grpc_conn *victim = NULL;

	/* The newest is first in the list. */
	for (struct grpc_conn *c = s->conns; c; c = c->next) {
		bool same =
			c->peer->authenticated == authenticated && strcmp(c->peer->name, name) == 0;

		if ((same || !of_peer) && dispensable(c) > 0 && (!victim || goes_before(c, victim)))
			victim = c;
	}
	if (!victim)
		return NULL;
	refused(s, victim->peer->name,
		of_peer ? "idle, and others of this peer want to connect"
			: "idle, and others want to connect, for whom there is no room");
	grpc_conn_close(victim);
	return grpc_peer_connected(s, name, authenticated);
}

/* Nothing more is asked of us in its name; what is in progress goes on. */
static void on_expired(void *ctx)
{
	struct grpc_conn *c = ctx;

	refused(c->server, c->peer->name, "its certificate has ended since it connected");
	grpc_conn_drain(c);
}

/* From here on the peer is who its certificate names, and no longer where it calls from. */
static void on_secured(void *ctx, struct bufferevent *bev, const char *peer, const char *why)
{
	struct grpc_conn *c = ctx;
	struct grpc_server *s = c->server;
	struct grpc_peer_entry *named;

	c->handshake = NULL;
	if (!bev) {
		refused(s, c->peer->name, why);
		grpc_conn_close(c);
		return;
	}
	named = grpc_peer_connected(s, peer, true);
	if (!named)
		named = connect_after_all(s, peer, true, true);
	if (!named) {
		refused(s, peer, "too many connections of this peer");
		bufferevent_free(bev);
		grpc_conn_close(c);
		return;
	}
	grpc_peer_disconnected(c->peer);
	c->peer = named;
	tls_expiry_begin(&c->expiry, loop_clock(s->loop), bev, on_expired, c);
	if (h2_io_start(&c->io, s->loop, bev) != ERR_OK)
		grpc_conn_close(c);
}

static enum err conn_begin(struct grpc_conn *c, int fd)
{
	struct grpc_server *s = c->server;

	return s->tls ? tls_handshake_start(&c->handshake, s->loop, s->tls, fd, NULL, NULL,
					    on_secured, c)
		      : h2_io_start_plain(&c->io, s->loop, fd);
}

void grpc_conn_accept(struct grpc_server *s, int fd, const struct sockaddr *sa)
{
	struct grpc_conn *c = NULL;
	struct grpc_peer_entry *peer;
	char name[TLS_NAME_SIZE];

	if (sa->sa_family == AF_UNIX)
		grpc_peer_unix(name, fd);
	else
		grpc_peer_address(name, sa);
	if (s->conns_n >= s->limits.connections)
		peer = connect_after_all(s, name, false, false);
	else
		peer = grpc_peer_connected(s, name, false);
	if (!peer && s->conns_n < s->limits.connections)
		peer = connect_after_all(s, name, false, true);
	if (!peer)
		refused(s, name,
			s->conns_n < s->limits.connections ? "too many connections of this peer"
							   : "too many connections");
	else
		c = calloc(1, sizeof(*c));
	if (!c) {
		if (peer)
			grpc_peer_disconnected(peer);
		close(fd);
		return;
	}
	c->server = s;
	c->peer = peer;
	c->since_ms = now_ms(c);
	c->io = (struct h2_io){.side = &server_side, .ctx = c};
	if (conn_begin(c, fd) != ERR_OK) {
		grpc_peer_disconnected(peer);
		free(c);
		return;
	}
	timer_set(c, s->limits.handshake_ms);
	c->next = s->conns;
	if (s->conns)
		s->conns->prev = c;
	s->conns = c;
	s->conns_n++;
}

void grpc_conn_drain(struct grpc_conn *c)
{
	if (c->leaving)
		return;
	if (!c->io.session) { /* nobody yet */
		grpc_conn_close(c);
		return;
	}
	c->drained_ms = now_ms(c);
	if (c->settled)
		timer_set(c, c->server->limits.keepalive_timeout_ms);
	nghttp2_submit_shutdown_notice(c->io.session);
	nghttp2_submit_ping(c->io.session, NGHTTP2_FLAG_NONE, DRAIN_PING);
	h2_io_flush(&c->io);
}

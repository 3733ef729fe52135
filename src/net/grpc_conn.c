/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/grpc_server_internal.h"
#include "net/loop_internal.h"

/* Resets of unanswered calls that a peer may send: so many at once, then so many per second. */
enum {
	RESETS_BURST = 1000,
	RESETS_PER_S = 100
};

static const uint8_t DRAIN_PING[8] = "drain";

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
	h2_io_close(&c->io);
	free(c);
	grpc_server_conn_gone(s);
}

static void conn_lost(void *ctx, const char *why)
{
	(void)why;
	grpc_conn_close(ctx);
}

static void conn_received(void *ctx)
{
	struct grpc_conn *c = ctx;

	c->active_ms = clock_mono_ms(loop_clock(c->server->loop));
	grpc_calls_handle(c);
	h2_io_flush(&c->io);
}

/* Handshake: the peer never spoke. Idle: nothing moved and nothing is open for long. */
static void on_timer(void *ctx)
{
	struct grpc_conn *c = ctx;
	struct clock *clock = loop_clock(c->server->loop);
	int64_t idle_ms = clock_mono_ms(clock) - c->active_ms;

	if (!c->settled) {
		grpc_conn_close(c);
		return;
	}
	if (c->calls.first)
		idle_ms = 0;
	if (idle_ms >= GRPC_IDLE_TIMEOUT_MS) {
		nghttp2_session_terminate_session(c->io.session, NGHTTP2_NO_ERROR);
		h2_io_flush(&c->io);
		idle_ms = GRPC_IDLE_TIMEOUT_MS - GRPC_HANDSHAKE_TIMEOUT_MS;
		c->settled = false; /* a peer that does not take the GOAWAY is closed next time */
	}
	clock_timer_set(clock, &c->timer, GRPC_IDLE_TIMEOUT_MS - idle_ms, on_timer, c);
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
		clock_timer_set(loop_clock(io->loop), &c->timer, GRPC_IDLE_TIMEOUT_MS, on_timer, c);
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
	int64_t now_ms = clock_mono_ms(loop_clock(c->server->loop));
	int64_t forgiven = (now_ms - c->resets_ms) * RESETS_PER_S / 1000;

	if (forgiven > 0) {
		c->resets = forgiven >= c->resets ? 0 : c->resets - (unsigned)forgiven;
		c->resets_ms = now_ms;
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

static enum err server_session_new(nghttp2_session **ret_session, struct h2_io *io)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;
	int failed;

	TRY(h2_callbacks_new(&cb));
	if (h2_option_new(&option) != ERR_OK) {
		nghttp2_session_callbacks_del(cb);
		return ERR_NOMEM;
	}
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	failed = nghttp2_session_server_new2(ret_session, cb, io, option);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(option);
	return failed ? ERR_NOMEM : ERR_OK;
}

static enum err conn_start(struct grpc_conn *c, int fd)
{
	struct loop *loop = c->server->loop;
	struct bufferevent *bev;
	nghttp2_session *session;

	bev = bufferevent_socket_new(loop_base(loop), fd, BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		close(fd);
		return ERR_NOMEM;
	}
	if (server_session_new(&session, &c->io) != ERR_OK) {
		bufferevent_free(bev);
		return ERR_NOMEM;
	}
	c->io.received = conn_received;
	c->io.lost = conn_lost;
	c->io.ctx = c;
	if (h2_io_start(&c->io, loop, bev, fd, session) != ERR_OK) {
		nghttp2_session_del(session);
		bufferevent_free(bev);
		return ERR_NOMEM;
	}
	return ERR_OK;
}

void grpc_conn_accept(struct grpc_server *s, int fd)
{
	struct grpc_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	c->server = s;
	if (conn_start(c, fd) != ERR_OK) {
		free(c);
		return;
	}
	clock_timer_set(loop_clock(s->loop), &c->timer, GRPC_HANDSHAKE_TIMEOUT_MS, on_timer, c);
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
	nghttp2_submit_shutdown_notice(c->io.session);
	nghttp2_submit_ping(c->io.session, NGHTTP2_FLAG_NONE, DRAIN_PING);
	h2_io_flush(&c->io);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "net/channel_grpc.h"
#include "net/loop_internal.h"

/* The second failure in a row waits this long, each further one twice as long as the one before. */
enum {
	RETRY_FIRST_MS = 50,
	RETRY_MAX_MS = 1000,
	KEEPALIVE_MAX_MS = 3600000
};

static const uint8_t ALIVE_PING[8] = "alive?";
static const char NO_MORE_CALLS[] = "connection takes no more calls";

static int64_t now_ms(const struct channel_conn *c)
{
	return clock_mono_ms(loop_clock(c->channel->loop));
}

/* ---- failing ---- */

static void back_off(struct channel_grpc *ch, bool worked)
{
	int64_t wait_ms = RETRY_FIRST_MS;

	if (worked) {
		ch->failures = 0;
		return;
	}
	ch->failures++;
	if (ch->failures < 2)
		return;
	for (unsigned i = 2; i < ch->failures && wait_ms < RETRY_MAX_MS; i++)
		wait_ms *= 2;
	if (wait_ms > RETRY_MAX_MS)
		wait_ms = RETRY_MAX_MS;
	ch->retry_ms = clock_mono_ms(loop_clock(ch->loop)) + wait_ms;
}

void channel_conn_close(struct channel_conn *c)
{
	struct channel_grpc *ch = c->channel;
	struct channel_conn **at = &ch->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (ch->current == c)
		ch->current = NULL;
	clock_timer_cancel(loop_clock(ch->loop), &c->timer);
	tls_expiry_cancel(&c->expiry);
	dial_cancel(c->dial);
	tls_handshake_cancel(c->secure);
	h2_io_close(&c->io);
	free(c);
}

static unsigned conn_fail_calls(struct channel_conn *c, const char *why)
{
	struct channel_call *call, *next;
	unsigned n = 0;

	for (call = c->channel->open.first; call; call = next) {
		next = call->next;
		if (call->conn != c)
			continue;
		call->conn = NULL; /* the stream goes with its session */
		channel_call_finish(call, GRPC_UNAVAILABLE, why);
		n++;
	}
	return n;
}

/* The connection came to its end; its calls end with it. From the top of the loop. */
static void conn_lost(void *ctx, const char *why)
{
	struct channel_conn *c = ctx;
	struct channel_grpc *ch = c->channel;

	if (!c->draining) {
		back_off(ch, c->settled);
		err_say(&ch->why, ERR_UNAVAILABLE, "%s: %s",
			ch->target.unix_socket ? ch->target.path : ch->target.authority, why);
		conn_fail_calls(c, ch->why.text);
	} else {
		conn_fail_calls(c, why);
	}
	channel_conn_close(c);
	channel_finish_now(ch);
}

static void on_handshake_timeout(void *ctx)
{
	struct channel_conn *c = ctx;

	conn_lost(c, c->dial     ? "no connection in time"
		     : c->secure ? "no TLS handshake in time"
				 : "no HTTP/2 connection in time");
}

static bool conn_in_use(const struct channel_conn *c)
{
	for (const struct channel_call *call = c->channel->open.first; call; call = call->next)
		if (call->conn == c)
			return true;
	return false;
}

/* ---- is there somebody still? ---- */

static void on_keepalive(void *ctx);

static void keepalive_set(struct channel_conn *c, int64_t delay_ms)
{
	clock_timer_set(loop_clock(c->channel->loop), &c->timer, delay_ms, on_keepalive, c);
}

static void keepalive_ask(struct channel_conn *c)
{
	nghttp2_submit_ping(c->io.session, NGHTTP2_FLAG_NONE, ALIVE_PING);
	c->pinged_ms = now_ms(c);
	keepalive_set(c, c->channel->keepalive_timeout_ms);
	h2_io_flush(&c->io);
}

/* Only while somebody waits: servers dislike the PINGs of idle clients. */
static void on_keepalive(void *ctx)
{
	struct channel_conn *c = ctx;
	int64_t quiet_ms = now_ms(c) - c->active_ms;
	int64_t left_ms = c->channel->keepalive_ms;

	if (c->pinged_ms != 0) {
		conn_lost(c, "the other side is silent, also when asked by PING");
		return;
	}
	if (conn_in_use(c)) {
		if (quiet_ms >= left_ms) {
			keepalive_ask(c);
			return;
		}
		left_ms -= quiet_ms;
	}
	keepalive_set(c, left_ms);
}

/* ---- what the peer says ---- */

static struct channel_call *call_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_p,
		     size_t name_n, const uint8_t *value_p, size_t value_n, uint8_t flags,
		     void *ctx)
{
	struct channel_call *call = call_of(session, frame->hd.stream_id);
	struct bytes name = bytes_from(name_p, name_n);
	struct bytes value = bytes_from(value_p, value_n);

	(void)flags;
	(void)ctx;
	if (!call)
		return 0;
	if (!h2_stream_header_fits(&call->stream, name, value)) {
		channel_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "headers of the reply too big");
		return 0;
	}
	if (bytes_eq_var(name, BYTES_LIT(":status"))) {
		call->http_status = 0;
		for (size_t i = 0; i < value.n && i < 3; i++)
			call->http_status = call->http_status * 10 + (value.p[i] - '0');
	} else if (bytes_eq_var(name, BYTES_LIT("content-type"))) {
		call->grpc_content = grpc_content_type(value);
	} else if (bytes_eq_var(name, BYTES_LIT("grpc-status"))) {
		call->has_status = true;
		call->status = grpc_status_parse(value);
	} else if (bytes_eq_var(name, BYTES_LIT("grpc-message"))) {
		buf_free(&call->text);
		call->text = buf_make(GRPC_HEADER_BYTES_MAX);
		if (grpc_text_decode(&call->text, value) != ERR_OK)
			buf_free(&call->text);
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
		   void *ctx)
{
	struct channel_call *call = call_of(session, id);

	(void)flags;
	(void)ctx;
	if (!call || call->http_status != 200 || !call->grpc_content)
		return 0;
	switch (grpc_reader_feed(&call->stream.in, bytes_from(p, n))) {
	case ERR_OK:
		break;
	case ERR_TOO_BIG:
		channel_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "message of the reply too big");
		break;
	case ERR_UNSUPPORTED:
		channel_call_finish(call, GRPC_INTERNAL, "reply is compressed without being asked");
		break;
	case ERR_NOMEM:
		channel_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		break;
	default:
		channel_call_finish(call, GRPC_INTERNAL, "reply is not one gRPC message");
		break;
	}
	return 0;
}

static void call_end_without_status(struct channel_call *call, uint32_t h2_error)
{
	char text[64];

	if (h2_error != NGHTTP2_NO_ERROR) {
		snprintf(text, sizeof(text), "call ended by the other side: %s",
			 nghttp2_http2_strerror(h2_error));
		channel_call_finish(call, grpc_status_of_reset(h2_error), text);
		return;
	}
	snprintf(text, sizeof(text), "reply without grpc-status, HTTP status %d",
		 call->http_status);
	channel_call_finish(call, grpc_status_of_http(call->http_status), text);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t h2_error, void *ctx)
{
	struct channel_call *call = call_of(session, id);

	(void)ctx;
	if (!call)
		return 0;
	call->submitted = false; /* nothing left to tell the peer */
	if (!call->has_status)
		call_end_without_status(call, h2_error);
	else if (call->status != GRPC_OK)
		channel_call_finish(call, call->status, NULL);
	else if (grpc_reader_end(&call->stream.in) != ERR_OK)
		channel_call_finish(call, GRPC_INTERNAL, "reply without a whole message");
	else
		channel_call_finish(call, GRPC_OK, NULL);
	return 0;
}

/* No new calls on this one; the next call makes another. */
static void conn_retire(struct channel_conn *c)
{
	c->draining = true;
	if (c->channel->current == c)
		c->channel->current = NULL;
}

/* Also what the end of the other side's certificate calls for. */
static void conn_leave(void *ctx)
{
	struct channel_conn *c = ctx;

	conn_retire(c);
	if (!conn_in_use(c))
		channel_conn_close(c);
}

/* One that is still being made has its calls waiting: it goes on, and they fail if it does. */
void channel_conn_renew(struct channel_grpc *ch)
{
	if (ch->current)
		conn_leave(ch->current);
}

/* Requests may leave: those that wait do. */
static void conn_ready(struct channel_conn *c)
{
	struct channel_call *call, *next;

	c->ready = true;
	for (call = c->channel->open.first; call; call = next) {
		next = call->next;
		if (call->conn == c && channel_conn_submit(c, call) != ERR_OK)
			channel_call_finish(call, GRPC_UNAVAILABLE, "out of memory");
	}
}

/* The other side speaks HTTP/2; over TLS: it has also accepted our certificate. */
static void conn_settled(struct channel_conn *c)
{
	c->settled = true;
	c->channel->failures = 0;
	c->active_ms = now_ms(c);
	keepalive_set(c, c->channel->keepalive_ms);
	if (!c->ready)
		conn_ready(c);
}

/* Calls that wait for their turn to leave. After GOAWAY none comes (RFC 9113, 6.8), and nghttp2
 * would say so only when another call of the connection ends. */
static void conn_fail_unsent(struct channel_conn *c)
{
	struct channel_call *call, *next;

	for (call = c->channel->open.first; call; call = next) {
		next = call->next;
		if (call->conn == c && call->submitted &&
		    !nghttp2_session_find_stream(c->io.session, call->stream.id))
			channel_call_finish(call, GRPC_UNAVAILABLE, NO_MORE_CALLS);
	}
}

/* gRFC A8: a server that finds our PINGs too many gets half as many. */
static void conn_goaway(struct channel_conn *c, const nghttp2_goaway *goaway)
{
	struct bytes why = bytes_from(goaway->opaque_data, goaway->opaque_data_len);
	int64_t *keepalive_ms = &c->channel->keepalive_ms;

	if (goaway->error_code == NGHTTP2_ENHANCE_YOUR_CALM &&
	    bytes_eq_var(why, BYTES_LIT("too_many_pings")) && *keepalive_ms < KEEPALIVE_MAX_MS)
		*keepalive_ms *= 2;
	conn_retire(c);
	conn_fail_unsent(c);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2_io *io = ctx;
	struct channel_conn *c = io->ctx;

	(void)session;
	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK) &&
	    !c->settled)
		conn_settled(c);
	if (frame->hd.type == NGHTTP2_GOAWAY)
		conn_goaway(c, &frame->goaway);
	return 0;
}

/* A request that HTTP/2 does not let out: the connection is ending. Its stream may be open within
 * nghttp2, which then closes it: the call must be off it by then. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *ctx)
{
	struct h2_io *io = ctx;
	struct channel_conn *c = io->ctx;
	struct channel_call *call;

	(void)session;
	(void)error;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	for (call = c->channel->open.first; call; call = call->next) {
		if (call->conn != c || !call->submitted || call->stream.id != frame->hd.stream_id)
			continue;
		call->submitted = false; /* the peer has not heard of it */
		channel_call_finish(call, GRPC_UNAVAILABLE, NO_MORE_CALLS);
		break;
	}
	return 0;
}

static void conn_received(void *ctx)
{
	struct channel_conn *c = ctx;
	struct channel_grpc *ch = c->channel;

	c->active_ms = now_ms(c);
	if (c->pinged_ms != 0) {
		c->pinged_ms = 0;
		keepalive_set(c, ch->keepalive_ms);
	}
	h2_io_flush(&c->io);
	if (c->draining && !conn_in_use(c))
		channel_conn_close(c);
	channel_finish_now(ch);
}

/* ---- making one ---- */

static void callbacks_set(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_not_sent);
}

static const struct h2_side client_side = {
	.callbacks_set = callbacks_set, .received = conn_received, .lost = conn_lost};

static void on_secured(void *ctx, struct bufferevent *bev, const char *peer, const char *why)
{
	struct channel_conn *c = ctx;

	(void)peer;
	c->secure = NULL;
	if (bev)
		tls_expiry_begin(&c->expiry, loop_clock(c->channel->loop), bev, conn_leave, c);
	if (!bev || h2_io_start(&c->io, c->channel->loop, bev) != ERR_OK)
		conn_lost(c, bev ? "out of memory" : why);
}

static enum err conn_start_plain(struct channel_conn *c, int fd)
{
	TRY(h2_io_start_plain(&c->io, c->channel->loop, fd));
	conn_ready(c);
	return ERR_OK;
}

static void on_dialled(void *ctx, int fd, const char *why)
{
	struct channel_conn *c = ctx;
	struct channel_grpc *ch = c->channel;
	enum err e;

	c->dial = NULL;
	if (fd < 0) {
		conn_lost(c, why);
		return;
	}
	if (ch->tls)
		e = tls_handshake_start(&c->secure, ch->loop, ch->tls, fd, ch->target.host,
					ch->identity[0] ? ch->identity : NULL, on_secured, c);
	else
		e = conn_start_plain(c, fd);
	if (e != ERR_OK)
		conn_lost(c, "out of memory");
}

enum err channel_conn_open(struct channel_grpc *ch)
{
	struct channel_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	c->channel = ch;
	c->io = (struct h2_io){.side = &client_side, .ctx = c};
	if (dial_start(&c->dial, ch->loop, &ch->target, on_dialled, c) != ERR_OK) {
		free(c);
		return ERR_NOMEM;
	}
	clock_timer_set(loop_clock(ch->loop), &c->timer, GRPC_HANDSHAKE_TIMEOUT_MS,
			on_handshake_timeout, c);
	c->next = ch->conns;
	ch->conns = c;
	ch->current = c;
	return ERR_OK;
}

/* ---- calls ---- */

enum err channel_conn_submit(struct channel_conn *c, struct channel_call *call)
{
	struct dial_target *target = &c->channel->target;
	int64_t left_ms = call->deadline_ms - now_ms(c);
	struct bytes scheme = bytes_str(target->secure ? "https" : "http");
	nghttp2_data_provider body = h2_body_provider();
	char timeout[GRPC_TIMEOUT_TEXT_SIZE];
	int32_t id;

	grpc_timeout_format(timeout, left_ms > 1 ? left_ms : 1);
	nghttp2_nv nv[] = {
		H2_NV(":method", BYTES_LIT("POST")),
		H2_NV(":scheme", scheme),
		H2_NV(":path", bytes_str(call->path)),
		H2_NV(":authority", bytes_str(target->authority)),
		H2_NV("te", BYTES_LIT("trailers")),
		H2_NV("content-type", BYTES_LIT("application/grpc")),
		H2_NV("user-agent", BYTES_LIT("claviger")),
		H2_NV("grpc-timeout", bytes_str(timeout)),
		H2_NV("traceparent", bytes_str(call->traceparent)),
	};
	id = nghttp2_submit_request(c->io.session, NULL, nv,
				    ARRAY_LEN(nv) - (call->traceparent[0] ? 0 : 1), &body,
				    &call->stream);
	if (id < 0) {
		/* Out of stream numbers after 2^30 calls: the next call finds a new connection. */
		conn_retire(c);
		return ERR_UNAVAILABLE;
	}
	call->stream.id = id;
	call->submitted = true;
	/* Long unheard of: the call brings the question with it. */
	if (c->settled && c->pinged_ms == 0 && now_ms(c) - c->active_ms >= c->channel->keepalive_ms)
		keepalive_ask(c);
	h2_io_flush(&c->io);
	return ERR_OK;
}

void channel_conn_forget(struct channel_call *call)
{
	struct channel_conn *c = call->conn;

	call->conn = NULL;
	if (!c || call->stream.id == 0)
		return;
	nghttp2_session_set_stream_user_data(c->io.session, call->stream.id, NULL);
	if (!call->submitted)
		return;
	nghttp2_submit_rst_stream(c->io.session, NGHTTP2_FLAG_NONE, call->stream.id,
				  NGHTTP2_CANCEL);
	h2_io_flush(&c->io);
}

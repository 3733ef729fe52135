/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdio.h>
#include <stdlib.h>

#include "net/grpc_server_internal.h"

/* Index = status; what a trailer points at must live as long as the call. */
static const char *const STATUS_TEXTS[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
					   "9", "10", "11", "12", "13", "14", "15", "16"};

/* ---- life ---- */

static void list_add(struct grpc_call_list *list, struct grpc_call *call)
{
	call->next = NULL;
	call->prev = list->last;
	if (list->last)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
}

static void list_remove(struct grpc_call_list *list, struct grpc_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		list->first = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		list->last = call->prev;
}

static int64_t now_ms(const struct grpc_call *call)
{
	return clock_mono_ms(loop_clock(call->server->loop));
}

struct grpc_call *grpc_call_new(struct grpc_conn *c, int32_t id)
{
	struct grpc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->stream.id = id;
	call->server = c->server;
	call->conn = c;
	call->peer = c->peer;
	call->too_many = !grpc_peer_call_begins(c->peer);
	call->deadline_ms = INT64_MAX;
	call->begun_ms = call->moved_ms = c->call_ms = now_ms(call);
	call->since_ms = c->since_ms;
	c->asked = true;
	list_add(&c->calls, call);
	return call;
}

/* Keeps the counts of calls per state. */
static void call_enter(struct grpc_call *call, enum grpc_call_state state)
{
	if (call->conn)
		call->conn->ready_n += (state == GRPC_CALL_READY ? 1u : 0u) -
				       (call->state == GRPC_CALL_READY ? 1u : 0u);
	call->server->held_n += (state == GRPC_CALL_HELD ? 1u : 0u) -
				(call->state == GRPC_CALL_HELD ? (size_t)1 : 0u);
	call->state = state;
}

static void request_free(struct grpc_call *call)
{
	grpc_reader_free(&call->stream.in);
	grpc_peer_discharge(call->peer, call->charged);
	call->charged = 0;
}

/* Off its connection, which may be going. */
static void call_leave(struct grpc_call *call)
{
	call->conn->call_ms = now_ms(call);
	list_remove(&call->conn->calls, call);
	call->conn = NULL;
}

void grpc_call_free(struct grpc_call *call)
{
	clock_timer_cancel(loop_clock(call->server->loop), &call->timer);
	call_enter(call, GRPC_CALL_ANSWERED);
	if (call->conn)
		call_leave(call);
	else
		list_remove(&call->server->orphans, call);
	request_free(call);
	grpc_peer_discharge(call->peer, call->reply_charged);
	grpc_peer_call_ends(call->peer);
	h2_stream_free(&call->stream);
	free(call);
}

bool grpc_call_lost(struct grpc_call *call)
{
	bool answered = call->state == GRPC_CALL_ANSWERED;

	if (call->state != GRPC_CALL_HELD) {
		grpc_call_free(call);
	} else {
		clock_timer_cancel(loop_clock(call->server->loop), &call->timer);
		call_leave(call);
		list_add(&call->server->orphans, call);
	}
	return !answered;
}

/* ---- time ---- */

static void on_call_timer(void *ctx);

static int64_t min_ms(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When somebody should look at this call again; what moves in between moves this moment. */
static int64_t call_due_ms(const struct grpc_call *call)
{
	const struct grpc_server_limits *l = &call->server->limits;
	int64_t slow_ms;

	switch (call->state) {
	case GRPC_CALL_RECEIVING:
		slow_ms = call->begun_ms + l->body_ms +
			  (int64_t)call->charged * 1000 / l->body_rate_min;
		return min_ms(call->deadline_ms, min_ms(slow_ms, call->moved_ms + l->body_ms));
	case GRPC_CALL_ANSWERED:
		return call->moved_ms + l->body_ms;
	default:
		return call->deadline_ms;
	}
}

static void call_timer_set(struct grpc_call *call)
{
	int64_t due_ms = call_due_ms(call);
	int64_t now = now_ms(call);

	if (due_ms != INT64_MAX)
		clock_timer_set(loop_clock(call->server->loop), &call->timer,
				due_ms > now ? due_ms - now : 0, on_call_timer, call);
	else
		clock_timer_cancel(loop_clock(call->server->loop), &call->timer);
}

/* ---- answer ---- */

static void answer_begin(struct grpc_call *call)
{
	call->stop_peer = call->state == GRPC_CALL_RECEIVING;
	call_enter(call, GRPC_CALL_ANSWERED);
	request_free(call);
	call->moved_ms = now_ms(call);
	call_timer_set(call);
}

/* A status without a message ("Trailers-Only"). */
static void submit_status(struct grpc_conn *c, int32_t id, enum grpc_status status,
			  const char *text)
{
	CLEANUP(buf_free) struct buf coded = buf_make(GRPC_HEADER_BYTES_MAX / 2);

	/* Text that is too long or finds no memory is left out. */
	if (text && grpc_text_encode(&coded, text) != ERR_OK)
		buf_clear(&coded);
	nghttp2_nv nv[] = {
		H2_NV(":status", BYTES_LIT("200")),
		H2_NV("content-type", BYTES_LIT("application/grpc")),
		H2_NV("grpc-status", bytes_str(STATUS_TEXTS[status])),
		H2_NV("grpc-message", buf_view(&coded)),
	};
	if (nghttp2_submit_response(c->io.session, id, nv, ARRAY_LEN(nv) - (coded.n == 0 ? 1 : 0),
				    NULL) != 0)
		nghttp2_submit_rst_stream(c->io.session, NGHTTP2_FLAG_NONE, id,
					  NGHTTP2_INTERNAL_ERROR);
	h2_io_flush(&c->io);
}

static void answer_status(struct grpc_call *call, enum grpc_status status, const char *text)
{
	answer_begin(call);
	submit_status(call->conn, call->stream.id, status, text);
}

/* For peers which do not speak gRPC at all. */
static void answer_http(struct grpc_call *call, struct bytes http_status)
{
	nghttp2_session *session = call->conn->io.session;
	nghttp2_nv nv[] = {H2_NV(":status", http_status)};

	answer_begin(call);
	if (nghttp2_submit_response(session, call->stream.id, nv, ARRAY_LEN(nv), NULL) != 0)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->stream.id,
					  NGHTTP2_INTERNAL_ERROR);
	h2_io_flush(&call->conn->io);
}

static void answer_message(struct grpc_call *call, struct bytes message)
{
	nghttp2_data_provider body = h2_body_provider();
	nghttp2_nv nv[] = {
		H2_NV(":status", BYTES_LIT("200")),
		H2_NV("content-type", BYTES_LIT("application/grpc")),
	};

	if (grpc_message_pack(&call->stream.out, message) != ERR_OK) {
		buf_free(&call->stream.out);
		answer_status(call, GRPC_RESOURCE_EXHAUSTED, "no room for the reply");
		return;
	}
	answer_begin(call);
	/* Counted, not refused: the work is done. What is left for requests shrinks. */
	call->reply_charged = call->stream.out.n;
	grpc_peer_charge(call->peer, call->reply_charged);
	call->stream.trailer_status = STATUS_TEXTS[GRPC_OK];
	if (nghttp2_submit_response(call->conn->io.session, call->stream.id, nv, ARRAY_LEN(nv),
				    &body) != 0)
		nghttp2_submit_rst_stream(call->conn->io.session, NGHTTP2_FLAG_NONE,
					  call->stream.id, NGHTTP2_INTERNAL_ERROR);
	h2_io_flush(&call->conn->io);
}

void grpc_call_reply(struct grpc_call *call, struct bytes message)
{
	CHECK(call->state == GRPC_CALL_HELD);
	if (call->conn)
		answer_message(call, message);
	else
		grpc_call_free(call);
}

void grpc_call_fail(struct grpc_call *call, enum grpc_status status, const char *text)
{
	CHECK(call->state == GRPC_CALL_HELD);
	if (status <= GRPC_OK || (size_t)status >= ARRAY_LEN(STATUS_TEXTS))
		status = GRPC_UNKNOWN;
	if (call->conn)
		answer_status(call, status, text);
	else
		grpc_call_free(call);
}

static void call_expire(struct grpc_call *call)
{
	struct grpc_conn *c = call->conn;

	if (call->state != GRPC_CALL_HELD) {
		answer_status(call, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
		return;
	}
	/* The handler keeps it, for nobody. */
	nghttp2_session_set_stream_user_data(c->io.session, call->stream.id, NULL);
	submit_status(c, call->stream.id, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
	call_leave(call);
	list_add(&call->server->orphans, call);
}

/* Armed only while there is a connection. */
static void on_call_timer(void *ctx)
{
	struct grpc_call *call = ctx;
	int64_t now = now_ms(call);

	if (call->state == GRPC_CALL_ANSWERED && call->sent != call->stream.out_at) {
		call->sent = call->stream.out_at;
		call->moved_ms = now;
	}
	if (call_due_ms(call) > now) {
		call_timer_set(call);
	} else if (call->state == GRPC_CALL_ANSWERED) {
		/* Nobody takes the reply. The end of the stream frees it. */
		nghttp2_submit_rst_stream(call->conn->io.session, NGHTTP2_FLAG_NONE,
					  call->stream.id, NGHTTP2_CANCEL);
		h2_io_flush(&call->conn->io);
	} else if (now >= call->deadline_ms) {
		call_expire(call);
	} else {
		answer_status(call, GRPC_DEADLINE_EXCEEDED, "the request came too slowly");
	}
}

struct grpc_peer grpc_call_peer(const struct grpc_call *call)
{
	return (struct grpc_peer){call->peer->name, call->peer->authenticated, call->since_ms};
}

struct bytes grpc_call_request(const struct grpc_call *call)
{
	return buf_view(&call->stream.in.body);
}

int64_t grpc_call_time_left_ms(const struct grpc_call *call)
{
	int64_t left_ms;

	if (call->deadline_ms == INT64_MAX)
		return INT64_MAX;
	left_ms = call->deadline_ms - now_ms(call);
	return left_ms > 0 ? left_ms : 0;
}

/* ---- request ---- */

static const struct grpc_method *method_find(const struct grpc_server *s, struct bytes path)
{
	for (size_t i = 0; i < s->methods_n; i++)
		if (bytes_eq_var(bytes_str(s->methods[i].path), path))
			return &s->methods[i];
	return NULL;
}

void grpc_call_header(struct grpc_call *call, struct bytes name, struct bytes value)
{
	int64_t timeout_ms;

	if (call->state != GRPC_CALL_RECEIVING)
		return;
	if (!h2_stream_header_fits(&call->stream, name, value)) {
		call->headers_too_big = true;
	} else if (bytes_eq_var(name, BYTES_LIT(":path"))) {
		call->method = method_find(call->server, value);
	} else if (bytes_eq_var(name, BYTES_LIT(":method"))) {
		call->is_post = bytes_eq_var(value, BYTES_LIT("POST"));
	} else if (bytes_eq_var(name, BYTES_LIT("content-type"))) {
		call->grpc_content = grpc_content_type(value);
	} else if (bytes_eq_var(name, BYTES_LIT("grpc-timeout"))) {
		if (grpc_timeout_parse(&timeout_ms, value) != ERR_OK)
			call->bad_timeout = true;
		else
			call->deadline_ms = now_ms(call) + timeout_ms;
	}
}

void grpc_call_headers_end(struct grpc_call *call)
{
	size_t size_max;

	if (call->state != GRPC_CALL_RECEIVING)
		return;
	if (call->headers_too_big) {
		answer_status(call, GRPC_RESOURCE_EXHAUSTED, "headers too big");
	} else if (!call->is_post) {
		answer_http(call, BYTES_LIT("405"));
	} else if (!call->grpc_content) {
		answer_http(call, BYTES_LIT("415"));
	} else if (!call->method) {
		answer_status(call, GRPC_UNIMPLEMENTED, "unknown method");
	} else if (call->bad_timeout) {
		answer_status(call, GRPC_INTERNAL, "malformed grpc-timeout");
	} else if (call->too_many) {
		answer_status(call, GRPC_RESOURCE_EXHAUSTED, "too many calls of this peer");
	} else {
		size_max = call->method->request_max;
		if (size_max == 0 || size_max > GRPC_MESSAGE_MAX)
			size_max = GRPC_MESSAGE_MAX;
		call->stream.in = grpc_reader_make(size_max);
		call_timer_set(call);
	}
}

void grpc_call_data(struct grpc_call *call, struct bytes piece)
{
	if (call->state != GRPC_CALL_RECEIVING)
		return;
	if (piece.n > grpc_peer_room(call->peer)) {
		answer_status(call, GRPC_RESOURCE_EXHAUSTED, "too many bytes at once");
		return;
	}
	switch (grpc_reader_feed(&call->stream.in, piece)) {
	case ERR_OK:
		grpc_peer_charge(call->peer, piece.n);
		call->charged += piece.n;
		if (piece.n > 0)
			call->moved_ms = now_ms(call);
		break;
	case ERR_TOO_BIG:
		answer_status(call, GRPC_RESOURCE_EXHAUSTED, "message too big");
		break;
	case ERR_UNSUPPORTED:
		answer_status(call, GRPC_UNIMPLEMENTED, "compression is not supported");
		break;
	case ERR_NOMEM:
		answer_status(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		break;
	default:
		answer_status(call, GRPC_INTERNAL, "request is not one gRPC message");
		break;
	}
}

void grpc_call_end(struct grpc_call *call)
{
	if (call->state != GRPC_CALL_RECEIVING)
		return;
	/* From here the peer has nothing more to send, whatever the answer. */
	call_enter(call, GRPC_CALL_READY);
	call_timer_set(call);
	if (grpc_reader_end(&call->stream.in) != ERR_OK)
		answer_status(call, GRPC_INTERNAL, "request without a whole message");
	else if (call->server->held_n >= GRPC_HELD_MAX)
		answer_status(call, GRPC_RESOURCE_EXHAUSTED, "too many calls at once");
}

void grpc_calls_handle(struct grpc_conn *c)
{
	struct grpc_server *s = c->server;

	while (c->ready_n > 0) {
		struct grpc_call *call = c->calls.first;

		while (call->state != GRPC_CALL_READY)
			call = call->next;
		call_enter(call, GRPC_CALL_HELD);
		s->in_handler = true;
		call->method->handler(s->ctx, call);
		s->in_handler = false;
	}
}

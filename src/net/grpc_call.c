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

struct grpc_call *grpc_call_new(struct grpc_conn *c, int32_t id)
{
	struct grpc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->stream.id = id;
	call->server = c->server;
	call->conn = c;
	call->deadline_ms = INT64_MAX;
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
	call->server->in_flight -= call->charged;
	call->charged = 0;
}

void grpc_call_free(struct grpc_call *call)
{
	call_enter(call, GRPC_CALL_ANSWERED);
	list_remove(call->conn ? &call->conn->calls : &call->server->orphans, call);
	request_free(call);
	h2_stream_free(&call->stream);
	free(call);
}

bool grpc_call_lost(struct grpc_call *call)
{
	bool answered = call->state == GRPC_CALL_ANSWERED;

	if (call->state != GRPC_CALL_HELD) {
		grpc_call_free(call);
	} else {
		list_remove(&call->conn->calls, call);
		call->conn = NULL;
		list_add(&call->server->orphans, call);
	}
	return !answered;
}

/* ---- answer ---- */

static void answer_begin(struct grpc_call *call)
{
	call->stop_peer = call->state == GRPC_CALL_RECEIVING;
	call_enter(call, GRPC_CALL_ANSWERED);
	request_free(call);
}

/* A status without a message ("Trailers-Only"). */
static void answer_status(struct grpc_call *call, enum grpc_status status, const char *text)
{
	CLEANUP(buf_free) struct buf coded = buf_make(GRPC_HEADER_BYTES_MAX / 2);
	nghttp2_session *session = call->conn->io.session;

	/* Text that is too long or finds no memory is left out. */
	if (text && grpc_text_encode(&coded, text) != ERR_OK)
		buf_clear(&coded);
	answer_begin(call);
	nghttp2_nv nv[] = {
		H2_NV(":status", BYTES_LIT("200")),
		H2_NV("content-type", BYTES_LIT("application/grpc")),
		H2_NV("grpc-status", bytes_str(STATUS_TEXTS[status])),
		H2_NV("grpc-message", buf_view(&coded)),
	};
	if (nghttp2_submit_response(session, call->stream.id, nv,
				    ARRAY_LEN(nv) - (coded.n == 0 ? 1 : 0), NULL) != 0)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->stream.id,
					  NGHTTP2_INTERNAL_ERROR);
	h2_io_flush(&call->conn->io);
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

struct bytes grpc_call_request(const struct grpc_call *call)
{
	return buf_view(&call->stream.in.body);
}

int64_t grpc_call_time_left_ms(const struct grpc_call *call)
{
	int64_t left_ms;

	if (call->deadline_ms == INT64_MAX)
		return INT64_MAX;
	left_ms = call->deadline_ms - clock_mono_ms(loop_clock(call->server->loop));
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
			call->deadline_ms =
				clock_mono_ms(loop_clock(call->server->loop)) + timeout_ms;
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
	} else {
		size_max = call->method->request_max;
		if (size_max == 0 || size_max > GRPC_MESSAGE_MAX)
			size_max = GRPC_MESSAGE_MAX;
		call->stream.in = grpc_reader_make(size_max);
	}
}

void grpc_call_data(struct grpc_call *call, struct bytes piece)
{
	struct grpc_server *s = call->server;

	if (call->state != GRPC_CALL_RECEIVING)
		return;
	if (piece.n > GRPC_IN_FLIGHT_BYTES_MAX - s->in_flight) {
		answer_status(call, GRPC_RESOURCE_EXHAUSTED, "too many requests at once");
		return;
	}
	switch (grpc_reader_feed(&call->stream.in, piece)) {
	case ERR_OK:
		s->in_flight += piece.n;
		call->charged += piece.n;
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

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* JSON-RPC over WebSockets, behind the seam that HTTP has. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "net/transport.h"
#include "net/websocket.h"

enum {
	OPEN_TIMEOUT_MS = 10000,
	SILENCE_MS = 20000,
};
#define WS_TICKET (UINT64_C(1) << 63) /* so that they are not the inner transport's */

struct ws_transport {
	struct transport base;
	struct loop *loop;
	struct transport *inner;
	struct ws_line *lines;
	size_t calls_n, lines_n;
	uint64_t last_id;
	bool busy;  /* inside a done */
	bool freed; /* in a done: the memory goes when it returns */
};

/* A connection and who waits for answers on it. */
struct ws_line {
	struct ws_line *next;
	struct ws_transport *transport;
	char *url;
	struct websocket *socket;
	struct ws_call *calls;
	bool dead; /* closed: it is told */
};

struct ws_call {
	struct ws_call *next;
	struct ws_line *line;
	uint64_t ticket, rpc_id;
	size_t body_max;
	http_done_fn *done;
	void *ctx;
	struct timer deadline;
};

/* ---- ids ---- */

static bool read_number(uint64_t *ret_v, struct bytes in)
{
	uint64_t v = 0;
	size_t n = 0;

	while (n < in.n && n < 18 && in.p[n] >= '0' && in.p[n] <= '9')
		v = 10 * v + (uint64_t)(in.p[n++] - '0');
	if (n == 0 || n == in.n || (in.p[n] >= '0' && in.p[n] <= '9'))
		return false;
	*ret_v = v;
	return true;
}

static bool request_id(uint64_t *ret_id, struct bytes body)
{
	static const struct bytes front = {(const uint8_t *)"{\"jsonrpc\":\"2.0\",\"id\":", 22};

	return bytes_eq_var(bytes_sub(body, 0, front.n), front) &&
	       read_number(ret_id, bytes_sub(body, front.n, body.n - front.n));
}

static size_t skip_blanks(struct bytes in, size_t at)
{
	while (at < in.n &&
	       (in.p[at] == ' ' || in.p[at] == '\t' || in.p[at] == '\r' || in.p[at] == '\n'))
		at++;
	return at;
}

/* Behind the string that begins at `at`. */
static size_t skip_string(struct bytes in, size_t at)
{
	for (at++; at < in.n && in.p[at] != '"'; at++)
		if (in.p[at] == '\\')
			at++;
	return at + 1;
}

/* The number that the outermost object has as "id". Whether the text is JSON is for the one who
 * waits for it to say. */
static bool reply_id(uint64_t *ret_id, struct bytes in)
{
	size_t depth = 0;

	for (size_t at = 0; at < in.n;) {
		uint8_t c = in.p[at];

		if (c == '"') {
			size_t end = skip_string(in, at);
			size_t colon = skip_blanks(in, end);

			if (depth == 1 && end - at == 4 && end <= in.n &&
			    memcmp(&in.p[at], "\"id\"", 4) == 0 && colon < in.n &&
			    in.p[colon] == ':') {
				at = skip_blanks(in, colon + 1);
				return at < in.n &&
				       read_number(ret_id, bytes_sub(in, at, in.n - at));
			}
			at = end;
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		at++;
	}
	return false;
}

/* ---- calls ---- */

static void destroy(struct ws_transport *t)
{
	transport_free(t->inner);
	free(t);
}

static void call_unlink(struct ws_call *c)
{
	for (struct ws_call **at = &c->line->calls; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	clock_timer_cancel(loop_clock(c->line->transport->loop), &c->deadline);
	c->line->transport->calls_n--;
}

/* The call is unlinked. False: the transport is gone, and the line with it. */
static bool report(struct ws_transport *t, struct ws_call *c, const struct http_reply *reply)
{
	bool outermost = !t->busy;

	t->busy = true;
	c->done(c->ctx, reply);
	free(c);
	if (!outermost)
		return !t->freed;
	t->busy = false;
	if (!t->freed)
		return true;
	destroy(t);
	return false;
}

static bool report_error(struct ws_transport *t, struct ws_call *c, enum err e, const char *why)
{
	struct buf none = buf_make(0);
	struct http_reply reply = {.err = e, .owner = &none};

	(void)err_say(&reply.note, e, "%s", why);
	return report(t, c, &reply);
}

static void on_deadline(void *ctx)
{
	struct ws_call *c = ctx;
	struct ws_transport *t = c->line->transport;

	call_unlink(c);
	(void)report_error(t, c, ERR_TIMEOUT, "no whole reply in time");
}

/* ---- lines ---- */

static void line_free(struct ws_line *l)
{
	for (struct ws_line **at = &l->transport->lines; *at; at = &(*at)->next)
		if (*at == l) {
			*at = l->next;
			break;
		}
	l->transport->lines_n--;
	while (l->calls) {
		struct ws_call *c = l->calls;

		call_unlink(c);
		free(c);
	}
	websocket_free(l->socket);
	free(l->url);
	free(l);
}

static void on_opened(void *ctx)
{
	(void)ctx;
}

static void on_message(void *ctx, struct bytes message)
{
	struct ws_line *l = ctx;
	struct ws_transport *t = l->transport;
	struct ws_call *c = l->calls;
	struct buf body CLEANUP(buf_free) = buf_make(message.n);
	uint64_t id;

	if (!reply_id(&id, message))
		return; /* a notification, or nothing that anybody waits for */
	while (c && c->rpc_id != id)
		c = c->next;
	if (!c)
		return;
	call_unlink(c);
	if (message.n > c->body_max) {
		(void)report_error(t, c, ERR_TOO_BIG, "the reply is bigger than the limit");
	} else if (buf_add(&body, message) != ERR_OK) {
		(void)report_error(t, c, ERR_NOMEM, "no memory for the reply");
	} else {
		const struct http_reply reply = {
			.status = 200, .body = buf_view(&body), .owner = &body};

		(void)report(t, c, &reply);
	}
}

static void on_closed(void *ctx, enum err e, const char *why)
{
	struct ws_line *l = ctx;
	struct ws_transport *t = l->transport;

	l->dead = true; /* who calls again from here gets a new one */
	while (l->calls) {
		struct ws_call *c = l->calls;

		call_unlink(c);
		if (!report_error(t, c, e == ERR_TIMEOUT ? e : ERR_UNAVAILABLE, why))
			return;
	}
	line_free(l);
}

static const struct websocket_events line_events = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
};

static enum err line_new(struct ws_transport *t, struct ws_line **ret_line, const char *url)
{
	const struct websocket_options o = {
		.url = url,
		.message_max = JSON_RPC_BODY_MAX,
		.open_timeout_ms = OPEN_TIMEOUT_MS,
		.silence_ms = SILENCE_MS,
	};

	if (t->lines_n >= WS_CONNECTIONS_MAX)
		return ERR_BUSY;
	struct ws_line *l = calloc(1, sizeof(*l));
	if (!l || !(l->url = strdup(url))) {
		free(l);
		return ERR_NOMEM;
	}
	l->transport = t;
	enum err e = websocket_open(&l->socket, t->loop, &o, &line_events, l, NULL);
	if (e != ERR_OK) {
		free(l->url);
		free(l);
		return e == ERR_NOMEM ? e : ERR_BAD_REQUEST;
	}
	l->next = t->lines;
	t->lines = l;
	t->lines_n++;
	*ret_line = l;
	return ERR_OK;
}

/* One to that URL on which nobody waits for that id. */
static enum err line_for(struct ws_transport *t, struct ws_line **ret_line, const char *url,
			 uint64_t rpc_id)
{
	for (struct ws_line *l = t->lines; l; l = l->next) {
		const struct ws_call *c = l->calls;

		while (c && c->rpc_id != rpc_id)
			c = c->next;
		if (!c && !l->dead && strcmp(l->url, url) == 0) {
			*ret_line = l;
			return ERR_OK;
		}
	}
	return line_new(t, ret_line, url);
}

/* ---- the table ---- */

static bool is_ws(const char *url)
{
	return strncmp(url, "ws://", 5) == 0 || strncmp(url, "wss://", 6) == 0;
}

static enum err ws_send(struct transport *base, struct http_ticket *ret_ticket,
			const struct http_request *req, http_done_fn *done, void *ctx)
{
	struct ws_transport *t = CONTAINER_OF(base, struct ws_transport, base);
	struct ws_line *l;
	uint64_t rpc_id;

	if (!is_ws(req->url))
		return transport_send(t->inner, ret_ticket, req, done, ctx);
	if (req->timeout_ms <= 0 || t->freed)
		return ERR_RANGE;
	if (t->calls_n >= HTTP_IN_FLIGHT_MAX)
		return ERR_BUSY;
	if (strcmp(req->method, "POST") != 0 || !request_id(&rpc_id, req->body))
		return ERR_BAD_REQUEST;
	TRY(line_for(t, &l, req->url, rpc_id));

	struct ws_call *c = calloc(1, sizeof(*c));
	if (!c)
		return ERR_NOMEM;
	enum err e = websocket_send(l->socket, req->body);
	if (e != ERR_OK) {
		free(c);
		return e;
	}
	c->line = l;
	c->ticket = ++t->last_id | WS_TICKET;
	c->rpc_id = rpc_id;
	c->body_max = req->body_max;
	c->done = done;
	c->ctx = ctx;
	c->next = l->calls;
	l->calls = c;
	t->calls_n++;
	clock_timer_set(loop_clock(t->loop), &c->deadline, req->timeout_ms, on_deadline, c);
	ret_ticket->id = c->ticket;
	return ERR_OK;
}

static void ws_cancel(struct transport *base, struct http_ticket ticket)
{
	struct ws_transport *t = CONTAINER_OF(base, struct ws_transport, base);

	if ((ticket.id & WS_TICKET) == 0) {
		transport_cancel(t->inner, ticket);
		return;
	}
	for (struct ws_line *l = t->lines; l; l = l->next)
		for (struct ws_call *c = l->calls; c; c = c->next)
			if (c->ticket == ticket.id) {
				call_unlink(c);
				free(c);
				return;
			}
}

static void ws_free(struct transport *base)
{
	struct ws_transport *t = CONTAINER_OF(base, struct ws_transport, base);

	if (t->freed)
		return;
	t->freed = true;
	while (t->lines)
		line_free(t->lines);
	if (!t->busy)
		destroy(t);
}

static const struct transport_ops ws_ops = {
	.send = ws_send,
	.cancel = ws_cancel,
	.free = ws_free,
};

enum err transport_ws_new(struct transport **ret_transport, struct loop *loop,
			  struct transport *inner)
{
	struct ws_transport *t = calloc(1, sizeof(*t));

	if (!t) {
		transport_free(inner);
		return ERR_NOMEM;
	}
	t->base.ops = &ws_ops;
	t->loop = loop;
	t->inner = inner;
	*ret_transport = &t->base;
	return ERR_OK;
}

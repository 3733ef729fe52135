/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The transport of the simulated world, and its object store. */
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

struct sim_exchange {
	struct sim_exchange *next;
	struct sim_net *net;
	uint64_t id;
	struct sim_event *event;
	struct sim_reply reply;
	bool head;
	size_t body_max;
	http_done_fn *done;
	http_piece_fn *piece;
	void *ctx;
};

static struct sim_net *net_of(struct transport *t)
{
	return CONTAINER_OF(t, struct sim_net, base);
}

static void unlink_exchange(struct sim_exchange *x)
{
	for (struct sim_exchange **at = &x->net->exchanges; *at; at = &(*at)->next)
		if (*at == x) {
			*at = x->next;
			return;
		}
}

static void exchange_free(struct sim_exchange *x)
{
	buf_free(&x->reply.body);
	free(x);
}

static void deliver(void *ctx)
{
	struct sim_exchange *x = ctx;
	struct buf none = buf_make(0);
	struct http_reply r = {
		.err = x->reply.err,
		.status = x->reply.status,
		.body = buf_view(&x->reply.body),
		.owner = &x->reply.body,
		.headers = x->reply.headers,
		.headers_n = x->reply.headers_n,
	};

	unlink_exchange(x);
	if (x->head) {
		r.body = BYTES_NONE;
		r.owner = &none;
	} else if (r.err == ERR_OK && r.body.n > x->body_max) {
		r.err = ERR_TOO_BIG;
	}
	if (x->piece && r.err == ERR_OK) { /* as it would come */
		size_t half = r.body.n / 2;

		x->piece(x->ctx, bytes_sub(r.body, 0, half));
		x->piece(x->ctx, bytes_sub(r.body, half, r.body.n - half));
	}
	x->done(x->ctx, &r);
	exchange_free(x);
}

static enum err net_send(struct transport *t, struct http_ticket *ret_ticket,
			 const struct http_request *req, http_done_fn *done, void *ctx)
{
	struct sim_net *n = net_of(t);
	struct sim_exchange *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	assert_true(req->timeout_ms > 0);
	*x = (struct sim_exchange){
		.next = n->exchanges, .net = n, .id = ++n->next_id, .done = done, .ctx = ctx};
	x->piece = req->piece;
	x->head = strcmp(req->method, "HEAD") == 0;
	x->body_max = req->body_max;
	x->reply.body = buf_make(256 << 20);
	x->reply.delay_ms = 1;
	x->reply.err = ERR_UNAVAILABLE;
	n->requests++;
	for (size_t i = 0; i < n->routes_n; i++)
		if (strncmp(req->url, n->routes[i].prefix, strlen(n->routes[i].prefix)) == 0) {
			x->reply.err = ERR_OK;
			n->routes[i].serve(n->routes[i].server, req, &x->reply);
			break;
		}
	if (x->reply.delay_ms >= req->timeout_ms) {
		x->reply.delay_ms = req->timeout_ms;
		x->reply.err = ERR_TIMEOUT;
	}
	n->exchanges = x;
	x->event = sim_after(n->sim, x->reply.delay_ms, deliver, x);
	ret_ticket->id = x->id;
	return ERR_OK;
}

static void net_cancel(struct transport *t, struct http_ticket ticket)
{
	struct sim_net *n = net_of(t);

	for (struct sim_exchange *x = n->exchanges; x; x = x->next)
		if (x->id == ticket.id) {
			sim_cancel(x->event);
			unlink_exchange(x);
			exchange_free(x);
			return;
		}
}

static const struct transport_ops ops = {.send = net_send, .cancel = net_cancel};

void sim_net_init(struct sim_net *n, struct sim *s)
{
	*n = (struct sim_net){.base = {&ops}, .sim = s};
}

void sim_net_route(struct sim_net *n, const char *prefix, sim_serve_fn *serve, void *server)
{
	assert_true(n->routes_n < ARRAY_LEN(n->routes));
	n->routes[n->routes_n++] = (struct sim_route){prefix, serve, server};
}

/* ---- object store ---- */

static void answer(struct sim_bucket *b, struct sim_object *o, bool head, struct sim_reply *ret)
{
	static char length[8][24];
	static unsigned turn;
	char *text = length[turn++ % 8];

	(void)b;
	ret->err = o->err;
	ret->status = o->status ? o->status : 200;
	ret->delay_ms = o->delay_ms > 0 ? o->delay_ms : 1;
	(void)snprintf(text, sizeof(length[0]), "%zu",
		       head && o->size_said > 0 ? o->size_said : o->body.n);
	ret->headers[ret->headers_n++] = (struct http_header){"content-length", text};
	if (o->format[0])
		ret->headers[ret->headers_n++] =
			(struct http_header){"x-amz-meta-ct-format", o->format};
	if (o->attestation[0])
		ret->headers[ret->headers_n++] =
			(struct http_header){"x-amz-meta-ct-attestation", o->attestation};
	if (head || ret->err != ERR_OK)
		return;
	assert_int_equal(buf_add(&ret->body, o->body), ERR_OK);
	if (o->corrupt)
		ret->body.p[ret->body.n - 1] ^= 1;
}

static void serve_bucket(void *server, const struct http_request *req, struct sim_reply *ret)
{
	struct sim_bucket *b = server;
	const char *path = &req->url[strlen(b->url)];
	bool head = strcmp(req->method, "HEAD") == 0;

	b->heads += head ? 1 : 0;
	b->gets += head ? 0 : 1;
	ret->status = 404;
	for (size_t i = 0; i < b->objects_n; i++)
		if (strcmp(b->objects[i].path, path) == 0) {
			b->objects[i].heads += head ? 1 : 0;
			b->objects[i].gets += head ? 0 : 1;
			answer(b, &b->objects[i], head, ret);
			return;
		}
}

void sim_bucket_init(struct sim_bucket *b, struct sim_net *n, const char *url)
{
	*b = (struct sim_bucket){.url = url};
	sim_net_route(n, url, serve_bucket, b);
}

struct sim_object *sim_bucket_put(struct sim_bucket *b, struct bytes body, const char *fmt, ...)
{
	va_list ap;

	assert_true(b->objects_n < ARRAY_LEN(b->objects));
	struct sim_object *o = &b->objects[b->objects_n++];
	*o = (struct sim_object){.body = body};
	va_start(ap, fmt);
	(void)vsnprintf(o->path, sizeof(o->path), fmt, ap);
	va_end(ap);
	return o;
}

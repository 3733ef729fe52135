/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "standin.h"

enum {
	BODY_MAX = 64 << 20,
	BUCKETS = 4093,
	TEXT_MAX = 2048
};

struct server {
	struct event_base *base;
	struct evhttp *http;
	standin_http_fn *fn;
	void *ctx;
};

static const char *method_name(enum evhttp_cmd_type t)
{
	return t == EVHTTP_REQ_HEAD   ? "HEAD"
	       : t == EVHTTP_REQ_PUT  ? "PUT"
	       : t == EVHTTP_REQ_POST ? "POST"
				      : "GET";
}

static void put_body(struct evbuffer *out, const struct standin_reply *r)
{
	int e = r->lasting ? evbuffer_add_reference(out, r->body.p, r->body.n, NULL, NULL)
			   : evbuffer_add(out, r->body.p, r->body.n);

	CHECK(e == 0);
}

static void on_request(struct evhttp_request *req, void *ctx)
{
	struct server *s = ctx;
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);
	size_t n = evbuffer_get_length(in);
	struct standin_request q = {
		.method = method_name(evhttp_request_get_command(req)),
		.path = evhttp_request_get_uri(req),
		.body = bytes_from(n > 0 ? evbuffer_pullup(in, -1) : (const uint8_t *)"", n),
	};
	struct standin_reply r = {.status = 404};
	const struct evkeyval *field;
	char length[24];

	for (field = evhttp_request_get_input_headers(req)->tqh_first;
	     field && q.fields_n < ARRAY_LEN(q.fields); field = field->next.tqe_next)
		if (strncasecmp(field->key, "x-amz-meta-", 11) == 0)
			q.fields[q.fields_n++] = (struct http_field){field->key, field->value};
	s->fn(s->ctx, &q, &r);
	for (size_t i = 0; i < r.fields_n; i++)
		(void)evhttp_add_header(out, r.fields[i].name, r.fields[i].value);
	(void)snprintf(length, sizeof(length), "%zu", r.body.n);
	if (!evhttp_find_header(out, "content-length"))
		(void)evhttp_add_header(out, "Content-Length", length);
	if (strcmp(q.method, "HEAD") != 0 && r.body.n > 0)
		put_body(evhttp_request_get_output_buffer(req), &r);
	evhttp_send_reply(req, r.status, NULL, NULL);
}

static void *serve(void *ctx)
{
	struct server *s = ctx;

	(void)event_base_dispatch(s->base);
	return NULL;
}

unsigned standin_http_start(const char *address, unsigned port, standin_http_fn *fn, void *ctx)
{
	struct server *s = calloc(1, sizeof(*s));
	pthread_t thread;

	CHECK(s != NULL);
	s->fn = fn;
	s->ctx = ctx;
	s->base = event_base_new();
	s->http = s->base ? evhttp_new(s->base) : NULL;
	CHECK(s->http != NULL);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
						    EVHTTP_REQ_POST);
	evhttp_set_max_body_size(s->http, BODY_MAX);
	evhttp_set_gencb(s->http, on_request, s);
	struct evhttp_bound_socket *bound =
		evhttp_bind_socket_with_handle(s->http, address, (uint16_t)port);
	struct sockaddr_in at;
	socklen_t n = sizeof(at);

	CHECK(bound &&
	      getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &n) == 0);
	CHECK(pthread_create(&thread, NULL, serve, s) == 0 && pthread_detach(thread) == 0);
	return ntohs(at.sin_port);
}

/* ---- objects ---- */

struct object {
	struct object *next;
	char *path;
	struct buf body;
	char names[4][64], values[4][TEXT_MAX];
	size_t fields_n;
};

struct standin_objects {
	struct object *buckets[BUCKETS];
};

struct standin_objects *standin_objects_new(void)
{
	struct standin_objects *o = calloc(1, sizeof(*o));

	CHECK(o != NULL);
	return o;
}

static struct object **place(struct standin_objects *all, const char *path)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (const char *p = path; *p; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);

	struct object **at = &all->buckets[h % BUCKETS];
	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	return at;
}

/* What is there is never replaced: it may be on its way to somebody. */
static void put(struct object **at, const struct standin_request *req)
{
	struct object *o = calloc(1, sizeof(*o));

	CHECK(o && (o->path = strdup(req->path)));
	o->body = buf_make(BODY_MAX);
	CHECK(buf_add(&o->body, req->body) == ERR_OK);
	for (size_t i = 0; i < req->fields_n; i++) {
		(void)snprintf(o->names[i], sizeof(o->names[0]), "%s", req->fields[i].name);
		(void)snprintf(o->values[i], sizeof(o->values[0]), "%s", req->fields[i].value);
	}
	o->fields_n = req->fields_n;
	*at = o;
}

void standin_objects_serve(void *objects, const struct standin_request *req,
			   struct standin_reply *ret)
{
	struct object **at = place(objects, req->path);

	if (strcmp(req->method, "PUT") == 0) {
		if (!*at)
			put(at, req);
		ret->status = 200;
		return;
	}
	if (!*at)
		return;
	ret->status = 200;
	ret->body = buf_view(&(*at)->body);
	ret->lasting = true;
	for (size_t i = 0; i < (*at)->fields_n; i++)
		ret->fields[ret->fields_n++] =
			(struct http_field){(*at)->names[i], (*at)->values[i]};
}

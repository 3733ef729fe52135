/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdlib.h>

#include "base/limits.h"
#include "net/aws_internal.h"

enum {
	ARENA_MAX = 64 << 10,
	REQUEST_MAX = 64 << 10
};

enum err aws_client_call(struct aws_client *c, struct aws_call **ret_call, const char *target,
			 struct bytes body, int64_t timeout_ms, aws_done_fn *done, void *ctx)
{
	struct aws_call *a = calloc(1, sizeof(*a));

	if (!a)
		return ERR_NOMEM;
	*a = (struct aws_call){
		.client = c,
		.target = target,
		.body = buf_make(REQUEST_MAX),
		.timeout_ms = timeout_ms,
		.done = done,
		.ctx = ctx,
	};

	enum err e = buf_add(&a->body, body);

	if (e != ERR_OK) {
		buf_free(&a->body);
		free(a);
		return e;
	}
	*ret_call = a;
	aws_call_begin(a);
	return ERR_OK;
}

enum err aws_client_read(struct aws_client *c, struct aws_call **ret_call,
			 const struct http_request *req, const char *region, http_done_fn *done,
			 void *ctx)
{
	bool head = strcmp(req->method, "HEAD") == 0;
	size_t region_n = region ? strlen(region) : 0;
	struct aws_call *a;

	if ((!head && strcmp(req->method, "GET") != 0) || req->headers_n > 0 || req->body.n > 0 ||
	    req->url[0] == '\0' || region_n >= sizeof(a->region))
		return ERR_BAD_REQUEST;
	a = calloc(1, sizeof(*a));
	if (!a)
		return ERR_NOMEM;
	*a = (struct aws_call){
		.client = c,
		.url = buf_make(URL_SIZE_MAX + 256),
		.head = head,
		.timeout_ms = req->timeout_ms,
		.connect_timeout_ms = req->connect_timeout_ms,
		.body_max = req->body_max,
		.piece = req->piece,
		.read_done = done,
		.ctx = ctx,
	};
	if (region_n > 0)
		memcpy(a->region, region, region_n);

	enum err e =
		buf_add(&a->url, (struct bytes){(const uint8_t *)req->url, strlen(req->url) + 1});

	if (e != ERR_OK) {
		buf_free(&a->url);
		free(a);
		return e;
	}
	*ret_call = a;
	aws_call_begin(a);
	return ERR_OK;
}

static enum err keep(struct aws_client *c, const char **ret, const char *text)
{
	const char *copy = text && text[0] ? arena_strndup(&c->arena, bytes_str(text)) : NULL;

	if (text && text[0] && !copy)
		return ERR_NOMEM;
	if (copy)
		*ret = copy;
	return ERR_OK;
}

static enum err open(struct aws_client *c, const struct aws_client_options *o,
		     struct err_note *note)
{
	struct aws_settings *s = &c->settings;

	TRY(aws_settings_load(s, o->service, o->env, &c->arena, note));
	TRY(keep(c, &s->region, o->region));
	TRY(keep(c, &s->endpoint, o->endpoint));
	if (!s->region)
		TRY(keep(c, &s->region, o->region_else));
	if (s->region && !aws_region_sound(s->region))
		return err_say(note, ERR_CONFIG_VALUE, "%.40s is no region of AWS", s->region);
	if (!s->region && !s->metadata_url)
		return err_say(note, ERR_CONFIG_VALUE,
			       "no region of AWS is named (AWS_REGION), and the metadata of the "
			       "machine must not be asked");
	return aws_credentials_new(&c->credentials, c->transport, c->clock, s);
}

enum err aws_client_new(struct aws_client **ret_client, const struct aws_client_options *options,
			struct err_note *note)
{
	struct aws_client *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	c->transport = options->transport;
	c->clock = options->clock;
	c->service = options->service;
	c->arena = arena_make(ARENA_MAX);
	c->endpoint = buf_make(URL_SIZE_MAX);

	enum err e = open(c, options, note);

	if (e != ERR_OK) {
		aws_client_free(c);
		return e;
	}
	*ret_client = c;
	return ERR_OK;
}

void aws_client_free(struct aws_client *c)
{
	if (!c)
		return;
	while (c->first)
		aws_call_cancel(c->first);
	clock_timer_cancel(c->clock, &c->timer);
	clock_timer_cancel(c->clock, &c->busy);
	aws_credentials_free(c->credentials);
	aws_settings_free(&c->settings);
	buf_free(&c->endpoint);
	arena_free(&c->arena);
	free(c);
}

enum aws_source aws_client_source(const struct aws_client *c)
{
	return c->settings.source;
}

const char *aws_client_endpoint(const struct aws_client *c)
{
	return c->endpoint.n > 0 ? (const char *)c->endpoint.p : c->settings.endpoint;
}

const char *aws_client_region(const struct aws_client *c)
{
	return aws_credentials_region(c->credentials);
}

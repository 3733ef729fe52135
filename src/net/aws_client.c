/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/aws_client.h"

#include <stdlib.h>

#include "base/limits.h"

enum {
	ARENA_MAX = 64 << 10,
	AUTHORIZATION_MAX = 4096,
	REQUEST_MAX = 64 << 10,
	/* AWS takes five minutes; below four the clock is not what it complains of. */
	SKEW_MIN_MS = 4 * 60 * 1000
};

enum call_state {
	CALL_WAITS, /* for credentials */
	CALL_SENT,
	CALL_FAILED, /* its `done` is due */
};

struct aws_call {
	struct aws_call *next, *prev;
	struct aws_client *client;
	enum call_state state;
	const char *target;
	struct buf body;
	int64_t timeout_ms;
	aws_done_fn *done;
	void *ctx;
	struct http_ticket ticket;
	uint64_t generation; /* of the credentials that it was sent with */
	bool renewed;        /* credentials were fetched for it */
	bool set;            /* the clock was set for it */
	enum err err;
	struct err_note note;
};

struct aws_client {
	struct transport *transport;
	struct clock *clock;
	struct arena arena;
	struct aws_settings settings;
	struct aws_credentials *credentials;
	const char *service;
	struct buf endpoint; /* text and NUL, once it is known */
	struct aws_call *first;
	struct timer timer; /* failed calls */
	bool refreshing;
	uint64_t generation; /* of the credentials */
};

/* ---- the list ---- */

static void call_free(struct aws_call *a)
{
	struct aws_client *c = a->client;

	if (a->prev)
		a->prev->next = a->next;
	else
		c->first = a->next;
	if (a->next)
		a->next->prev = a->prev;
	buf_free(&a->body);
	free(a);
}

/* The last thing that its caller does: `done` may free the client. */
static void call_end(struct aws_call *a, enum err e, const struct err_note *note, struct bytes body)
{
	const struct err_note said = *note;
	aws_done_fn *done = a->done;
	void *ctx = a->ctx;

	call_free(a);
	done(ctx, e, &said, body);
}

/* One per tick. */
static void on_failed(void *ctx)
{
	struct aws_client *c = ctx;
	struct aws_call *due = NULL;
	bool more = false;

	for (struct aws_call *a = c->first; a; a = a->next) {
		if (a->state != CALL_FAILED)
			continue;
		more = due != NULL;
		due = due ? due : a;
		if (more)
			break;
	}
	if (!due)
		return;
	if (more)
		clock_timer_set(c->clock, &c->timer, 0, on_failed, c);
	call_end(due, due->err, &due->note, BYTES_NONE);
}

/* NULL: its own note holds. */
static void call_fail(struct aws_call *a, enum err e, const struct err_note *note)
{
	a->state = CALL_FAILED;
	a->err = e;
	if (note)
		a->note = *note;
	clock_timer_set(a->client->clock, &a->client->timer, 0, on_failed, a->client);
}

/* ---- sending ---- */

static void pump(struct aws_client *c);
static void on_reply(void *ctx, const struct http_reply *reply);

static enum err endpoint_find(struct aws_client *c, struct err_note *note)
{
	const char *region = aws_credentials_region(c->credentials);
	const char *given = c->settings.endpoint;

	if (c->endpoint.n > 0)
		return ERR_OK;
	if (!region)
		return err_say(note, ERR_CONFIG_VALUE, "AWS: no region is known (AWS_REGION)");

	enum err e = given ? buf_add_str(&c->endpoint, given)
			   : aws_endpoint(&c->endpoint, c->service, region);

	if (e == ERR_OK)
		e = buf_add_u8(&c->endpoint, '\0');
	if (e != ERR_OK)
		buf_clear(&c->endpoint);
	return e;
}

static enum err send(struct aws_call *a, const struct aws_keys *keys)
{
	struct aws_client *c = a->client;
	CLEANUP(buf_free) struct buf authorization = buf_make(AUTHORIZATION_MAX);
	char date[AWS_DATE_SIZE];
	struct http_header headers[5] = {
		{"content-type", "application/x-amz-json-1.1"},
		{"x-amz-target", a->target},
	};
	struct http_request req = {
		.method = "POST",
		.headers = headers,
		.headers_n = 2,
		.body = buf_view(&a->body),
		.timeout_ms = a->timeout_ms,
		.body_max = AWS_BODY_MAX,
		.secret = true,
	};

	TRY(endpoint_find(c, &a->note));

	const struct aws_scope scope = {aws_credentials_region(c->credentials), c->service};
	const char *text;

	req.url = (const char *)c->endpoint.p;
	TRY(aws_date(date, aws_credentials_now_ms(c->credentials)));
	TRY(aws_sign(&authorization, &req, keys, &scope, date));
	TRY(buf_cstr(&authorization, &text));
	headers[req.headers_n++] = (struct http_header){"x-amz-date", date};
	headers[req.headers_n++] = (struct http_header){"authorization", text};
	if (keys->session_token)
		headers[req.headers_n++] =
			(struct http_header){"x-amz-security-token", keys->session_token};
	return transport_send(c->transport, &a->ticket, &req, on_reply, a);
}

static void call_send(struct aws_call *a, const struct aws_keys *keys)
{
	a->note = (struct err_note){{0}};

	enum err e = send(a, keys);

	if (e == ERR_BAD_REQUEST)
		e = err_say(&a->note, ERR_CONFIG_VALUE, "the endpoint of AWS is no usable URL");
	a->generation = a->client->generation;
	if (e == ERR_OK)
		a->state = CALL_SENT;
	else
		call_fail(a, e, NULL);
}

/* ---- credentials ---- */

static void on_credentials(void *ctx, enum err e, const struct err_note *note)
{
	struct aws_client *c = ctx;

	c->refreshing = false;
	if (e == ERR_OK) {
		c->generation++;
		pump(c);
		return;
	}
	for (struct aws_call *a = c->first; a; a = a->next)
		if (a->state == CALL_WAITS)
			call_fail(a, e, note);
}

/* Sends what waits, or fetches what it waits for. */
static void pump(struct aws_client *c)
{
	struct aws_keys keys;
	bool waits = false;

	for (struct aws_call *a = c->first; a; a = a->next) {
		if (a->state != CALL_WAITS)
			continue;
		if (!c->refreshing && aws_credentials_get(c->credentials, &keys))
			call_send(a, &keys);
		else
			waits = true;
	}
	if (!waits || c->refreshing)
		return;
	/* Not while another is under way, and there is none: it cannot be refused. */
	c->refreshing = aws_credentials_refresh(c->credentials, on_credentials, c) == ERR_OK;
}

/* ---- answers ---- */

/* What a code of AWS means to us: "Common errors" of AWS KMS, and what the SDKs retry. */
enum fault_kind {
	FAULT_REFUSED,
	FAULT_PASSES,
	FAULT_CLOCK,       /* or keys that are wrong: the Date header tells */
	FAULT_CREDENTIALS, /* new ones may help */
};

static const struct {
	const char *code;
	enum fault_kind kind;
} faults[] = {
	{"ThrottlingException", FAULT_PASSES},
	{"Throttling", FAULT_PASSES},
	{"ThrottledException", FAULT_PASSES},
	{"RequestThrottledException", FAULT_PASSES},
	{"TooManyRequestsException", FAULT_PASSES},
	{"RequestLimitExceeded", FAULT_PASSES},
	{"BandwidthLimitExceeded", FAULT_PASSES},
	{"LimitExceededException", FAULT_PASSES},
	{"SlowDown", FAULT_PASSES},
	{"RequestTimeout", FAULT_PASSES},
	{"RequestTimeoutException", FAULT_PASSES},
	{"InternalFailure", FAULT_PASSES},
	{"InternalServerError", FAULT_PASSES},
	{"ServiceUnavailable", FAULT_PASSES},
	{"ServiceUnavailableException", FAULT_PASSES},
	{"KMSInternalException", FAULT_PASSES},
	{"DependencyTimeoutException", FAULT_PASSES},
	{"KeyUnavailableException", FAULT_PASSES},
	{"InvalidSignatureException", FAULT_CLOCK},
	{"SignatureDoesNotMatch", FAULT_CLOCK},
	{"RequestTimeTooSkewed", FAULT_CLOCK},
	{"RequestInTheFuture", FAULT_CLOCK},
	{"RequestExpired", FAULT_CLOCK},
	{"ExpiredTokenException", FAULT_CREDENTIALS},
	{"ExpiredToken", FAULT_CREDENTIALS},
	{"UnrecognizedClientException", FAULT_CREDENTIALS},
	{"InvalidClientTokenId", FAULT_CREDENTIALS},
};

static enum fault_kind kind_of(const struct aws_fault *f, int status)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (strcmp(faults[i].code, f->code) == 0)
			return faults[i].kind;
	return status >= 500 || status == 429 || status == 408 ? FAULT_PASSES : FAULT_REFUSED;
}

/* True: our clock was off by more than AWS bears, and is set by the service's now. */
static bool clock_set(struct aws_client *c, const struct http_reply *reply)
{
	const char *date = http_reply_header(reply, "date");
	int64_t theirs, ours = aws_credentials_now_ms(c->credentials);

	if (!date || aws_time_http(&theirs, bytes_str(date)) != ERR_OK ||
	    (theirs - ours < SKEW_MIN_MS && ours - theirs < SKEW_MIN_MS))
		return false;
	aws_credentials_set_now(c->credentials, theirs);
	return true;
}

/* Back to the waiting ones: true. */
static bool call_again(struct aws_call *a, enum fault_kind kind, const struct http_reply *reply)
{
	if (kind == FAULT_CLOCK && !a->set && clock_set(a->client, reply)) {
		a->set = true;
	} else if (kind == FAULT_CREDENTIALS && !a->renewed) {
		a->renewed = true;
		/* Of many calls that hear this the first fetches for all. */
		if (a->generation == a->client->generation)
			aws_credentials_drop(a->client->credentials);
	} else {
		return false;
	}
	a->state = CALL_WAITS;
	return true;
}

static void on_reply(void *ctx, const struct http_reply *reply)
{
	struct aws_call *a = ctx;
	struct aws_client *c = a->client;
	enum err e = reply->err;
	struct err_note note = reply->note;
	struct aws_fault f;

	if (e != ERR_OK || reply->status == 200) {
		call_end(a, e, &note, reply->body);
		return;
	}
	aws_fault_read(&f, reply);

	enum fault_kind kind = kind_of(&f, reply->status);

	if (call_again(a, kind, reply)) {
		pump(c);
		return;
	}
	e = kind == FAULT_PASSES ? ERR_UNAVAILABLE : ERR_REMOTE;
	if (f.code[0] != '\0')
		err_say(&note, e, "%s%s%s", f.code, f.message[0] ? ": " : "", f.message);
	else
		err_say(&note, e, "HTTP status %d", reply->status);
	call_end(a, e, &note, BYTES_NONE);
}

/* ---- life ---- */

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
	a->next = c->first;
	if (c->first)
		c->first->prev = a;
	c->first = a;
	*ret_call = a;
	pump(c);
	return ERR_OK;
}

void aws_call_cancel(struct aws_call *a)
{
	transport_cancel(a->client->transport, a->ticket);
	call_free(a);
}

static enum err open(struct aws_client *c, const struct aws_client_options *o,
		     struct err_note *note)
{
	struct aws_settings *s = &c->settings;

	TRY(aws_settings_load(s, o->service, o->env, &c->arena, note));
	if (o->region && o->region[0])
		s->region = arena_strndup(&c->arena, bytes_str(o->region));
	if (o->endpoint && o->endpoint[0])
		s->endpoint = arena_strndup(&c->arena, bytes_str(o->endpoint));
	if (((o->region && o->region[0]) && !s->region) ||
	    ((o->endpoint && o->endpoint[0]) && !s->endpoint))
		return ERR_NOMEM;
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

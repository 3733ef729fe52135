/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The calls of a client: they wait for credentials, are signed and sent, and sent again where that
 * helps. */
#include <stdlib.h>

#include "base/limits.h"
#include "net/aws_internal.h"

#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum {
	AUTHORIZATION_MAX = 4096,
	FAULT_MAX = 4096, /* what a refused read may say */
	BUSY_MS = 20,
	/* AWS takes five minutes; below four the clock is not what it complains of. */
	SKEW_MIN_MS = 4 * 60 * 1000
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
	else
		c->last = a->prev;
	buf_free(&a->body);
	buf_free(&a->url);
	free(a);
}

static bool is_read(const struct aws_call *a)
{
	return a->url.n > 0;
}

/* The same of a read. */
static void read_end(struct aws_call *a, const struct http_reply *reply)
{
	http_done_fn *done = a->read_done;
	void *ctx = a->ctx;

	call_free(a);
	done(ctx, reply);
}

/* The last thing that its caller does: `done` may free the client. */
static void call_end(struct aws_call *a, enum err e, const struct err_note *note, struct bytes body)
{
	const struct err_note said = *note;
	const struct http_reply reply = {.err = e, .note = *note};
	aws_done_fn *done = a->done;
	void *ctx = a->ctx;

	if (is_read(a)) {
		read_end(a, &reply);
		return;
	}
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

static void on_piece(void *ctx, struct bytes piece)
{
	const struct aws_call *a = ctx;

	a->piece(a->ctx, piece);
}

/* What is asked, but for the headers that sign it. */
static enum err request_make(struct aws_call *a, struct http_request *ret_req,
			     struct http_header headers[2])
{
	struct http_request req = {
		.method = "POST",
		.headers = headers,
		.headers_n = 2,
		.body = buf_view(&a->body),
		.timeout_ms = a->timeout_ms,
		.body_max = AWS_BODY_MAX,
		.secret = true,
	};

	if (is_read(a)) {
		headers[0] = (struct http_header){"x-amz-content-sha256", SHA256_OF_NOTHING};
		req.method = a->head ? "HEAD" : "GET";
		req.url = (const char *)a->url.p;
		req.headers_n = 1;
		req.connect_timeout_ms = a->connect_timeout_ms;
		req.body_max = a->body_max > FAULT_MAX ? a->body_max : FAULT_MAX;
		req.piece = a->piece ? on_piece : NULL;
	} else {
		headers[0] = (struct http_header){"content-type", "application/x-amz-json-1.1"};
		headers[1] = (struct http_header){"x-amz-target", a->target};
		TRY(endpoint_find(a->client, &a->note));
		req.url = (const char *)a->client->endpoint.p;
	}
	*ret_req = req;
	return ERR_OK;
}

static enum err send(struct aws_call *a, const struct aws_keys *keys)
{
	struct aws_client *c = a->client;
	CLEANUP(buf_free) struct buf authorization = buf_make(AUTHORIZATION_MAX);
	char date[AWS_DATE_SIZE];
	struct http_header headers[5];
	struct http_request req;
	struct aws_scope scope = {a->region, c->service};
	const char *text;

	TRY(request_make(a, &req, headers));
	if (!a->region[0])
		scope.region = aws_credentials_region(c->credentials);
	if (!scope.region)
		return err_say(&a->note, ERR_CONFIG_VALUE, "AWS: no region is known (AWS_REGION)");
	TRY(aws_date(date, aws_credentials_now_ms(c->credentials)));
	TRY(aws_sign(&authorization, &req, keys, &scope, date));
	TRY(buf_cstr(&authorization, &text));
	headers[req.headers_n++] = (struct http_header){"x-amz-date", date};
	headers[req.headers_n++] = (struct http_header){"authorization", text};
	if (keys->session_token)
		headers[req.headers_n++] =
			(struct http_header){"x-amz-security-token", keys->session_token};
	a->expire = keys->session_token != NULL;
	return transport_send(c->transport, &a->ticket, &req, on_reply, a);
}

static void on_room(void *ctx)
{
	pump(ctx);
}

/* False: the transport has no room, and later ones wait behind this one. */
static bool call_send(struct aws_call *a, const struct aws_keys *keys)
{
	a->note = (struct err_note){{0}};

	enum err e = send(a, keys);

	if (e == ERR_BAD_REQUEST)
		e = err_say(&a->note, ERR_CONFIG_VALUE, "the endpoint of AWS is no usable URL");
	a->generation = a->client->generation;
	if (e == ERR_OK) {
		a->state = CALL_SENT;
	} else if (e == ERR_BUSY) { /* others use the transport too */
		if (!a->client->busy.armed)
			clock_timer_set(a->client->clock, &a->client->busy, BUSY_MS, on_room,
					a->client);
		return false;
	} else {
		call_fail(a, e, NULL);
	}
	return true;
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
		if (c->refreshing || !aws_credentials_get(c->credentials, &keys))
			waits = true;
		else if (!call_send(a, &keys))
			break;
	}
	if (!waits || c->refreshing)
		return;
	/* Not while another is under way, and there is none: it cannot be refused. */
	c->refreshing = aws_credentials_refresh(c->credentials, on_credentials, c) == ERR_OK;
}

/* ---- answers ---- */

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
static bool call_again(struct aws_call *a, enum aws_fault_kind kind, const struct http_reply *reply)
{
	if (kind == AWS_FAULT_CLOCK && !a->set && clock_set(a->client, reply)) {
		a->set = true;
	} else if (kind == AWS_FAULT_CREDENTIALS && !a->renewed) {
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

/*
 * An answer to HEAD has no words. S3 says 403 for a clock that is off, among much else, and 400 for
 * a token that has run out, or for another region than it names.
 */
static enum aws_fault_kind fault_of(const struct aws_call *a, const struct aws_fault *f,
				    const struct http_reply *reply)
{
	const char *theirs = http_reply_header(reply, "x-amz-bucket-region");
	const char *ours = a->region[0] ? a->region : aws_client_region(a->client);

	if (a->head && reply->status == 403)
		return AWS_FAULT_CLOCK;
	if (a->head && reply->status == 400 && a->expire &&
	    (!theirs || (ours && strcmp(theirs, ours) == 0)))
		return AWS_FAULT_CREDENTIALS;
	return aws_fault_kind(f, reply->status);
}

static void read_answered(struct aws_call *a, const struct http_reply *reply)
{
	struct aws_client *c = a->client;
	struct http_reply big = {.err = ERR_TOO_BIG};
	struct aws_fault f;

	if (reply->err == ERR_OK && reply->status >= 400) {
		aws_fault_read(&f, reply);
		if (call_again(a, fault_of(a, &f, reply), reply)) {
			pump(c);
			return;
		}
	} else if (reply->err == ERR_OK && reply->body.n > a->body_max) {
		read_end(a, &big);
		return;
	}
	read_end(a, reply);
}

static void on_reply(void *ctx, const struct http_reply *reply)
{
	struct aws_call *a = ctx;
	struct aws_client *c = a->client;
	enum err e = reply->err;
	struct err_note note = reply->note;
	struct aws_fault f;

	if (is_read(a)) {
		read_answered(a, reply);
		return;
	}
	if (e != ERR_OK || reply->status == 200) {
		call_end(a, e, &note, reply->body);
		return;
	}
	aws_fault_read(&f, reply);

	enum aws_fault_kind kind = aws_fault_kind(&f, reply->status);

	if (call_again(a, kind, reply)) {
		pump(c);
		return;
	}
	e = kind == AWS_FAULT_PASSES ? ERR_UNAVAILABLE : ERR_REMOTE;
	if (f.code[0] != '\0')
		err_say(&note, e, "%s%s%s", f.code, f.message[0] ? ": " : "", f.message);
	else
		err_say(&note, e, "HTTP status %d", reply->status);
	call_end(a, e, &note, BYTES_NONE);
}

/* ---- begin and end ---- */

void aws_call_begin(struct aws_call *a)
{
	struct aws_client *c = a->client;

	a->prev = c->last;
	if (c->last)
		c->last->next = a;
	else
		c->first = a;
	c->last = a;
	pump(c);
}

void aws_call_cancel(struct aws_call *a)
{
	transport_cancel(a->client->transport, a->ticket);
	call_free(a);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/aws_s3.h"

#include <stdlib.h>

#include "base/limits.h"

#define S3_TICKET (UINT64_C(1) << 62) /* so that they are not the inner transport's */

struct s3_call {
	struct s3_call *next;
	struct s3_transport *transport;
	uint64_t ticket;
	struct aws_call *call;
	http_piece_fn *piece;
	http_done_fn *done;
	void *ctx;
};

struct s3_transport {
	struct transport base;
	struct transport *inner;
	struct aws_client *client;
	const char *const *buckets;
	size_t buckets_n;
	struct s3_call *calls;
	size_t calls_n;
	uint64_t last_id;
};

/* ---- names ---- */

bool aws_s3_inside(const char *url, const char *bucket)
{
	size_t n = strlen(bucket);

	while (n > 0 && bucket[n - 1] == '/')
		n--;
	return n > 0 && strncmp(url, bucket, n) == 0 && (url[n] == '/' || url[n] == '\0');
}

static struct bytes host_of(const char *url)
{
	struct bytes rest = bytes_str(strstr(url, "://") ? strstr(url, "://") + 3 : url);
	size_t n = 0;

	while (n < rest.n && !strchr("/?#:", rest.p[n]))
		n++;
	return bytes_sub(rest, 0, n);
}

static bool drop_tail(struct bytes *b, const char *tail)
{
	size_t n = strlen(tail);

	if (b->n < n || !bytes_eq_var(bytes_sub(*b, b->n - n, n), bytes_str(tail)))
		return false;
	*b = bytes_sub(*b, 0, b->n - n);
	return true;
}

/* What is behind the last dot; the rest stays. */
static struct bytes take_label(struct bytes *b)
{
	size_t at = b->n;

	while (at > 0 && b->p[at - 1] != '.')
		at--;

	struct bytes label = bytes_sub(*b, at, b->n - at);

	*b = bytes_sub(*b, 0, at > 0 ? at - 1 : 0);
	return label;
}

static bool is(struct bytes b, const char *text)
{
	return bytes_eq_var(b, bytes_str(text));
}

bool aws_s3_region(char ret_region[AWS_REGION_SIZE], const char *url)
{
	struct bytes host = host_of(url), label;
	char region[AWS_REGION_SIZE] = "us-east-1";

	if (!drop_tail(&host, ".amazonaws.com") && !drop_tail(&host, ".amazonaws.com.cn"))
		return false;
	label = take_label(&host);
	if (!is(label, "s3")) {
		bool joined = label.n > 3 && memcmp(label.p, "s3-", 3) == 0;
		struct bytes next = joined ? BYTES_NONE : take_label(&host);

		if (is(next, "dualstack"))
			next = take_label(&host);
		if (!joined && !is(next, "s3"))
			return false;
		if (joined)
			label = bytes_sub(label, 3, label.n - 3);
		/* s3-accelerate, s3-external-1 and s3-fips-… name none. */
		if (joined && (label.n < 3 || label.p[2] != '-'))
			return false;
		if (label.n == 0 || label.n >= sizeof(region))
			return false;
		memcpy(region, label.p, label.n);
		region[label.n] = '\0';
	}
	if (!aws_region_sound(region))
		return false;
	memcpy(ret_region, region, sizeof(region));
	return true;
}

/* ---- refusals ---- */

static const struct {
	const char *code, *words;
} meanings[] = {
	{"RequestTimeTooSkewed", "the clocks of this machine and of the bucket are too far apart"},
	{"SignatureDoesNotMatch", "the secret key is not the access key's, or a proxy changed the "
				  "request"},
	{"InvalidAccessKeyId", "the access key is not known there"},
	{"ExpiredToken", "the credentials have run out"},
	{"InvalidToken", "the session token is not known there"},
	{"AuthorizationHeaderMalformed", "it is signed for another region"},
	{"AllAccessDisabled", "nobody may read the bucket"},
	{"NoSuchBucket", "there is no such bucket"},
};

static const char *meaning_of(const char *code, int status)
{
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (strcmp(meanings[i].code, code) == 0)
			return meanings[i].words;
	switch (status) {
	case 400:
		return "the signature is refused: is it for another region, or have the "
		       "credentials run out?";
	case 401:
	case 403:
		return "no permission to read it (or no permission to list the bucket, where it is "
		       "not there)";
	default:
		return NULL;
	}
}

void aws_s3_reason(struct err_note *ret_note, const struct http_reply *reply)
{
	const char *region = http_reply_header(reply, "x-amz-bucket-region"), *words;
	bool moved = reply->status >= 300 && reply->status <= 399;
	struct aws_fault f;

	*ret_note = (struct err_note){{0}};
	if (reply->err != ERR_OK || reply->status < 300 || reply->status >= 500)
		return;
	aws_fault_read(&f, reply);
	if (reply->status == 404 && strcmp(f.code, "NoSuchBucket") != 0)
		return;
	if (region && !aws_region_sound(region))
		region = NULL;
	words = meaning_of(f.code, reply->status);
	if (moved)
		words = region ? "the bucket is in another region than its URL says"
			       : "it is at another URL, and redirects are not followed";
	(void)err_say(ret_note, ERR_REMOTE, "HTTP %d%s%s%s%s%s%s", reply->status,
		      f.code[0] ? " " : "", f.code, words ? ": " : "", words ? words : "",
		      region ? "; the bucket is in " : "", region ? region : "");
}

/* ---- the transport ---- */

static bool is_signed(const struct s3_transport *t, const char *url)
{
	for (size_t i = 0; i < t->buckets_n; i++)
		if (aws_s3_inside(url, t->buckets[i]))
			return true;
	return false;
}

static void call_unlink(struct s3_call *c)
{
	for (struct s3_call **at = &c->transport->calls; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	c->transport->calls_n--;
}

/* `done` comes last: it may free the transport. */
static void on_reply(void *ctx, const struct http_reply *reply)
{
	struct s3_call *c = ctx;
	http_done_fn *done = c->done;
	void *its = c->ctx;

	call_unlink(c);
	free(c);
	done(its, reply);
}

static void on_piece(void *ctx, struct bytes piece)
{
	const struct s3_call *c = ctx;

	c->piece(c->ctx, piece);
}

static enum err s3_send(struct transport *base, struct http_ticket *ret_ticket,
			const struct http_request *req, http_done_fn *done, void *ctx)
{
	struct s3_transport *t = CONTAINER_OF(base, struct s3_transport, base);
	struct http_request read = *req;
	char region[AWS_REGION_SIZE];

	if (!is_signed(t, req->url))
		return transport_send(t->inner, ret_ticket, req, done, ctx);
	if (req->timeout_ms <= 0)
		return ERR_RANGE;
	if (t->calls_n >= HTTP_IN_FLIGHT_MAX)
		return ERR_BUSY;

	struct s3_call *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	*c = (struct s3_call){
		.transport = t,
		.ticket = ++t->last_id | S3_TICKET,
		.piece = req->piece,
		.done = done,
		.ctx = ctx,
	};
	if (req->piece)
		read.piece = on_piece;

	enum err e = aws_client_read(t->client, &c->call, &read,
				     aws_s3_region(region, req->url) ? region : NULL, on_reply, c);

	if (e != ERR_OK) {
		free(c);
		return e;
	}
	c->next = t->calls;
	t->calls = c;
	t->calls_n++;
	ret_ticket->id = c->ticket;
	return ERR_OK;
}

static void s3_cancel(struct transport *base, struct http_ticket ticket)
{
	struct s3_transport *t = CONTAINER_OF(base, struct s3_transport, base);

	if ((ticket.id & S3_TICKET) == 0) {
		transport_cancel(t->inner, ticket);
		return;
	}
	for (struct s3_call *c = t->calls; c; c = c->next)
		if (c->ticket == ticket.id) {
			aws_call_cancel(c->call);
			call_unlink(c);
			free(c);
			return;
		}
}

static void s3_free(struct transport *base)
{
	struct s3_transport *t = CONTAINER_OF(base, struct s3_transport, base);

	while (t->calls)
		s3_cancel(base, (struct http_ticket){t->calls->ticket});
	aws_client_free(t->client);
	free(t);
}

static const struct transport_ops s3_ops = {
	.send = s3_send,
	.cancel = s3_cancel,
	.free = s3_free,
};

enum err aws_s3_new(struct transport **ret_transport, const struct aws_s3_options *o,
		    struct err_note *note)
{
	char region[AWS_REGION_SIZE];
	struct aws_client_options options = {
		.transport = o->inner,
		.clock = o->clock,
		.env = o->env,
		.service = "s3",
		.region = o->region,
	};
	struct s3_transport *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_NOMEM;
	*t = (struct s3_transport){
		.base.ops = &s3_ops,
		.inner = o->inner,
		.buckets = o->buckets,
		.buckets_n = o->buckets_n,
	};
	/* Where the machine need not be asked for it. */
	if (o->buckets_n > 0 && aws_s3_region(region, o->buckets[0]))
		options.region_else = region;

	enum err e = aws_client_new(&t->client, &options, note);

	if (e != ERR_OK) {
		free(t);
		return e;
	}
	*ret_transport = &t->base;
	return ERR_OK;
}

enum aws_source aws_s3_source(const struct transport *t)
{
	return aws_client_source(CONTAINER_OF(t, struct s3_transport, base)->client);
}

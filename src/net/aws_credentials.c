/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/aws_credentials.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

enum {
	REFRESH_BEFORE_MS = 5 * 60 * 1000, /* AWS hands out new ones at least that early */
	AGAIN_MS = 30 * 1000,              /* between failures while old ones still hold */
	REFRESH_MIN_MS = 1000,
	LAST_MS = 10 * 1000, /* too short for a request */
	REGION_SIZE = 64,
	ROLE_SIZE_MAX = 128,
	METADATA_TOKEN_S = 21600, /* as long as it can be */
};

/* What is fetched one after the other; each step asks, and its answer leads to the next. */
enum step {
	STEP_FILE,            /* nothing to ask */
	STEP_STS,             /* AssumeRoleWithWebIdentity */
	STEP_CONTAINER,       /* GET of the container's URL */
	STEP_METADATA_TOKEN,  /* PUT: IMDSv2 */
	STEP_METADATA_REGION, /* GET */
	STEP_METADATA_ROLE,   /* GET: the role's name */
	STEP_METADATA_KEYS,   /* GET: its keys */
};

struct aws_credentials {
	struct transport *transport;
	struct clock *clock;
	const struct aws_settings *settings;
	struct aws_key_set keys; /* all-zero: none */
	int64_t refresh_ms;      /* when they should be fetched anew, in AWS's time */
	int64_t offset_ms;       /* AWS's time - ours */
	char region[REGION_SIZE];

	aws_credentials_done_fn *done; /* NULL: no refresh is under way */
	void *ctx;
	enum step step;
	struct http_ticket ticket;
	struct timer timer;
	struct secret metadata_token; /* a text and a NUL */
	char role[ROLE_SIZE_MAX];
	enum err err; /* of a step without a request */
	struct err_note note;
};

int64_t aws_credentials_now_ms(const struct aws_credentials *c)
{
	return clock_wall_ms(c->clock) + c->offset_ms;
}

void aws_credentials_set_now(struct aws_credentials *c, int64_t wall_ms)
{
	c->offset_ms = wall_ms - clock_wall_ms(c->clock);
}

const char *aws_credentials_region(const struct aws_credentials *c)
{
	if (c->settings->region)
		return c->settings->region;
	return c->region[0] ? c->region : NULL;
}

bool aws_credentials_get(struct aws_credentials *c, struct aws_keys *ret_keys)
{
	if (!c->keys.id.p || aws_credentials_now_ms(c) >= c->refresh_ms)
		return false;
	*ret_keys = (struct aws_keys){
		.access_key_id = (const char *)c->keys.id.p,
		.secret = bytes_str((const char *)c->keys.secret.p),
		.session_token = (const char *)c->keys.token.p,
	};
	return true;
}

void aws_credentials_drop(struct aws_credentials *c)
{
	c->refresh_ms = 0;
	c->keys.expires_ms = 0;
}

/* ---- the end of a refresh ---- */

/* `done` may free the whole, so it comes last. */
static void finish(struct aws_credentials *c, enum err e, const struct err_note *note)
{
	aws_credentials_done_fn *done = c->done;
	struct err_note said = {{0}};
	int64_t now = aws_credentials_now_ms(c);

	if (e != ERR_OK && c->keys.id.p && c->keys.expires_ms - LAST_MS > now) {
		c->refresh_ms = c->keys.expires_ms - LAST_MS < now + AGAIN_MS
					? c->keys.expires_ms - LAST_MS
					: now + AGAIN_MS;
		e = ERR_OK;
	}
	if (e != ERR_OK)
		err_say(&said, e, "AWS credentials of %s: %s",
			aws_source_words(c->settings->source),
			note->text[0] ? note->text : err_name(e));
	c->done = NULL;
	done(c->ctx, e, &said);
}

static void take(struct aws_credentials *c, struct aws_key_set *keys)
{
	int64_t now = aws_credentials_now_ms(c), left = keys->expires_ms - now;

	aws_key_set_free(&c->keys);
	c->keys = *keys;
	if (keys->expires_ms == INT64_MAX)
		c->refresh_ms = INT64_MAX;
	else if (left > 2 * REFRESH_BEFORE_MS)
		c->refresh_ms = keys->expires_ms - REFRESH_BEFORE_MS;
	else if (left > 0) /* those of a short life: at half of it */
		c->refresh_ms = now + (left / 2 > REFRESH_MIN_MS ? left / 2 : REFRESH_MIN_MS);
	else /* either they are old, or our clock is wrong: the service will tell */
		c->refresh_ms = now + AGAIN_MS;
	*keys = (struct aws_key_set){0};
}

/* ---- asking ---- */

static void on_reply(void *ctx, const struct http_reply *reply);

static enum err ask(struct aws_credentials *c, const char *method, const char *url,
		    const struct http_header *headers, size_t headers_n, struct bytes body)
{
	const bool sts = c->step == STEP_STS;
	const struct http_request req = {
		.method = method,
		.url = url,
		.headers = headers,
		.headers_n = headers_n,
		.body = body,
		.timeout_ms = sts ? AWS_TIMEOUT_MS : AWS_METADATA_TIMEOUT_MS,
		.body_max = AWS_BODY_MAX,
		.direct = !sts, /* a proxy would ask its own machine */
		.secret = true,
	};

	return transport_send(c->transport, &c->ticket, &req, on_reply, c);
}

/* application/x-www-form-urlencoded */
static enum err add_field(struct buf *out, const char *name, const char *value)
{
	TRY(buf_addf(out, "&%s=", name));
	for (const char *v = value; *v; v++) {
		if ((*v >= 'a' && *v <= 'z') || (*v >= 'A' && *v <= 'Z') ||
		    (*v >= '0' && *v <= '9') || strchr("-._~", *v))
			TRY(buf_add_u8(out, (uint8_t)*v));
		else
			TRY(buf_addf(out, "%%%02X", (unsigned)(uint8_t)*v));
	}
	return ERR_OK;
}

static enum err ask_sts(struct aws_credentials *c)
{
	static const struct http_header headers[] = {
		{"content-type", "application/x-www-form-urlencoded"}};
	const struct aws_settings *s = c->settings;
	CLEANUP(secret_free) struct secret token = {0};
	CLEANUP(buf_wipe) struct buf body = buf_make(4 * AWS_TOKEN_SIZE_MAX);
	CLEANUP(buf_free) struct buf url = buf_make(URL_SIZE_MAX);
	const char *region = aws_credentials_region(c), *text;

	TRY(aws_token_read(&token, s->token_file, &c->note));
	TRY(buf_reserve(&body, 3 * token.n + 1024));
	TRY(buf_add_str(&body, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"));
	TRY(add_field(&body, "RoleArn", s->role_arn));
	TRY(add_field(&body, "RoleSessionName", s->session_name));
	TRY(add_field(&body, "WebIdentityToken", (const char *)token.p));
	if (s->sts_endpoint)
		TRY(buf_add_str(&url, s->sts_endpoint));
	else if (region)
		TRY(aws_endpoint(&url, "sts", region));
	else
		TRY(buf_add_str(&url, "https://sts.amazonaws.com"));
	TRY(buf_cstr(&url, &text));
	return ask(c, "POST", text, headers, ARRAY_LEN(headers), buf_view(&body));
}

static enum err ask_container(struct aws_credentials *c)
{
	const struct aws_settings *s = c->settings;
	CLEANUP(secret_free) struct secret token = {0};
	struct http_header h = {"authorization", (const char *)s->container_token.p};

	if (s->container_token_file) {
		TRY(aws_token_read(&token, s->container_token_file, &c->note));
		h.value = (const char *)token.p;
	}
	return ask(c, "GET", s->container_url, &h, h.value ? 1 : 0, BYTES_NONE);
}

static enum err ask_metadata(struct aws_credentials *c, const char *path, const char *more)
{
	const struct http_header h = {"x-aws-ec2-metadata-token",
				      (const char *)c->metadata_token.p};
	CLEANUP(buf_free) struct buf url = buf_make(URL_SIZE_MAX);
	const char *text;

	TRY(buf_addf(&url, "%s/latest/meta-data/%s%s", c->settings->metadata_url, path, more));
	TRY(buf_cstr(&url, &text));
	return ask(c, "GET", text, &h, 1, BYTES_NONE);
}

static enum err ask_metadata_token(struct aws_credentials *c)
{
	char seconds[16];
	const struct http_header h = {"x-aws-ec2-metadata-token-ttl-seconds", seconds};
	CLEANUP(buf_free) struct buf url = buf_make(URL_SIZE_MAX);
	const char *text;

	(void)snprintf(seconds, sizeof(seconds), "%d", (int)METADATA_TOKEN_S);
	TRY(buf_addf(&url, "%s/latest/api/token", c->settings->metadata_url));
	TRY(buf_cstr(&url, &text));
	return ask(c, "PUT", text, &h, 1, BYTES_NONE);
}

static enum err read_local(struct aws_credentials *c)
{
	const struct aws_key_set *e = &c->settings->keys;
	struct aws_key_set k = {0};

	if (c->settings->source == AWS_SOURCE_PROFILE)
		TRY(aws_settings_profile_keys(&k, c->settings, &c->note));
	else
		TRY(aws_key_set_make(&k, bytes_str((const char *)e->id.p),
				     bytes_str((const char *)e->secret.p),
				     bytes_str((const char *)e->token.p), INT64_MAX));
	take(c, &k);
	return ERR_OK;
}

static void on_timer(void *ctx)
{
	struct aws_credentials *c = ctx;

	finish(c, c->err, &c->note);
}

/* Asks, or fails later: `done` never comes from inside refresh. */
static void enter(struct aws_credentials *c, enum step step)
{
	enum err e = ERR_OK;

	c->step = step;
	c->note = (struct err_note){{0}};
	switch (step) {
	case STEP_FILE:
		e = read_local(c);
		break;
	case STEP_STS:
		e = ask_sts(c);
		break;
	case STEP_CONTAINER:
		e = ask_container(c);
		break;
	case STEP_METADATA_TOKEN:
		e = ask_metadata_token(c);
		break;
	case STEP_METADATA_REGION:
		e = ask_metadata(c, "placement/region", "");
		break;
	case STEP_METADATA_ROLE:
		e = ask_metadata(c, "iam/security-credentials/", "");
		break;
	case STEP_METADATA_KEYS:
		e = ask_metadata(c, "iam/security-credentials/", c->role);
		break;
	}
	if (e == ERR_OK && step != STEP_FILE)
		return;
	c->err = e;
	clock_timer_set(c->clock, &c->timer, 0, on_timer, c);
}

/* The keys, once the region is known. */
static enum step first_step(const struct aws_credentials *c)
{
	/* Who names no region is on a machine of AWS, whatever the credentials come from. */
	if (!aws_credentials_region(c))
		return STEP_METADATA_TOKEN;
	switch (c->settings->source) {
	case AWS_SOURCE_WEB_IDENTITY:
		return STEP_STS;
	case AWS_SOURCE_CONTAINER:
		return STEP_CONTAINER;
	case AWS_SOURCE_MACHINE:
		return STEP_METADATA_TOKEN;
	case AWS_SOURCE_ENVIRONMENT:
	case AWS_SOURCE_PROFILE:
		break;
	}
	return STEP_FILE;
}

/* ---- answers ---- */

static struct bytes first_line(struct bytes body)
{
	size_t n = 0;

	while (n < body.n && body.p[n] > ' ' && body.p[n] <= '~')
		n++;
	return bytes_sub(body, 0, n);
}

/* The one step that comes next; false: it was the last, or `*err` says why not. */
static bool next_step(struct aws_credentials *c, const struct http_reply *reply, enum err *err,
		      enum step *ret_next)
{
	struct bytes line = first_line(reply->body);
	struct aws_key_set k = {0};

	switch (c->step) {
	case STEP_METADATA_TOKEN:
		secret_free(&c->metadata_token);
		if (line.n == 0 || line.n > AWS_TOKEN_SIZE_MAX)
			*err = err_say(&c->note, ERR_MALFORMED, "it gives no session token");
		else if ((*err = secret_alloc(&c->metadata_token, line.n + 1)) == ERR_OK)
			memcpy(c->metadata_token.p, line.p, line.n);
		*ret_next = aws_credentials_region(c) ? STEP_METADATA_ROLE : STEP_METADATA_REGION;
		return *err == ERR_OK;
	case STEP_METADATA_REGION:
		if (line.n == 0 || line.n >= REGION_SIZE)
			*err = err_say(&c->note, ERR_MALFORMED, "it gives no region");
		else
			memcpy(c->region, line.p, line.n);
		if (*err == ERR_OK && !aws_region_sound(c->region)) {
			c->region[0] = '\0';
			*err = err_say(&c->note, ERR_MALFORMED, "it gives no region");
		}
		*ret_next = c->settings->source == AWS_SOURCE_MACHINE ? STEP_METADATA_ROLE
								      : first_step(c);
		return *err == ERR_OK;
	case STEP_METADATA_ROLE:
		if (line.n == 0 || line.n >= ROLE_SIZE_MAX || memchr(line.p, '/', line.n) ||
		    memchr(line.p, '?', line.n) || memchr(line.p, '#', line.n)) {
			*err = err_say(&c->note, ERR_MALFORMED, "the machine has no role");
			return false;
		}
		memcpy(c->role, line.p, line.n);
		c->role[line.n] = '\0';
		*ret_next = STEP_METADATA_KEYS;
		return true;
	case STEP_STS:
		*err = aws_keys_from_sts(&k, reply->body, &c->note);
		break;
	case STEP_CONTAINER:
	case STEP_METADATA_KEYS:
		*err = aws_keys_from_json(&k, reply->body, &c->note);
		break;
	case STEP_FILE:
		break;
	}
	if (*err == ERR_OK)
		take(c, &k);
	return false;
}

static enum err refused(struct aws_credentials *c, const struct http_reply *reply)
{
	bool no_role = c->step == STEP_METADATA_ROLE && reply->status == 404;
	struct aws_fault f;
	enum err e = reply->status >= 500 || reply->status == 429 ? ERR_UNAVAILABLE : ERR_REMOTE;

	aws_fault_read(&f, reply);
	/* "Retry the request a limited number of times" (STS, IDPCommunicationError). */
	if (strcmp(f.code, "IDPCommunicationError") == 0 || strcmp(f.code, "Throttling") == 0)
		e = ERR_UNAVAILABLE;
	if (no_role)
		return err_say(&c->note, e, "the machine has no role");
	if (f.code[0] == '\0')
		return err_say(&c->note, e, "HTTP status %d", reply->status);
	return err_say(&c->note, e, "%s%s%s", f.code, f.message[0] ? ": " : "", f.message);
}

static void on_reply(void *ctx, const struct http_reply *reply)
{
	struct aws_credentials *c = ctx;
	enum err e = reply->err;
	enum step next;

	c->ticket = (struct http_ticket){0};
	c->note = reply->note;
	if (e == ERR_OK && reply->status != 200)
		e = refused(c, reply);
	if (e == ERR_OK && next_step(c, reply, &e, &next)) {
		enter(c, next);
		return;
	}

	struct err_note note = c->note;

	finish(c, e, &note);
}

/* ---- life ---- */

enum err aws_credentials_refresh(struct aws_credentials *c, aws_credentials_done_fn *done,
				 void *ctx)
{
	if (c->done)
		return ERR_BUSY;
	c->done = done;
	c->ctx = ctx;
	enter(c, first_step(c));
	return ERR_OK;
}

enum err aws_credentials_new(struct aws_credentials **ret_credentials, struct transport *transport,
			     struct clock *clock, const struct aws_settings *settings)
{
	struct aws_credentials *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	c->transport = transport;
	c->clock = clock;
	c->settings = settings;
	*ret_credentials = c;
	return ERR_OK;
}

void aws_credentials_free(struct aws_credentials *c)
{
	if (!c)
		return;
	transport_cancel(c->transport, c->ticket);
	clock_timer_cancel(c->clock, &c->timer);
	aws_key_set_free(&c->keys);
	secret_free(&c->metadata_token);
	free(c);
}

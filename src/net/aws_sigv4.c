/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/aws_sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/hex.h"
#include "base/limits.h"
#include "base/secret.h"
#include "crypto/sha.h"

enum {
	CANONICAL_SIZE_MAX = 64 << 10,
	LIST_SIZE_MAX = 4096,
	SCOPE_SIZE_MAX = 256,
	HEX_SIZE = 65
};

enum err aws_date(char ret_date[AWS_DATE_SIZE], int64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (wall_ms < 0 || !gmtime_r(&s, &tm) || tm.tm_year > 9999 - 1900)
		return ERR_RANGE;
	return strftime(ret_date, AWS_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm) == AWS_DATE_SIZE - 1
		       ? ERR_OK
		       : ERR_RANGE;
}

/* ---- the URL ---- */

struct url_parts {
	struct bytes host; /* with the port, unless it is the scheme's */
	struct bytes path;
	struct bytes query;
};

static size_t find(struct bytes b, const char *any)
{
	size_t at = 0;

	while (at < b.n && !(b.p[at] && strchr(any, b.p[at])))
		at++;
	return at;
}

static struct bytes from(struct bytes b, size_t at)
{
	return bytes_sub(b, at, b.n - at);
}

static bool ends_with(struct bytes b, const char *tail)
{
	size_t n = strlen(tail);

	return b.n >= n && memcmp(from(b, b.n - n).p, tail, n) == 0;
}

/* A dot, in either way of writing it, goes: false, there is none. */
static bool take_dot(struct bytes *segment)
{
	const uint8_t *p = segment->p;
	size_t n = segment->n;

	if (n >= 1 && p[0] == '.')
		n = 1;
	else if (n >= 3 && p[0] == '%' && p[1] == '2' && (p[2] == 'e' || p[2] == 'E'))
		n = 3;
	else
		return false;
	*segment = from(*segment, n);
	return true;
}

/* "/./" and "/../" are what curl takes away before it sends, from 8.14 on "%2e" as well. */
static bool has_dot_segment(struct bytes path)
{
	while (path.n > 0) {
		struct bytes segment;

		path = from(path, 1); /* the slash */
		segment = bytes_sub(path, 0, find(path, "/"));
		path = from(path, segment.n);
		if (take_dot(&segment) &&
		    (segment.n == 0 || (take_dot(&segment) && segment.n == 0)))
			return true;
	}
	return false;
}

static enum err url_split(struct url_parts *ret, const char *url)
{
	bool tls = strncasecmp(url, "https://", 8) == 0;
	struct bytes rest = bytes_str(url);
	const char *own_port = tls ? ":443" : ":80"; /* curl leaves it out */
	struct url_parts u;

	if (!tls && strncasecmp(url, "http://", 7) != 0)
		return ERR_BAD_REQUEST;
	rest = from(rest, tls ? 8 : 7);
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] <= ' ' || rest.p[i] > '~' || rest.p[i] == '#')
			return ERR_BAD_REQUEST;
	u.host = bytes_sub(rest, 0, find(rest, "/?"));
	rest = from(rest, u.host.n);
	u.path = bytes_sub(rest, 0, find(rest, "?"));
	u.query = u.path.n < rest.n ? from(rest, u.path.n + 1) : BYTES_NONE;
	if (ends_with(u.host, own_port))
		u.host = bytes_sub(u.host, 0, u.host.n - strlen(own_port));
	if (u.host.n == 0 || find(u.host, "@") < u.host.n || has_dot_segment(u.path))
		return ERR_BAD_REQUEST;
	*ret = u;
	return ERR_OK;
}

/* The path is encoded once more: its percent signs become %25 (not for S3). */
static enum err add_path(struct buf *out, struct bytes path, bool again)
{
	static const char plain[] = "-._~/";

	if (path.n == 0)
		return buf_add_u8(out, '/');
	for (size_t i = 0; i < path.n; i++) {
		uint8_t c = path.p[i];
		bool letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!again || letter || strchr(plain, c))
			TRY(buf_add_u8(out, c));
		else
			TRY(buf_addf(out, "%%%02X", c));
	}
	return ERR_OK;
}

struct parameter {
	struct bytes name, value;
};

static int compare(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_name_and_value(const void *a, const void *b)
{
	const struct parameter *x = a, *y = b;
	int order = compare(x->name, y->name);

	return order != 0 ? order : compare(x->value, y->value);
}

static enum err add_query(struct buf *out, struct bytes query)
{
	struct parameter list[AWS_QUERY_PARAMETERS_MAX];
	size_t n = 0;

	while (query.n > 0) {
		struct bytes pair = bytes_sub(query, 0, find(query, "&"));
		size_t equals = find(pair, "=");

		query = pair.n < query.n ? from(query, pair.n + 1) : BYTES_NONE;
		if (pair.n == 0)
			continue;
		if (n == ARRAY_LEN(list))
			return ERR_BAD_REQUEST;
		list[n].name = bytes_sub(pair, 0, equals);
		list[n].value = equals < pair.n ? from(pair, equals + 1) : BYTES_NONE;
		n++;
	}
	qsort(list, n, sizeof(list[0]), by_name_and_value);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			TRY(buf_add_u8(out, '&'));
		TRY(buf_add(out, list[i].name));
		TRY(buf_add_u8(out, '='));
		TRY(buf_add(out, list[i].value));
	}
	return ERR_OK;
}

/* ---- headers ---- */

struct header_list {
	struct parameter v[AWS_SIGNED_HEADERS_MAX];
	size_t n;
};

static enum err add_one(struct header_list *l, const char *name, struct bytes value)
{
	if (l->n == ARRAY_LEN(l->v))
		return ERR_BAD_REQUEST;
	l->v[l->n++] = (struct parameter){bytes_str(name), value};
	return ERR_OK;
}

static int by_header_name(const void *a, const void *b)
{
	const struct parameter *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int order = strncasecmp((const char *)x->name.p, (const char *)y->name.p, n);

	return order != 0 ? order : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static enum err add_lower(struct buf *out, struct bytes name)
{
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		TRY(buf_add_u8(out, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c));
	}
	return ERR_OK;
}

/* Spaces at the ends go, several in a row become one. */
static enum err add_trimmed(struct buf *out, struct bytes value)
{
	size_t begin = out->n;
	bool space = false;

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == ' ' || value.p[i] == '\t') {
			space = true;
			continue;
		}
		if (space && out->n > begin)
			TRY(buf_add_u8(out, ' '));
		space = false;
		TRY(buf_add_u8(out, value.p[i]));
	}
	return ERR_OK;
}

static enum err add_headers(struct buf *out, struct buf *names, const struct header_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		TRY(add_lower(out, l->v[i].name));
		TRY(buf_add_u8(out, ':'));
		TRY(add_trimmed(out, l->v[i].value));
		TRY(buf_add_u8(out, '\n'));
		if (i > 0)
			TRY(buf_add_u8(names, ';'));
		TRY(add_lower(names, l->v[i].name));
	}
	return ERR_OK;
}

/* ---- signing ---- */

static enum err hex_of_sha256(char ret_hex[HEX_SIZE], struct bytes b)
{
	struct hash32 digest;

	TRY(sha256(&digest, &b, 1));
	hex_encode(ret_hex, BYTES_OF(digest.b));
	return ERR_OK;
}

/* `names` gets the list of signed headers. */
static enum err canonical(struct buf *out, struct buf *names, const struct http_request *req,
			  const struct aws_keys *keys, const struct aws_scope *scope,
			  const char *date)
{
	struct header_list l = {.n = 0};
	char payload[HEX_SIZE];
	struct url_parts u;

	TRY(url_split(&u, req->url));
	for (size_t i = 0; i < req->headers_n; i++)
		TRY(add_one(&l, req->headers[i].name, bytes_str(req->headers[i].value)));
	TRY(add_one(&l, "host", u.host));
	TRY(add_one(&l, "x-amz-date", bytes_str(date)));
	if (keys->session_token)
		TRY(add_one(&l, "x-amz-security-token", bytes_str(keys->session_token)));
	qsort(l.v, l.n, sizeof(l.v[0]), by_header_name);

	TRY(buf_addf(out, "%s\n", req->method));
	TRY(add_path(out, u.path, strcmp(scope->service, "s3") != 0));
	TRY(buf_add_u8(out, '\n'));
	TRY(add_query(out, u.query));
	TRY(buf_add_u8(out, '\n'));
	TRY(add_headers(out, names, &l));
	TRY(buf_add_u8(out, '\n'));
	TRY(buf_add(out, buf_view(names)));
	TRY(hex_of_sha256(payload, req->body));
	return buf_addf(out, "\n%s", payload);
}

static void hash32_wipe(struct hash32 *h)
{
	secret_wipe(h->b, sizeof(h->b));
}

/* HMAC over HMAC: secret, day, region, service, "aws4_request". */
static enum err signing_key(struct hash32 *ret_key, struct bytes secret,
			    const struct aws_scope *scope, struct bytes day)
{
	const struct bytes steps[] = {day, bytes_str(scope->region), bytes_str(scope->service),
				      BYTES_LIT("aws4_request")};
	CLEANUP(buf_wipe) struct buf first = buf_make(SECRET_SIZE_MAX);
	CLEANUP(hash32_wipe) struct hash32 key = {{0}};

	TRY(buf_reserve(&first, secret.n + 4));
	TRY(buf_add_str(&first, "AWS4"));
	TRY(buf_add(&first, secret));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		TRY(hmac_sha256(&key, i == 0 ? buf_view(&first) : BYTES_OF(key.b), &steps[i], 1));
	*ret_key = key;
	return ERR_OK;
}

enum err aws_sign(struct buf *out, const struct http_request *req, const struct aws_keys *keys,
		  const struct aws_scope *scope, const char date[AWS_DATE_SIZE])
{
	CLEANUP(buf_wipe) struct buf text = buf_make(CANONICAL_SIZE_MAX); /* holds the token */
	CLEANUP(buf_free) struct buf names = buf_make(LIST_SIZE_MAX);
	CLEANUP(hash32_wipe) struct hash32 key = {{0}};
	char where[SCOPE_SIZE_MAX], hash[HEX_SIZE], signature[HEX_SIZE];
	const char *list;
	struct hash32 mac;
	size_t before = out->n;
	int n = snprintf(where, sizeof(where), "%.8s/%s/%s/aws4_request", date, scope->region,
			 scope->service);

	if (n < 0 || (size_t)n >= sizeof(where))
		return ERR_BAD_REQUEST;
	/* Growing would leave copies of the token behind. */
	TRY(buf_reserve(&text, 4096 + (keys->session_token ? strlen(keys->session_token) : 0)));
	TRY(canonical(&text, &names, req, keys, scope, date));
	TRY(hex_of_sha256(hash, buf_view(&text)));
	TRY(signing_key(&key, keys->secret, scope, bytes_from(date, 8)));

	const struct bytes parts[] = {BYTES_LIT("AWS4-HMAC-SHA256\n"),
				      bytes_str(date),
				      BYTES_LIT("\n"),
				      bytes_str(where),
				      BYTES_LIT("\n"),
				      bytes_str(hash)};

	TRY(hmac_sha256(&mac, BYTES_OF(key.b), parts, ARRAY_LEN(parts)));
	hex_encode(signature, BYTES_OF(mac.b));
	TRY(buf_cstr(&names, &list));

	enum err e =
		buf_addf(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
			 keys->access_key_id, where, list, signature);

	if (e != ERR_OK)
		out->n = before;
	return e;
}

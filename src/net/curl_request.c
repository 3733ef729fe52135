/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/curl_request.h"

#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "base/secret.h"

/* ---- reply ---- */

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes trim(struct bytes b)
{
	while (b.n > 0 && blank(b.p[0]))
		b = bytes_sub(b, 1, b.n - 1);
	while (b.n > 0 && blank(b.p[b.n - 1]))
		b = bytes_sub(b, 0, b.n - 1);
	return b;
}

/* The length that is announced: too big is known before the first byte. */
static void check_length(struct curl_request *r, struct bytes value)
{
	uint64_t n = 0;

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9') {
			r->malformed = true;
			return;
		}
		if (n <= UINT64_MAX / 16)
			n = n * 10 + (uint64_t)(value.p[i] - '0');
	}
	if (!r->head && r->status >= 200 && r->status != 204 && r->status != 304 && n > r->body_max)
		r->too_big = true;
}

static enum err add_header(struct curl_request *r, struct bytes line)
{
	struct bytes name, value;
	size_t colon = 0;

	while (colon < line.n && line.p[colon] != ':')
		colon++;
	if (colon == 0 || colon == line.n || memchr(line.p, 0, line.n))
		return ERR_OK; /* not a header that anybody could ask for */
	name = bytes_sub(line, 0, colon);
	value = trim(bytes_sub(line, colon + 1, line.n - colon - 1));
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		TRY(buf_add_u8(&r->headers, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c));
	}
	TRY(buf_add_u8(&r->headers, 0));
	TRY(buf_add(&r->headers, value));
	TRY(buf_add_u8(&r->headers, 0));
	r->headers_n++;
	if (name.n == 14 && strncasecmp((const char *)name.p, "content-length", 14) == 0)
		check_length(r, value);
	return ERR_OK;
}

/* "HTTP/1.1 200 OK" begins a new block: after 100 Continue, say. */
static void start_block(struct curl_request *r, struct bytes line)
{
	size_t at = 0;

	while (at < line.n && line.p[at] != ' ')
		at++;
	r->status = 0;
	r->headers_whole = false;
	for (at++; at < line.n && line.p[at] >= '0' && line.p[at] <= '9' && r->status < 100; at++)
		r->status = r->status * 10 + (line.p[at] - '0');
	buf_clear(&r->headers);
	r->headers_n = 0;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct curl_request *r = ctx;
	struct bytes line = bytes_from(p, size * n);

	/* Counted over all blocks, so that 1xx without end comes to an end. */
	if (line.n > HTTP_HEADER_BYTES_MAX - r->header_bytes) {
		r->too_big = true;
		return 0;
	}
	r->header_bytes += line.n;
	if (r->body.n > 0)
		return line.n; /* trailers: nobody asks for them */
	if (bytes_eq_var(bytes_sub(line, 0, 5), BYTES_LIT("HTTP/")))
		start_block(r, line);
	else if (trim(line).n == 0)
		r->headers_whole = true;
	else if (add_header(r, line) != ERR_OK)
		return 0;
	return r->too_big || r->malformed ? 0 : line.n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct curl_request *r = ctx;
	struct bytes piece = bytes_from(p, size * n);

	switch (buf_add(&r->body, piece)) {
	case ERR_OK:
		if (r->piece)
			r->piece(r->ctx, piece);
		return piece.n;
	case ERR_TOO_BIG:
		r->too_big = true;
		return 0;
	default:
		return 0;
	}
}

static enum err header_views(struct curl_request *r)
{
	struct reader in = reader_of(buf_view(&r->headers));

	r->header_views = calloc(r->headers_n + 1, sizeof(*r->header_views));
	if (!r->header_views)
		return ERR_NOMEM;
	for (size_t i = 0; i < r->headers_n; i++) {
		struct http_header *h = &r->header_views[i];

		h->name = (const char *)in.in.p;
		(void)reader_bytes(&in, strlen(h->name) + 1);
		h->value = (const char *)in.in.p;
		(void)reader_bytes(&in, strlen(h->value) + 1);
	}
	return ERR_OK;
}

/* ---- the end ---- */

struct code_row {
	CURLcode code;
	enum err err;
};

/* What is not here is ERR_UNAVAILABLE: no name, no connection, connection lost. */
static const struct code_row CODES[] = {
	{CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT},
	{CURLE_FILESIZE_EXCEEDED, ERR_TOO_BIG},
	{CURLE_PARTIAL_FILE, ERR_TRUNCATED},
	{CURLE_WEIRD_SERVER_REPLY, ERR_MALFORMED},
	{CURLE_UNSUPPORTED_PROTOCOL, ERR_MALFORMED}, /* "HTTP/0.9": the URL was checked before */
	{CURLE_BAD_CONTENT_ENCODING, ERR_MALFORMED},
	{CURLE_PEER_FAILED_VERIFICATION, ERR_MISMATCH},
	{CURLE_WRITE_ERROR, ERR_NOMEM},
};

static enum err err_of(const struct curl_request *r, CURLcode code)
{
	long sent = 0;
	long os_errno = 0;

	/* curl is content with headers that end with the connection. */
	if (code == CURLE_OK)
		return r->headers_whole ? ERR_OK : ERR_TRUNCATED;
	if (r->too_big)
		return ERR_TOO_BIG;
	if (r->malformed)
		return ERR_MALFORMED;
	/* curl before 8.6 says so too when one line of a header passes its own limit. */
	if (code == CURLE_OUT_OF_MEMORY) {
		curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &sent);
		return sent > 0 ? ERR_TOO_BIG : ERR_NOMEM;
	}
	/* Without an error of the system it is the chunked coding that is broken; with TLS one
	 * cannot tell. */
	if (code == CURLE_RECV_ERROR && r->plain) {
		curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_errno);
		return os_errno == 0 ? ERR_MALFORMED : ERR_UNAVAILABLE;
	}
	for (size_t i = 0; i < ARRAY_LEN(CODES); i++)
		if (CODES[i].code == code)
			return CODES[i].err;
	if ((int)code == 100) /* CURLE_TOO_LARGE, since 8.6 */
		return ERR_TOO_BIG;
	return ERR_UNAVAILABLE;
}

void curl_request_result(struct curl_request *r, CURLcode code, struct http_reply *out)
{
	enum err e = err_of(r, code);

	*out = (struct http_reply){0};
	if (e == ERR_OK)
		e = header_views(r);
	out->err = e;
	if (e == ERR_TOO_BIG) {
		err_say(&out->note, e, "reply is bigger than %zu bytes, or its headers than %d",
			r->body_max, (int)HTTP_HEADER_BYTES_MAX);
	} else if (e != ERR_OK) {
		/* curl's words name the host at most; the URL may hold a key and is not said. */
		err_say(&out->note, e, "%s",
			r->error[0]        ? r->error
			: code == CURLE_OK ? "reply ends early"
					   : curl_easy_strerror(code));
	} else {
		out->status = r->status;
		out->owner = &r->body;
		out->body = buf_view(&r->body);
		out->headers = r->header_views;
		out->headers_n = r->headers_n;
	}
}

/* ---- request ---- */

static bool url_acceptable(const char *url)
{
	CURLU *u;
	char *scheme = NULL;
	bool good = false;

	if (!url || strlen(url) > URL_SIZE_MAX || !(u = curl_url()))
		return false;
	if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK)
		good = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
	curl_free(scheme);
	curl_url_cleanup(u);
	return good;
}

static bool header_acceptable(const struct http_header *h)
{
	if (!h->name[0] || strpbrk(h->name, ": \t\r\n") || strpbrk(h->value, "\r\n"))
		return false;
	return true;
}

static enum err add_line(struct curl_request *r, const char *line)
{
	struct curl_slist *grown = curl_slist_append(r->send_headers, line);

	if (!grown)
		return ERR_NOMEM;
	r->send_headers = grown;
	return ERR_OK;
}

static enum err add_send_headers(struct curl_request *r, const struct http_request *req)
{
	bool content_type = false;

	for (size_t i = 0; i < req->headers_n; i++) {
		const struct http_header *h = &req->headers[i];
		CLEANUP(buf_wipe) struct buf line = buf_make(HTTP_HEADER_BYTES_MAX);
		const char *text;

		if (!header_acceptable(h))
			return ERR_BAD_REQUEST;
		if (strcasecmp(h->name, "content-type") == 0)
			content_type = true;
		/* curl's own way to say "empty value" */
		if (r->secret)
			TRY(buf_reserve(&line, strlen(h->name) + strlen(h->value) + 3));
		TRY(buf_addf(&line, h->value[0] ? "%s: %s" : "%s;", h->name, h->value));
		TRY(buf_cstr(&line, &text));
		TRY(add_line(r, text));
	}
	/* Not a form, and no waiting for "100 Continue". */
	if (!content_type)
		TRY(add_line(r, "Content-Type:"));
	return add_line(r, "Expect:");
}

static enum err set_method(struct curl_request *r, const struct http_request *req)
{
	CURLcode e = CURLE_OK;

	if (strcmp(req->method, "GET") == 0) {
		e = curl_easy_setopt(r->easy, CURLOPT_HTTPGET, 1L);
	} else if (strcmp(req->method, "HEAD") == 0) {
		r->head = true;
		e = curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
	} else if (strcmp(req->method, "POST") == 0 || strcmp(req->method, "PUT") == 0) {
		r->send_body = buf_make(req->body.n);
		TRY(buf_add(&r->send_body, req->body));
		e = curl_easy_setopt(r->easy, CURLOPT_POST, 1L);
		if (e == CURLE_OK)
			e = curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE,
					     (curl_off_t)req->body.n);
		if (e == CURLE_OK)
			e = curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS,
					     req->body.n ? (const char *)r->send_body.p : "");
		/* curl's own PUT would want the body by a callback. */
		if (e == CURLE_OK && req->method[1] == 'U')
			e = curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, "PUT");
	} else {
		return ERR_BAD_REQUEST;
	}
	return e == CURLE_OK ? ERR_OK : ERR_NOMEM;
}

static enum err set_options(struct curl_request *r, const struct http_request *req)
{
	int64_t connect_ms =
		req->connect_timeout_ms > 0 ? req->connect_timeout_ms : req->timeout_ms;
	CURL *c = r->easy;
	bool failed = false;

	failed |= curl_easy_setopt(c, CURLOPT_URL, req->url) != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
	/* HTTP/2 of curl 7.88 loses connections after about a thousand requests. */
	failed |=
		curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_USERAGENT, "claviger") != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->error) != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_PRIVATE, r) != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_HEADERDATA, r) != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
	failed |= curl_easy_setopt(c, CURLOPT_WRITEDATA, r) != CURLE_OK;
	failed |=
		curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
				 (long)(connect_ms < 86400000 ? connect_ms : 86400000)) != CURLE_OK;
	/* A name that nobody answers must not hold the loop when the request is withdrawn. */
	failed |= curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK;
	if (req->direct)
		failed |= curl_easy_setopt(c, CURLOPT_PROXY, "") != CURLE_OK;
	if (failed)
		return ERR_NOMEM;
	TRY(set_method(r, req));
	TRY(add_send_headers(r, req));
	if (curl_easy_setopt(c, CURLOPT_HTTPHEADER, r->send_headers) != CURLE_OK)
		return ERR_NOMEM;
	return ERR_OK;
}

enum err curl_request_new(struct curl_request **ret_request, const struct http_request *req)
{
	struct curl_request *r;
	enum err e;

	if (!url_acceptable(req->url))
		return ERR_BAD_REQUEST;
	r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_NOMEM;
	r->plain = strncasecmp(req->url, "http://", 7) == 0;
	r->piece = req->piece;
	r->body_max = req->body_max;
	r->body = buf_make(req->body_max);
	/* Each header costs two NULs more than its line, which had at least ':' and an end. */
	r->headers = buf_make(2 * HTTP_HEADER_BYTES_MAX);
	r->secret = req->secret;
	r->easy = curl_easy_init();
	e = r->easy ? set_options(r, req) : ERR_NOMEM;
	/* Growing leaves copies behind. */
	if (e == ERR_OK && r->secret)
		e = buf_reserve(&r->body, r->body_max);
	if (e != ERR_OK) {
		curl_request_free(r);
		return e;
	}
	*ret_request = r;
	return ERR_OK;
}

void curl_request_free(struct curl_request *r)
{
	if (r->easy)
		curl_easy_cleanup(r->easy);
	for (struct curl_slist *h = r->send_headers; r->secret && h; h = h->next)
		secret_wipe(h->data, strlen(h->data));
	curl_slist_free_all(r->send_headers);
	(r->secret ? buf_wipe : buf_free)(&r->send_body);
	buf_free(&r->headers);
	(r->secret ? buf_wipe : buf_free)(&r->body);
	free(r->header_views);
	free(r);
}

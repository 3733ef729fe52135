/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A web server that answers with the input. A reply that is plain in form is what a reader of
 * twenty lines makes of it; names are in lower case; limits hold; one end for one request.
 *
 * Input: u8: bit 0 HEAD || the bytes.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/transport.h"
#include "support_net.h"

enum {
	BODY_MAX = 1000
};

/* "HTTP/1.1 2xx x", "name: value" lines of harmless characters, one length, the body. */
static bool simple(struct bytes in, int *ret_status, size_t *ret_headers, struct bytes *ret_body)
{
	const uint8_t *end = memmem(in.p, in.n, "\r\n\r\n", 4);
	size_t lengths = 0, length = 0;
	struct bytes head;

	if (!end || in.n < 14 || memcmp(in.p, "HTTP/1.1 2", 10) != 0 || in.p[12] != ' ' ||
	    !isdigit(in.p[10]) || !isdigit(in.p[11]))
		return false;
	*ret_status = 200 + (in.p[10] - '0') * 10 + in.p[11] - '0';
	*ret_headers = 0;
	*ret_body = bytes_from(end + 4, in.n - (size_t)(end + 4 - in.p));
	head = bytes_from(in.p, (size_t)(end + 2 - in.p));
	for (struct bytes line = fuzz_line(&head); head.n > 0; (*ret_headers)++) {
		line = fuzz_line(&head);

		size_t i = 0;

		while (i < line.n && (isalnum(line.p[i]) || line.p[i] == '-'))
			i++;
		if (i == 0 || i + 3 > line.n || line.p[i] != ':' || line.p[line.n - 1] != '\r' ||
		    strncasecmp((const char *)line.p, "transfer", 8) == 0)
			return false;
		for (size_t k = i; k + 1 < line.n; k++)
			if (!isprint(line.p[k]))
				return false;
		if (strncasecmp((const char *)line.p, "content-length:", 15) == 0) {
			char *text = fuzz_cstr(bytes_sub(line, 15, line.n - 15));

			length = strtoul(text, NULL, 10);
			free(text);
			lengths++;
		}
	}
	if (*ret_status == 204 || lengths != 1 || length > ret_body->n)
		return false;
	ret_body->n = length;
	return true;
}

struct seen {
	struct bytes in;
	bool head;
	unsigned calls;
};

static void on_done(void *ctx, const struct http_reply *r)
{
	struct seen *s = ctx;
	struct bytes body;
	size_t headers;
	int status;

	CHECK(s->calls++ == 0);
	if (r->err != ERR_OK) {
		CHECK(r->note.text[0] && r->body.n == 0);
		return;
	}
	CHECK(r->body.n <= BODY_MAX && r->status >= 0 && r->status <= 999);
	for (size_t i = 0; i < r->headers_n; i++) {
		CHECK(r->headers[i].name[0]);
		for (const char *c = r->headers[i].name; *c; c++)
			CHECK(!(*c >= 'A' && *c <= 'Z'));
		CHECK(http_reply_header(r, r->headers[i].name));
	}
	if (s->head || !simple(s->in, &status, &headers, &body))
		return;
	CHECK(r->status == status && r->headers_n == headers);
	CHECK(bytes_eq_var(r->body, body));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static int listener = -1;
	static char url[64];
	struct bytes in = bytes_from(p, n < 1 << 17 ? n : 1 << 17);
	struct seen s = {.head = fuzz_u8(&in) & 1, .in = in};
	struct transport *t;
	struct http_ticket ticket;
	unsigned port;
	uint8_t chunk[4096];
	int fd = -1;

	if (listener < 0) {
		listener = fuzz_listen(&port);
		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", port);
	}

	const struct http_request request = {.method = s.head ? "HEAD" : "GET",
					     .url = url,
					     .timeout_ms = 60000,
					     .body_max = BODY_MAX};

	FUZZ_OK(transport_curl_new(&t, fuzz_loop()));
	FUZZ_OK(transport_send(t, &ticket, &request, on_done, &s));
	for (int i = 0; s.calls == 0; i++) {
		CHECK(i < 1000000);
		fuzz_pump(fuzz_loop());
		if (fd < 0) {
			fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		} else if (in.n > 0 || i % 8 == 0) {
			while (recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT) > 0)
				;
			fuzz_write(fd, in);
			in = BYTES_NONE;
			(void)shutdown(fd, SHUT_WR);
		}
	}
	transport_free(t);
	if (fd >= 0)
		close(fd);
	fuzz_pump(fuzz_loop());
	CHECK(s.calls == 1);
	return 0;
}

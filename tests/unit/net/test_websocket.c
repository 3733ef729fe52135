/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* JSON-RPC over WebSockets against a scripted server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/base64.h"
#include "net/transport.h"
#include "testing.h"

enum {
	GUARD_MS = 10000
};

struct world {
	struct loop *loop;
	struct transport *t;
	struct peer *peer;
	const char *script; /* frames, by a letter each */
	char url[64];
	unsigned waits, answers;
	enum err err[16];
	char body[16][64];
	bool call_again;
};

/* ---- the server ---- */

/* Reads the handshake and answers it; the accept value is computed, not known. */
static bool shake_hands(int fd)
{
	char head[2048], text[128];
	size_t n = 0;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_n = 0;
	struct buf accept = buf_make(64);

	while (n < sizeof(head) - 1 && read(fd, &head[n], 1) == 1) {
		head[++n] = '\0';
		if (n >= 4 && strcmp(&head[n - 4], "\r\n\r\n") == 0)
			break;
	}
	const char *key = strstr(head, "Sec-WebSocket-Key: ");
	if (!key)
		return false;
	(void)snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", &key[19]);
	EVP_Digest(text, strlen(text), digest, &digest_n, EVP_sha1(), NULL);
	bool good = base64_add(&accept, bytes_from(digest, digest_n)) == ERR_OK;
	char answer[512];
	int k = snprintf(answer, sizeof(answer),
			 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			 "Connection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
			 (int)accept.n, (const char *)accept.p);
	buf_free(&accept);
	return good && fd_write_all(fd, bytes_from(answer, (size_t)k));
}

static bool read_n(int fd, uint8_t *out, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t k = read(fd, &out[at], n - at);

		if (k <= 0)
			return false;
		at += (size_t)k;
	}
	return true;
}

/* The id of a masked request, or -1. Pongs are passed over and counted as -2. */
static int read_request(int fd)
{
	uint8_t head[6], text[256] = {0};

	if (!read_n(fd, head, 6) || (head[1] & 0x80) == 0)
		return -1;
	size_t n = head[1] & 0x7f;
	if (n > 125 || !read_n(fd, text, n))
		return -1;
	for (size_t i = 0; i < n; i++)
		text[i] ^= head[2 + i % 4];
	if (head[0] == 0x8a)
		return -2;
	const char *id = strstr((const char *)text, "\"id\":");
	return id ? (int)strtol(&id[5], NULL, 10) : -1;
}

static bool send_text(int fd, uint8_t first, const char *text)
{
	const uint8_t head[2] = {first, (uint8_t)strlen(text)};

	return fd_write_all(fd, BYTES_OF(head)) && fd_write_all(fd, bytes_str(text));
}

/* a: answer; f: in fragments, with a ping between; n: a notification first; g: garbage; c: close;
 * r: refuse the handshake; x: end; o: answer in the other order, two requests; s: say nothing. */
static void serve(void *ctx, int fd)
{
	const struct world *w = ctx;
	char text[128];

	if (w->script[0] == 'r') {
		if (fd_read_headers(fd))
			(void)fd_write_all(fd, BYTES_LIT("HTTP/1.1 403 Forbidden\r\n\r\n"));
		return;
	}
	if (!shake_hands(fd))
		return;
	for (const char *s = w->script; *s; s++) {
		int id = *s == 'c' || *s == 'g' || *s == 's' ? 0 : read_request(fd), other;

		if (id < 0)
			return;
		(void)snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}",
			       id);
		switch (*s) {
		case 'a':
			(void)send_text(fd, 0x81, text);
			break;
		case 'f':
			(void)send_text(fd, 0x01,
					"{\"result\":{\"id\":77},\"x\":\"\\\"id\\\":78\", ");
			(void)send_text(fd, 0x89, "ping");
			(void)snprintf(text, sizeof(text), "\"id\" : %d}", id);
			(void)send_text(fd, 0x80, text);
			if (read_request(fd) != -2)
				return;
			break;
		case 'n':
			(void)send_text(fd, 0x81,
					"{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\"}");
			(void)send_text(fd, 0x81, text);
			break;
		case 'o':
			other = read_request(fd);
			(void)snprintf(text, sizeof(text), "{\"id\":%d,\"r\":2}", other);
			(void)send_text(fd, 0x81, text);
			(void)snprintf(text, sizeof(text), "{\"id\":%d,\"r\":1}", id);
			(void)send_text(fd, 0x81, text);
			break;
		case 'g':
			(void)fd_write_all(fd, BYTES_LIT("\xff\xff\xff\xff"));
			fd_wait_close(fd);
			return;
		case 'c':
			(void)fd_write_all(fd, BYTES_LIT("\x88\x02\x03\xe8"));
			fd_wait_close(fd);
			return;
		default:
			return;
		}
	}
	fd_wait_close(fd);
}

/* ---- the client ---- */

static void begin(struct world *w, const char *script)
{
	struct transport *http;

	*w = (struct world){.script = script};
	w->peer = peer_new(serve, w);
	(void)snprintf(w->url, sizeof(w->url), "ws://u:p@127.0.0.1:%u/key", peer_port(w->peer));
	assert_int_equal(loop_new(&w->loop), ERR_OK);
	assert_int_equal(transport_curl_new(&http, w->loop), ERR_OK);
	assert_int_equal(transport_ws_new(&w->t, w->loop, http), ERR_OK);
}

static void finish(struct world *w)
{
	transport_free(w->t);
	loop_free(w->loop);
	peer_free(w->peer);
}

static void ask(struct world *w, unsigned id, int64_t timeout_ms);

static void on_done(void *ctx, const struct http_reply *r)
{
	struct world *w = ctx;
	unsigned i = w->answers++;

	w->err[i] = r->err;
	(void)snprintf(w->body[i], sizeof(w->body[i]), "%.*s", (int)r->body.n,
		       r->body.n > 0 ? (const char *)r->body.p : "");
	if (w->call_again) {
		w->call_again = false;
		ask(w, 9, 1000);
	}
	if (--w->waits == 0)
		loop_stop(w->loop);
}

static enum err try_ask(struct world *w, const char *url, const char *body, int64_t timeout_ms,
			struct http_ticket *ticket)
{
	const struct http_request req = {.method = "POST",
					 .url = url,
					 .body = bytes_str(body),
					 .timeout_ms = timeout_ms,
					 .body_max = 60};

	return transport_send(w->t, ticket, &req, on_done, w);
}

static void ask(struct world *w, unsigned id, int64_t timeout_ms)
{
	char body[64];
	struct http_ticket ticket;

	(void)snprintf(body, sizeof(body), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"m\"}", id);
	assert_int_equal(try_ask(w, w->url, body, timeout_ms, &ticket), ERR_OK);
	w->waits++;
}

static void test_answers(void **state)
{
	struct world w;
	(void)state;

	begin(&w, "anf");
	for (unsigned i = 1; i <= 3; i++) {
		ask(&w, i, 5000);
		run_guarded(w.loop, GUARD_MS);
		assert_int_equal(w.answers, i);
		assert_int_equal(w.err[i - 1], ERR_OK);
	}
	assert_string_equal(w.body[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
	assert_non_null(strstr(w.body[2], "\"id\" : 3}"));
	assert_int_equal(peer_connections(w.peer), 1);
	finish(&w);
}

static void test_answers_in_any_order(void **state)
{
	struct world w;
	(void)state;

	begin(&w, "o");
	ask(&w, 1, 5000);
	ask(&w, 2, 5000);
	run_guarded(w.loop, GUARD_MS);
	assert_string_equal(w.body[0], "{\"id\":2,\"r\":2}");
	assert_string_equal(w.body[1], "{\"id\":1,\"r\":1}");
	finish(&w);
}

/* Whatever ends the connection ends all calls on it, and the next call has a new one. */
static void test_ends(void **state)
{
	static const struct {
		const char *script;
		enum err err;
	} rows[] = {{"g", ERR_UNAVAILABLE},
		    {"c", ERR_UNAVAILABLE},
		    {"r", ERR_UNAVAILABLE},
		    {"x", ERR_UNAVAILABLE},
		    {"", ERR_TIMEOUT}};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;

		begin(&w, rows[i].script);
		w.call_again = true;
		ask(&w, 1, 500);
		ask(&w, 2, 500);
		run_guarded(w.loop, GUARD_MS);
		assert_int_equal(w.answers, 3);
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(w.err[k], rows[i].err);
		finish(&w);
	}
}

static void test_refused_and_cancelled(void **state)
{
	struct world w;
	struct http_ticket ticket;
	(void)state;

	begin(&w, "aa");
	assert_int_equal(try_ask(&w, w.url, "{\"id\":1}", 1000, &ticket), ERR_BAD_REQUEST);
	assert_int_equal(try_ask(&w, "ws://", "{\"jsonrpc\":\"2.0\",\"id\":1,", 1000, &ticket),
			 ERR_BAD_REQUEST);
	assert_int_equal(try_ask(&w, w.url, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"m\"}", 1000,
				 &ticket),
			 ERR_OK);
	transport_cancel(w.t, ticket);
	ask(&w, 6, 1000);
	run_guarded(w.loop, GUARD_MS);
	assert_int_equal(w.answers, 1);
	assert_non_null(strstr(w.body[0], "\"id\":6"));
	/* Freed with a call open: nobody is told. */
	ask(&w, 7, 1000);
	finish(&w);
	assert_int_equal(w.answers, 1);
}

static void free_inside(void *ctx, const struct http_reply *r)
{
	struct world *w = ctx;
	(void)r;

	w->answers++;
	transport_free(w->t);
	w->t = NULL;
	loop_stop(w->loop);
}

static void test_freed_inside(void **state)
{
	static const char *const scripts[] = {"aa", "c", "x"};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct world w;
		struct http_ticket ticket;

		begin(&w, scripts[i]);
		for (unsigned k = 0; k < 2; k++) {
			char body[64];

			(void)snprintf(body, sizeof(body),
				       "{\"jsonrpc\":\"2.0\",\"id\":%u,\"m\":1}", k);
			const struct http_request req = {.method = "POST",
							 .url = w.url,
							 .body = bytes_str(body),
							 .timeout_ms = 1000,
							 .body_max = 60};
			assert_int_equal(transport_send(w.t, &ticket, &req, free_inside, &w),
					 ERR_OK);
		}
		run_guarded(w.loop, GUARD_MS);
		assert_int_equal(w.answers, 1);
		loop_free(w.loop);
		peer_free(w.peer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),      cmocka_unit_test(test_answers_in_any_order),
		cmocka_unit_test(test_ends),         cmocka_unit_test(test_refused_and_cancelled),
		cmocka_unit_test(test_freed_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

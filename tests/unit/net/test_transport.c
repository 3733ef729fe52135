/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* transport_curl against a scripted TCP server: whole, split, cut, endless and silent replies. */
#include "testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/transport.h"

struct script {
	struct bytes reply;
	size_t split_at;      /* pause here */
	struct bytes forever; /* afterwards, repeated without end */
	bool keep;            /* serve further requests on the connection */
	bool stall;           /* then say nothing more */
	size_t expect_body;
};

struct world {
	struct loop *loop;
	struct transport *transport;
	struct peer *peer;
	char url[64];

	/* what the server does: under the lock, it runs on a thread of its own */
	pthread_mutex_t lock;
	struct script script;
	struct buf got; /* the last request, headers only */
	struct buf got_body;
	atomic_int requests;

	/* what came of it */
	int done;
	int wanted;
	enum err err;
	int status;
	struct buf body;
	char type[64];
	char note[ERR_NOTE_SIZE];
};

static struct script script_get(struct world *w)
{
	struct script s;

	pthread_mutex_lock(&w->lock);
	s = w->script;
	pthread_mutex_unlock(&w->lock);
	return s;
}

static void script_set(struct world *w, struct script s)
{
	pthread_mutex_lock(&w->lock);
	w->script = s;
	pthread_mutex_unlock(&w->lock);
}

static bool read_bytes(int fd, struct buf *to, size_t n)
{
	uint8_t c;

	while (to->n < n)
		if (recv(fd, &c, 1, 0) != 1 || buf_add_u8(to, c) != ERR_OK)
			return false;
	return true;
}

static bool read_request(struct world *w, int fd)
{
	struct buf head = buf_make(1 << 20);
	struct buf body = buf_make(1 << 20);
	bool whole;

	do {
		whole = read_bytes(fd, &head, head.n + 1);
	} while (whole && (head.n < 4 || memcmp(&head.p[head.n - 4], "\r\n\r\n", 4) != 0));
	whole = whole && read_bytes(fd, &body, script_get(w).expect_body);
	pthread_mutex_lock(&w->lock);
	buf_free(&w->got);
	buf_free(&w->got_body);
	w->got = head;
	w->got_body = body;
	pthread_mutex_unlock(&w->lock);
	atomic_fetch_add(&w->requests, whole ? 1 : 0);
	return whole;
}

static void serve(void *ctx, int fd)
{
	const struct timespec ms_2 = {.tv_nsec = 2000000};
	struct script s;

	do {
		if (!read_request(ctx, fd))
			return;
		s = script_get(ctx);
		if (!fd_write_all(fd, bytes_sub(s.reply, 0, s.split_at)))
			return;
		if (s.split_at > 0)
			nanosleep(&ms_2, NULL);
		if (!fd_write_all(fd, bytes_sub(s.reply, s.split_at, s.reply.n - s.split_at)))
			return;
	} while (s.keep);
	while (s.forever.n > 0 && fd_write_all(fd, s.forever))
		;
	if (s.stall)
		fd_wait_close(fd);
}

/* The last request as text; the caller frees it. */
static char *got_text(struct world *w)
{
	char *text;

	pthread_mutex_lock(&w->lock);
	text = strndup((const char *)w->got.p, w->got.n);
	pthread_mutex_unlock(&w->lock);
	assert_non_null(text);
	return text;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	pthread_mutex_init(&w->lock, NULL);
	w->body = buf_make(32 << 20);
	if (loop_new(&w->loop) != ERR_OK || transport_curl_new(&w->transport, w->loop) != ERR_OK)
		return -1;
	w->peer = peer_new(serve, w);
	snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%u/path?x=1", peer_port(w->peer));
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	transport_free(w->transport);
	peer_free(w->peer);
	loop_free(w->loop);
	buf_free(&w->got);
	buf_free(&w->got_body);
	buf_free(&w->body);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static void on_done(void *ctx, const struct http_reply *reply)
{
	struct world *w = ctx;
	const char *type = http_reply_header(reply, "content-type");

	w->err = reply->err;
	w->status = reply->status;
	snprintf(w->type, sizeof(w->type), "%s", type ? type : "");
	snprintf(w->note, sizeof(w->note), "%s", reply->note.text);
	buf_free(&w->body);
	if (reply->err == ERR_OK) {
		assert_non_null(reply->owner);
		w->body = buf_take(reply->owner);
		assert_ptr_equal(w->body.p, reply->body.p);
	}
	if (++w->done == w->wanted)
		loop_stop(w->loop);
}

static struct http_request get(struct world *w)
{
	return (struct http_request){
		.method = "GET", .url = w->url, .timeout_ms = 5000, .body_max = 1000};
}

static void send_and_wait(struct world *w, const struct http_request *req)
{
	struct http_ticket ticket = {0};

	w->done = 0;
	w->wanted = 1;
	assert_int_equal(transport_send(w->transport, &ticket, req, on_done, w), ERR_OK);
	assert_true(ticket.id != 0);
	assert_int_equal(w->done, 0);
	run_guarded(w->loop, 20000);
}

static void script_and_wait(struct world *w, struct script s, const struct http_request *req)
{
	script_set(w, s);
	send_and_wait(w, req);
}

static void get_and_wait(struct world *w, struct bytes reply)
{
	struct http_request req = get(w);

	script_and_wait(w, (struct script){.reply = reply}, &req);
}

#define OK_REPLY                                                                                   \
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-MiXeD: Value\r\n"                        \
	"Content-Length: 5\r\n\r\nhello"
#define CHUNKED_REPLY                                                                              \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"                                    \
	"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n"

static void whole_replies(void **state)
{
	const struct bytes head_reply =
		BYTES_LIT("HTTP/1.1 200 OK\r\nContent-Length: 123456789\r\n\r\n");
	struct world *w = *state;
	struct http_request req = get(w);

	get_and_wait(w, BYTES_LIT(OK_REPLY));
	assert_int_equal(w->err, ERR_OK);
	assert_int_equal(w->status, 200);
	assert_string_equal(w->type, "text/plain");
	assert_true(bytes_eq_var(buf_view(&w->body), BYTES_LIT("hello")));
	get_and_wait(w, BYTES_LIT(CHUNKED_REPLY));
	assert_int_equal(w->err, ERR_OK);
	assert_true(bytes_eq_var(buf_view(&w->body), BYTES_LIT("hello")));
	/* Any status is a reply; a redirect is not followed. */
	get_and_wait(w, BYTES_LIT("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
				  "Content-Length: 0\r\n\r\n"));
	assert_int_equal(w->err, ERR_OK);
	assert_int_equal(w->status, 302);
	get_and_wait(w, BYTES_LIT("HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy"));
	assert_int_equal(w->err, ERR_OK);
	assert_int_equal(w->status, 503);
	assert_true(bytes_eq_var(buf_view(&w->body), BYTES_LIT("busy")));
	/* HEAD: a length, and no body behind it. */
	req.method = "HEAD";
	script_and_wait(w, (struct script){head_reply}, &req);
	assert_int_equal(w->err, ERR_OK);
	assert_int_equal(w->body.n, 0);
}

static void requests_on_the_wire(void **state)
{
	struct world *w = *state;
	const struct http_header headers[] = {{"content-type", "application/json"},
					      {"x-empty", ""}};
	struct http_request req = get(w);
	uint8_t body[2000] = {'{'}; /* NULs survive */
	char *text;

	req.method = "POST";
	req.headers = headers;
	req.headers_n = 2;
	req.body = BYTES_OF(body);
	script_and_wait(w,
			(struct script){.reply = BYTES_LIT(OK_REPLY), .expect_body = sizeof(body)},
			&req);
	assert_int_equal(w->err, ERR_OK);
	text = got_text(w);
	assert_int_equal(strncmp(text, "POST /path?x=1 HTTP/1.1\r\n", 25), 0);
	assert_non_null(strstr(text, "content-type: application/json\r\n"));
	assert_non_null(strstr(text, "x-empty:"));
	assert_non_null(strstr(text, "Content-Length: 2000\r\n"));
	assert_null(strstr(text, "Expect"));
	free(text);
	pthread_mutex_lock(&w->lock);
	assert_true(bytes_eq_var(buf_view(&w->got_body), req.body));
	pthread_mutex_unlock(&w->lock);
	req.body = BYTES_NONE;
	req.headers_n = 0;
	script_and_wait(w, (struct script){BYTES_LIT(OK_REPLY)}, &req);
	text = got_text(w);
	assert_non_null(strstr(text, "Content-Length: 0\r\n"));
	assert_null(strstr(text, "x-www-form-urlencoded"));
	free(text);
}

static void put_and_secrets(void **state)
{
	struct world *w = *state;
	const struct http_header headers[] = {{"x-token", "hidden"}};
	struct http_request req = get(w);
	char *text;

	req.method = "PUT";
	req.headers = headers;
	req.headers_n = 1;
	req.secret = true;
	req.body_max = 100;
	script_and_wait(w, (struct script){BYTES_LIT(OK_REPLY)}, &req);
	assert_int_equal(w->err, ERR_OK);
	/* Set aside at once: nothing grew. */
	assert_int_equal(w->body.size_max, 100);
	assert_true(w->body.cap >= 100);
	text = got_text(w);
	assert_int_equal(strncmp(text, "PUT /path?x=1 HTTP/1.1\r\n", 24), 0);
	assert_non_null(strstr(text, "x-token: hidden\r\n"));
	assert_non_null(strstr(text, "Content-Length: 0\r\n"));
	free(text);
	req.body = BYTES_LIT("text");
	script_and_wait(w, (struct script){.reply = BYTES_LIT(OK_REPLY), .expect_body = 4}, &req);
	assert_int_equal(w->err, ERR_OK);
	req.method = "PATCH";
	assert_int_equal(transport_send(w->transport, &(struct http_ticket){0}, &req, on_done, w),
			 ERR_BAD_REQUEST);
}

/* A proxy that is not there: who goes by it fails. */
static void direct_requests_pass_no_proxy(void **state)
{
	struct world *w = *state;
	struct http_request req = get(w);

	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	script_and_wait(w, (struct script){BYTES_LIT(OK_REPLY)}, &req);
	assert_int_equal(w->err, ERR_UNAVAILABLE);
	req.direct = true;
	script_and_wait(w, (struct script){BYTES_LIT(OK_REPLY)}, &req);
	assert_int_equal(w->err, ERR_OK);
	assert_int_equal(unsetenv("http_proxy"), 0);
}

static void replies_split_at_every_byte(void **state)
{
	struct world *w = *state;
	const struct http_request req = get(w);
	const struct bytes replies[] = {BYTES_LIT(OK_REPLY), BYTES_LIT(CHUNKED_REPLY)};

	for (size_t i = 0; i < ARRAY_LEN(replies); i++)
		for (size_t at = 1; at < replies[i].n; at++) {
			script_and_wait(w, (struct script){replies[i], .split_at = at}, &req);
			if (w->err != ERR_OK)
				fail_msg("at %zu: %s", at, w->note);
			assert_true(bytes_eq_var(buf_view(&w->body), BYTES_LIT("hello")));
		}
}

static void replies_cut_at_every_byte(void **state)
{
	struct world *w = *state;
	const struct bytes replies[] = {BYTES_LIT(OK_REPLY), BYTES_LIT(CHUNKED_REPLY)};

	for (size_t i = 0; i < ARRAY_LEN(replies); i++)
		/* Without its last LF a reply says all that it has to say: curl takes it. */
		for (size_t n = 0; n < replies[i].n - 1; n++) {
			get_and_wait(w, bytes_sub(replies[i], 0, n));
			if (w->err == ERR_OK)
				fail_msg("reply %zu is whole after %zu bytes", i, n);
			if (err_class(w->err) != ERR_CLASS_TRANSIENT &&
			    err_class(w->err) != ERR_CLASS_SOURCE)
				fail_msg("%zu bytes: %s", n, err_name(w->err));
		}
	get_and_wait(w, BYTES_LIT(""));
	assert_int_equal(w->err, ERR_UNAVAILABLE);
	get_and_wait(w, BYTES_LIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
	assert_int_equal(w->err, ERR_TRUNCATED);
}

static void body_limit(void **state)
{
	const struct bytes length_1001 =
		BYTES_LIT("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");
	const struct bytes length_huge =
		BYTES_LIT("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n");
	const struct script endless = {BYTES_LIT("HTTP/1.1 200 OK\r\n\r\n"),
				       .forever = BYTES_LIT("endless body endless body endless ")};
	struct world *w = *state;
	struct http_request req = get(w);

	req.body_max = 5;
	script_and_wait(w, (struct script){BYTES_LIT(OK_REPLY)}, &req);
	assert_int_equal(w->err, ERR_OK);
	req.body_max = 4;
	send_and_wait(w, &req);
	assert_int_equal(w->err, ERR_TOO_BIG);
	req.body_max = 0;
	send_and_wait(w, &req);
	assert_int_equal(w->err, ERR_TOO_BIG);
	/* By its length alone: no byte of the body ever comes. */
	req.body_max = 1000;
	script_and_wait(w, (struct script){length_1001, .stall = true}, &req);
	assert_int_equal(w->err, ERR_TOO_BIG);
	script_and_wait(w, (struct script){length_huge, .stall = true}, &req);
	assert_true(w->err == ERR_TOO_BIG || w->err == ERR_MALFORMED);
	/* Without a length: while it streams. */
	req.body_max = 4;
	script_and_wait(w, (struct script){BYTES_LIT(CHUNKED_REPLY)}, &req);
	assert_int_equal(w->err, ERR_TOO_BIG);
	req.body_max = 100000;
	script_and_wait(w, endless, &req);
	assert_int_equal(w->err, ERR_TOO_BIG);
}

static void header_limit(void **state)
{
	static char line[2000];
	const struct bytes ok = BYTES_LIT("HTTP/1.1 200 OK\r\n");
	const struct bytes go_on = BYTES_LIT("HTTP/1.1 100 Continue\r\n\r\n");
	const struct script scripts[] = {
		{ok, .forever = BYTES_LIT("X-Header: again and again and again\r\n")},
		{ok, .forever = BYTES_OF(line)}, /* one line without end */
		{go_on, .forever = go_on},       /* 1xx without end */
	};
	struct world *w = *state;
	const struct http_request req = get(w);

	memset(line, 'a', sizeof(line));
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		script_and_wait(w, scripts[i], &req);
		assert_int_equal(w->err, ERR_TOO_BIG);
	}
}

static void broken_replies(void **state)
{
	static const struct {
		struct bytes reply;
		enum err err;
	} rows[] = {
		{BYTES_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
		 ERR_MALFORMED},
		{BYTES_LIT("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"), ERR_MALFORMED},
		{BYTES_LIT("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello"), ERR_MALFORMED},
		{BYTES_LIT("not HTTP at all\r\n\r\n"), ERR_MALFORMED},
		{BYTES_LIT("HTTP/7.3 200 OK\r\n\r\n"), ERR_MALFORMED},
		{BYTES_LIT("HTTP/1.1 abc OK\r\n\r\n"), ERR_MALFORMED},
		{BYTES_LIT("\0\0\0\0\0\0\0\0\0"), ERR_MALFORMED},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		get_and_wait(w, rows[i].reply);
		if (w->err != rows[i].err)
			fail_msg("row %zu: %s, %s", i, err_name(w->err), w->note);
	}
}

static void stall_times_out(void **state)
{
	struct world *w = *state;
	struct http_request req = get(w);
	const struct bytes replies[] = {
		BYTES_LIT(""), BYTES_LIT("HTTP/1.1 200"),
		BYTES_LIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")};

	req.timeout_ms = 100;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		int64_t start_ms = clock_mono_ms(loop_clock(w->loop));

		script_and_wait(w, (struct script){replies[i], .stall = true}, &req);
		assert_int_equal(w->err, ERR_TIMEOUT);
		assert_in_range(clock_mono_ms(loop_clock(w->loop)) - start_ms, 100, 60000);
	}
}

static void connections_that_fail(void **state)
{
	struct world *w = *state;
	struct http_request req = get(w);
	struct peer *gone = peer_new(serve, w);
	char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/secret-key-in-path", peer_port(gone));
	peer_free(gone);
	req.url = url;
	send_and_wait(w, &req);
	assert_int_equal(w->err, ERR_UNAVAILABLE);
	assert_null(strstr(w->note, "secret-key"));
	req.url = "http://no-such-host.invalid/secret-key-in-path";
	req.timeout_ms = 3000;
	send_and_wait(w, &req);
	assert_true(w->err == ERR_UNAVAILABLE || w->err == ERR_TIMEOUT);
	assert_null(strstr(w->note, "secret-key"));
}

static void requests_that_are_none(void **state)
{
	struct world *w = *state;
	struct http_ticket ticket;
	static const char *const urls[] = {
		"",        "ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1:80/",
		"http://", "http://a b/",      "gopher://x/"};
	static const struct http_header headers[] = {
		{"a", "b\r\nc: d"}, {"a\r\nb", "c"}, {"a:b", "c"}, {"", "c"}};
	struct http_request req = get(w);
	char *url = malloc(URL_SIZE_MAX + 2);

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		req.url = urls[i];
		assert_int_equal(transport_send(w->transport, &ticket, &req, on_done, w),
				 ERR_BAD_REQUEST);
	}
	assert_non_null(url);
	memset(url, 'a', URL_SIZE_MAX + 1);
	memcpy(url, "http://a/", 9);
	url[URL_SIZE_MAX + 1] = '\0';
	req.url = url;
	assert_int_equal(transport_send(w->transport, &ticket, &req, on_done, w), ERR_BAD_REQUEST);
	req = get(w);
	req.headers_n = 1;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		req.headers = &headers[i];
		assert_int_equal(transport_send(w->transport, &ticket, &req, on_done, w),
				 ERR_BAD_REQUEST);
	}
	req = get(w);
	req.method = "TRACE";
	assert_int_equal(transport_send(w->transport, &ticket, &req, on_done, w), ERR_BAD_REQUEST);
	req = get(w);
	req.timeout_ms = 0;
	assert_int_equal(transport_send(w->transport, &ticket, &req, on_done, w), ERR_RANGE);
	run_for(w->loop, 20);
	assert_int_equal(w->done, 0);
	free(url);
}

static void connections_are_reused(void **state)
{
	struct world *w = *state;
	struct http_request req = get(w);

	script_set(w, (struct script){BYTES_LIT(OK_REPLY), .keep = true});
	for (int i = 0; i < 1500; i++) {
		send_and_wait(w, &req);
		assert_int_equal(w->err, ERR_OK);
	}
	assert_int_equal(peer_connections(w->peer), 1);
	assert_int_equal(atomic_load(&w->requests), 1500);
}

static void in_flight_is_bounded_and_cancelling_is_silent(void **state)
{
	struct world *w = *state;
	struct http_request req = get(w);
	static struct http_ticket tickets[HTTP_IN_FLIGHT_MAX];
	struct http_ticket extra;

	script_set(w, (struct script){.stall = true});
	for (size_t i = 0; i < ARRAY_LEN(tickets); i++)
		assert_int_equal(transport_send(w->transport, &tickets[i], &req, on_done, w),
				 ERR_OK);
	assert_int_equal(transport_send(w->transport, &extra, &req, on_done, w), ERR_BUSY);
	run_for(w->loop, 20);
	for (size_t i = 0; i < ARRAY_LEN(tickets); i++)
		transport_cancel(w->transport, tickets[i]);
	transport_cancel(w->transport, tickets[0]);
	transport_cancel(w->transport, (struct http_ticket){0});
	run_for(w->loop, 20);
	assert_int_equal(w->done, 0);
	assert_int_equal(transport_send(w->transport, &extra, &req, on_done, w), ERR_OK);
	/* and the one left is cancelled with the transport */
}

static void on_done_free(void *ctx, const struct http_reply *reply)
{
	struct world *w = ctx;

	assert_int_equal(reply->err, ERR_OK);
	transport_free(w->transport);
	w->transport = NULL;
	assert_true(bytes_eq_var(reply->body, BYTES_LIT("hello")));
	loop_stop(w->loop);
}

static void transport_may_be_freed_in_its_callback(void **state)
{
	struct world *w = *state;
	struct http_request req = get(w);
	struct http_ticket ticket;

	script_set(w, (struct script){BYTES_LIT(OK_REPLY)});
	assert_int_equal(transport_send(w->transport, &ticket, &req, on_done_free, w), ERR_OK);
	assert_int_equal(transport_send(w->transport, &ticket, &req, on_done_free, w), ERR_OK);
	run_guarded(w->loop, 5000);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(whole_replies),
		WORLD_TEST(requests_on_the_wire),
		WORLD_TEST(replies_split_at_every_byte),
		WORLD_TEST(put_and_secrets),
		WORLD_TEST(direct_requests_pass_no_proxy),
		WORLD_TEST(replies_cut_at_every_byte),
		WORLD_TEST(body_limit),
		WORLD_TEST(header_limit),
		WORLD_TEST(broken_replies),
		WORLD_TEST(stall_times_out),
		WORLD_TEST(connections_that_fail),
		WORLD_TEST(requests_that_are_none),
		WORLD_TEST(connections_are_reused),
		WORLD_TEST(in_flight_is_bounded_and_cancelling_is_silent),
		WORLD_TEST(transport_may_be_freed_in_its_callback),
	};

	/* The proxy of the machine is not part of the test. */
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}

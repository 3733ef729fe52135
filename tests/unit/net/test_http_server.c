/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "testing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/rng.h"
#include "net/http_server.h"

struct world {
	struct loop *loop;
	struct http_server *server;
	struct http_exchange *held;
	char reply[4096];
};

static void on_health(void *ctx, struct http_exchange *x)
{
	(void)ctx;
	http_exchange_reply(x, 200, "application/json", BYTES_LIT("{\"ok\":true}"));
}

static void on_later(void *ctx, struct http_exchange *x)
{
	((struct world *)ctx)->held = x;
}

static const struct http_route ROUTES[] = {
	{"/healthz", on_health},
	{"/later", on_later},
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err_note note = {0};

	*state = w;
	if (loop_new(&w->loop) != ERR_OK)
		return -1;
	return http_server_new(&w->server, w->loop, "127.0.0.1:0", ROUTES, ARRAY_LEN(ROUTES), w,
			       &note) == ERR_OK
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	http_server_free(w->server);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* What comes within the time, or until the server closes. */
static bool receive(struct world *w, int fd, int64_t ms)
{
	struct clock *clock = loop_clock(w->loop);
	int64_t end_ms = clock_mono_ms(clock) + ms;
	size_t at = 0;

	memset(w->reply, 0, sizeof(w->reply));
	do {
		ssize_t n;

		run_for(w->loop, 2);
		n = recv(fd, &w->reply[at], sizeof(w->reply) - 1 - at, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		if (n > 0)
			at += (size_t)n;
	} while (clock_mono_ms(clock) < end_ms);
	return false;
}

static void request(struct world *w, const char *text)
{
	int fd = tcp_connect(http_server_port(w->server));

	fd_write_all(fd, bytes_str(text));
	receive(w, fd, 2000);
	close(fd);
}

static bool body_is(const struct world *w, const char *body)
{
	const char *end = strstr(w->reply, "\r\n\r\n");

	return end && strcmp(end + 4, body) == 0;
}

static bool status_is(const struct world *w, int status)
{
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	return strncmp(w->reply, line, strlen(line)) == 0;
}

static void routes(void **state)
{
	struct world *w = *state;

	request(w, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(status_is(w, 200));
	assert_non_null(strstr(w->reply, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(w->reply, "Content-Length: 11\r\n"));
	assert_true(body_is(w, "{\"ok\":true}"));
	request(w, "GET /healthz?verbose=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(status_is(w, 200));
	request(w, "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(status_is(w, 200));
	assert_non_null(strstr(w->reply, "Content-Length: 11\r\n"));
	assert_true(body_is(w, ""));
	request(w, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(status_is(w, 404));
	assert_true(body_is(w, "not found\n"));
	request(w, "GET /healthz/../healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(status_is(w, 404));
}

static void methods(void **state)
{
	static const char *const others[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
	struct world *w = *state;
	char text[128];

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		snprintf(text, sizeof(text),
			 "%s /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
			 "Connection: close\r\n\r\n",
			 others[i]);
		request(w, text);
		if (!status_is(w, 405) || !strstr(w->reply, "Allow: GET, HEAD\r\n"))
			fail_msg("%s: %s", others[i], w->reply);
	}
}

static void limits(void **state)
{
	struct world *w = *state;
	char *big = malloc(20000);

	assert_non_null(big);
	request(w, "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n");
	assert_false(status_is(w, 200));
	memset(big, 'a', 20000);
	memcpy(big, "GET /", 5);
	memcpy(&big[19980], " HTTP/1.1\r\n\r\n", 14);
	request(w, big);
	assert_false(status_is(w, 200));
	free(big);
	request(w, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(status_is(w, 200));
}

static void answer_later(void **state)
{
	struct world *w = *state;
	int fd = tcp_connect(http_server_port(w->server));

	fd_write_all(fd, BYTES_LIT("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_false(receive(w, fd, 30));
	assert_string_equal(w->reply, "");
	assert_non_null(w->held);
	http_exchange_reply(w->held, 503, "text/plain", BYTES_LIT("not yet"));
	receive(w, fd, 100);
	assert_true(status_is(w, 503));
	assert_true(body_is(w, "not yet"));
	/* The same connection goes on. */
	fd_write_all(fd, BYTES_LIT("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
	receive(w, fd, 100);
	assert_true(status_is(w, 200));
	close(fd);
}

static void peer_gone_before_the_answer(void **state)
{
	struct world *w = *state;
	int fd = tcp_connect(http_server_port(w->server));

	fd_write_all(fd, BYTES_LIT("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
	receive(w, fd, 20);
	assert_non_null(w->held);
	close(fd);
	run_for(w->loop, 20);
	http_exchange_reply(w->held, 200, "text/plain", BYTES_LIT("nobody"));
	run_for(w->loop, 20);
	request(w, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(status_is(w, 200));
}

static void server_gone_before_the_answer(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		int fd = tcp_connect(http_server_port(w->server));

		fd_write_all(fd, BYTES_LIT("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
		receive(w, fd, 20);
		assert_non_null(w->held);
		if (i == 1) {
			close(fd);
			run_for(w->loop, 20);
		}
		http_server_free(w->server);
		http_exchange_reply(w->held, 200, "text/plain", BYTES_LIT("nobody"));
		if (i == 0)
			close(fd);
		assert_int_equal(http_server_new(&w->server, w->loop, "127.0.0.1:0", ROUTES,
						 ARRAY_LEN(ROUTES), w, NULL),
				 ERR_OK);
	}
}

enum {
	FLOOD = 3 * MONITORING_CONNECTIONS_MAX
};

/* The same as a person would see it: was this connection ended from the other side? */
static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Many who connect and say nothing, or half of something: never more of them than the limit are
 * held, and each who asks meanwhile has an answer at once. */
static void flood(struct world *w, struct bytes half)
{
	struct clock *clock = loop_clock(w->loop);
	int fds[FLOOD];
	size_t open_n = 0;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = tcp_connect(http_server_port(w->server));
		if (half.n > 0)
			fd_write_all(fds[i], half);
		if (i % 16 == 15)
			run_for(w->loop, 5);
	}
	for (int i = 0; i < 20; i++) {
		int64_t begin_ms = clock_mono_ms(clock);

		request(w, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
		if (!status_is(w, 200))
			fail_msg("probe %d: \"%s\"", i, w->reply);
		assert_in_range(clock_mono_ms(clock) - begin_ms, 0,
				MONITORING_REQUEST_TIMEOUT_MS - 1);
	}
	run_for(w->loop, 50);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		open_n += !is_closed(fds[i]);
	assert_in_range(open_n, 1, MONITORING_CONNECTIONS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	run_for(w->loop, 20);
}

static void who_says_nothing_keeps_nobody_out(void **state)
{
	flood(*state, BYTES_NONE);
}

static void who_says_half_keeps_nobody_out(void **state)
{
	flood(*state, BYTES_LIT("GET /healthz HTTP/1.1\r\nHost: "));
}

/* Who has an answer and stays is older than who says nothing, but goes later. */
static void idle_ones_go_after_those_that_never_asked(void **state)
{
	struct world *w = *state;
	int known = tcp_connect(http_server_port(w->server));
	int fds[FLOOD];

	fd_write_all(known, BYTES_LIT("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
	receive(w, known, 50);
	assert_true(status_is(w, 200));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = tcp_connect(http_server_port(w->server));
		run_for(w->loop, 1);
	}
	run_for(w->loop, 50);
	assert_true(is_closed(fds[0]));
	fd_write_all(known, BYTES_LIT("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
	receive(w, known, 50);
	assert_true(status_is(w, 200));
	close(known);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void who_waits_for_an_answer_is_not_sent_away(void **state)
{
	struct world *w = *state;
	int waiting = tcp_connect(http_server_port(w->server));

	fd_write_all(waiting, BYTES_LIT("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
	run_for(w->loop, 20);
	assert_non_null(w->held);
	flood(w, BYTES_NONE);
	http_exchange_reply(w->held, 503, "text/plain", BYTES_LIT("not yet"));
	receive(w, waiting, 100);
	assert_true(status_is(w, 503));
	close(waiting);
}

/* A byte now and then is activity for evhttp, and no request. */
static void a_request_has_its_time(void **state)
{
	struct world *w = *state;
	struct clock *clock = loop_clock(w->loop);
	int fd = tcp_connect(http_server_port(w->server));
	int64_t begin_ms = clock_mono_ms(clock);

	fd_write_all(fd, BYTES_LIT("GET /healthz HTTP/1.1\r\nHost: "));
	while (!is_closed(fd) &&
	       clock_mono_ms(clock) - begin_ms < 2 * MONITORING_REQUEST_TIMEOUT_MS) {
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
		run_for(w->loop, 100);
	}
	assert_in_range(clock_mono_ms(clock) - begin_ms, MONITORING_REQUEST_TIMEOUT_MS,
			2 * MONITORING_REQUEST_TIMEOUT_MS - 1);
	close(fd);
}

static void garbage(void **state)
{
	struct world *w = *state;
	struct rng_seeded seeded;
	uint8_t bytes[512];
	uint64_t seed;

	rng_fill(rng_system(), (uint8_t *)&seed, sizeof(seed));
	print_message("# seed %" PRIu64 "\n", seed);
	for (int i = 0; i < 200; i++) {
		struct rng *rng = rng_seeded_init(&seeded, seed + (uint64_t)i);
		int fd = tcp_connect(http_server_port(w->server));

		rng_fill(rng, bytes, sizeof(bytes));
		if (i % 2)
			memcpy(bytes, "GET /healthz HTTP/1.1\r\n", 23);
		fd_write_all(fd, BYTES_OF(bytes));
		run_for(w->loop, 2);
		close(fd);
	}
	request(w, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(status_is(w, 200));
}

static void taken_port(void **state)
{
	struct world *w = *state;
	struct http_server *second = NULL;
	struct err_note note = {0};
	char listen[32];

	snprintf(listen, sizeof(listen), "127.0.0.1:%u", http_server_port(w->server));
	assert_int_equal(http_server_new(&second, w->loop, listen, ROUTES, 1, w, &note),
			 ERR_CONFIG_VALUE);
	assert_non_null(strstr(note.text, listen));
	assert_null(second);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(routes),
		WORLD_TEST(methods),
		WORLD_TEST(limits),
		WORLD_TEST(answer_later),
		WORLD_TEST(peer_gone_before_the_answer),
		WORLD_TEST(server_gone_before_the_answer),
		WORLD_TEST(who_says_nothing_keeps_nobody_out),
		WORLD_TEST(who_says_half_keeps_nobody_out),
		WORLD_TEST(idle_ones_go_after_those_that_never_asked),
		WORLD_TEST(who_waits_for_an_answer_is_not_sent_away),
		WORLD_TEST(a_request_has_its_time),
		WORLD_TEST(garbage),
		WORLD_TEST(taken_port),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}

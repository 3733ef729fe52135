/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What one peer may have: limits of the gRPC server. */
#include "grpc_world.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/grpc_server_internal.h"

/* Has the server ended this connection? What it said before does not matter. */
static bool is_ended(int fd)
{
	char bytes[256];
	ssize_t n;

	do
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (n > 0);
	return n == 0 || errno != EAGAIN;
}

static void connections_of_one_peer(void **state)
{
	struct world *w = *state;
	int fds[4], extra;

	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.peer_connections = 4});
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = tcp_connect(grpc_server_port(w->server));
	run_for(w->loop, 20);
	assert_int_equal(w->refusals, 0);
	/* None of the four has said a word: the oldest makes room for each that comes. */
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		extra = tcp_connect(grpc_server_port(w->server));
		run_for(w->loop, 20);
		assert_int_equal(w->refusals, i + 1);
		assert_string_equal(w->refused_why,
				    "idle, and others of this peer want to connect");
		assert_int_equal(w->server->conns_n, ARRAY_LEN(fds));
		assert_true(is_ended(fds[i]));
		assert_false(is_ended(extra));
		close(fds[i]);
		fds[i] = extra;
	}
	channel_start(w, grpc_server_port(w->server), 0);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	assert_string_equal(w->peer, "127.0.0.1");
	assert_false(w->authenticated);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

/* The server's own limit is another reason, and told as that. */
static void connections_of_all_peers(void **state)
{
	struct world *w = *state;
	int fds[3];

	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.connections = 2});
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = tcp_connect(grpc_server_port(w->server));
		run_for(w->loop, 20);
	}
	assert_int_equal(w->refusals, 1);
	assert_string_equal(w->refused_why,
			    "idle, and others want to connect, for whom there is no room");
	assert_true(is_ended(fds[0]));
	/* Who leaves before a word of HTTP/2 was not refused. */
	close(fds[1]);
	for (int i = 0; i < 500 && w->refusals < 2; i++)
		run_for(w->loop, 2);
	assert_non_null(strstr(w->refused_why, "lost before HTTP/2 stood: "));
	close(fds[0]);
	close(fds[2]);
}

/* A connection of HTTP/2 that never asks for anything is no better than one that says nothing. */
static void connections_without_calls_are_pushed_out(void **state)
{
	struct world *w = *state;
	struct raw raws[4];

	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.peer_connections = 4});
	for (size_t i = 0; i < ARRAY_LEN(raws); i++) {
		raw_start(&raws[i], w->loop, grpc_server_port(w->server));
		raw_pump(&raws[i]);
	}
	assert_int_equal(w->refusals, 0);
	channel_start(w, grpc_server_port(w->server), 0);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	assert_int_equal(w->refusals, 1);
	assert_true(is_ended(raws[0].fd));
	for (size_t i = 1; i < ARRAY_LEN(raws); i++)
		assert_false(is_ended(raws[i].fd));
	for (size_t i = 0; i < ARRAY_LEN(raws); i++)
		raw_end(&raws[i]);
}

/* Who works stays: then it is the newcomer that goes. Who has been idle for a while makes room. */
static void connections_at_work_are_not_pushed_out(void **state)
{
	struct world *w = *state;
	struct raw raws[4];
	int extra;

	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.peer_connections = 4});
	w->wanted = 100;
	for (size_t i = 0; i < ARRAY_LEN(raws); i++) {
		raw_start(&raws[i], w->loop, grpc_server_port(w->server));
		raws[i].body = BYTES_LIT("\0\0\0\0\1x");
		raw_pump(&raws[i]);
		/* The last one: it has been idle for the shortest time when the next comes. */
		raw_request(&raws[i], "POST",
			    i + 1 < ARRAY_LEN(raws) ? "/test.Test/Hold" : "/test.Test/Echo",
			    "application/grpc", NULL);
		raw_pump(&raws[i]);
	}
	assert_int_equal(w->held_n, ARRAY_LEN(raws) - 1);
	extra = tcp_connect(grpc_server_port(w->server));
	run_for(w->loop, 20);
	assert_int_equal(w->refusals, 1);
	assert_string_equal(w->refused_why, "too many connections of this peer");
	assert_true(is_ended(extra));
	close(extra);
	run_for(w->loop, 1100);
	channel_start(w, grpc_server_port(w->server), 0);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	assert_int_equal(w->refusals, 2);
	for (size_t i = 0; i < w->held_n; i++)
		grpc_call_reply(w->held[i], BYTES_NONE);
	for (size_t i = 0; i < ARRAY_LEN(raws); i++)
		raw_end(&raws[i]);
}

static void calls_of_one_peer(void **state)
{
	struct world *w = *state;

	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.peer_calls = 3});
	channel_start(w, grpc_server_port(w->server), 0);
	w->wanted = 100;
	for (int i = 0; i < 3; i++)
		call_to(w, "/test.Test/Hold", BYTES_LIT("x"), 20000);
	run_for(w->loop, 50);
	assert_int_equal(w->held_n, 3);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_RESOURCE_EXHAUSTED);
	assert_string_equal(w->text, "too many calls of this peer");
	/* They count as long as a handler has them, whatever the peer does. */
	channel_free(w->channel);
	channel_start(w, grpc_server_port(w->server), 0);
	run_for(w->loop, 20);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_RESOURCE_EXHAUSTED);
	grpc_call_reply(w->held[0], BYTES_NONE);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
}

/* One peer's bytes leave room for another's. */
static void bytes_of_one_peer(void **state)
{
	struct world *w = *state;
	size_t n = 1 << 20;
	uint8_t *big = calloc(1, n);
	struct channel *first;
	char url[64];
	const struct channel_grpc_options other = {.url = url};

	assert_non_null(big);
	server_start(w, "[::]:0",
		     (struct grpc_server_limits){.in_flight_bytes = 4 << 20,
						 .peer_in_flight_bytes = (2 << 20) + 10});
	channel_start(w, grpc_server_port(w->server), 0);
	w->wanted = 100;
	call_to(w, "/test.Test/Hold", bytes_from(big, n), 20000);
	call_to(w, "/test.Test/Hold", bytes_from(big, n), 20000);
	for (int i = 0; i < 500 && w->held_n < 2; i++)
		run_for(w->loop, 2);
	assert_int_equal(w->server->in_flight, 2 * (n + 5));
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_RESOURCE_EXHAUSTED);
	assert_string_equal(w->text, "too many bytes at once");
	/* ::1 is somebody else than 127.0.0.1, also when one socket serves both. */
	first = w->channel;
	snprintf(url, sizeof(url), "http://[::1]:%u", grpc_server_port(w->server));
	assert_int_equal(channel_grpc_open(&w->channel, w->loop, &other, NULL), ERR_OK);
	call_and_wait(w, "/test.Test/Echo", bytes_from(big, n));
	assert_int_equal(w->status, GRPC_OK);
	assert_string_equal(w->peer, "::1");
	/* But all together have one budget. */
	w->wanted = 100;
	call_to(w, "/test.Test/Hold", bytes_from(big, n), 20000);
	for (int i = 0; i < 500 && w->held_n < 3; i++)
		run_for(w->loop, 2);
	call_and_wait(w, "/test.Test/Echo", bytes_from(big, n));
	assert_int_equal(w->status, GRPC_RESOURCE_EXHAUSTED);
	w->done = 0;
	w->wanted = (int)w->held_n;
	for (size_t i = 0; i < w->held_n; i++)
		grpc_call_fail(w->held[i], GRPC_ABORTED, NULL);
	run_guarded(w->loop, 5000);
	call_and_wait(w, "/test.Test/Echo", bytes_from(big, n));
	assert_int_equal(w->status, GRPC_OK);
	channel_free(first);
	free(big);
}

static void unix_peers_are_users(void **state)
{
	struct world *w = *state;
	char dir[] = "/tmp/claviger-test-XXXXXX";
	char listen[80], user[32];
	const struct channel_grpc_options o = {.url = listen};

	assert_non_null(mkdtemp(dir));
	snprintf(listen, sizeof(listen), "unix:%s/core.sock", dir);
	server_start(w, listen, (struct grpc_server_limits){0});
	assert_int_equal(channel_grpc_open(&w->channel, w->loop, &o, NULL), ERR_OK);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	snprintf(user, sizeof(user), "unix:%u", (unsigned)geteuid());
	assert_string_equal(w->peer, user);
	assert_false(w->authenticated);
	channel_free(w->channel);
	grpc_server_free(w->server);
	w->channel = NULL;
	w->server = NULL;
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(connections_of_one_peer),
		WORLD_TEST(connections_of_all_peers),
		WORLD_TEST(connections_without_calls_are_pushed_out),
		WORLD_TEST(connections_at_work_are_not_pushed_out),
		WORLD_TEST(calls_of_one_peer),
		WORLD_TEST(bytes_of_one_peer),
		WORLD_TEST(unix_peers_are_users),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("grpc_limits", tests, NULL, NULL);
}

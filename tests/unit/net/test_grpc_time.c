/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* For how long: times of the gRPC server and client. */
#include "grpc_world.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/grpc_server_internal.h"

static const struct bytes HALF = {(const uint8_t *)"\0\0\0\1\0abc", 8}; /* 3 of 256 bytes */

static void body_that_stops(void **state)
{
	struct world *w = *state;
	struct raw r;
	int64_t start_ms;

	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.body_ms = 200});
	raw_start(&r, w->loop, grpc_server_port(w->server));
	r.body = HALF;
	r.eof = false;
	start_ms = now_ms(w);
	raw_request(&r, "POST", "/test.Test/Echo", "application/grpc", NULL);
	raw_wait(&r, w, 30000);
	assert_string_equal(r.grpc_status, "4");
	assert_true(now_ms(w) - start_ms >= 200);
	assert_int_equal(w->server->in_flight, 0);
	assert_int_equal(w->handled, 0);
	/* The connection is as good as before. */
	r.body = BYTES_LIT("\0\0\0\0\1x");
	r.eof = true;
	raw_request(&r, "POST", "/test.Test/Echo", "application/grpc", NULL);
	raw_wait(&r, w, 5000);
	assert_string_equal(r.grpc_status, "0");
	raw_end(&r);
}

/* A byte now and then is no progress. */
static void body_that_drips(void **state)
{
	struct world *w = *state;
	struct raw r;
	int64_t start_ms;
	int32_t id;

	server_start(w, "127.0.0.1:0",
		     (struct grpc_server_limits){.body_ms = 300, .body_rate_min = 1000});
	raw_start(&r, w->loop, grpc_server_port(w->server));
	r.body = HALF;
	r.eof = false;
	start_ms = now_ms(w);
	id = raw_request(&r, "POST", "/test.Test/Echo", "application/grpc", NULL);
	while (!r.grpc_status[0] && now_ms(w) - start_ms < 30000) {
		raw_pump(&r);
		r.body = BYTES_LIT("z");
		nghttp2_session_resume_data(r.session, id);
	}
	assert_string_equal(r.grpc_status, "4");
	assert_true(now_ms(w) - start_ms >= 300);
	raw_end(&r);
}

/* Pieces, each well within body_ms, pass where the whole takes longer than that. */
static void steady_body_is_not_slow(void **state)
{
	struct world *w = *state;
	static uint8_t message[5 + 1000000];
	struct raw r;
	int64_t start_ms;
	int32_t id;
	size_t at = 0;

	message[2] = 1000000 >> 16;
	message[3] = (1000000 >> 8) & 0xff;
	message[4] = 1000000 & 0xff;
	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.body_ms = 600});
	raw_start(&r, w->loop, grpc_server_port(w->server));
	r.eof = false;
	start_ms = now_ms(w);
	id = raw_request(&r, "POST", "/test.Test/Echo", "application/grpc", NULL);
	while (at < sizeof(message)) {
		r.body = bytes_sub(BYTES_OF(message), at,
				   sizeof(message) - at < 10000 ? sizeof(message) - at : 10000);
		at += r.body.n;
		r.eof = at == sizeof(message);
		nghttp2_session_resume_data(r.session, id);
		raw_pump(&r);
	}
	raw_wait(&r, w, 5000);
	assert_true(now_ms(w) - start_ms > 600);
	assert_string_equal(r.grpc_status, "0");
	raw_end(&r);
}

/* Who does not take the reply loses it. */
static void reply_that_nobody_takes(void **state)
{
	struct world *w = *state;
	size_t n = 3 << 20;
	uint8_t *message = calloc(1, n + 5);
	struct raw r;

	assert_non_null(message);
	message[2] = (uint8_t)(n >> 16);
	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.body_ms = 200});
	raw_start(&r, w->loop, grpc_server_port(w->server));
	r.body = bytes_from(message, n + 5);
	raw_request(&r, "POST", "/test.Test/Echo", "application/grpc", NULL);
	/* This client never opens its window of 64 KiB. */
	for (int i = 0; i < 300 && w->handled == 0; i++)
		raw_pump(&r);
	assert_int_equal(w->handled, 1);
	raw_pump(&r);
	assert_true(w->server->in_flight > n);
	for (int i = 0; i < 300 && w->server->in_flight > 0; i++)
		raw_pump(&r);
	assert_int_equal(w->server->in_flight, 0);
	raw_end(&r);
	free(message);
}

static void deadline_passes_at_the_server(void **state)
{
	struct world *w = *state;
	struct raw r;

	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){0});
	raw_start(&r, w->loop, grpc_server_port(w->server));
	/* The handler has it. */
	r.body = BYTES_LIT("\0\0\0\0\1x");
	raw_request(&r, "POST", "/test.Test/Hold", "application/grpc", "100m");
	raw_wait(&r, w, 5000);
	assert_string_equal(r.grpc_status, "4");
	assert_int_equal(w->held_n, 1);
	assert_int_equal(grpc_call_time_left_ms(w->held[0]), 0);
	assert_true(bytes_eq_var(grpc_call_request(w->held[0]), BYTES_LIT("x")));
	assert_string_equal(grpc_call_peer(w->held[0]).name, "127.0.0.1");
	/* The request is on its way. */
	r.body = HALF;
	r.eof = false;
	raw_request(&r, "POST", "/test.Test/Echo", "application/grpc", "100m");
	raw_wait(&r, w, 5000);
	assert_string_equal(r.grpc_status, "4");
	raw_end(&r);
	run_for(w->loop, 20);
	assert_int_equal(w->server->conns_n, 0);
	assert_string_equal(grpc_call_peer(w->held[0]).name, "127.0.0.1");
	grpc_call_reply(w->held[0], BYTES_LIT("too late"));
	assert_null(w->server->peers);
}

static void idle_connections_end(void **state)
{
	struct world *w = *state;

	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.idle_ms = 150});
	channel_start(w, grpc_server_port(w->server), 0);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
	assert_int_equal(w->server->conns_n, 1);
	run_for(w->loop, 60);
	assert_int_equal(w->server->conns_n, 1);
	run_for(w->loop, 300);
	assert_int_equal(w->server->conns_n, 0);
	/* Not while a call is open; and the next call simply makes a new connection. */
	w->wanted = 100;
	call_to(w, "/test.Test/Hold", BYTES_LIT("x"), 20000);
	run_for(w->loop, 400);
	assert_int_equal(w->server->conns_n, 1);
	w->done = 0;
	w->wanted = 1;
	grpc_call_reply(w->held[0], BYTES_NONE);
	run_guarded(w->loop, 5000);
	assert_int_equal(w->status, GRPC_OK);
}

/* ---- dead peers ---- */

static void server_finds_dead_client(void **state)
{
	struct world *w = *state;
	struct raw r;
	int64_t start_ms;
	const uint8_t *p;
	ssize_t n;

	server_start(w, "127.0.0.1:0",
		     (struct grpc_server_limits){.keepalive_ms = 100, .keepalive_timeout_ms = 100});
	raw_start(&r, w->loop, grpc_server_port(w->server));
	raw_pump(&r);
	assert_int_equal(w->server->conns_n, 1);
	/* Alive: its HTTP/2 answers. */
	for (start_ms = now_ms(w); now_ms(w) - start_ms < 500;)
		raw_pump(&r);
	assert_int_equal(w->server->conns_n, 1);
	/* Stopped: the connection is still there, nobody answers. */
	r.body = BYTES_LIT("\0\0\0\0\1x");
	raw_request(&r, "POST", "/test.Test/Hold", "application/grpc", NULL);
	while ((n = nghttp2_session_mem_send(r.session, &p)) > 0)
		assert_int_equal(send(r.fd, p, (size_t)n, MSG_NOSIGNAL), n);
	run_for(w->loop, 20);
	assert_int_equal(w->held_n, 1);
	run_for(w->loop, 500);
	assert_int_equal(w->server->conns_n, 0);
	grpc_call_reply(w->held[0], BYTES_NONE);
	raw_end(&r);
}

/* SETTINGS, and then nothing any more. */
static void serve_and_die(void *ctx, int fd)
{
	atomic_int *pings = ctx;
	char buf[4096];
	ssize_t n;

	(void)fd_write_all(fd, BYTES_LIT("\0\0\0\4\0\0\0\0\0"));
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		/* A PING is 17 bytes alone: 8 of payload, type 6. */
		if (n == 17 && buf[2] == 8 && buf[3] == 6)
			atomic_fetch_add(pings, 1);
}

static void client_finds_dead_server(void **state)
{
	struct world *w = *state;
	atomic_int pings = 0;
	struct peer *peer = peer_new(serve_and_die, &pings);
	int64_t start_ms = now_ms(w);

	channel_start(w, peer_port(peer), 100);
	w->wanted = 1;
	call_to(w, "/test.Test/Echo", BYTES_LIT("x"), 60000);
	run_guarded(w->loop, 30000);
	channel_free(w->channel);
	w->channel = NULL;
	peer_free(peer);
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	assert_non_null(strstr(w->text, "silent, also when asked by PING"));
	assert_true(now_ms(w) - start_ms >= 200);
	assert_int_equal(atomic_load(&pings), 1);
}

/* A long poll is silence too, and no fault. */
static void long_poll_outlives_keepalive(void **state)
{
	struct world *w = *state;

	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){0});
	channel_start(w, grpc_server_port(w->server), 50);
	w->wanted = 1;
	call_to(w, "/test.Test/Hold", BYTES_LIT("x"), 20000);
	run_for(w->loop, 600);
	assert_int_equal(w->done, 0);
	grpc_call_reply(w->held[0], BYTES_NONE);
	run_guarded(w->loop, 5000);
	assert_int_equal(w->status, GRPC_OK);
}

/* Idle clients do not ask; the first call after a silence brings the question with it. */
static void idle_client_does_not_ask(void **state)
{
	struct world *w = *state;
	atomic_int pings = 0;
	struct peer *peer = peer_new(serve_and_die, &pings);
	int64_t start_ms;

	channel_start(w, peer_port(peer), 1000);
	w->wanted = 1;
	call_to(w, "/test.Test/Echo", BYTES_LIT("x"), 50);
	run_guarded(w->loop, 30000);
	assert_int_equal(w->status, GRPC_DEADLINE_EXCEEDED);
	run_for(w->loop, 2200);
	assert_int_equal(atomic_load(&pings), 0);
	start_ms = now_ms(w);
	w->done = 0;
	call_to(w, "/test.Test/Echo", BYTES_LIT("x"), 60000);
	run_guarded(w->loop, 30000);
	channel_free(w->channel);
	w->channel = NULL;
	peer_free(peer);
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	assert_in_range(now_ms(w) - start_ms, 990, 1990); /* asked at once, not a silence later */
}

/* GOAWAY, ENHANCE_YOUR_CALM, "too_many_pings". */
static void serve_calm_down(void *ctx, int fd)
{
	(void)ctx;
	(void)fd_write_all(fd, BYTES_LIT("\0\0\0\4\0\0\0\0\0"
					 "\0\0\x16\7\0\0\0\0\0\0\0\0\0\0\0\0\xb"
					 "too_many_pings"));
	fd_wait_close(fd);
}

static void fewer_pings_for_who_dislikes_them(void **state)
{
	struct world *w = *state;
	struct peer *peer = peer_new(serve_calm_down, NULL);
	struct channel_grpc *ch;

	channel_start(w, peer_port(peer), 1000);
	ch = CONTAINER_OF(w->channel, struct channel_grpc, base);
	for (int i = 1; i <= 2; i++) {
		call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"));
		assert_int_equal(w->status, GRPC_UNAVAILABLE);
		assert_int_equal(ch->keepalive_ms, 1000 << i);
	}
	channel_free(w->channel);
	w->channel = NULL;
	peer_free(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(body_that_stops),
		WORLD_TEST(body_that_drips),
		WORLD_TEST(steady_body_is_not_slow),
		WORLD_TEST(reply_that_nobody_takes),
		WORLD_TEST(deadline_passes_at_the_server),
		WORLD_TEST(idle_connections_end),
		WORLD_TEST(server_finds_dead_client),
		WORLD_TEST(client_finds_dead_server),
		WORLD_TEST(long_poll_outlives_keepalive),
		WORLD_TEST(idle_client_does_not_ask),
		WORLD_TEST(fewer_pings_for_who_dislikes_them),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("grpc_time", tests, NULL, NULL);
}

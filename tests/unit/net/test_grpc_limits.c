/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What one peer may have, and for how long: limits and times of the gRPC server and client. */
#include "testing.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/channel.h"
#include "net/channel_grpc.h"
#include "net/grpc_server.h"
#include "net/grpc_server_internal.h"
#include "raw.h"

enum {
	HELD_MAX = 64
};

struct world {
	struct loop *loop;
	struct grpc_server *server;
	struct channel *channel;
	struct grpc_call *held[HELD_MAX];
	size_t held_n;
	int handled;
	int refusals;
	char refused_why[128];
	char peer[TLS_NAME_SIZE];
	bool authenticated;
	int done;
	int wanted;
	enum grpc_status status;
	char text[256];
};

static void on_echo(void *ctx, struct grpc_call *call)
{
	struct world *w = ctx;
	struct grpc_peer peer = grpc_call_peer(call);

	w->handled++;
	snprintf(w->peer, sizeof(w->peer), "%s", peer.name);
	w->authenticated = peer.authenticated;
	grpc_call_reply(call, grpc_call_request(call));
}

static void on_hold(void *ctx, struct grpc_call *call)
{
	struct world *w = ctx;

	assert_true(w->held_n < HELD_MAX);
	w->held[w->held_n++] = call;
}

static const struct grpc_method METHODS[] = {
	{"/test.Test/Echo", on_echo, 0},
	{"/test.Test/Hold", on_hold, 0},
};

static void on_refused(void *ctx, const char *peer, const char *why)
{
	struct world *w = ctx;

	(void)peer;
	w->refusals++;
	snprintf(w->refused_why, sizeof(w->refused_why), "%s", why);
}

static void server_start(struct world *w, const char *listen, struct grpc_server_limits limits)
{
	struct err_note note = {0};
	const struct grpc_server_options o = {.listen = listen,
					      .methods = METHODS,
					      .methods_n = ARRAY_LEN(METHODS),
					      .ctx = w,
					      .refused = on_refused,
					      .limits = limits};

	if (grpc_server_new(&w->server, w->loop, &o, &note) != ERR_OK)
		fail_msg("%s", note.text);
}

static void channel_start(struct world *w, unsigned port, int64_t keepalive_ms)
{
	char url[64];
	const struct channel_grpc_options o = {
		.url = url, .keepalive_ms = keepalive_ms, .keepalive_timeout_ms = keepalive_ms};

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	assert_int_equal(channel_grpc_open(&w->channel, w->loop, &o, NULL), ERR_OK);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	return loop_new(&w->loop) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	channel_free(w->channel);
	grpc_server_free(w->server);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void on_done(void *ctx, const struct rpc_reply *reply)
{
	struct world *w = ctx;

	w->status = reply->status;
	snprintf(w->text, sizeof(w->text), "%s", reply->text);
	if (++w->done == w->wanted)
		loop_stop(w->loop);
}

static void call_to(struct world *w, const char *path, struct bytes message, int64_t timeout_ms)
{
	const struct rpc_call call = {.path = path,
				      .message = message,
				      .timeout_ms = timeout_ms,
				      .reply_max = GRPC_MESSAGE_MAX};
	struct rpc_ticket ticket;

	assert_int_equal(channel_call(w->channel, &ticket, &call, on_done, w), ERR_OK);
}

static void call_and_wait(struct world *w, const char *path, struct bytes message)
{
	w->done = 0;
	w->wanted = 1;
	call_to(w, path, message, 20000);
	run_guarded(w->loop, 20000);
}

static int64_t now_ms(const struct world *w)
{
	return clock_mono_ms(loop_clock(w->loop));
}

/* Both sides talk until the call has a status, at most so long. */
static void raw_wait(struct raw *r, struct world *w, int64_t ms)
{
	int64_t end_ms = now_ms(w) + ms;

	while (!r->grpc_status[0] && now_ms(w) < end_ms)
		raw_pump(r);
}

/* ---- time ---- */

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
	raw_wait(&r, w, 5000);
	assert_string_equal(r.grpc_status, "4");
	assert_in_range(now_ms(w) - start_ms, 200, 2000);
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
	while (!r.grpc_status[0] && now_ms(w) - start_ms < 5000) {
		raw_pump(&r);
		r.body = BYTES_LIT("z");
		nghttp2_session_resume_data(r.session, id);
	}
	assert_string_equal(r.grpc_status, "4");
	assert_in_range(now_ms(w) - start_ms, 300, 2000);
	raw_end(&r);
}

/* 1 MiB/s in pieces passes where the whole takes longer than body_ms. */
static void steady_body_is_not_slow(void **state)
{
	struct world *w = *state;
	static uint8_t message[5 + 200000];
	struct raw r;
	int64_t start_ms;
	int32_t id;
	size_t at = 0;

	message[2] = 200000 >> 16;
	message[3] = (200000 >> 8) & 0xff;
	message[4] = 200000 & 0xff;
	server_start(w, "127.0.0.1:0", (struct grpc_server_limits){.body_ms = 150});
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
	assert_true(now_ms(w) - start_ms > 300);
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
	run_guarded(w->loop, 5000);
	channel_free(w->channel);
	w->channel = NULL;
	peer_free(peer);
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	assert_non_null(strstr(w->text, "silent, also when asked by PING"));
	assert_in_range(now_ms(w) - start_ms, 200, 2000);
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

	channel_start(w, peer_port(peer), 200);
	w->wanted = 1;
	call_to(w, "/test.Test/Echo", BYTES_LIT("x"), 50);
	run_guarded(w->loop, 5000);
	assert_int_equal(w->status, GRPC_DEADLINE_EXCEEDED);
	run_for(w->loop, 700);
	assert_int_equal(atomic_load(&pings), 0);
	start_ms = now_ms(w);
	w->done = 0;
	call_to(w, "/test.Test/Echo", BYTES_LIT("x"), 60000);
	run_guarded(w->loop, 5000);
	channel_free(w->channel);
	w->channel = NULL;
	peer_free(peer);
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	assert_in_range(now_ms(w) - start_ms, 190, 390);
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

/* ---- one peer ---- */

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
		raw_request(&raws[i], "POST", i > 0 ? "/test.Test/Hold" : "/test.Test/Echo",
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

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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

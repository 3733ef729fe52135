/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The gRPC client and server against peers that are dead, broken, slow or hostile. */
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nghttp2/nghttp2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/rng.h"
#include "net/channel.h"
#include "net/grpc_server.h"
#include "net/grpc_server_internal.h"
#include "raw.h"

struct world {
	struct loop *loop;
	struct grpc_server *server;
	struct channel *channel;
	struct grpc_call *held;
	int handled;
	int done;
	int wanted;
	enum grpc_status status;
	char text[256];
};

static void on_echo(void *ctx, struct grpc_call *call)
{
	((struct world *)ctx)->handled++;
	grpc_call_reply(call, grpc_call_request(call));
}

static void on_hold(void *ctx, struct grpc_call *call)
{
	((struct world *)ctx)->held = call;
}

static const struct grpc_method METHODS[] = {
	{"/test.Test/Echo", on_echo, 0},
	{"/test.Test/Hold", on_hold, 0},
};

static void server_start(struct world *w, unsigned port)
{
	char listen[32];
	struct err_note note = {0};
	struct grpc_server_options opts = {
		.listen = listen,
		.methods = METHODS,
		.methods_n = ARRAY_LEN(METHODS),
		.ctx = w,
		/* All come from one address here; what one peer may have is test_grpc_limits.c. */
		.limits = {.peer_connections = GRPC_CONNECTIONS_MAX,
			   .peer_calls = GRPC_HELD_MAX,
			   .peer_in_flight_bytes = GRPC_IN_FLIGHT_BYTES_MAX}};

	snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
	if (grpc_server_new(&w->server, w->loop, &opts, &note) != ERR_OK)
		fail_msg("%s", note.text);
}

static void channel_start(struct world *w, unsigned port)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	assert_int_equal(channel_grpc_new(&w->channel, w->loop, url, NULL), ERR_OK);
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
	const struct rpc_call call = {
		.path = path, .message = message, .timeout_ms = timeout_ms, .reply_max = 1 << 20};
	struct rpc_ticket ticket;

	assert_int_equal(channel_call(w->channel, &ticket, &call, on_done, w), ERR_OK);
}

static void call_and_wait(struct world *w, int64_t timeout_ms)
{
	w->done = 0;
	w->wanted = 1;
	call_to(w, "/test.Test/Echo", BYTES_LIT("x"), timeout_ms);
	assert_int_equal(w->done, 0);
	run_guarded(w->loop, 20000);
}

static unsigned free_port(struct world *w)
{
	unsigned port;

	server_start(w, 0);
	port = grpc_server_port(w->server);
	grpc_server_free(w->server);
	w->server = NULL;
	return port;
}

/* ---- the client ---- */

static void refused_then_back(void **state)
{
	struct world *w = *state;
	unsigned port = free_port(w);

	channel_start(w, port);
	for (int i = 0; i < 5; i++) {
		int64_t start_ms = clock_mono_ms(loop_clock(w->loop));

		call_and_wait(w, 10000);
		assert_int_equal(w->status, GRPC_UNAVAILABLE);
		assert_non_null(strstr(w->text, "Connection refused"));
		assert_true(clock_mono_ms(loop_clock(w->loop)) - start_ms < 10000);
	}
	server_start(w, port);
	run_for(w->loop, 1100); /* longer than the longest back-off */
	call_and_wait(w, 5000);
	assert_int_equal(w->status, GRPC_OK);
}

static void serve_close(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
}

/* A peer that accepts and hangs up sees a few connections, not one per call. */
static void no_storm(void **state)
{
	struct world *w = *state;
	struct peer *peer = peer_new(serve_close, NULL);

	channel_start(w, peer_port(peer));
	for (int i = 0; i < 300; i++) {
		call_and_wait(w, 5000);
		assert_int_equal(w->status, GRPC_UNAVAILABLE);
	}
	assert_in_range(peer_connections(peer), 1, 20);
	peer_free(peer);
}

static void server_killed_in_the_middle(void **state)
{
	struct world *w = *state;
	unsigned port;

	server_start(w, 0);
	port = grpc_server_port(w->server);
	channel_start(w, port);
	w->wanted = 3;
	for (int i = 0; i < 3; i++)
		call_to(w, "/test.Test/Hold", BYTES_LIT("x"), 10000);
	run_for(w->loop, 50);
	assert_int_equal(w->done, 0);
	grpc_server_free(w->server);
	w->server = NULL;
	run_guarded(w->loop, 5000);
	assert_int_equal(w->done, 3);
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	/* A connection that had worked: the next call finds the server at once. */
	server_start(w, port);
	call_and_wait(w, 5000);
	assert_int_equal(w->status, GRPC_OK);
}

static void serve_silence(void *ctx, int fd)
{
	(void)ctx;
	fd_wait_close(fd);
}

static void peer_that_never_answers(void **state)
{
	struct world *w = *state;
	struct peer *peer = peer_new(serve_silence, NULL);

	channel_start(w, peer_port(peer));
	call_and_wait(w, 100);
	assert_int_equal(w->status, GRPC_DEADLINE_EXCEEDED);
	channel_free(w->channel);
	w->channel = NULL;
	peer_free(peer);
}

struct script {
	struct bytes bytes;
	bool stay; /* keep the connection open afterwards */
};

static void serve_script(void *ctx, int fd)
{
	const struct script *s = ctx;
	char buf[256];

	(void)!recv(fd, buf, sizeof(buf), 0);
	if (fd_write_all(fd, s->bytes) && s->stay)
		fd_wait_close(fd);
}

static enum grpc_status call_scripted(struct world *w, struct bytes bytes, bool stay)
{
	struct script s = {.bytes = bytes, .stay = stay};
	struct peer *peer = peer_new(serve_script, &s);

	channel_start(w, peer_port(peer));
	call_and_wait(w, 2000);
	channel_free(w->channel);
	w->channel = NULL;
	peer_free(peer);
	return w->status;
}

#define SETTINGS_FRAME "\0\0\0\4\0\0\0\0\0"
/* HEADERS on stream 1: HPACK index 8 is ":status 200"; 0x0f 0x10 is content-type by its index,
 * without indexing. */
#define HEADERS_200                                                                                \
	"\0\0\x14\1\4\0\0\0\1\x88\x0f\x10\x10"                                                     \
	"application/grpc"
#define DATA_EMPTY_MSG "\0\0\5\0\0\0\0\0\1\0\0\0\0\0"
/* A literal header, name "grpc-status" not indexed. */
#define TRAILERS(s)                                                                                \
	"\0\0\xf\1\5\0\0\0\1\0\xb"                                                                 \
	"grpc-status"                                                                              \
	"\1" s
#define BAD_DATA(p) "\0\0\5\0\0\0\0\0\1" p

static void replies_of_all_kinds(void **state)
{
	static const struct {
		struct bytes bytes;
		enum grpc_status status;
	} rows[] = {
		{BYTES_LIT(SETTINGS_FRAME HEADERS_200 DATA_EMPTY_MSG TRAILERS("0")), GRPC_OK},
		{BYTES_LIT(SETTINGS_FRAME HEADERS_200 TRAILERS("5")), GRPC_NOT_FOUND},
		{BYTES_LIT(SETTINGS_FRAME HEADERS_200 TRAILERS("0")), GRPC_INTERNAL},
		{BYTES_LIT(SETTINGS_FRAME HEADERS_200 TRAILERS("x")), GRPC_UNKNOWN},
		{BYTES_LIT(SETTINGS_FRAME HEADERS_200 DATA_EMPTY_MSG DATA_EMPTY_MSG TRAILERS("0")),
		 GRPC_INTERNAL},
		/* one byte announced, none there */
		{BYTES_LIT(SETTINGS_FRAME HEADERS_200 BAD_DATA("\0\0\0\0\1") TRAILERS("0")),
		 GRPC_INTERNAL},
		{BYTES_LIT(SETTINGS_FRAME HEADERS_200 BAD_DATA("\1\0\0\0\0") TRAILERS("0")),
		 GRPC_INTERNAL},
		{BYTES_LIT(SETTINGS_FRAME HEADERS_200 BAD_DATA("\0\x7f\0\0\0")),
		 GRPC_RESOURCE_EXHAUSTED},
		/* 8e: 503 is no static entry; 0x08 0x03: literal ":status", and the end of the
		   stream */
		{BYTES_LIT(SETTINGS_FRAME "\0\0\5\1\5\0\0\0\1\x08\3"
					  "503"),
		 GRPC_UNAVAILABLE},
		{BYTES_LIT(SETTINGS_FRAME "\0\0\1\1\5\0\0\0\1\x8d"), GRPC_UNIMPLEMENTED}, /* 404 */
		{BYTES_LIT(SETTINGS_FRAME "\0\0\1\1\5\0\0\0\1\x88"), GRPC_UNKNOWN},
		/* RST_STREAM: REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM */
		{BYTES_LIT(SETTINGS_FRAME "\0\0\4\3\0\0\0\0\1\0\0\0\7"), GRPC_UNAVAILABLE},
		{BYTES_LIT(SETTINGS_FRAME "\0\0\4\3\0\0\0\0\1\0\0\0\x8"), GRPC_CANCELLED},
		{BYTES_LIT(SETTINGS_FRAME "\0\0\4\3\0\0\0\0\1\0\0\0\xb"), GRPC_RESOURCE_EXHAUSTED},
		/* GOAWAY that leaves stream 1 out */
		{BYTES_LIT(SETTINGS_FRAME "\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\0"), GRPC_UNAVAILABLE},
		{BYTES_LIT("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
		 GRPC_UNAVAILABLE},
		{BYTES_LIT(""), GRPC_UNAVAILABLE},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (call_scripted(w, rows[i].bytes, rows[i].bytes.n > 0) != rows[i].status)
			fail_msg("row %zu: %s (%s)", i, grpc_status_name(w->status), w->text);
}

/* Whatever prefix of a good reply arrives before the end: UNAVAILABLE, or OK when all of it did. */
static void reply_cut_at_every_byte(void **state)
{
	const struct bytes whole =
		BYTES_LIT(SETTINGS_FRAME HEADERS_200 DATA_EMPTY_MSG TRAILERS("0"));
	struct world *w = *state;

	for (size_t n = 1; n <= whole.n; n++)
		if (call_scripted(w, bytes_sub(whole, 0, n), false) !=
		    (n == whole.n ? GRPC_OK : GRPC_UNAVAILABLE))
			fail_msg("%zu bytes: %s (%s)", n, grpc_status_name(w->status), w->text);
}

static void garbage_to_the_client(void **state)
{
	struct world *w = *state;
	struct rng_seeded seeded;
	uint8_t garbage[600];
	uint64_t seed;

	rng_fill(rng_system(), (uint8_t *)&seed, sizeof(seed));
	print_message("# seed %" PRIu64 "\n", seed);
	for (int i = 0; i < 60; i++) {
		struct rng *rng = rng_seeded_init(&seeded, seed + (uint64_t)i);
		size_t skip = i % 2 ? sizeof(SETTINGS_FRAME) - 1 : 0;

		memcpy(garbage, SETTINGS_FRAME, sizeof(SETTINGS_FRAME) - 1);
		rng_fill(rng, &garbage[skip], sizeof(garbage) - skip);
		assert_int_not_equal(call_scripted(w, BYTES_OF(garbage), false), GRPC_OK);
	}
}

/* ---- the server ---- */

static bool closed_within(struct world *w, int fd, int64_t ms)
{
	struct clock *clock = loop_clock(w->loop);
	int64_t end_ms = clock_mono_ms(clock) + ms;
	char buf[4096];
	ssize_t n;

	do {
		run_for(w->loop, 2);
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
	} while (clock_mono_ms(clock) < end_ms);
	return false;
}

static void server_still_serves(struct world *w)
{
	if (!w->channel)
		channel_start(w, grpc_server_port(w->server));
	call_and_wait(w, 5000);
	assert_int_equal(w->status, GRPC_OK);
}

static void garbage_to_the_server(void **state)
{
	struct world *w = *state;
	struct rng_seeded seeded;
	uint8_t garbage[2048];
	uint64_t seed;

	server_start(w, 0);
	rng_fill(rng_system(), (uint8_t *)&seed, sizeof(seed));
	print_message("# seed %" PRIu64 "\n", seed);
	for (int i = 0; i < 300; i++) {
		struct rng *rng = rng_seeded_init(&seeded, seed + (uint64_t)i);
		int fd = tcp_connect(grpc_server_port(w->server));
		/* Nothing, the preface, or preface and SETTINGS in front: each gets further in. */
		const struct bytes front[] = {
			BYTES_LIT(""),
			BYTES_LIT(NGHTTP2_CLIENT_MAGIC),
			BYTES_LIT(NGHTTP2_CLIENT_MAGIC SETTINGS_FRAME),
			/* and a HEADERS frame whose header block is garbage */
			BYTES_LIT(NGHTTP2_CLIENT_MAGIC SETTINGS_FRAME "\0\4\0\1\5\0\0\0\1"),
		};

		rng_fill(rng, garbage, sizeof(garbage));
		fd_write_all(fd, front[i % 4]);
		fd_write_all(fd, bytes_sub(BYTES_OF(garbage), 0, rng_below(rng, 2048)));
		if (i % 3 == 0)
			shutdown(fd, SHUT_WR);
		run_for(w->loop, 2);
		close(fd);
	}
	run_for(w->loop, 20);
	server_still_serves(w);
	/* Nothing of all that is left behind. */
	assert_int_equal(w->server->conns_n, 1);
	assert_int_equal(w->server->in_flight, 0);
	assert_int_equal(w->server->held_n, 0);
}

static void http1_client_is_closed(void **state)
{
	struct world *w = *state;
	int fd;

	server_start(w, 0);
	fd = tcp_connect(grpc_server_port(w->server));
	assert_true(fd_write_all(fd, BYTES_LIT("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")));
	assert_true(closed_within(w, fd, 2000));
	close(fd);
	server_still_serves(w);
}

static void connections_are_bounded(void **state)
{
	struct world *w = *state;
	static int fds[GRPC_CONNECTIONS_MAX];
	int extra;

	server_start(w, 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = tcp_connect(grpc_server_port(w->server));
		if (i % 64 == 63)
			run_for(w->loop, 2);
	}
	run_for(w->loop, 20);
	assert_int_equal(w->server->conns_n, GRPC_CONNECTIONS_MAX);
	/* One more, and one of those who say nothing has to go. */
	extra = tcp_connect(grpc_server_port(w->server));
	assert_true(closed_within(w, fds[0], 2000));
	assert_int_equal(w->server->conns_n, GRPC_CONNECTIONS_MAX);
	server_still_serves(w);
	close(extra);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	run_for(w->loop, 50);
	assert_int_equal(w->server->conns_n, 1); /* our own channel's */
	server_still_serves(w);
}

static void requests_of_all_kinds(void **state)
{
	static const struct {
		const char *method, *path, *content_type, *timeout;
		struct bytes body;
		const char *http_status, *grpc_status;
	} rows[] = {
		{"POST", "/test.Test/Echo", "application/grpc", "1S", BYTES_LIT("\0\0\0\0\1x"),
		 "200", "0"},
		{"POST", "/test.Test/Echo", "application/grpc+proto", NULL, BYTES_LIT("\0\0\0\0\0"),
		 "200", "0"},
		{"POST", "/test.Test/Echo", "application/json", NULL, BYTES_LIT("{}"), "415", ""},
		{"GET", "/test.Test/Echo", "application/grpc", NULL, BYTES_LIT(""), "405", ""},
		{"POST", "/test.Test/Nothing", "application/grpc", NULL, BYTES_LIT("\0\0\0\0\0"),
		 "200", "12"},
		{"POST", "/test.Test/Echo", "application/grpc", "soon", BYTES_LIT("\0\0\0\0\0"),
		 "200", "13"},
		{"POST", "/test.Test/Echo", "application/grpc", NULL, BYTES_LIT("\1\0\0\0\1x"),
		 "200", "12"},
		{"POST", "/test.Test/Echo", "application/grpc", NULL, BYTES_LIT("\7\0\0\0\1x"),
		 "200", "13"},
		{"POST", "/test.Test/Echo", "application/grpc", NULL,
		 BYTES_LIT("\0\xff\xff\xff\xff"), "200", "8"},
		{"POST", "/test.Test/Echo", "application/grpc", NULL, BYTES_LIT("\0\0\0\0\2x"),
		 "200", "13"},
		{"POST", "/test.Test/Echo", "application/grpc", NULL, BYTES_LIT("\0\0"), "200",
		 "13"},
		{"POST", "/test.Test/Echo", "application/grpc", NULL, BYTES_LIT(""), "200", "13"},
		{"POST", "/test.Test/Echo", "application/grpc", NULL,
		 BYTES_LIT("\0\0\0\0\0\0\0\0\0\0"), "200", "13"},
	};
	struct world *w = *state;
	struct raw r;

	server_start(w, 0);
	raw_start(&r, w->loop, grpc_server_port(w->server));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		r.body = rows[i].body;
		raw_request(&r, rows[i].method, rows[i].path, rows[i].content_type,
			    rows[i].timeout);
		raw_pump(&r);
		if (strcmp(r.http_status, rows[i].http_status) != 0 ||
		    strcmp(r.grpc_status, rows[i].grpc_status) != 0)
			fail_msg("row %zu: HTTP %s, grpc-status %s", i, r.http_status,
				 r.grpc_status);
	}
	assert_int_equal(w->handled, 2);
	assert_int_equal(w->server->in_flight, 0);
	raw_end(&r);
}

static void headers_too_big(void **state)
{
	struct world *w = *state;
	struct raw r;
	char *path = malloc(GRPC_HEADER_BYTES_MAX + 1);

	assert_non_null(path);
	memset(path, 'a', GRPC_HEADER_BYTES_MAX);
	path[0] = '/';
	path[GRPC_HEADER_BYTES_MAX] = '\0';
	server_start(w, 0);
	raw_start(&r, w->loop, grpc_server_port(w->server));
	raw_request(&r, "POST", path, "application/grpc", NULL);
	raw_pump(&r);
	assert_string_equal(r.grpc_status, "8");
	raw_end(&r);
	free(path);
	server_still_serves(w);
}

/* A client which only starts calls and resets them is told to calm down, and others are still
 * served. */
static void rapid_reset(void **state)
{
	struct world *w = *state;
	struct raw r;

	server_start(w, 0);
	raw_start(&r, w->loop, grpc_server_port(w->server));
	r.eof = false;
	for (int i = 0; i < 3000 && !r.got_goaway; i++) {
		int32_t id = raw_request(&r, "POST", "/test.Test/Echo", "application/grpc", NULL);
		const uint8_t *p;
		ssize_t n;

		while ((n = nghttp2_session_mem_send(r.session, &p)) > 0)
			(void)!send(r.fd, p, (size_t)n, MSG_NOSIGNAL);
		nghttp2_submit_rst_stream(r.session, 0, id, NGHTTP2_CANCEL);
		if (i % 50 == 49)
			raw_pump(&r);
	}
	raw_pump(&r);
	assert_true(r.got_goaway);
	assert_int_equal(r.goaway, NGHTTP2_ENHANCE_YOUR_CALM);
	raw_end(&r);
	server_still_serves(w);
}

/* All requests together are bounded in bytes, and what ends gives its bytes back. */
static void bytes_in_flight_are_bounded(void **state)
{
	struct world *w = *state;
	const size_t big_n = 60 << 20;
	uint8_t *big = calloc(1, big_n);
	int exhausted = 0;

	assert_non_null(big);
	server_start(w, 0);
	channel_start(w, grpc_server_port(w->server));
	for (int i = 0; i < 4; i++) {
		w->wanted = w->done + 2;
		call_to(w, "/test.Test/Hold", bytes_from(big, big_n), 60000);
		while (!w->held)
			run_for(w->loop, 5);
		w->held = NULL;
	}
	assert_int_equal(w->server->in_flight, 4 * (big_n + 5));
	w->wanted = 1;
	call_to(w, "/test.Test/Hold", bytes_from(big, big_n), 60000);
	run_guarded(w->loop, 30000);
	assert_int_equal(w->status, GRPC_RESOURCE_EXHAUSTED);
	exhausted++;
	channel_free(w->channel);
	w->channel = NULL;
	run_for(w->loop, 20);
	/* Still held by the handlers, though nobody waits. */
	assert_int_equal(w->server->in_flight, 4 * (big_n + 5));
	while (w->server->orphans.first)
		grpc_call_reply(w->server->orphans.first, BYTES_NONE);
	assert_int_equal(w->server->in_flight, 0);
	assert_int_equal(exhausted, 1);
	server_still_serves(w);
	free(big);
}

/* A peer that takes nothing costs the server its reply and one output buffer, and nobody else their
 * service. */
static void slow_reader(void **state)
{
	struct world *w = *state;
	struct raw r;
	const size_t n = 4 << 20;
	uint8_t *message = calloc(1, n + 5);
	nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff};
	const uint8_t *p;
	ssize_t sent;

	assert_non_null(message);
	message[1] = (uint8_t)(n >> 24);
	message[2] = (uint8_t)(n >> 16);
	message[3] = (uint8_t)(n >> 8);
	message[4] = (uint8_t)n;
	server_start(w, 0);
	raw_start(&r, w->loop, grpc_server_port(w->server));
	nghttp2_submit_settings(r.session, 0, &window, 1);
	nghttp2_session_set_local_window_size(r.session, 0, 0, 0x7fffffff);
	r.body = bytes_from(message, n + 5);
	raw_request(&r, "POST", "/test.Test/Echo", "application/grpc", NULL);
	/* Sends all, reads only what lets it send. */
	while (w->handled == 0) {
		uint8_t frames[512];
		ssize_t got;

		while ((sent = nghttp2_session_mem_send(r.session, &p)) > 0) {
			size_t at = 0;

			while (at < (size_t)sent) {
				ssize_t k = send(r.fd, &p[at], (size_t)sent - at, MSG_NOSIGNAL);

				if (k > 0)
					at += (size_t)k;
				else
					run_for(w->loop, 1);
			}
		}
		run_for(w->loop, 1);
		got = recv(r.fd, frames, sizeof(frames), 0);
		if (got > 0)
			assert_true(nghttp2_session_mem_recv(r.session, frames, (size_t)got) >= 0);
	}
	run_for(w->loop, 50);
	assert_int_equal(w->server->in_flight, n + 5); /* the reply, until it is taken */
	server_still_serves(w);
	/* It wakes up and gets all of it. */
	for (int i = 0; i < 2000 && !r.grpc_status[0]; i++)
		raw_pump(&r);
	assert_string_equal(r.grpc_status, "0");
	assert_int_equal(w->server->in_flight, 0);
	raw_end(&r);
	free(message);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(refused_then_back),
		WORLD_TEST(no_storm),
		WORLD_TEST(server_killed_in_the_middle),
		WORLD_TEST(peer_that_never_answers),
		WORLD_TEST(replies_of_all_kinds),
		WORLD_TEST(reply_cut_at_every_byte),
		WORLD_TEST(garbage_to_the_client),
		WORLD_TEST(garbage_to_the_server),
		WORLD_TEST(http1_client_is_closed),
		WORLD_TEST(connections_are_bounded),
		WORLD_TEST(requests_of_all_kinds),
		WORLD_TEST(headers_too_big),
		WORLD_TEST(rapid_reset),
		WORLD_TEST(bytes_in_flight_are_bounded),
		WORLD_TEST(slow_reader),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("grpc_faults", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The gRPC client when a connection takes no more calls, and calls that end in more than one way.
 */
#include "testing.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "net/channel.h"

enum {
	CALLS_MAX = 8
};

struct call_ctx {
	struct world *w;
	int number;
};

struct world {
	struct loop *loop;
	struct channel *channel;
	struct peer *peer;
	atomic_bool go; /* lets the peer go on in its script */
	int done;
	int wanted;
	bool again; /* the next done makes a call */
	int told[CALLS_MAX];
	enum grpc_status status[CALLS_MAX];
	char text[CALLS_MAX][128];
	struct call_ctx ctx[CALLS_MAX];
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	for (int i = 0; i < CALLS_MAX; i++)
		w->ctx[i] = (struct call_ctx){w, i};
	return loop_new(&w->loop) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	atomic_store(&w->go, true);
	channel_free(w->channel);
	peer_free(w->peer);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void start(struct world *w, peer_fn *serve)
{
	char url[64];

	w->peer = peer_new(serve, w);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", peer_port(w->peer));
	assert_int_equal(channel_grpc_new(&w->channel, w->loop, url, NULL), ERR_OK);
}

static void on_done(void *ctx, const struct rpc_reply *reply);

static struct rpc_ticket call(struct world *w, int number, int64_t timeout_ms)
{
	const struct rpc_call c = {.path = "/test.Test/Echo",
				   .message = BYTES_LIT("x"),
				   .timeout_ms = timeout_ms,
				   .reply_max = 100};
	struct rpc_ticket ticket;

	assert_int_equal(channel_call(w->channel, &ticket, &c, on_done, &w->ctx[number]), ERR_OK);
	return ticket;
}

static void on_done(void *ctx, const struct rpc_reply *reply)
{
	const struct call_ctx *c = ctx;
	struct world *w = c->w;

	w->told[c->number]++;
	w->status[c->number] = reply->status;
	snprintf(w->text[c->number], sizeof(w->text[0]), "%s", reply->text);
	if (w->again) {
		w->again = false;
		call(w, c->number + 1, 10000);
	}
	if (++w->done == w->wanted)
		loop_stop(w->loop);
}

static void wait_done(struct world *w, int wanted)
{
	w->wanted = wanted;
	run_guarded(w->loop, 5000);
}

static void assert_ended(const struct world *w, int number, enum grpc_status status,
			 const char *text)
{
	assert_int_equal(w->told[number], 1);
	assert_int_equal(w->status[number], status);
	assert_string_equal(w->text[number], text);
}

/* ---- the peer's side ---- */

enum {
	FRAME_HEADERS = 1
};

static bool read_n(int fd, uint8_t *p, size_t n)
{
	return recv(fd, p, n, MSG_WAITALL) == (ssize_t)n;
}

/* Up to and including the HEADERS of that stream. */
static bool read_request(int fd, uint8_t stream)
{
	uint8_t head[9];
	uint8_t rest[1 << 14];

	for (;;) {
		if (!read_n(fd, head, sizeof(head)))
			return false;
		size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];

		if (n > sizeof(rest) || (n > 0 && !read_n(fd, rest, n)))
			return false;
		if (head[3] == FRAME_HEADERS && head[8] == stream)
			return true;
	}
}

static bool read_preface(int fd)
{
	uint8_t preface[24];

	return read_n(fd, preface, sizeof(preface));
}

static void wait_go(struct world *w)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	while (!atomic_load(&w->go))
		nanosleep(&ms, NULL);
}

#define SETTINGS            "\0\0\0\4\0\0\0\0\0"
#define SETTINGS_ONE_STREAM "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\1"
/* HPACK: ":status 200" by its index, content-type with an indexed name. */
#define HEADERS(stream)                                                                            \
	"\0\0\x14\1\4\0\0\0" stream "\x88\x0f\x10\x10"                                             \
	"application/grpc"
#define HEADERS_AND_TEXT(stream)                                                                   \
	"\0\0\x2e\1\4\0\0\0" stream "\x88\x0f\x10\x10"                                             \
	"application/grpc\0\xcgrpc-message\xbhello there"
#define MESSAGE(stream)         "\0\0\5\0\0\0\0\0" stream "\0\0\0\0\0"
#define MESSAGE_TOO_BIG(stream) "\0\0\5\0\0\0\0\0" stream "\0\x7f\0\0\0"
#define TRAILERS(stream)                                                                           \
	"\0\0\xf\1\5\0\0\0" stream "\0\xb"                                                         \
	"grpc-status\1"                                                                            \
	"0"
#define ANSWER(stream)      HEADERS(stream) MESSAGE(stream) TRAILERS(stream)
#define GOAWAY(last_stream) "\0\0\x8\7\0\0\0\0\0\0\0\0" last_stream "\0\0\0\0"
/* DATA belongs to a stream: the connection is over. */
#define NONSENSE "\0\0\1\0\0\0\0\0\0x"

/* ---- a server that goes away ---- */

/* Answers one call; tells that it goes while the second runs and others wait for their turn;
 * answers the second when it is let. */
static void serve_goaway(void *ctx, int fd)
{
	if (!read_preface(fd) || !read_request(fd, 1) ||
	    !fd_write_all(fd, BYTES_LIT(SETTINGS_ONE_STREAM ANSWER("\1"))) ||
	    !read_request(fd, 3) || !fd_write_all(fd, BYTES_LIT(GOAWAY("\3"))))
		return;
	wait_go(ctx);
	if (fd_write_all(fd, BYTES_LIT(ANSWER("\3"))))
		fd_wait_close(fd);
}

static void calls_that_wait_end_with_goaway(void **state)
{
	struct world *w = *state;

	start(w, serve_goaway);
	call(w, 0, 10000);
	wait_done(w, 1);
	assert_ended(w, 0, GRPC_OK, "");
	/* Stream 3 is the server's only one; the others wait for it to end. */
	for (int i = 1; i <= 4; i++)
		call(w, i, 10000);
	wait_done(w, 4);
	for (int i = 2; i <= 4; i++)
		assert_ended(w, i, GRPC_UNAVAILABLE, "connection takes no more calls");
	assert_int_equal(w->told[1], 0);
	atomic_store(&w->go, true);
	wait_done(w, 5);
	assert_ended(w, 1, GRPC_OK, "");
}

/* As above, and those which wait are withdrawn or over before the server goes. */
static void serve_late_goaway(void *ctx, int fd)
{
	if (!read_preface(fd) || !read_request(fd, 1) ||
	    !fd_write_all(fd, BYTES_LIT(SETTINGS_ONE_STREAM ANSWER("\1"))) || !read_request(fd, 3))
		return;
	wait_go(ctx);
	if (fd_write_all(fd, BYTES_LIT(GOAWAY("\3") ANSWER("\3"))))
		fd_wait_close(fd);
}

static void calls_that_wait_no_more(void **state)
{
	struct world *w = *state;
	struct rpc_ticket withdrawn;

	start(w, serve_late_goaway);
	call(w, 0, 10000);
	wait_done(w, 1);
	call(w, 1, 10000);
	withdrawn = call(w, 2, 10000);
	call(w, 3, 50);
	call(w, 4, 10000);
	channel_cancel(w->channel, withdrawn);
	wait_done(w, 2);
	assert_ended(w, 3, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
	atomic_store(&w->go, true);
	wait_done(w, 4);
	assert_ended(w, 1, GRPC_OK, "");
	assert_ended(w, 4, GRPC_UNAVAILABLE, "connection takes no more calls");
	run_for(w->loop, 20);
	assert_int_equal(w->told[2], 0);
	assert_int_equal(w->done, 4);
}

/* ---- a connection that is over, and nobody knows yet ---- */

static void serve_nonsense(void *ctx, int fd)
{
	(void)ctx;
	if (read_preface(fd) && read_request(fd, 1) &&
	    fd_write_all(fd, BYTES_LIT(SETTINGS ANSWER("\1") NONSENSE)))
		fd_wait_close(fd);
}

/* The call that a done makes finds a connection on which HTTP/2 lets nothing out. */
static void call_on_a_connection_that_ends(void **state)
{
	struct world *w = *state;

	start(w, serve_nonsense);
	w->again = true;
	call(w, 0, 10000);
	wait_done(w, 2);
	assert_ended(w, 0, GRPC_OK, "");
	assert_ended(w, 1, GRPC_UNAVAILABLE, "connection takes no more calls");
	run_for(w->loop, 20);
	assert_int_equal(w->done, 2);
}

/* ---- a text that is replaced: a leak is what these would show ---- */

static void serve_text_and_too_much(void *ctx, int fd)
{
	(void)ctx;
	if (read_preface(fd) && read_request(fd, 1) &&
	    fd_write_all(fd, BYTES_LIT(SETTINGS HEADERS_AND_TEXT("\1") MESSAGE_TOO_BIG("\1"))))
		fd_wait_close(fd);
}

static void text_then_bad_data(void **state)
{
	struct world *w = *state;

	start(w, serve_text_and_too_much);
	call(w, 0, 10000);
	wait_done(w, 1);
	assert_ended(w, 0, GRPC_RESOURCE_EXHAUSTED, "message of the reply too big");
}

static void serve_text_and_silence(void *ctx, int fd)
{
	(void)ctx;
	if (read_preface(fd) && read_request(fd, 1) &&
	    fd_write_all(fd, BYTES_LIT(SETTINGS HEADERS_AND_TEXT("\1"))))
		fd_wait_close(fd);
}

static void text_then_deadline(void **state)
{
	struct world *w = *state;

	start(w, serve_text_and_silence);
	call(w, 0, 200);
	wait_done(w, 1);
	assert_ended(w, 0, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_that_wait_end_with_goaway),
		TEST(calls_that_wait_no_more),
		TEST(call_on_a_connection_that_ends),
		TEST(text_then_bad_data),
		TEST(text_then_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

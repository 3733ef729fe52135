/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Client and server on one loop: what works between the two. Broken peers are in
 * test_grpc_faults.c. */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/channel.h"
#include "net/grpc_server.h"

enum {
	HELD_MAX = 2000
};

struct world {
	struct loop *loop;
	struct grpc_server *server;
	struct channel *channel;
	struct grpc_call *held[HELD_MAX];
	size_t held_n;
	struct timer timer;

	int done;
	int wanted;
	enum grpc_status status;
	char text[256];
	struct buf message;
	struct bytes payload;
	int64_t time_left_ms;
	struct rpc_ticket ticket;
	int rounds;
	struct timer later;
	bool drained;
};

static void on_echo(void *ctx, struct grpc_call *call)
{
	struct world *w = ctx;

	w->time_left_ms = grpc_call_time_left_ms(call);
	grpc_call_reply(call, grpc_call_request(call));
}

static void on_not_found(void *ctx, struct grpc_call *call)
{
	(void)ctx;
	grpc_call_fail(call, GRPC_NOT_FOUND, "kein Schl\xc3\xbcssel: 100%\n");
}

static void on_hold(void *ctx, struct grpc_call *call)
{
	struct world *w = ctx;

	assert_true(w->held_n < HELD_MAX);
	w->held[w->held_n++] = call;
}

static const struct grpc_method METHODS[] = {
	{"/test.Test/Echo", on_echo, 0},
	{"/test.Test/Small", on_echo, 100},
	{"/test.Test/NotFound", on_not_found, 0},
	{"/test.Test/Hold", on_hold, 0},
};

static void server_start(struct world *w, const char *listen)
{
	const struct grpc_server_options opts = {
		.listen = listen, .methods = METHODS, .methods_n = ARRAY_LEN(METHODS), .ctx = w};
	struct err_note note = {0};
	enum err e = grpc_server_new(&w->server, w->loop, &opts, &note);

	if (e != ERR_OK)
		fail_msg("%s: %s", listen, note.text);
}

static void channel_start(struct world *w, const char *url)
{
	assert_int_equal(channel_grpc_new(&w->channel, w->loop, url, NULL), ERR_OK);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char url[64];

	if (loop_new(&w->loop) != ERR_OK)
		return -1;
	server_start(w, "127.0.0.1:0");
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", grpc_server_port(w->server));
	channel_start(w, url);
	w->message = buf_make(GRPC_MESSAGE_MAX);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	channel_free(w->channel);
	grpc_server_free(w->server);
	clock_timer_cancel(loop_clock(w->loop), &w->later);
	loop_free(w->loop);
	buf_free(&w->message);
	free(w);
	return 0;
}

static void on_done(void *ctx, const struct rpc_reply *reply)
{
	struct world *w = ctx;

	w->status = reply->status;
	snprintf(w->text, sizeof(w->text), "%s", reply->text);
	buf_clear(&w->message);
	assert_int_equal(buf_add(&w->message, reply->message), ERR_OK);
	if (++w->done == w->wanted)
		loop_stop(w->loop);
}

static void call_to(struct world *w, const char *path, struct bytes message, int64_t timeout_ms,
		    rpc_done_fn *done)
{
	const struct rpc_call call = {
		.path = path,
		.message = message,
		.timeout_ms = timeout_ms,
		.reply_max = GRPC_MESSAGE_MAX,
	};
	int before = w->done;

	assert_int_equal(channel_call(w->channel, &w->ticket, &call, done, w), ERR_OK);
	assert_int_equal(w->done, before); /* never from inside */
}

static void call_and_wait(struct world *w, const char *path, struct bytes message,
			  int64_t timeout_ms)
{
	w->done = 0;
	w->wanted = 1;
	call_to(w, path, message, timeout_ms, on_done);
	run_guarded(w->loop, 20000);
}

static void echo(void **state)
{
	struct world *w = *state;

	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("hello"), 5000);
	assert_int_equal(w->status, GRPC_OK);
	assert_string_equal(w->text, "");
	assert_true(bytes_eq_var(buf_view(&w->message), BYTES_LIT("hello")));
	assert_in_range(w->time_left_ms, 1, 5000);
	call_and_wait(w, "/test.Test/Echo", BYTES_NONE, 5000);
	assert_int_equal(w->status, GRPC_OK);
	assert_int_equal(w->message.n, 0);
}

static void on_done_next(void *ctx, const struct rpc_reply *reply)
{
	struct world *w = ctx;

	assert_int_equal(reply->status, GRPC_OK);
	assert_true(bytes_eq_var(reply->message, w->payload));
	w->done++;
	if (--w->rounds == 0)
		loop_stop(w->loop);
	else
		call_to(w, "/test.Test/Echo", w->payload, 20000, on_done_next);
}

/* More than the thousand after which a reset budget or a leak of streams would show. */
static void calls_2000_in_a_row(void **state)
{
	struct world *w = *state;
	uint8_t payload[1024];

	memset(payload, 0x5a, sizeof(payload));
	w->payload = BYTES_OF(payload);
	w->rounds = 2000;
	call_to(w, "/test.Test/Echo", w->payload, 20000, on_done_next);
	run_guarded(w->loop, 60000);
	assert_int_equal(w->done, 2000);
}

struct numbered {
	struct world *world;
	uint32_t number;
	int done;
};

static void on_done_numbered(void *ctx, const struct rpc_reply *reply)
{
	struct numbered *n = ctx;

	assert_int_equal(reply->status, GRPC_OK);
	assert_true(bytes_eq_var(reply->message, bytes_from(&n->number, sizeof(n->number))));
	n->done++;
	if (++n->world->done == n->world->wanted)
		loop_stop(n->world->loop);
}

static void on_answer_held(void *ctx)
{
	struct world *w = ctx;
	size_t n = w->held_n;

	/* Backwards, so that order is nobody's assumption. */
	w->held_n = 0;
	while (n-- > 0)
		grpc_call_reply(w->held[n], grpc_call_request(w->held[n]));
	clock_timer_set(loop_clock(w->loop), &w->later, 5, on_answer_held, w);
}

/* Also beyond what the server allows at once on a connection: the rest waits its turn. */
static void calls_at_once(void **state)
{
	enum {
		N = GRPC_STREAMS_MAX + 150
	};
	struct world *w = *state;
	static struct numbered calls[N];
	struct rpc_ticket ticket;

	w->wanted = N;
	for (uint32_t i = 0; i < N; i++) {
		struct rpc_call call = {.path = i % 2 ? "/test.Test/Echo" : "/test.Test/Hold",
					.timeout_ms = 20000,
					.reply_max = 100};

		calls[i] = (struct numbered){.world = w, .number = i};
		call.message = bytes_from(&calls[i].number, sizeof(calls[i].number));
		assert_int_equal(
			channel_call(w->channel, &ticket, &call, on_done_numbered, &calls[i]),
			ERR_OK);
	}
	clock_timer_set(loop_clock(w->loop), &w->later, 5, on_answer_held, w);
	run_guarded(w->loop, 30000);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(calls[i].done, 1);
}

static void big_message_both_ways(void **state)
{
	struct world *w = *state;
	size_t n = 20 << 20;
	uint8_t *big = malloc(n);

	assert_non_null(big);
	for (size_t i = 0; i < n; i++)
		big[i] = (uint8_t)(i * 2654435761u >> 24);
	call_and_wait(w, "/test.Test/Echo", bytes_from(big, n), 60000);
	assert_int_equal(w->status, GRPC_OK);
	assert_true(bytes_eq_var(buf_view(&w->message), bytes_from(big, n)));
	free(big);
}

static void statuses_and_text(void **state)
{
	struct world *w = *state;

	call_and_wait(w, "/test.Test/NotFound", BYTES_NONE, 5000);
	assert_int_equal(w->status, GRPC_NOT_FOUND);
	assert_string_equal(w->text, "kein Schl\xc3\xbcssel: 100%?");
	assert_int_equal(w->message.n, 0);
	call_and_wait(w, "/test.Test/Nothing", BYTES_LIT("x"), 5000);
	assert_int_equal(w->status, GRPC_UNIMPLEMENTED);
}

static void size_limits(void **state)
{
	struct world *w = *state;
	uint8_t *big = calloc(1, 3 << 20);
	struct rpc_call call = {.path = "/test.Test/Echo", .timeout_ms = 5000, .reply_max = 100};

	assert_non_null(big);
	call_and_wait(w, "/test.Test/Small", bytes_from(big, 100), 5000);
	assert_int_equal(w->status, GRPC_OK);
	/* Refused by its announced length, while most of it is still on the way. */
	call_and_wait(w, "/test.Test/Small", bytes_from(big, 3 << 20), 5000);
	assert_int_equal(w->status, GRPC_RESOURCE_EXHAUSTED);
	w->done = 0;
	call.message = bytes_from(big, 101);
	assert_int_equal(channel_call(w->channel, &w->ticket, &call, on_done, w), ERR_OK);
	run_guarded(w->loop, 5000);
	assert_int_equal(w->status, GRPC_RESOURCE_EXHAUSTED);
	call.reply_max = (size_t)GRPC_MESSAGE_MAX + 1;
	assert_int_equal(channel_call(w->channel, &w->ticket, &call, on_done, w), ERR_RANGE);
	call.reply_max = 0;
	call.timeout_ms = 0;
	assert_int_equal(channel_call(w->channel, &w->ticket, &call, on_done, w), ERR_RANGE);
	/* The connection survived all of it. */
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("still here"), 5000);
	assert_int_equal(w->status, GRPC_OK);
	free(big);
}

static void deadline(void **state)
{
	struct world *w = *state;
	int64_t start_ms = clock_mono_ms(loop_clock(w->loop));

	call_and_wait(w, "/test.Test/Hold", BYTES_LIT("x"), 50);
	assert_int_equal(w->status, GRPC_DEADLINE_EXCEEDED);
	assert_in_range(clock_mono_ms(loop_clock(w->loop)) - start_ms, 50, 19999);
	/* The peer is gone, the call is not: its answer is dropped. */
	run_for(w->loop, 20);
	assert_int_equal(w->held_n, 1);
	assert_true(bytes_eq_var(grpc_call_request(w->held[0]), BYTES_LIT("x")));
	assert_int_equal(grpc_call_time_left_ms(w->held[0]), 0);
	grpc_call_reply(w->held[0], BYTES_LIT("too late"));
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("next"), 5000);
	assert_int_equal(w->status, GRPC_OK);
	assert_int_equal(w->done, 1);
}

static void cancelled_calls_say_nothing(void **state)
{
	struct world *w = *state;
	struct rpc_ticket tickets[300];

	w->wanted = 1;
	/* Before the connection stands. */
	call_to(w, "/test.Test/Echo", BYTES_LIT("a"), 5000, on_done);
	channel_cancel(w->channel, w->ticket);
	run_for(w->loop, 20);
	assert_int_equal(w->done, 0);
	/* Sent, and waiting for their turn inside HTTP/2. */
	for (size_t i = 0; i < ARRAY_LEN(tickets); i++) {
		call_to(w, "/test.Test/Hold", BYTES_LIT("b"), 5000, on_done);
		tickets[i] = w->ticket;
	}
	run_for(w->loop, 20);
	assert_int_equal(w->held_n, GRPC_STREAMS_MAX);
	for (size_t i = ARRAY_LEN(tickets); i-- > 0;)
		channel_cancel(w->channel, tickets[i]);
	channel_cancel(w->channel, tickets[0]);
	channel_cancel(w->channel, (struct rpc_ticket){0});
	run_for(w->loop, 20);
	assert_int_equal(w->done, 0);
	for (size_t i = 0; i < w->held_n; i++)
		grpc_call_fail(w->held[i], GRPC_ABORTED, NULL);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("c"), 5000);
	assert_int_equal(w->status, GRPC_OK);
}

static void on_done_free(void *ctx, const struct rpc_reply *reply)
{
	struct world *w = ctx;

	assert_int_equal(reply->status, GRPC_OK);
	channel_free(w->channel);
	w->channel = NULL;
	assert_true(bytes_eq_var(reply->message, BYTES_LIT("bye")));
	loop_stop(w->loop);
}

static void channel_may_be_freed_in_its_callback(void **state)
{
	struct world *w = *state;

	call_to(w, "/test.Test/Hold", BYTES_LIT("held"), 5000, on_done);
	call_to(w, "/test.Test/Echo", BYTES_LIT("bye"), 5000, on_done_free);
	run_guarded(w->loop, 5000);
	run_for(w->loop, 20);
	assert_int_equal(w->done, 0);
	assert_int_equal(w->held_n, 1);
	/* Left unanswered: grpc_server_free ends it. */
}

static void long_poll(void **state)
{
	struct world *w = *state;

	w->wanted = 1;
	call_to(w, "/test.Test/Hold", BYTES_LIT("poll"), 60000, on_done);
	run_for(w->loop, 200);
	assert_int_equal(w->done, 0);
	assert_int_equal(w->held_n, 1);
	grpc_call_fail(w->held[0], GRPC_UNAVAILABLE, "ask again");
	run_guarded(w->loop, 5000);
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	assert_string_equal(w->text, "ask again");
}

static void on_drained(void *ctx)
{
	((struct world *)ctx)->drained = true;
	loop_stop(((struct world *)ctx)->loop);
}

static void drain_lets_calls_finish(void **state)
{
	struct world *w = *state;

	w->wanted = 1;
	call_to(w, "/test.Test/Hold", BYTES_LIT("slow"), 5000, on_done);
	run_for(w->loop, 50);
	assert_int_equal(w->held_n, 1);
	grpc_server_drain(w->server, 10000, on_drained, w);
	assert_false(w->drained);
	run_for(w->loop, 50);
	assert_false(w->drained);
	assert_int_equal(w->done, 0);
	/* A new call finds nobody who listens, the old one its answer. */
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("new"), 5000);
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	w->done = 0;
	w->wanted = 2; /* the loop is stopped by drained */
	grpc_call_reply(w->held[0], BYTES_LIT("finished"));
	run_guarded(w->loop, 5000);
	assert_int_equal(w->done, 1);
	assert_int_equal(w->status, GRPC_OK);
	assert_true(w->drained);
}

static void drain_ends_after_its_grace(void **state)
{
	struct world *w = *state;

	w->wanted = 2;
	call_to(w, "/test.Test/Hold", BYTES_LIT("for ever"), 5000, on_done);
	run_for(w->loop, 50);
	grpc_server_drain(w->server, 50, on_drained, w);
	run_guarded(w->loop, 5000);
	assert_true(w->drained);
	run_for(w->loop, 20);
	assert_int_equal(w->done, 1);
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	grpc_call_reply(w->held[0], BYTES_NONE);
}

static void drain_of_nobody(void **state)
{
	struct world *w = *state;

	grpc_server_drain(w->server, 50, on_drained, w);
	assert_false(w->drained);
	run_guarded(w->loop, 1000);
	assert_true(w->drained);
}

static void unix_socket(void **state)
{
	struct world *w = *state;
	struct grpc_server *tcp = w->server;
	struct grpc_server *second = NULL;
	struct err_note note = {0};
	char dir[] = "/tmp/claviger-test-XXXXXX";
	char path[64], listen[80];
	struct grpc_server_options opts = {
		.listen = listen, .methods = METHODS, .methods_n = ARRAY_LEN(METHODS), .ctx = w};
	struct stat st;
	mode_t mask = umask(0);

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/core.sock", dir);
	snprintf(listen, sizeof(listen), "unix:%s", path);
	server_start(w, listen);
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	channel_free(w->channel);
	channel_start(w, listen);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("local"), 5000);
	assert_int_equal(w->status, GRPC_OK);
	/* Somebody listens: not replaced. */
	assert_int_equal(grpc_server_new(&second, w->loop, &opts, &note), ERR_CONFIG_VALUE);
	assert_non_null(strstr(note.text, "another process"));
	grpc_server_free(w->server);
	assert_int_equal(stat(path, &st), -1);
	w->server = tcp;
	/* A file that is no socket stays. */
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(grpc_server_new(&second, w->loop, &opts, &note), ERR_CONFIG_VALUE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void unix_socket_left_by_the_dead_is_replaced(void **state)
{
	struct world *w = *state;
	struct grpc_server *tcp = w->server;
	char dir[] = "/tmp/claviger-test-XXXXXX";
	char path[64], listen[80], moved[64];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/core.sock", dir);
	snprintf(moved, sizeof(moved), "%s/moved", dir);
	snprintf(listen, sizeof(listen), "unix:%s", path);
	server_start(w, listen);
	/* Hidden from the server's own clean-up, the file survives it as after a crash. */
	assert_int_equal(rename(path, moved), 0);
	grpc_server_free(w->server);
	assert_int_equal(rename(moved, path), 0);
	server_start(w, listen);
	grpc_server_free(w->server);
	w->server = tcp;
	assert_int_equal(rmdir(dir), 0);
}

static void addresses(void **state)
{
	struct world *w = *state;
	struct channel *c = NULL;
	struct grpc_server *s = NULL;
	struct err_note note = {0};
	char taken[64];
	struct grpc_server_options opts = {.listen = taken};
	static const struct {
		const char *url;
		enum err err;
	} rows[] = {
		{"http://core:50051", ERR_OK},
		{"http://core:50051/", ERR_OK},
		{"http://[::1]:50051", ERR_OK},
		{"unix:/run/core.sock", ERR_OK},
		{"https://core:50051", ERR_CONFIG_VALUE}, /* without certificates */
		{"http://core", ERR_CONFIG_VALUE},
		{"http://core:0", ERR_CONFIG_VALUE},
		{"http://core:65536", ERR_CONFIG_VALUE},
		{"http://core:99999999999999999999", ERR_CONFIG_VALUE},
		{"http://core:50051/path", ERR_CONFIG_VALUE},
		{"http://user@core:50051", ERR_CONFIG_VALUE},
		{"http://:50051", ERR_CONFIG_VALUE},
		{"http://core:80:50051", ERR_CONFIG_VALUE},
		{"http://::1:50051", ERR_CONFIG_VALUE},
		{"http://", ERR_CONFIG_VALUE},
		{"unix:", ERR_CONFIG_VALUE},
		{"core:50051", ERR_CONFIG_VALUE},
		{"", ERR_CONFIG_VALUE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		c = NULL;
		if (channel_grpc_new(&c, w->loop, rows[i].url, &note) != rows[i].err)
			fail_msg("%s", rows[i].url);
		assert_int_equal(c != NULL, rows[i].err == ERR_OK);
		channel_free(c);
	}
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", grpc_server_port(w->server));
	assert_int_equal(grpc_server_new(&s, w->loop, &opts, &note), ERR_CONFIG_VALUE);
	assert_non_null(strstr(note.text, taken));
	opts.listen = "50051";
	assert_int_equal(grpc_server_new(&s, w->loop, &opts, &note), ERR_CONFIG_VALUE);
	assert_null(s);
}

static void localhost_by_name(void **state)
{
	struct world *w = *state;
	char url[64];

	snprintf(url, sizeof(url), "http://localhost:%u", grpc_server_port(w->server));
	channel_free(w->channel);
	channel_start(w, url);
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"), 5000);
	assert_int_equal(w->status, GRPC_OK);
}

/* Freed while the resolver works, and a name that does not exist: no answer may come later or leak.
 */
static void names_that_do_not_resolve(void **state)
{
	struct world *w = *state;

	channel_free(w->channel);
	channel_start(w, "http://no-such-host.invalid:1");
	w->wanted = 2;
	call_to(w, "/test.Test/Echo", BYTES_LIT("x"), 100, on_done);
	channel_free(w->channel);
	run_for(w->loop, 5);
	channel_start(w, "http://no-such-host.invalid:1");
	call_and_wait(w, "/test.Test/Echo", BYTES_LIT("x"), 100);
	assert_true(w->status == GRPC_UNAVAILABLE || w->status == GRPC_DEADLINE_EXCEEDED);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(echo),
		WORLD_TEST(calls_2000_in_a_row),
		WORLD_TEST(calls_at_once),
		WORLD_TEST(big_message_both_ways),
		WORLD_TEST(statuses_and_text),
		WORLD_TEST(size_limits),
		WORLD_TEST(deadline),
		WORLD_TEST(cancelled_calls_say_nothing),
		WORLD_TEST(channel_may_be_freed_in_its_callback),
		WORLD_TEST(long_poll),
		WORLD_TEST(drain_lets_calls_finish),
		WORLD_TEST(drain_ends_after_its_grace),
		WORLD_TEST(drain_of_nobody),
		WORLD_TEST(unix_socket),
		WORLD_TEST(unix_socket_left_by_the_dead_is_replaced),
		WORLD_TEST(addresses),
		WORLD_TEST(localhost_by_name),
		WORLD_TEST(names_that_do_not_resolve),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("grpc", tests, NULL, NULL);
}

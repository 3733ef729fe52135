/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "grpc_world.h"

#include <stdio.h>
#include <stdlib.h>

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

void server_start(struct world *w, const char *listen, struct grpc_server_limits limits)
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

void channel_start(struct world *w, unsigned port, int64_t keepalive_ms)
{
	char url[64];
	const struct channel_grpc_options o = {
		.url = url, .keepalive_ms = keepalive_ms, .keepalive_timeout_ms = keepalive_ms};

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	assert_int_equal(channel_grpc_open(&w->channel, w->loop, &o, NULL), ERR_OK);
}

int grpc_world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	return loop_new(&w->loop) == ERR_OK ? 0 : -1;
}

int grpc_world_teardown(void **state)
{
	struct world *w = *state;

	channel_free(w->channel);
	grpc_server_free(w->server);
	loop_free(w->loop);
	free(w);
	return 0;
}

void on_done(void *ctx, const struct rpc_reply *reply)
{
	struct world *w = ctx;

	w->status = reply->status;
	snprintf(w->text, sizeof(w->text), "%s", reply->text);
	if (++w->done == w->wanted)
		loop_stop(w->loop);
}

void call_to(struct world *w, const char *path, struct bytes message, int64_t timeout_ms)
{
	const struct rpc_call call = {.path = path,
				      .message = message,
				      .timeout_ms = timeout_ms,
				      .reply_max = GRPC_MESSAGE_MAX};
	struct rpc_ticket ticket;

	assert_int_equal(channel_call(w->channel, &ticket, &call, on_done, w), ERR_OK);
}

void call_and_wait(struct world *w, const char *path, struct bytes message)
{
	w->done = 0;
	w->wanted = 1;
	call_to(w, path, message, 20000);
	run_guarded(w->loop, 20000);
}

int64_t now_ms(const struct world *w)
{
	return clock_mono_ms(loop_clock(w->loop));
}

void raw_wait(struct raw *r, struct world *w, int64_t ms)
{
	int64_t end_ms = now_ms(w) + ms;

	while (!r->grpc_status[0] && now_ms(w) < end_ms)
		raw_pump(r);
}

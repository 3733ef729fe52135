/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A reset, an end and a stall at every byte of a gRPC call, in both directions, without TLS and
 * with it (the end, which an attacker gains least by, at every seventh there). Whatever the byte:
 * the caller hears of it once, a call runs at most once, a success is one, and the server is as
 * good as before.
 */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "certs.h"
#include "net/channel.h"
#include "net/grpc_server.h"
#include "net/grpc_server_internal.h"
#include "proxy.h"

enum {
	AT_ONCE = 48,
	STALL_TIMEOUT_MS = 300,
	CALL_TIMEOUT_MS = 20000,
	CALLS_MAX = 32768
};

struct one {
	struct world *world;
	struct channel *channel;
	uint32_t number;
	int done;
	enum grpc_status status;
	char text[128];
};

struct world {
	struct loop *loop;
	struct grpc_server *server;
	struct tls *server_tls;
	struct tls *client_tls;
	struct proxy *proxy;
	struct one ones[AT_ONCE];
	struct proxy_plan plans[AT_ONCE];
	size_t ones_n;
	size_t done_n;
	uint32_t calls;
	uint8_t handled[CALLS_MAX]; /* by number */
	size_t good, bad;
};

static struct certs certs;
static struct authority authority;

static int group_setup(void **state)
{
	(void)state;
	certs_make(&certs);
	authority = authority_make(&certs, "ca");
	authority_issue(&authority, &certs, "core", &(struct cert_plan){.san = "IP:127.0.0.1"});
	authority_issue(&authority, &certs, "client", &(struct cert_plan){.san = "DNS:client"});
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	authority_free(&authority);
	certs_free(&certs);
	return 0;
}

static void on_echo(void *ctx, struct grpc_call *call)
{
	struct world *w = ctx;
	struct bytes request = grpc_call_request(call);
	uint32_t number;

	assert_int_equal(request.n, sizeof(number));
	memcpy(&number, request.p, sizeof(number));
	assert_true(number < w->calls);
	w->handled[number]++;
	grpc_call_reply(call, request);
}

static const struct grpc_method METHODS[] = {{"/test.Test/Echo", on_echo, 0}};

static struct tls *tls_make(const char *cert)
{
	char paths[3][CERT_PATH_SIZE], names[2][32];
	struct tls *t = NULL;
	struct err_note note = {0};

	snprintf(names[0], sizeof(names[0]), "%s.pem", cert);
	snprintf(names[1], sizeof(names[1]), "%s.key", cert);
	const struct tls_options o = {.cert_file = certs_path(&certs, paths[0], names[0]),
				      .key_file = certs_path(&certs, paths[1], names[1]),
				      .ca_file = certs_path(&certs, paths[2], "ca.pem")};
	if (tls_new(&t, &o, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return t;
}

static void world_start(struct world *w, bool tls)
{
	struct err_note note = {0};
	struct grpc_server_options o = {
		.listen = "127.0.0.1:0", .methods = METHODS, .methods_n = 1, .ctx = w};

	o.limits.peer_connections = GRPC_CONNECTIONS_MAX;
	if (tls) {
		w->server_tls = tls_make("core");
		w->client_tls = tls_make("client");
		o.tls = w->server_tls;
	}
	if (grpc_server_new(&w->server, w->loop, &o, &note) != ERR_OK)
		fail_msg("%s", note.text);
	w->proxy = proxy_new(grpc_server_port(w->server));
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

	for (size_t i = 0; i < AT_ONCE; i++)
		channel_free(w->ones[i].channel);
	grpc_server_free(w->server);
	proxy_free(w->proxy);
	tls_free(w->server_tls);
	tls_free(w->client_tls);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void on_done(void *ctx, const struct rpc_reply *reply)
{
	struct one *o = ctx;

	o->done++;
	o->status = reply->status;
	snprintf(o->text, sizeof(o->text), "%s", reply->text);
	if (reply->status == GRPC_OK)
		assert_true(
			bytes_eq_var(reply->message, bytes_from(&o->number, sizeof(o->number))));
	if (++o->world->done_n == o->world->ones_n)
		loop_stop(o->world->loop);
}

static void one_start(struct world *w, struct one *o, enum proxy_fault fault)
{
	char url[64];
	const struct channel_grpc_options options = {.url = url, .tls = w->client_tls};
	struct rpc_call call = {.path = "/test.Test/Echo",
				.timeout_ms =
					fault == PROXY_STALL ? STALL_TIMEOUT_MS : CALL_TIMEOUT_MS,
				.reply_max = 100};
	struct rpc_ticket ticket;

	assert_true(w->calls < CALLS_MAX);
	*o = (struct one){.world = w, .number = w->calls++};
	call.message = bytes_from(&o->number, sizeof(o->number));
	snprintf(url, sizeof(url), "%s://127.0.0.1:%u", w->client_tls ? "https" : "http",
		 proxy_port(w->proxy));
	assert_int_equal(channel_grpc_open(&o->channel, w->loop, &options, NULL), ERR_OK);
	assert_int_equal(channel_call(o->channel, &ticket, &call, on_done, o), ERR_OK);
}

static void one_judge(struct world *w, const struct one *o, const struct proxy_plan *plan)
{
	bool stalled = plan->fault == PROXY_STALL;

	if (o->done != 1 || w->handled[o->number] > 1)
		fail_msg("fault %d way %d byte %zu: %d answers, ran %d times", plan->fault,
			 plan->way, plan->at, o->done, w->handled[o->number]);
	if (o->status == GRPC_OK ? w->handled[o->number] != 1
				 : o->status != GRPC_UNAVAILABLE &&
					   !(stalled && o->status == GRPC_DEADLINE_EXCEEDED))
		fail_msg("fault %d way %d byte %zu: %s (%s), ran %d times", plan->fault, plan->way,
			 plan->at, grpc_status_name(o->status), o->text, w->handled[o->number]);
	if (o->status == GRPC_OK)
		w->good++;
	else
		w->bad++;
}

/* The plans so far, at once; then nothing of them may be left. */
static void batch_run(struct world *w)
{
	if (w->ones_n == 0)
		return;
	w->done_n = 0;
	proxy_plan(w->proxy, w->plans, w->ones_n);
	for (size_t i = 0; i < w->ones_n; i++)
		one_start(w, &w->ones[i], w->plans[i].fault);
	run_guarded(w->loop, 30000);
	proxy_clear(w->proxy);
	for (size_t i = 0; i < w->ones_n; i++) {
		one_judge(w, &w->ones[i], &w->plans[i]);
		channel_free(w->ones[i].channel);
		w->ones[i].channel = NULL;
	}
	for (int i = 0; i < 2000 && w->server->conns_n > 0; i++)
		run_for(w->loop, 1);
	assert_int_equal(w->server->conns_n, 0);
	assert_int_equal(w->server->held_n, 0);
	assert_int_equal(w->server->in_flight, 0);
	assert_null(w->server->peers);
	w->ones_n = 0;
}

static void plan_add(struct world *w, enum proxy_fault fault, enum proxy_way way, size_t at)
{
	w->plans[w->ones_n++] = (struct proxy_plan){fault, way, at};
	if (w->ones_n == AT_ONCE)
		batch_run(w);
}

/* One call without a fault; ret_n: the bytes that it takes in either direction. */
static void call_whole(struct world *w, size_t ret_n[2])
{
	size_t good = w->good;

	w->plans[w->ones_n++] = (struct proxy_plan){.fault = PROXY_NONE};
	batch_run(w);
	assert_int_equal(w->good, good + 1);
	for (int way = 0; way < 2; way++)
		ret_n[way] = proxy_passed(w->proxy, (enum proxy_way)way);
}

static void every_byte(struct world *w, enum proxy_fault fault, size_t step)
{
	size_t n[2], again[2];

	call_whole(w, n);
	for (int way = 0; way < 2; way++)
		for (size_t at = 0; at <= n[way]; at += step)
			plan_add(w, fault, (enum proxy_way)way, at);
	batch_run(w);
	assert_true(w->bad * 2 > (n[0] + n[1]) / step); /* most of these bytes matter */
	print_message("# %zu and %zu bytes: %zu calls failed, %zu came through\n", n[0], n[1],
		      w->bad, w->good);
	call_whole(w, again);
}

static void plain_reset(void **state)
{
	world_start(*state, false);
	every_byte(*state, PROXY_RESET, 1);
}

static void plain_close(void **state)
{
	world_start(*state, false);
	every_byte(*state, PROXY_CLOSE, 1);
}

static void plain_stall(void **state)
{
	world_start(*state, false);
	every_byte(*state, PROXY_STALL, 1);
}

static void tls_reset(void **state)
{
	world_start(*state, true);
	every_byte(*state, PROXY_RESET, 1);
}

static void tls_close(void **state)
{
	world_start(*state, true);
	every_byte(*state, PROXY_CLOSE, 7);
}

static void tls_stall(void **state)
{
	world_start(*state, true);
	every_byte(*state, PROXY_STALL, 1);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(plain_reset), WORLD_TEST(plain_close), WORLD_TEST(plain_stall),
		WORLD_TEST(tls_reset),   WORLD_TEST(tls_close),   WORLD_TEST(tls_stall),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("grpc_chaos", tests, group_setup, group_teardown);
}

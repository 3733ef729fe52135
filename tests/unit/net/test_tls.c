/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* gRPC over mutual TLS: all that works without TLS works with it, and connections that end badly
 * are nobody else's. */
#include "tls_world.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/grpc_server_internal.h"

enum {
	MANY = 13
};

/* ---- what works ---- */

static void both_prove_who_they_are(void **state)
{
	struct world *w = *state;

	server_start(w, "core", "connector-1.example");
	channel_start(w, "connector", "ca");
	call_and_wait(w, BYTES_LIT("hello"));
	if (w->status != GRPC_OK)
		fail_msg("%s; %s", w->text, w->refused_why);
	assert_true(bytes_eq_var(buf_view(&w->message), BYTES_LIT("hello")));
	assert_string_equal(w->peer, "connector-1.example");
	assert_true(w->authenticated);
	assert_int_equal(w->refusals, 0);
	/* By name, too. */
	channel_free(w->channel);
	w->channel = channel_make(w, "localhost", grpc_server_port(w->server), w->client_tls);
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
}

static void a_hundred_mebibytes_both_ways(void **state)
{
	struct world *w = *state;
	size_t n = GRPC_MESSAGE_MAX;
	uint8_t *big = malloc(n);

	assert_non_null(big);
	for (size_t i = 0; i < n; i++)
		big[i] = (uint8_t)(i * 2654435761u >> 24);
	server_start(w, "core", "connector-1.example");
	channel_start(w, "connector", "ca");
	call_and_wait(w, bytes_from(big, n));
	assert_int_equal(w->status, GRPC_OK);
	assert_true(bytes_eq_var(buf_view(&w->message), bytes_from(big, n)));
	free(big);
}

static void thirteen_peers(void **state)
{
	struct world *w = *state;
	struct channel *channels[MANY];
	struct tls *tls[MANY];
	size_t n = 5 << 20;
	uint8_t *big = calloc(1, n);

	assert_non_null(big);
	server_start(w, "core", NULL);
	for (int i = 0; i < MANY; i++) {
		char name[32], san[64];

		snprintf(name, sizeof(name), "peer-%d", i);
		snprintf(san, sizeof(san), "DNS:peer-%d.example", i);
		authority_issue(&ours, &certs, name, &(struct cert_plan){.san = san});
		tls[i] = tls_good(name, "ca", NULL);
		channels[i] = channel_make(w, "127.0.0.1", grpc_server_port(w->server), tls[i]);
		call_on(w, channels[i], "/test.Test/Echo", bytes_from(big, n));
	}
	w->wanted = MANY;
	run_guarded(w->loop, 300000);
	assert_int_equal(w->ok, MANY);
	assert_int_equal(w->handled, MANY);
	for (int i = 0; i < MANY; i++) {
		channel_free(channels[i]);
		tls_free(tls[i]);
	}
	run_for(w->loop, 100);
	assert_int_equal(w->server->in_flight, 0);
	assert_null(w->server->peers);
	free(big);
}

static void on_drained(void *ctx)
{
	((struct world *)ctx)->drained = true;
	loop_stop(((struct world *)ctx)->loop);
}

static void drain_lets_calls_finish(void **state)
{
	struct world *w = *state;
	static uint8_t reply[40000];

	for (int round = 0; round < 20; round++) {
		server_start(w, "core", NULL);
		channel_start(w, "connector", "ca");
		w->held_n = 0;
		w->done = w->ok = 0;
		w->wanted = 2; /* the loop is stopped by drained */
		w->drained = false;
		call_on(w, w->channel, "/test.Test/Hold", BYTES_LIT("slow"));
		for (int i = 0; i < 500 && w->held_n == 0; i++)
			run_for(w->loop, 2);
		assert_int_equal(w->held_n, 1);
		grpc_server_drain(w->server, 10000, on_drained, w);
		run_for(w->loop, 10);
		assert_false(w->drained);
		/* Reply, GOAWAY, close_notify and end of file leave together. */
		grpc_call_reply(w->held[0], BYTES_OF(reply));
		run_guarded(w->loop, 5000);
		assert_true(w->drained);
		for (int i = 0; i < 500 && w->done == 0; i++)
			run_for(w->loop, 2);
		if (w->ok != 1)
			fail_msg("round %d: %s", round, w->text);
		channel_free(w->channel);
		grpc_server_free(w->server);
		tls_free(w->server_tls);
		tls_free(w->client_tls);
		w->channel = NULL;
		w->server = NULL;
		w->server_tls = w->client_tls = NULL;
	}
}

/* ---- connections that end badly ---- */

/* Shakes hands and is gone without a word, or with a reset. */
static void *rude_main(void *arg)
{
	const unsigned *port = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	use_cert(ctx, "connector");
	for (int i = 0; i < 40; i++) {
		SSL *ssl = SSL_new(ctx);
		int fd = tcp_connect(*port);
		struct linger reset = {.l_onoff = 1, .l_linger = 0};

		SSL_set_fd(ssl, fd);
		SSL_set_alpn_protos(ssl, (const unsigned char *)"\2h2", 3);
		if (SSL_connect(ssl) == 1)
			(void)SSL_write(ssl, RPC_BYTES, (int)sizeof(RPC_BYTES) - 1);
		if (i % 2)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		SSL_set_quiet_shutdown(ssl, 1);
		close(fd);
		SSL_free(ssl);
		ERR_clear_error();
	}
	SSL_CTX_free(ctx);
	return NULL;
}

static void on_done_again(void *ctx, const struct rpc_reply *reply)
{
	struct world *w = ctx;

	if (reply->status != GRPC_OK)
		fail_msg("call %d: %s", w->done, reply->text);
	w->done++;
}

/* OpenSSL keeps one queue of errors per thread: what one connection leaves in it must not end
 * another. */
static void one_bad_end_is_nobody_elses(void **state)
{
	struct world *w = *state;
	struct channel *channels[8];
	unsigned port;
	pthread_t rude;
	int calls = 0;

	server_start(w, "core", NULL);
	w->client_tls = tls_good("connector", "ca", NULL);
	port = grpc_server_port(w->server);
	for (size_t i = 0; i < ARRAY_LEN(channels); i++)
		channels[i] = channel_make(w, "127.0.0.1", port, w->client_tls);
	assert_int_equal(pthread_create(&rude, NULL, rude_main, &port), 0);
	for (int round = 0; round < 200; round++) {
		const struct rpc_call call = {.path = "/test.Test/Echo",
					      .message = BYTES_LIT("x"),
					      .timeout_ms = 20000,
					      .reply_max = 100};
		struct rpc_ticket ticket;

		for (size_t i = 0; i < ARRAY_LEN(channels); i++, calls++)
			assert_int_equal(
				channel_call(channels[i], &ticket, &call, on_done_again, w),
				ERR_OK);
		run_for(w->loop, 3);
	}
	pthread_join(rude, NULL);
	for (int i = 0; i < 1000 && w->done < calls; i++)
		run_for(w->loop, 5);
	assert_int_equal(w->done, calls);
	for (size_t i = 0; i < ARRAY_LEN(channels); i++)
		channel_free(channels[i]);
}

/* All of it, the loop too, in the middle of handshakes and calls. */
static void freed_at_any_time(void **state)
{
	struct world *w = *state;

	for (int step = 0; step < 60; step++) {
		server_start(w, "core", NULL);
		channel_start(w, "connector", "ca");
		w->wanted = w->done + 1;
		call_on(w, w->channel, "/test.Test/Echo", BYTES_LIT("x"));
		if (step < 50)
			run_for(w->loop, step / 5);
		else
			run_guarded(w->loop, 5000); /* the last bytes are just being said */
		if (step % 2) {
			channel_free(w->channel);
			w->channel = NULL;
		}
		grpc_server_free(w->server);
		if (step % 3 == 0)
			run_for(w->loop, 1);
		channel_free(w->channel);
		tls_free(w->server_tls);
		tls_free(w->client_tls);
		loop_free(w->loop);
		w->server = NULL;
		w->channel = NULL;
		w->server_tls = w->client_tls = NULL;
		assert_int_equal(loop_new(&w->loop), ERR_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(both_prove_who_they_are),
		WORLD_TEST(a_hundred_mebibytes_both_ways),
		WORLD_TEST(thirteen_peers),
		WORLD_TEST(drain_lets_calls_finish),
		WORLD_TEST(one_bad_end_is_nobody_elses),
		WORLD_TEST(freed_at_any_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls", tests, group_setup, group_teardown);
}

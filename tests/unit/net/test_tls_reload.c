/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* gRPC over mutual TLS: new certificates and authorities under a running service. */
#include "tls_world.h"

#include <stdio.h>
#include <sys/stat.h>

#include "net/grpc_server_internal.h"

enum {
	SHORT_S = 3 /* a certificate is valid for */
};

/* ---- reload ---- */

static void file_write(const char *name, const char *text, mode_t mode)
{
	char path[CERT_PATH_SIZE];
	FILE *f = fopen(certs_path(&certs, path, name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void file_copy(const char *to, const char *from)
{
	char path[CERT_PATH_SIZE];
	static char text[8192];
	FILE *f = fopen(certs_path(&certs, path, from), "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	file_write(to, text, strstr(to, ".key") ? 0600 : 0644);
}

static void reload(void **state)
{
	struct world *w = *state;
	struct err_note note = {0};
	struct channel *old;

	file_copy("live.pem", "core.pem");
	file_copy("live.key", "core.key");
	file_copy("live-ca.pem", "ca.pem");
	w->server_tls = NULL;
	assert_int_equal(tls_make(&w->server_tls, "live", "live-ca", NULL, &note), ERR_OK);
	assert_int_equal(grpc_server_new(&w->server, w->loop,
					 &(struct grpc_server_options){.listen = "127.0.0.1:0",
								       .methods = METHODS,
								       .methods_n = METHODS_N,
								       .ctx = w,
								       .tls = w->server_tls,
								       .refused = on_refused},
					 &note),
			 ERR_OK);
	channel_start(w, "connector", "ca");
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	/* Half a change is none. */
	file_copy("live.pem", "foreign-core.pem");
	assert_int_equal(tls_reload(w->server_tls, &note), ERR_CONFIG_VALUE);
	old = w->channel;
	w->channel = channel_make(w, "127.0.0.1", grpc_server_port(w->server), w->client_tls);
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	channel_free(w->channel);
	/* A whole one counts from the next connection on. */
	file_copy("live.key", "foreign-core.key");
	file_copy("live-ca.pem", "other-ca.pem");
	assert_int_equal(tls_reload(w->server_tls, &note), ERR_OK);
	w->channel = channel_make(w, "127.0.0.1", grpc_server_port(w->server), w->client_tls);
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	assert_says(w->text, "its certificate is not accepted");
	channel_free(w->channel);
	tls_free(w->client_tls);
	w->client_tls = NULL;
	channel_start(w, "foreign-connector", "other-ca");
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	channel_free(w->channel);
	w->channel = old;
}

static unsigned conns_count(const struct world *w)
{
	return (unsigned)w->server->conns_n;
}

/* A certificate that counts no more: the call in progress ends well, the next one is refused. */
static void renewed_connections(void **state)
{
	struct world *w = *state;
	struct err_note note = {0};

	file_copy("live.pem", "core.pem");
	file_copy("live.key", "core.key");
	file_copy("live-ca.pem", "ca.pem");
	assert_int_equal(tls_make(&w->server_tls, "live", "live-ca", NULL, &note), ERR_OK);
	const struct grpc_server_options o = {.listen = "127.0.0.1:0",
					      .methods = METHODS,
					      .methods_n = METHODS_N,
					      .ctx = w,
					      .tls = w->server_tls,
					      .refused = on_refused};
	assert_int_equal(grpc_server_new(&w->server, w->loop, &o, &note), ERR_OK);
	channel_start(w, "connector", "ca");
	w->wanted = 1;
	call_on(w, w->channel, "/test.Test/Hold", BYTES_LIT("slow"));
	for (int i = 0; i < 500 && w->held_n == 0; i++)
		run_for(w->loop, 2);
	assert_int_equal(w->held_n, 1);
	file_copy("live-ca.pem", "other-ca.pem");
	assert_int_equal(tls_reload(w->server_tls, &note), ERR_OK);
	grpc_server_renew(w->server);
	run_for(w->loop, 50);
	assert_int_equal(w->done, 0);
	assert_int_equal(conns_count(w), 1);
	grpc_call_reply(w->held[0], BYTES_LIT("slow"));
	run_guarded(w->loop, 5000);
	assert_int_equal(w->ok, 1);
	for (int i = 0; i < 500 && conns_count(w) > 0; i++)
		run_for(w->loop, 2);
	assert_int_equal(conns_count(w), 0);
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	assert_says(w->text, "the other side refused: tlsv1 alert unknown ca");
	for (int i = 0; i < 1000 && w->refusals == 0; i++)
		run_for(w->loop, 2);
	assert_says(w->refused_why, "its certificate is not accepted");
}

/* The same on the other side; and its pause after failures is over. */
static void renewed_channel(void **state)
{
	struct world *w = *state;
	struct err_note note = {0};

	file_copy("mine.pem", "connector.pem");
	file_copy("mine.key", "connector.key");
	file_copy("mine-ca.pem", "ca.pem");
	server_start(w, "core", "connector-1.example");
	assert_int_equal(tls_make(&w->client_tls, "mine", "mine-ca", NULL, &note), ERR_OK);
	w->channel = channel_make(w, "127.0.0.1", grpc_server_port(w->server), w->client_tls);
	channel_grpc_renew(w->channel); /* nothing there yet */
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	file_copy("mine-ca.pem", "other-ca.pem");
	assert_int_equal(tls_reload(w->client_tls, &note), ERR_OK);
	call_and_wait(w, BYTES_LIT("x")); /* on the connection that stands */
	assert_int_equal(w->status, GRPC_OK);
	w->done = w->ok = 0;
	w->wanted = 1;
	call_on(w, w->channel, "/test.Test/Hold", BYTES_LIT("slow"));
	for (int i = 0; i < 500 && w->held_n == 0; i++)
		run_for(w->loop, 2);
	channel_grpc_renew(w->channel);
	grpc_call_reply(w->held[0], BYTES_LIT("slow"));
	run_guarded(w->loop, 5000);
	assert_int_equal(w->ok, 1);
	for (int i = 0; i < 12; i++) {
		call_and_wait(w, BYTES_LIT("x"));
		assert_int_equal(w->status, GRPC_UNAVAILABLE);
		assert_says(w->text, "its certificate is not accepted");
	}
	for (int i = 0; i < 500 && conns_count(w) > 0; i++)
		run_for(w->loop, 2);
	file_copy("mine-ca.pem", "ca.pem");
	assert_int_equal(tls_reload(w->client_tls, &note), ERR_OK);
	channel_grpc_renew(w->channel);
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	/* Idle: it goes at once. */
	channel_grpc_renew(w->channel);
	for (int i = 0; i < 500 && conns_count(w) > 0; i++)
		run_for(w->loop, 2);
	assert_int_equal(conns_count(w), 0);
}

/* The call in progress ends well; then the connection goes, and another one is refused. */
static void assert_goes_with_its_certificate(struct world *w, const char *why)
{
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
	w->done = w->ok = 0;
	call_on(w, w->channel, "/test.Test/Hold", BYTES_LIT("slow"));
	for (int i = 0; i < 500 && w->held_n == 0; i++)
		run_for(w->loop, 2);
	assert_int_equal(w->held_n, 1);
	run_for(w->loop, (SHORT_S + 2) * 1000);
	assert_int_equal(w->done, 0);
	assert_int_equal(conns_count(w), 1);
	grpc_call_reply(w->held[0], BYTES_LIT("slow"));
	run_guarded(w->loop, 5000);
	assert_int_equal(w->ok, 1);
	for (int i = 0; i < 500 && conns_count(w) > 0; i++)
		run_for(w->loop, 2);
	assert_int_equal(conns_count(w), 0);
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_UNAVAILABLE);
	assert_says(w->text, why);
}

static void who_connected_leaves_with_its_certificate(void **state)
{
	struct world *w = *state;

	authority_issue(&ours, &certs, "short",
			&(struct cert_plan){.san = "DNS:connector-1.example", .end_s = SHORT_S});
	server_start(w, "core", NULL);
	channel_start(w, "short", "ca");
	assert_goes_with_its_certificate(w, "certificate expired");
}

static void a_server_is_left_with_its_certificate(void **state)
{
	struct world *w = *state;

	authority_issue(&ours, &certs, "short",
			&(struct cert_plan){.san = "IP:127.0.0.1", .end_s = SHORT_S});
	server_start(w, "short", NULL);
	channel_start(w, "connector", "ca");
	assert_goes_with_its_certificate(w, "certificate has expired");
}

/* A peer that hears GOAWAY and stays does not stay. */
static void who_ignores_goaway_is_closed(void **state)
{
	struct world *w = *state;
	struct raw_client c = {.plan = {"connector", "\2h2", false}};

	server_start(w, "core", NULL);
	w->server->limits.keepalive_timeout_ms = 50;
	c.port = grpc_server_port(w->server);
	c.script = BYTES_LIT(RPC_BYTES);
	assert_int_equal(pthread_create(&c.thread, NULL, raw_client_main, &c), 0);
	for (int i = 0; i < 500 && w->handled == 0; i++)
		run_for(w->loop, 2);
	assert_int_equal(w->handled, 1);
	run_for(w->loop, 200);
	assert_int_equal(conns_count(w), 1);
	grpc_server_renew(w->server);
	for (int i = 0; i < 500 && conns_count(w) > 0; i++)
		run_for(w->loop, 2);
	assert_int_equal(conns_count(w), 0);
	pthread_join(c.thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(reload),
		WORLD_TEST(renewed_connections),
		WORLD_TEST(renewed_channel),
		WORLD_TEST(who_connected_leaves_with_its_certificate),
		WORLD_TEST(a_server_is_left_with_its_certificate),
		WORLD_TEST(who_ignores_goaway_is_closed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_reload", tests, group_setup, group_teardown);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* gRPC over mutual TLS: who is let in, who is not, and what both sides say about it. The other side
 * of refusals is plain OpenSSL on a thread. */
#include "tls_world.h"

#include <openssl/err.h>
#include <stdio.h>
#include <unistd.h>

#include "net/grpc_server_internal.h"

static void server_refuses_before_any_rpc_byte(void **state)
{
	static const struct {
		struct raw_plan plan;
		const char *why;   /* what the server says about it */
		const char *alert; /* what the client learns */
	} rows[] = {
		{{NULL, "\2h2", false}, "it showed no certificate", "certificate required"},
		{{"foreign-connector", "\2h2", false},
		 "its certificate is not accepted: unable to get local issuer certificate",
		 "unknown ca"},
		{{"expired", "\2h2", false},
		 "its certificate is not accepted: certificate has expired",
		 "certificate expired"},
		{{"early", "\2h2", false},
		 "its certificate is not accepted: certificate is not yet valid",
		 "bad certificate"},
		{{"stranger", "\2h2", false},
		 "its certificate is for \"somebody.example\", wanted is \"connector-1.example\"",
		 "bad certificate"},
		{{"nameless", "\2h2", false},
		 "its certificate has no usable subjectAltName",
		 "bad certificate"},
		{{"server-only", "\2h2", false}, "certificate purpose", "unsupported certificate"},
		{{"connector", "\10http/1.1", false},
		 "it does not offer HTTP/2 (ALPN h2)",
		 "no application protocol"},
		{{"connector", NULL, false}, "it does not offer HTTP/2 (ALPN h2)", ""},
		{{"connector", "\2h2", true}, "it does not speak TLS 1.3", "protocol version"},
	};
	struct world *w = *state;
	struct raw_client good = {.plan = {"connector", "\2h2", false}};

	server_start(w, "core", "connector-1.example");
	/* These bytes are a call: where the certificate is right they are answered. */
	raw_client_run(w, &good);
	assert_int_equal(w->handled, 1);
	assert_true(good.got > 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct raw_client c = {.plan = rows[i].plan};

		raw_client_run(w, &c);
		for (int k = 0; k < 500 && w->server->conns; k++)
			run_for(w->loop, 2);
		if (w->handled != 0 || c.got != 0 || w->refusals != 1)
			fail_msg("row %zu: %d handled, %zu bytes, %d refusals", i, w->handled,
				 c.got, w->refusals);
		assert_says(w->refused_why, rows[i].why);
		assert_says(c.alert, rows[i].alert);
		assert_string_equal(w->refused_peer, "127.0.0.1");
		assert_int_equal(w->server->conns_n, 0);
		assert_null(w->server->peers);
	}
}

static void our_client_says_why_it_was_refused(void **state)
{
	static const struct {
		const char *cert, *text;
	} rows[] = {
		{"foreign-connector", "unknown ca"},
		{"stranger", "bad certificate"},
	};
	struct world *w = *state;

	server_start(w, "core", "connector-1.example");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		channel_start(w, rows[i].cert, "ca");
		call_and_wait(w, BYTES_LIT("x"));
		assert_int_equal(w->status, GRPC_UNAVAILABLE);
		assert_says(w->text, "the other side refused");
		assert_says(w->text, rows[i].text);
		assert_int_equal(w->handled, 0);
		channel_free(w->channel);
		tls_free(w->client_tls);
		w->channel = NULL;
		w->client_tls = NULL;
	}
}

static void plain_text_and_garbage_at_the_tls_port(void **state)
{
	static const struct {
		struct bytes bytes;
		const char *why;
	} rows[] = {
		{BYTES_LIT("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		 "it speaks HTTP without TLS"},
		{BYTES_LIT(RPC_BYTES), "it does not speak TLS"},
		{BYTES_LIT("\x16\x03\x01\xff\xff garbage"), "TLS:"},
		{BYTES_LIT("SSH-2.0-client\r\n"), "it does not speak TLS"},
	};
	struct world *w = *state;

	server_start(w, "core", NULL);
	channel_start(w, "connector", "ca");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = tcp_connect(grpc_server_port(w->server));

		w->refusals = 0;
		assert_true(fd_write_all(fd, rows[i].bytes));
		for (int k = 0; k < 1000 && w->refusals == 0; k++)
			run_for(w->loop, 2);
		assert_says(w->refused_why, rows[i].why);
		assert_int_equal(w->handled, 0);
		close(fd);
	}
	call_and_wait(w, BYTES_LIT("x"));
	assert_int_equal(w->status, GRPC_OK);
}

static void who_never_shakes_hands_is_sent_away(void **state)
{
	struct world *w = *state;
	int fd;

	server_start(w, "core", NULL);
	w->server->limits.handshake_ms = 50;
	fd = tcp_connect(grpc_server_port(w->server));
	for (int k = 0; k < 1000 && w->refusals == 0; k++)
		run_for(w->loop, 2);
	assert_string_equal(w->refused_why, "no TLS handshake in time");
	assert_int_equal(w->server->conns_n, 0);
	close(fd);
}

/* ---- a server of plain OpenSSL ---- */

struct raw_server {
	const char *cert;
	bool no_alpn;
	bool tls12;
	atomic_size_t got; /* bytes inside TLS */
	char alert[128];
	atomic_bool served;
};

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_n,
		     const unsigned char *in, unsigned in_n, void *ctx)
{
	(void)ssl;
	(void)in;
	(void)in_n;
	(void)ctx;
	*out = (const unsigned char *)"h2";
	*out_n = 2;
	return SSL_TLSEXT_ERR_OK;
}

static void serve_tls(void *ctx, int fd)
{
	struct raw_server *s = ctx;
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());
	uint8_t buf[4096];
	SSL *ssl;
	int n;

	use_cert(ssl_ctx, s->cert);
	if (s->tls12)
		SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION);
	if (!s->no_alpn)
		SSL_CTX_set_alpn_select_cb(ssl_ctx, choose_h2, NULL);
	ssl = SSL_new(ssl_ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		while ((n = SSL_read(ssl, buf, sizeof(buf))) > 0)
			atomic_fetch_add(&s->got, (size_t)n);
	if (ERR_peek_error())
		snprintf(s->alert, sizeof(s->alert), "%s",
			 ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
	SSL_free(ssl);
	SSL_CTX_free(ssl_ctx);
	atomic_store(&s->served, true);
}

static void client_refuses_before_any_rpc_byte(void **state)
{
	static const struct {
		struct raw_server server;
		const char *why;
		const char *alert;
	} rows[] = {
		{{.cert = "foreign-core"},
		 "its certificate is not accepted: unable to get local issuer certificate",
		 "unknown ca"},
		{{.cert = "expired"},
		 "its certificate is not accepted: certificate has expired",
		 "certificate expired"},
		{{.cert = "stranger"},
		 "its certificate is for \"somebody.example\", wanted is \"127.0.0.1\"",
		 "bad certificate"},
		{{.cert = "nameless"},
		 "its certificate has no usable subjectAltName",
		 "bad certificate"},
		{{.cert = "core", .no_alpn = true}, "it does not offer HTTP/2 (ALPN h2)", ""},
		{{.cert = "core", .tls12 = true},
		 "the other side refused: ",
		 "unsupported protocol"},
	};
	struct world *w = *state;

	w->client_tls = tls_good("connector", "ca", NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct raw_server s = rows[i].server;
		struct peer *peer = peer_new(serve_tls, &s);

		w->channel = channel_make(w, "127.0.0.1", peer_port(peer), w->client_tls);
		call_and_wait(w, BYTES_LIT("secret request"));
		channel_free(w->channel);
		w->channel = NULL;
		for (int k = 0; k < 500 && !atomic_load(&s.served); k++)
			run_for(w->loop, 2);
		peer_free(peer);
		assert_int_equal(w->status, GRPC_UNAVAILABLE);
		assert_says(w->text, rows[i].why);
		assert_int_equal(atomic_load(&s.got), 0);
		assert_says(s.alert, rows[i].alert);
	}
}

/* The list of identities takes the place of the host. */
static void identities_of_a_client(void **state)
{
	static const struct {
		const char *identity;
		enum grpc_status status;
	} rows[] = {
		{"core-1.example", GRPC_OK},
		{"CORE-1.example", GRPC_OK}, /* names of DNS know no case */
		{"127.0.0.1", GRPC_OK},
		{"core-2.example", GRPC_UNAVAILABLE},
		{"example", GRPC_UNAVAILABLE},
		{"127.0.0.2", GRPC_UNAVAILABLE},
		{"core", GRPC_UNAVAILABLE}, /* its common name */
		{"spiffe://core-1.example", GRPC_UNAVAILABLE},
	};
	struct world *w = *state;

	server_start(w, "core", NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		w->client_tls = tls_good("connector", "ca", rows[i].identity);
		w->channel =
			channel_make(w, "127.0.0.1", grpc_server_port(w->server), w->client_tls);
		call_and_wait(w, BYTES_LIT("x"));
		if (w->status != rows[i].status)
			fail_msg("%s: %s", rows[i].identity, w->text);
		channel_free(w->channel);
		tls_free(w->client_tls);
		w->channel = NULL;
		w->client_tls = NULL;
	}
}

/* A server may show a certificate of its whole domain, a client may not. */
static void wildcards_of_a_server(void **state)
{
	static const struct {
		const char *identity;
		enum grpc_status status;
	} rows[] = {
		{"a.kms.example", GRPC_OK},
		{"a.b.kms.example", GRPC_UNAVAILABLE},
		{"kms.example", GRPC_UNAVAILABLE},
	};
	struct world *w = *state;

	authority_issue(&ours, &certs, "wild", &(struct cert_plan){.san = "DNS:*.kms.example"});
	server_start(w, "wild", NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		w->client_tls = tls_good("connector", "ca", rows[i].identity);
		w->channel =
			channel_make(w, "127.0.0.1", grpc_server_port(w->server), w->client_tls);
		call_and_wait(w, BYTES_LIT("x"));
		if (w->status != rows[i].status)
			fail_msg("%s: %s", rows[i].identity, w->text);
		channel_free(w->channel);
		tls_free(w->client_tls);
		w->channel = NULL;
		w->client_tls = NULL;
	}
}

static void names_of_other_kinds(void **state)
{
	static const struct {
		const char *san, *identity;
		const char *name; /* NULL = refused */
	} rows[] = {
		{"URI:spiffe://kms/connector-1", "spiffe://kms/connector-1",
		 "spiffe://kms/connector-1"},
		{"URI:spiffe://kms/connector-1", "spiffe://kms/connector-2", NULL},
		{"URI:spiffe://kms/connector-1", NULL, "spiffe://kms/connector-1"},
		{"IP:192.0.2.7", "192.0.2.7", "192.0.2.7"},
		{"IP:2001:db8::7", "2001:db8:0::7", "2001:db8:0::7"},
		{"IP:2001:db8::7", NULL, "2001:db8::7"},
		{"DNS:*.kms.example", "a.kms.example", NULL}, /* anybody's of the domain */
		{"DNS:*.kms.example,DNS:a.kms.example", "a.kms.example", "a.kms.example"},
		{"DNS:spiffe.example", "spiffe://spiffe.example", NULL},
		{"email:me@kms.example", NULL, NULL},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		authority_issue(&ours, &certs, "kind", &(struct cert_plan){.san = rows[i].san});
		server_start(w, "core", rows[i].identity);
		channel_start(w, "kind", "ca");
		w->peer[0] = '\0';
		call_and_wait(w, BYTES_LIT("x"));
		if ((w->status == GRPC_OK) != (rows[i].name != NULL))
			fail_msg("row %zu: %s; %s", i, w->text, w->refused_why);
		assert_string_equal(w->peer, rows[i].name ? rows[i].name : "");
		channel_free(w->channel);
		grpc_server_free(w->server);
		tls_free(w->client_tls);
		tls_free(w->server_tls);
		w->channel = NULL;
		w->server = NULL;
		w->client_tls = w->server_tls = NULL;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(server_refuses_before_any_rpc_byte),
		WORLD_TEST(our_client_says_why_it_was_refused),
		WORLD_TEST(plain_text_and_garbage_at_the_tls_port),
		WORLD_TEST(who_never_shakes_hands_is_sent_away),
		WORLD_TEST(client_refuses_before_any_rpc_byte),
		WORLD_TEST(identities_of_a_client),
		WORLD_TEST(wildcards_of_a_server),
		WORLD_TEST(names_of_other_kinds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_refusals", tests, group_setup, group_teardown);
}

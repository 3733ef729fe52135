/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* gRPC over mutual TLS: who is let in, who is not and what both sides say about it, and that all
 * that works without TLS works with it. The other side of refusals is plain OpenSSL on a thread. */
#include "testing.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "certs.h"
#include "net/channel.h"
#include "net/grpc_server.h"
#include "net/grpc_server_internal.h"

enum {
	HELD_MAX = 64,
	MANY = 13
};

struct world {
	struct loop *loop;
	struct grpc_server *server;
	struct tls *server_tls;
	struct tls *client_tls;
	struct channel *channel;
	struct grpc_call *held[HELD_MAX];
	size_t held_n;
	int handled;
	char peer[TLS_NAME_SIZE];
	bool authenticated;
	int refusals;
	char refused_peer[TLS_NAME_SIZE];
	char refused_why[256];

	int done;
	int ok;
	int wanted;
	enum grpc_status status;
	char text[512];
	struct buf message;
	bool drained;
};

static struct certs certs;
static struct authority ours, theirs;

static const struct cert_plan LOCAL = {.san = "DNS:localhost,IP:127.0.0.1,DNS:core-1.example"};
static const struct cert_plan CONNECTOR = {.san = "DNS:connector-1.example"};

static int group_setup(void **state)
{
	(void)state;
	certs_make(&certs);
	ours = authority_make(&certs, "ca");
	theirs = authority_make(&certs, "other-ca");
	authority_issue(&ours, &certs, "core", &LOCAL);
	authority_issue(&ours, &certs, "connector", &CONNECTOR);
	authority_issue(&ours, &certs, "stranger",
			&(struct cert_plan){.san = "DNS:somebody.example"});
	authority_issue(&ours, &certs, "expired",
			&(struct cert_plan){.san = LOCAL.san, .begin_s = -7200, .end_s = -60});
	authority_issue(&ours, &certs, "early",
			&(struct cert_plan){.san = LOCAL.san, .begin_s = 3600, .end_s = 7200});
	authority_issue(&ours, &certs, "nameless", &(struct cert_plan){.san = NULL});
	authority_issue(&ours, &certs, "server-only",
			&(struct cert_plan){.san = CONNECTOR.san, .eku = "serverAuth"});
	authority_issue(&theirs, &certs, "foreign-core", &LOCAL);
	authority_issue(&theirs, &certs, "foreign-connector", &CONNECTOR);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	authority_free(&ours);
	authority_free(&theirs);
	certs_free(&certs);
	return 0;
}

/* ---- both sides on one loop ---- */

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

	w->refusals++;
	snprintf(w->refused_peer, sizeof(w->refused_peer), "%s", peer);
	snprintf(w->refused_why, sizeof(w->refused_why), "%s", why);
}

/* `ca` "ca"; names of certificates in the folder. */
static enum err tls_make(struct tls **ret_tls, const char *cert, const char *ca,
			 const char *identity, struct err_note *note)
{
	char paths[3][CERT_PATH_SIZE], names[3][64];
	struct tls_options o = {.identities = &identity, .identities_n = identity ? 1 : 0};

	snprintf(names[0], sizeof(names[0]), "%s.pem", cert);
	snprintf(names[1], sizeof(names[1]), "%s.key", cert);
	snprintf(names[2], sizeof(names[2]), "%s.pem", ca);
	o.cert_file = certs_path(&certs, paths[0], names[0]);
	o.key_file = certs_path(&certs, paths[1], names[1]);
	o.ca_file = certs_path(&certs, paths[2], names[2]);
	return tls_new(ret_tls, &o, note);
}

static struct tls *tls_good(const char *cert, const char *ca, const char *identity)
{
	struct err_note note = {0};
	struct tls *t = NULL;

	if (tls_make(&t, cert, ca, identity, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return t;
}

static void server_start(struct world *w, const char *cert, const char *identity)
{
	struct err_note note = {0};
	struct grpc_server_options o = {
		.listen = "127.0.0.1:0",
		.methods = METHODS,
		.methods_n = ARRAY_LEN(METHODS),
		.ctx = w,
		.refused = on_refused,
		.limits = {.peer_in_flight_bytes = GRPC_IN_FLIGHT_BYTES_MAX}};

	w->server_tls = tls_good(cert, "ca", identity);
	o.tls = w->server_tls;
	if (grpc_server_new(&w->server, w->loop, &o, &note) != ERR_OK)
		fail_msg("%s", note.text);
}

static struct channel *channel_make(struct world *w, const char *host, unsigned port,
				    const struct tls *tls)
{
	struct channel *c = NULL;
	struct err_note note = {0};
	char url[64];
	struct channel_grpc_options o = {.url = url, .tls = tls};

	snprintf(url, sizeof(url), "https://%s:%u", host, port);
	if (channel_grpc_open(&c, w->loop, &o, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return c;
}

static void channel_start(struct world *w, const char *cert, const char *ca)
{
	w->client_tls = tls_good(cert, ca, NULL);
	w->channel = channel_make(w, "127.0.0.1", grpc_server_port(w->server), w->client_tls);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	w->message = buf_make(GRPC_MESSAGE_MAX);
	return loop_new(&w->loop) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	channel_free(w->channel);
	grpc_server_free(w->server);
	tls_free(w->server_tls);
	tls_free(w->client_tls);
	loop_free(w->loop);
	buf_free(&w->message);
	free(w);
	return 0;
}

static void on_done(void *ctx, const struct rpc_reply *reply)
{
	struct world *w = ctx;

	w->status = reply->status;
	w->ok += reply->status == GRPC_OK;
	snprintf(w->text, sizeof(w->text), "%s", reply->text);
	buf_clear(&w->message);
	assert_int_equal(buf_add(&w->message, reply->message), ERR_OK);
	if (++w->done == w->wanted)
		loop_stop(w->loop);
}

static void call_on(struct world *w, struct channel *c, const char *path, struct bytes message)
{
	const struct rpc_call call = {.path = path,
				      .message = message,
				      .timeout_ms = 60000,
				      .reply_max = GRPC_MESSAGE_MAX};
	struct rpc_ticket ticket;

	assert_int_equal(channel_call(c, &ticket, &call, on_done, w), ERR_OK);
}

static void call_and_wait(struct world *w, struct bytes message)
{
	w->done = 0;
	w->wanted = 1;
	call_on(w, w->channel, "/test.Test/Echo", message);
	assert_int_equal(w->done, 0);
	run_guarded(w->loop, 60000);
}

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

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
	run_guarded(w->loop, 60000);
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

/* ---- a client of plain OpenSSL ---- */

struct raw_plan {
	const char *cert; /* NULL = none */
	const char *alpn; /* "\2h2"; NULL = none */
	bool tls12;
};

static void use_cert(SSL_CTX *ctx, const char *cert)
{
	char path[CERT_PATH_SIZE], name[64];

	snprintf(name, sizeof(name), "%s.pem", cert);
	assert_int_equal(
		SSL_CTX_use_certificate_file(ctx, certs_path(&certs, path, name), SSL_FILETYPE_PEM),
		1);
	snprintf(name, sizeof(name), "%s.key", cert);
	assert_int_equal(
		SSL_CTX_use_PrivateKey_file(ctx, certs_path(&certs, path, name), SSL_FILETYPE_PEM),
		1);
}

struct raw_client {
	struct raw_plan plan;
	unsigned port;
	struct bytes script;
	atomic_bool over;
	char alert[128];
	size_t got; /* bytes inside TLS */
	pthread_t thread;
};

/* Says the script at once after the handshake, then listens until the end. */
static void *raw_client_main(void *arg)
{
	struct raw_client *c = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	int fd = tcp_connect(c->port);
	uint8_t buf[4096];
	int n;

	if (c->plan.tls12)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	if (c->plan.cert)
		use_cert(ctx, c->plan.cert);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (c->plan.alpn)
		SSL_set_alpn_protos(ssl, (const unsigned char *)c->plan.alpn,
				    (unsigned)strlen(c->plan.alpn));
	if (SSL_connect(ssl) == 1) {
		(void)SSL_write(ssl, c->script.p, (int)c->script.n);
		while ((n = SSL_read(ssl, buf, sizeof(buf))) > 0)
			c->got += (size_t)n;
	}
	if (ERR_peek_error())
		snprintf(c->alert, sizeof(c->alert), "%s",
			 ERR_reason_error_string(ERR_peek_error()));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	atomic_store(&c->over, true);
	return NULL;
}

/* A whole call with prior knowledge: preface, SETTINGS, HEADERS and DATA. The indices are HPACK's:
 * 83 is ":method POST", 87 ":scheme https", 01 a literal ":authority", 04 ":path", 0f 10
 * "content-type".
 */
#define RPC_BYTES                                                                                  \
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"                                                         \
	"\0\0\0\4\0\0\0\0\0"                                                                       \
	"\0\0\x29\1\4\0\0\0\1\x83\x87\1\1h\x04\xf/test.Test/Echo\x0f\x10\x10"                      \
	"application/grpc"                                                                         \
	"\0\0\5\0\1\0\0\0\1\0\0\0\0\0"

static void raw_client_run(struct world *w, struct raw_client *c)
{
	c->port = grpc_server_port(w->server);
	c->script = BYTES_LIT(RPC_BYTES);
	w->handled = w->refusals = 0;
	w->refused_why[0] = '\0';
	assert_int_equal(pthread_create(&c->thread, NULL, raw_client_main, c), 0);
	for (int i = 0; i < 1000 && !atomic_load(&c->over); i++) {
		run_for(w->loop, 2);
		if (w->handled > 0 && c->plan.cert && w->server->conns) /* it would wait */
			grpc_conn_close(w->server->conns);
	}
	if (!atomic_load(&c->over))
		fail_msg("%s, alpn %s, %s: not sent away; %d handled; %s",
			 c->plan.cert ? c->plan.cert : "nobody", c->plan.alpn ? "yes" : "no",
			 c->plan.tls12 ? "1.2" : "1.3", w->handled, w->refused_why);
	pthread_join(c->thread, NULL);
}

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
		{"DNS:*.kms.example", "a.kms.example", "a.kms.example"},
		{"DNS:*.kms.example", "a.b.kms.example", NULL},
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
	assert_int_equal(
		grpc_server_new(&w->server, w->loop,
				&(struct grpc_server_options){.listen = "127.0.0.1:0",
							      .methods = METHODS,
							      .methods_n = ARRAY_LEN(METHODS),
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
					      .methods_n = ARRAY_LEN(METHODS),
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

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(both_prove_who_they_are),
		WORLD_TEST(a_hundred_mebibytes_both_ways),
		WORLD_TEST(thirteen_peers),
		WORLD_TEST(drain_lets_calls_finish),
		WORLD_TEST(server_refuses_before_any_rpc_byte),
		WORLD_TEST(our_client_says_why_it_was_refused),
		WORLD_TEST(plain_text_and_garbage_at_the_tls_port),
		WORLD_TEST(who_never_shakes_hands_is_sent_away),
		WORLD_TEST(client_refuses_before_any_rpc_byte),
		WORLD_TEST(identities_of_a_client),
		WORLD_TEST(names_of_other_kinds),
		WORLD_TEST(reload),
		WORLD_TEST(renewed_connections),
		WORLD_TEST(renewed_channel),
		WORLD_TEST(who_ignores_goaway_is_closed),
		WORLD_TEST(one_bad_end_is_nobody_elses),
		WORLD_TEST(freed_at_any_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls", tests, group_setup, group_teardown);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "tls_world.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/grpc_server_internal.h"

struct certs certs;
struct authority ours, theirs;

static const struct cert_plan LOCAL = {.san = "DNS:localhost,IP:127.0.0.1,DNS:core-1.example"};
static const struct cert_plan CONNECTOR = {.san = "DNS:connector-1.example"};

int group_setup(void **state)
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

int group_teardown(void **state)
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

const struct grpc_method METHODS[METHODS_N] = {
	{"/test.Test/Echo", on_echo, 0},
	{"/test.Test/Hold", on_hold, 0},
};

void on_refused(void *ctx, const char *peer, const char *why)
{
	struct world *w = ctx;

	w->refusals++;
	snprintf(w->refused_peer, sizeof(w->refused_peer), "%s", peer);
	snprintf(w->refused_why, sizeof(w->refused_why), "%s", why);
}

/* `ca` "ca"; names of certificates in the folder. */
enum err tls_make(struct tls **ret_tls, const char *cert, const char *ca, const char *identity,
		  struct err_note *note)
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

struct tls *tls_good(const char *cert, const char *ca, const char *identity)
{
	struct err_note note = {0};
	struct tls *t = NULL;

	if (tls_make(&t, cert, ca, identity, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return t;
}

void server_start(struct world *w, const char *cert, const char *identity)
{
	struct err_note note = {0};
	struct grpc_server_options o = {
		.listen = "127.0.0.1:0",
		.methods = METHODS,
		.methods_n = METHODS_N,
		.ctx = w,
		.refused = on_refused,
		.limits = {.peer_in_flight_bytes = GRPC_IN_FLIGHT_BYTES_MAX}};

	w->server_tls = tls_good(cert, "ca", identity);
	o.tls = w->server_tls;
	if (grpc_server_new(&w->server, w->loop, &o, &note) != ERR_OK)
		fail_msg("%s", note.text);
}

struct channel *channel_make(struct world *w, const char *host, unsigned port,
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

void channel_start(struct world *w, const char *cert, const char *ca)
{
	w->client_tls = tls_good(cert, ca, NULL);
	w->channel = channel_make(w, "127.0.0.1", grpc_server_port(w->server), w->client_tls);
}

int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	w->message = buf_make(GRPC_MESSAGE_MAX);
	return loop_new(&w->loop) == ERR_OK ? 0 : -1;
}

int teardown(void **state)
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

void call_on(struct world *w, struct channel *c, const char *path, struct bytes message)
{
	const struct rpc_call call = {.path = path,
				      .message = message,
				      .timeout_ms = 60000,
				      .reply_max = GRPC_MESSAGE_MAX};
	struct rpc_ticket ticket;

	assert_int_equal(channel_call(c, &ticket, &call, on_done, w), ERR_OK);
}

void call_and_wait(struct world *w, struct bytes message)
{
	w->done = 0;
	w->wanted = 1;
	call_on(w, w->channel, "/test.Test/Echo", message);
	assert_int_equal(w->done, 0);
	run_guarded(w->loop, 60000);
}

void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* ---- a client of plain OpenSSL ---- */

void use_cert(SSL_CTX *ctx, const char *cert)
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

/* Says the script at once after the handshake, then listens until the end. */
void *raw_client_main(void *arg)
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

void raw_client_run(struct world *w, struct raw_client *c)
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

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * gRPC over loopback, client and server on one loop, so on one core, with mutual TLS and without.
 * Baseline, measured in the same run: the same bytes sent back and forth over a bare TCP connection
 * by blocking calls.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../unit/net/certs.h"
#include "base/limits.h"
#include "net/channel.h"
#include "net/grpc_server.h"
#include "net/transport.h"

enum {
	SMALL = 1024,
	CALLS = 20000,
	AT_ONCE = 64,
	BIG = 100 << 20,
	BIG_CALLS = 3,
	PEERS = 13,
	PEER_BYTES = 5 << 20,
	HANDSHAKES = 500,
	TARGET_PER_S = 8000 /* unary, mutual TLS, one after the other */
};

struct bench {
	struct loop *loop;
	struct channel *channel;
	struct bytes message;
	int left;
	int running;
};

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_echo(void *ctx, struct grpc_call *call)
{
	(void)ctx;
	grpc_call_reply(call, grpc_call_request(call));
}

static const struct grpc_method METHODS[] = {{"/bench.Bench/Echo", on_echo, 0}};

static void start_call(struct bench *b);

static void on_done(void *ctx, const struct rpc_reply *reply)
{
	struct bench *b = ctx;

	CHECK(reply->status == GRPC_OK && reply->message.n == b->message.n);
	b->running--;
	if (b->left > 0)
		start_call(b);
	else if (b->running == 0)
		loop_stop(b->loop);
}

static void start_call(struct bench *b)
{
	const struct rpc_call call = {.path = METHODS[0].path,
				      .message = b->message,
				      .timeout_ms = 60000,
				      .reply_max = GRPC_MESSAGE_MAX};
	struct rpc_ticket ticket;

	b->left--;
	b->running++;
	CHECK(channel_call(b->channel, &ticket, &call, on_done, b) == ERR_OK);
}

static double run(struct bench *b, size_t size, int calls, int at_once)
{
	uint8_t *p = calloc(1, size);
	double start_s = now_s();

	CHECK(p != NULL);
	b->message = bytes_from(p, size);
	b->left = calls;
	for (int i = 0; i < at_once; i++)
		start_call(b);
	CHECK(loop_run(b->loop) == ERR_OK);
	free(p);
	return now_s() - start_s;
}

static void tcp_pair(int fds[2])
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	int one = 1;
	int l = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(l, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(l, 1) == 0);
	CHECK(getsockname(l, (struct sockaddr *)&sa, &n) == 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(fds[0], (struct sockaddr *)&sa, sizeof(sa)) == 0);
	fds[1] = accept(l, NULL, NULL);
	CHECK(fds[1] >= 0);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(l);
}

static double run_bare(void)
{
	uint8_t buf[SMALL] = {0};
	double start_s;
	int fds[2];

	tcp_pair(fds);
	start_s = now_s();
	for (int i = 0; i < CALLS; i++)
		for (int k = 0; k < 2; k++) {
			CHECK(send(fds[k], buf, SMALL, 0) == SMALL);
			CHECK(recv(fds[1 - k], buf, SMALL, MSG_WAITALL) == SMALL);
		}
	close(fds[0]);
	close(fds[1]);
	return now_s() - start_s;
}

static long status_kib(const char *key)
{
	char line[256];
	size_t n = strlen(key);
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, n) == 0 && sscanf(&line[n], ": %ld", &kib) == 1)
			break;
	if (f)
		(void)fclose(f);
	return kib;
}

/* The highest resident size from here on is VmHWM. */
static void peak_reset(void)
{
	FILE *f = fopen("/proc/self/clear_refs", "w");

	if (f) {
		(void)fputs("5", f);
		(void)fclose(f);
	}
}

/* ---- what is measured, with `tls` or without ---- */

struct setting {
	struct certs certs;
	struct tls *tls; /* of both sides; NULL = none */
	struct grpc_server *server;
};

static struct tls *tls_open(const struct certs *c, const char *name)
{
	char paths[3][CERT_PATH_SIZE], files[2][64];
	struct err_note note = {0};
	struct tls *t = NULL;

	(void)snprintf(files[0], sizeof(files[0]), "%s.pem", name);
	(void)snprintf(files[1], sizeof(files[1]), "%s.key", name);
	const struct tls_options o = {.cert_file = certs_path(c, paths[0], files[0]),
				      .key_file = certs_path(c, paths[1], files[1]),
				      .ca_file = certs_path(c, paths[2], "ca.pem")};
	CHECK(tls_new(&t, &o, &note) == ERR_OK);
	return t;
}

static struct channel *channel_open(const struct bench *b, const struct setting *s,
				    const struct tls *tls)
{
	char url[64];
	const struct channel_grpc_options o = {.url = url, .tls = tls};
	struct err_note note = {0};
	struct channel *c = NULL;

	(void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u", tls ? "https" : "http",
		       grpc_server_port(s->server));
	CHECK(channel_grpc_open(&c, b->loop, &o, &note) == ERR_OK);
	return c;
}

static void bench_calls(struct bench *b, const struct setting *s, double bare_s)
{
	double t;

	b->channel = channel_open(b, s, s->tls);
	(void)run(b, SMALL, 100, 1);
	t = run(b, SMALL, CALLS, 1);
	printf("  calls of %d bytes, one after the other: %.0f/s, %.1f us each (%.2f x baseline)",
	       SMALL, CALLS / t, t / CALLS * 1e6, t / bare_s);
	if (s->tls)
		printf(", target %d/s", TARGET_PER_S);
	t = run(b, SMALL, CALLS, AT_ONCE);
	printf("\n  calls of %d bytes, %d at once: %.0f/s\n", SMALL, AT_ONCE, CALLS / t);
	peak_reset();
	t = run(b, BIG, BIG_CALLS, 1);
	printf("  message of %d MiB both ways: %.0f ms, at most %ld MiB resident\n", BIG >> 20,
	       t / BIG_CALLS * 1e3, status_kib("VmHWM") >> 10);
	channel_free(b->channel);
}

/* A connection, a call, the end; one after the other. */
static void bench_connections(struct bench *b, const struct setting *s)
{
	double start_s = now_s();

	for (int i = 0; i < HANDSHAKES; i++) {
		b->channel = channel_open(b, s, s->tls);
		(void)run(b, SMALL, 1, 1);
		channel_free(b->channel);
	}
	printf("  connection with one call: %.2f ms\n", (now_s() - start_s) / HANDSHAKES * 1e3);
}

static void bench_peers(struct bench *b, const struct setting *s)
{
	struct channel *channels[PEERS];
	struct tls *tls[PEERS] = {0};
	uint8_t *p = calloc(1, PEER_BYTES);
	double start_s;

	CHECK(p != NULL);
	for (int i = 0; i < PEERS; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "peer-%d", i);
		tls[i] = s->tls ? tls_open(&s->certs, name) : NULL;
		channels[i] = channel_open(b, s, tls[i]);
	}
	peak_reset();
	start_s = now_s();
	b->message = bytes_from(p, PEER_BYTES);
	b->left = PEERS;
	for (int i = 0; i < PEERS; i++) {
		b->channel = channels[i];
		start_call(b);
	}
	CHECK(loop_run(b->loop) == ERR_OK);
	printf("  %d peers, %d MiB each there and back at once: %.0f ms, at most %ld MiB resident"
	       " (both ends)\n",
	       PEERS, PEER_BYTES >> 20, (now_s() - start_s) * 1e3, status_kib("VmHWM") >> 10);
	for (int i = 0; i < PEERS; i++) {
		channel_free(channels[i]);
		tls_free(tls[i]);
	}
	free(p);
}

static void bench_setting(struct bench *b, bool with_tls, double bare_s)
{
	struct setting s = {0};
	struct grpc_server_options opts = {
		.listen = "127.0.0.1:0", .methods = METHODS, .methods_n = 1, .ctx = b};
	struct err_note note = {0};

	/* Request and reply are both in flight for a moment. */
	opts.limits.peer_in_flight_bytes = GRPC_IN_FLIGHT_BYTES_MAX;
	if (with_tls) {
		struct authority ca;

		certs_make(&s.certs);
		ca = authority_make(&s.certs, "ca");
		authority_issue(&ca, &s.certs, "core", &(struct cert_plan){.san = "IP:127.0.0.1"});
		for (int i = 0; i < PEERS; i++) {
			char name[32], san[64];

			(void)snprintf(name, sizeof(name), "peer-%d", i);
			(void)snprintf(san, sizeof(san), "DNS:%s.example", name);
			authority_issue(&ca, &s.certs, name, &(struct cert_plan){.san = san});
		}
		authority_free(&ca);
		s.tls = tls_open(&s.certs, "core");
		opts.tls = s.tls;
	}
	CHECK(grpc_server_new(&s.server, b->loop, &opts, &note) == ERR_OK);
	printf("%s\n",
	       with_tls ? "net: gRPC over mutual TLS 1.3 (P-256)" : "net: gRPC without TLS");
	bench_calls(b, &s, bare_s);
	bench_connections(b, &s);
	bench_peers(b, &s);
	grpc_server_free(s.server);
	if (with_tls) {
		tls_free(s.tls);
		certs_free(&s.certs);
	}
}

int main(void)
{
	struct bench b = {0};
	struct transport *transport;
	double bare_s;

	CHECK(loop_new(&b.loop) == ERR_OK);
	CHECK(transport_curl_new(&transport, b.loop) == ERR_OK);
	printf("net: over loopback, client and server in one thread\n");
	printf("  anonymous memory, loop and HTTP client: %ld KiB\n", status_kib("RssAnon"));
	bare_s = run_bare();
	printf("  baseline, %d bytes both ways on bare TCP: %.0f/s\n", SMALL, CALLS / bare_s);
	bench_setting(&b, true, bare_s);
	bench_setting(&b, false, bare_s);
	printf("  anonymous memory afterwards: %ld KiB\n", status_kib("RssAnon"));
	transport_free(transport);
	loop_free(b.loop);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * gRPC over loopback, client and server on one loop, so on one core. Baseline, measured in the same
 * run: the same bytes sent back and forth over a bare TCP connection by blocking calls.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/channel.h"
#include "net/grpc_server.h"
#include "net/transport.h"

enum {
	SMALL = 1024,
	CALLS = 20000,
	AT_ONCE = 64,
	BIG = 100 << 20,
	BIG_CALLS = 3
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

static long anonymous_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	if (f)
		(void)fclose(f);
	return kib;
}

int main(void)
{
	struct bench b = {0};
	struct grpc_server_options opts = {
		.listen = "127.0.0.1:0", .methods = METHODS, .methods_n = 1, .ctx = &b};
	struct transport *transport;
	struct grpc_server *server;
	struct err_note note = {0};
	double bare_s, s;
	char url[64];

	CHECK(loop_new(&b.loop) == ERR_OK);
	CHECK(transport_curl_new(&transport, b.loop) == ERR_OK);
	CHECK(grpc_server_new(&server, b.loop, &opts, &note) == ERR_OK);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", grpc_server_port(server));
	CHECK(channel_grpc_new(&b.channel, b.loop, url, &note) == ERR_OK);
	printf("net: gRPC without TLS over loopback, client and server in one thread\n");
	printf("  anonymous memory, loop, HTTP client, gRPC client and server: %ld KiB\n",
	       anonymous_kib());
	bare_s = run_bare();
	printf("  baseline, %d bytes both ways on bare TCP: %.0f/s\n", SMALL, CALLS / bare_s);
	(void)run(&b, SMALL, 100, 1);
	s = run(&b, SMALL, CALLS, 1);
	printf("  calls of %d bytes, one after the other: %.0f/s, %.1f us each (%.2f x baseline)\n",
	       SMALL, CALLS / s, s / CALLS * 1e6, s / bare_s);
	s = run(&b, SMALL, CALLS, AT_ONCE);
	printf("  calls of %d bytes, %d at once: %.0f/s\n", SMALL, AT_ONCE, CALLS / s);
	s = run(&b, BIG, BIG_CALLS, 1);
	printf("  message of %d MiB both ways: %.0f ms\n", BIG >> 20, s / BIG_CALLS * 1e3);
	printf("  anonymous memory afterwards: %ld KiB\n", anonymous_kib());
	channel_free(b.channel);
	grpc_server_free(server);
	transport_free(transport);
	loop_free(b.loop);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Our gRPC as a program, for tests against other implementations.
 *
 *   grpc_peer certs DIR                  an authority, another one, and certificates of both
 *   grpc_peer serve [DIR IDENTITY]       prints "port N"; SIGTERM drains; "refused PEER: WHY" lines
 *   grpc_peer call URL METHOD SIZE TIMEOUT_MS [DIR NAME]
 *                                        prints "STATUS bytes N: TEXT", with "same" if N are ours
 *
 * With DIR there is mutual TLS: the server is "core", the client NAME. The service is echo.proto.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/net/certs.h"
#include "base/limits.h"
#include "net/channel.h"
#include "net/grpc_server.h"

enum {
	SLOW_MS = 500,
	SLOW_MAX = 16,
	DRAIN_MS = 5000
};

struct program {
	struct loop *loop;
	struct grpc_server *server;
	struct {
		struct timer timer;
		struct grpc_call *call;
	} slow[SLOW_MAX];
	struct bytes sent;
	int result;
};

static _Noreturn void fail(const char *what)
{
	(void)fprintf(stderr, "grpc_peer: %s\n", what);
	exit(1);
}

static struct tls *tls_open(const char *dir, const char *name, const char *identity)
{
	struct certs c;
	char paths[3][CERT_PATH_SIZE], files[2][64];
	struct err_note note = {0};
	struct tls *t = NULL;

	(void)snprintf(c.dir, sizeof(c.dir), "%s", dir);
	(void)snprintf(files[0], sizeof(files[0]), "%s.pem", name);
	(void)snprintf(files[1], sizeof(files[1]), "%s.key", name);
	const struct tls_options o = {.cert_file = certs_path(&c, paths[0], files[0]),
				      .key_file = certs_path(&c, paths[1], files[1]),
				      .ca_file = certs_path(&c, paths[2], "ca.pem"),
				      .identities = &identity,
				      .identities_n = identity ? 1 : 0};
	if (tls_new(&t, &o, &note) != ERR_OK)
		fail(note.text);
	return t;
}

/* ---- serve ---- */

static void on_echo(void *ctx, struct grpc_call *call)
{
	(void)ctx;
	grpc_call_reply(call, grpc_call_request(call));
}

static void on_fail(void *ctx, struct grpc_call *call)
{
	(void)ctx;
	grpc_call_fail(call, GRPC_NOT_FOUND, "kein Schl\xc3\xbcssel: 100 %");
}

static void on_slow_end(void *ctx)
{
	struct grpc_call **call = ctx;

	grpc_call_reply(*call, grpc_call_request(*call));
	*call = NULL;
}

static void on_slow(void *ctx, struct grpc_call *call)
{
	struct program *p = ctx;

	for (size_t i = 0; i < SLOW_MAX; i++) {
		if (p->slow[i].call)
			continue;
		p->slow[i].call = call;
		clock_timer_set(loop_clock(p->loop), &p->slow[i].timer, SLOW_MS, on_slow_end,
				&p->slow[i].call);
		return;
	}
	grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "too many slow calls");
}

/* Message{payload = name}; a name is shorter than 128 or needs a second byte of length. */
static void on_who(void *ctx, struct grpc_call *call)
{
	const char *name = grpc_call_peer(call).name;
	size_t n = strlen(name);
	CLEANUP(buf_free) struct buf out = buf_make(4 + n);

	(void)ctx;
	CHECK(n < 1 << 14 && buf_add_u8(&out, 0x0a) == ERR_OK);
	if (n >= 128)
		CHECK(buf_add_u8(&out, (uint8_t)(0x80 | (n & 0x7f))) == ERR_OK);
	CHECK(buf_add_u8(&out, (uint8_t)(n >= 128 ? n >> 7 : n)) == ERR_OK &&
	      buf_add_str(&out, name) == ERR_OK);
	grpc_call_reply(call, buf_view(&out));
}

static const struct grpc_method METHODS[] = {
	{"/claviger.interop.Echo/Echo", on_echo, 0},
	{"/claviger.interop.Echo/Fail", on_fail, 0},
	{"/claviger.interop.Echo/Slow", on_slow, 0},
	{"/claviger.interop.Echo/WhoAmI", on_who, 0},
};

static void on_refused(void *ctx, const char *peer, const char *why)
{
	(void)ctx;
	printf("refused %s: %s\n", peer, why);
	(void)fflush(stdout);
}

static void on_drained(void *ctx)
{
	loop_stop(((struct program *)ctx)->loop);
}

static void on_stop(void *ctx)
{
	struct program *p = ctx;

	grpc_server_drain(p->server, DRAIN_MS, on_drained, p);
}

static int serve(struct program *p, const char *dir, const char *identity)
{
	struct tls *tls = dir ? tls_open(dir, "core", identity) : NULL;
	const struct grpc_server_options o = {.listen = "127.0.0.1:0",
					      .methods = METHODS,
					      .methods_n = ARRAY_LEN(METHODS),
					      .ctx = p,
					      .tls = tls,
					      .refused = on_refused};
	struct err_note note = {0};

	if (grpc_server_new(&p->server, p->loop, &o, &note) != ERR_OK)
		fail(note.text);
	CHECK(loop_on_stop_signal(p->loop, on_stop, p) == ERR_OK);
	printf("port %u\n", grpc_server_port(p->server));
	(void)fflush(stdout);
	CHECK(loop_run(p->loop) == ERR_OK);
	for (size_t i = 0; i < SLOW_MAX; i++)
		clock_timer_cancel(loop_clock(p->loop), &p->slow[i].timer);
	grpc_server_free(p->server);
	tls_free(tls);
	return 0;
}

/* ---- call ---- */

static void on_done(void *ctx, const struct rpc_reply *reply)
{
	struct program *p = ctx;
	bool same = bytes_eq_var(reply->message, p->sent);

	printf("%s bytes %zu%s: ", grpc_status_name(reply->status), reply->message.n,
	       same ? " same" : "");
	printf("%s\n", reply->text);
	loop_stop(p->loop);
}

/* Message{payload = n bytes}, a length of four bytes in base 128. */
static struct buf message_make(size_t n)
{
	struct buf b = buf_make(n + 5);
	uint8_t *place;

	CHECK(n < 1 << 28 && buf_add_u8(&b, 0x0a) == ERR_OK);
	for (int i = 0; i < 4; i++)
		CHECK(buf_add_u8(&b, (uint8_t)((n >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0))) ==
		      ERR_OK);
	CHECK(buf_add_space(&b, n, &place) == ERR_OK);
	for (size_t i = 0; i < n; i++)
		place[i] = (uint8_t)(i * 2654435761u >> 24);
	return b;
}

static int call(struct program *p, char **args, int n)
{
	struct tls *tls = n > 4 ? tls_open(args[4], args[5], NULL) : NULL;
	const struct channel_grpc_options o = {.url = args[0], .tls = tls};
	CLEANUP(buf_free) struct buf message = message_make(strtoul(args[2], NULL, 10));
	char path[128];
	struct rpc_call rpc = {.path = path,
			       .timeout_ms = strtol(args[3], NULL, 10),
			       .reply_max = GRPC_MESSAGE_MAX};
	struct err_note note = {0};
	struct rpc_ticket ticket;
	struct channel *c = NULL;

	(void)snprintf(path, sizeof(path), "/claviger.interop.Echo/%s", args[1]);
	rpc.message = p->sent = buf_view(&message);
	if (channel_grpc_open(&c, p->loop, &o, &note) != ERR_OK)
		fail(note.text);
	CHECK(channel_call(c, &ticket, &rpc, on_done, p) == ERR_OK);
	CHECK(loop_run(p->loop) == ERR_OK);
	channel_free(c);
	tls_free(tls);
	return 0;
}

/* ---- certs ---- */

static int make_certs(const char *dir)
{
	static const struct {
		const char *name, *san;
		bool foreign;
	} rows[] = {
		{"core", "DNS:localhost,IP:127.0.0.1", false},
		{"client", "DNS:client.example", false},
		{"stranger", "DNS:stranger.example", false},
		{"foreign-core", "DNS:localhost,IP:127.0.0.1", true},
		{"foreign-client", "DNS:client.example", true},
	};
	struct certs c;
	struct authority ours, theirs;

	(void)snprintf(c.dir, sizeof(c.dir), "%s", dir);
	ours = authority_make(&c, "ca");
	theirs = authority_make(&c, "foreign-ca");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		authority_issue(rows[i].foreign ? &theirs : &ours, &c, rows[i].name,
				&(struct cert_plan){.san = rows[i].san});
	authority_free(&ours);
	authority_free(&theirs);
	return 0;
}

int main(int argc, char **argv)
{
	static struct program p;
	const char *what = argc > 1 ? argv[1] : "";
	int status = 2;

	if (strcmp(what, "certs") == 0 && argc == 3)
		return make_certs(argv[2]);
	CHECK(loop_new(&p.loop) == ERR_OK);
	if (strcmp(what, "serve") == 0 && (argc == 2 || argc == 4))
		status = serve(&p, argc == 4 ? argv[2] : NULL, argc == 4 ? argv[3] : NULL);
	else if (strcmp(what, "call") == 0 && (argc == 6 || argc == 8))
		status = call(&p, &argv[2], argc - 2);
	else
		(void)fprintf(stderr, "grpc_peer: certs, serve or call; see the source\n");
	loop_free(p.loop);
	return status;
}

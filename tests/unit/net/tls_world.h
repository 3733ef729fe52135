/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the TLS tests share: certificates of two authorities, a server and a channel on one loop,
 * and a client of plain OpenSSL on a thread.
 */
#ifndef TESTS_UNIT_NET_TLS_WORLD_H
#define TESTS_UNIT_NET_TLS_WORLD_H

#include "testing.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "certs.h"
#include "net/channel.h"
#include "net/grpc_server.h"

enum {
	HELD_MAX = 64,
	METHODS_N = 2
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

struct raw_plan {
	const char *cert; /* NULL = none */
	const char *alpn; /* "\2h2"; NULL = none */
	bool tls12;
};

struct raw_client {
	struct raw_plan plan;
	unsigned port;
	struct bytes script;
	atomic_bool over;
	char alert[128];
	size_t got; /* bytes inside TLS */
	pthread_t thread;
};

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

/* Made by group_setup; certificates "core", "connector", "stranger", "expired" … lie in a folder of
 * their own. */
extern struct certs certs;
extern struct authority ours, theirs;

/* /test.Test/Echo, and /test.Test/Hold, which puts calls into the world. */
extern const struct grpc_method METHODS[METHODS_N];

int group_setup(void **state);
int group_teardown(void **state);
void on_refused(void *ctx, const char *peer, const char *why);

/* Options from the names of a certificate and an authority; `identity` NULL lets everybody in whom
 * the authority knows. tls_good fails the test. */
enum err tls_make(struct tls **ret_tls, const char *cert, const char *ca, const char *identity,
		  struct err_note *note);
struct tls *tls_good(const char *cert, const char *ca, const char *identity);
void server_start(struct world *w, const char *cert, const char *identity);
struct channel *channel_make(struct world *w, const char *host, unsigned port,
			     const struct tls *tls);
void channel_start(struct world *w, const char *cert, const char *ca);
int setup(void **state);
int teardown(void **state);
void call_on(struct world *w, struct channel *c, const char *path, struct bytes message);
void call_and_wait(struct world *w, struct bytes message);
void assert_says(const char *text, const char *part);
void use_cert(SSL_CTX *ctx, const char *cert);
void *raw_client_main(void *arg);
/* The raw client against the world's server, until the connection is over. */
void raw_client_run(struct world *w, struct raw_client *c);

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

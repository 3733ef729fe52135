/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the tests of gRPC's limits share: a server with two methods and a channel to it, on one
 * loop. */
#ifndef TESTS_UNIT_NET_GRPC_WORLD_H
#define TESTS_UNIT_NET_GRPC_WORLD_H

#include "testing.h"

#include "base/limits.h"
#include "net/channel.h"
#include "net/channel_grpc.h"
#include "net/grpc_server.h"
#include "raw.h"

enum {
	HELD_MAX = 64
};

struct world {
	struct loop *loop;
	struct grpc_server *server;
	struct channel *channel;
	struct grpc_call *held[HELD_MAX];
	size_t held_n;
	int handled;
	int refusals;
	char refused_why[128];
	char peer[TLS_NAME_SIZE];
	bool authenticated;
	int done;
	int wanted;
	enum grpc_status status;
	char text[256];
};

void server_start(struct world *w, const char *listen, struct grpc_server_limits limits);
void channel_start(struct world *w, unsigned port, int64_t keepalive_ms);
int grpc_world_setup(void **state);
int grpc_world_teardown(void **state);
/* A channel_done_fn that keeps the status and stops the loop at the last of `wanted`. */
void on_done(void *ctx, const struct rpc_reply *reply);
void call_to(struct world *w, const char *path, struct bytes message, int64_t timeout_ms);
void call_and_wait(struct world *w, const char *path, struct bytes message);
int64_t now_ms(const struct world *w);
/* Both sides talk until the call has a status, at most so long. */
void raw_wait(struct raw *r, struct world *w, int64_t ms);

/* A test with a world of its own as its state. */
#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, grpc_world_setup, grpc_world_teardown)

#endif

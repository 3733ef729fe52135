/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A committee of real peer_nets on one loop, over real sockets and TLS. Every party has an
 * authority of its own with the party's own name, as nodes have.
 */
#ifndef TESTS_UNIT_CORE_PEER_WORLD_H
#define TESTS_UNIT_CORE_PEER_WORLD_H

#include "../net/certs.h"
#include "../net/testing.h"
#include "core/peer_net.h"
#include "core/peer_wire.h"
#include "mpc/open.h"
#include "mpc/prss_init.h"
#include "net/channel.h"
#include "net/tls.h"

enum {
	WORLD_SECRETS = 3
};

struct world_node {
	struct peer_net *net;
	struct peer_run *run;
	struct mpc_open *open;
	struct mpc_prss_init *init;
	struct rng_seeded seeded;
	bool ended;
	enum err err;
	int noted;
	char note[256]; /* the last */
};

struct world {
	struct loop *loop;
	struct certs certs;
	struct authority ca[MPC_PARTIES_MAX];
	struct mpc_context context; /* `me` is set per node */
	struct world_node node[MPC_PARTIES_MAX];
	struct peer_net_options
		options; /* for nodes to be started; listen and files are not used */
	struct gr secrets[WORLD_SECRETS];
	struct gr shares[MPC_PARTIES_MAX][WORLD_SECRETS];
	struct peer_probe_result probe;
};

/* Certificates and nodes; every node has the context. */
void world_make(struct world *w, unsigned n, unsigned t);
void world_free(struct world *w);

/* party "p1.test" … */
const char *world_name(char place[32], unsigned party);

/* Again on its port, with the context. */
void world_node_start(struct world *w, unsigned party);
void world_node_stop(struct world *w, unsigned party); /* as kill -9 does: without a word */
void world_node_context(struct world *w, unsigned party, const struct mpc_context *c);

struct peer_net_counts world_counts(const struct world *w, unsigned party);

struct mpc_session_id world_session(uint8_t n);

/* An opening of w->secrets, asynchronous or not; the world waits for it to end. */
void world_open(struct world *w, unsigned party, struct mpc_session_id id, bool synchronous);
void world_prss(struct world *w, unsigned party, struct mpc_session_id id, uint64_t seed,
		int64_t round_timeout_ms);
/* Until all of them ended. */
void world_wait(struct world *w, int64_t guard_ms);
bool world_opened(const struct world *w, unsigned party); /* done, and right */

/* The keys of the sets are the same with all their members, of these parties. */
void world_check_keys(const struct world *w, mpc_set parties);

/* A client with the certificate of this name, of the nodes' kind, that says what it likes. */
struct world_client {
	struct tls *tls; /* NULL: plain text */
	struct channel *channel;
	struct world *w;
	unsigned waits_for;
	unsigned answers[17]; /* by status */
	enum grpc_status status;
	char text[256];
	enum peer_status answer;
};
void world_client_make(struct world_client *c, struct world *w, const char *cert, unsigned to);
void world_client_free(struct world_client *c);
void world_client_send(struct world_client *c, const char *path, struct bytes message);
/* SendValue, and the answer. */
void world_client_say(struct world_client *c, const char *sender, struct mpc_session_id id,
		      uint64_t round, struct bytes value);
void world_client_wait(struct world_client *c);

#endif

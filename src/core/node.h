/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A whole node, centralised or of a committee: keys, database, pool, service, ports. What
 * kms-server runs; tests run several in turn.
 *
 *   - node_start: reads the vault, opens everything; serves once the loop runs
 *   - node_stop: asks for the end: finishes running work, then `stopped`
 *   - node_free: after the loop has ended
 */
#ifndef CORE_NODE_H
#define CORE_NODE_H

#include "core/config.h"
#include "core/service.h"

struct node;

/* Borrows everything but the numbers until node_free. */
struct node_options {
	struct loop *loop;
	const struct core_config *config;
	const struct log *log;
	const char *version;
	struct peers peers; /* none: a centralised node */
	loop_fn *broken; /* the database turned out to be unreadable: the node will never serve */
	void *broken_ctx;
};

/* Errors of configuration and vault, each with a note for the operator. */
enum err node_start(struct node **ret_node, const struct node_options *options,
		    struct err_note *note) MUST_USE;

/* Work that runs is finished and stored, calls in progress get NODE_STOP_GRACE_MS. Once. */
enum {
	NODE_STOP_GRACE_MS = 10000
};
void node_stop(struct node *n, loop_fn *stopped, void *ctx);

/* Read the certificates of both ports anew: see client_port_reload, peer_net_reload. */
void node_reload(struct node *n);

void node_free(struct node *n);

unsigned node_port(const struct node *n);      /* of the client service; 0 for a Unix socket */
unsigned node_peer_port(const struct node *n); /* for other nodes; 0 on a centralised one */
unsigned node_monitoring_port(const struct node *n);
const struct core_service *node_service(const struct node *n);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a node of a committee has beside a centralised one: contexts, the port for its peers, the
 * set-up of epochs. All NULL on a centralised one.
 */
#ifndef CORE_NODE_COMMITTEE_H
#define CORE_NODE_COMMITTEE_H

#include "core/config.h"
#include "core/epoch_setup.h"
#include "core/peers.h"
#include "core/signing_key.h"

struct node_committee {
	struct committees *committees;
	struct peer_net *peers;
	struct epoch_setup *epochs;
	const struct log *log;
};

/* The contexts of configuration and vault. Nothing without [threshold]. */
enum err node_committee_load(struct node_committee *c, const struct core_config *config,
			     const struct signing_key *signer, const struct log *log,
			     struct err_note *note) MUST_USE;

/* Listens for peers, and goes on with the set-up of epochs. */
enum err node_committee_start(struct node_committee *c, const struct core_config *config,
			      struct loop *loop, struct pool *pool, struct store *store,
			      struct err_note *note) MUST_USE;

/* What the service sees of the other nodes; `otherwise` on a centralised one. */
struct peers node_committee_peers(struct node_committee *c, const struct peers *otherwise);

/* Certificates anew. */
void node_committee_reload(struct node_committee *c);
void node_committee_stop(struct node_committee *c);
/* After pool, store and service. */
void node_committee_free(struct node_committee *c);

#endif

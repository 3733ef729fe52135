/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Things by session id. Peers choose ids, so places are chosen with a secret: nobody can make one
 * chain long. The node is a member of the thing, which the table does not own.
 */
#ifndef CORE_PEER_TABLE_H
#define CORE_PEER_TABLE_H

#include "base/rng.h"
#include "mpc/hash.h"

struct peer_node {
	struct peer_node *next;
	struct mpc_session_id id;
};

struct peer_table {
	struct peer_node **v;
	size_t size; /* a power of two, or 0 */
	size_t n;
	uint64_t seed[2];
};

void peer_table_init(struct peer_table *t, struct rng *rng);
void peer_table_free(struct peer_table *t); /* not what is in it */
struct peer_node *peer_table_find(const struct peer_table *t, const struct mpc_session_id *id);
/* node->id is set and not in the table. ERR_NOMEM. */
enum err peer_table_add(struct peer_table *t, struct peer_node *node) MUST_USE;
void peer_table_remove(struct peer_table *t, struct peer_node *node);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A committee: who the parties of an MPC context are, in the order that numbers them. From the
 * configuration or from NewMpcContext; everybody in a context has the same one.
 */
#ifndef CORE_MPC_CONTEXT_H
#define CORE_MPC_CONTEXT_H

#include "base/bytes.h"
#include "base/u256.h"
#include "mpc/group.h"

enum {
	MPC_NAME_SIZE = 256 /* of an identity or a host, with its NUL */
};

/* All-zero is empty. */
struct mpc_context_party {
	char identity[MPC_NAME_SIZE]; /* the common name of its certificates */
	char host[MPC_NAME_SIZE];     /* where its peers reach it: a name or a number */
	unsigned port;
	/* PEM, one certificate: what vouches for the party's certificates, or the only one itself.
	 * Empty: plain text (loopback). Owned. */
	struct buf ca_pem;
	struct address signer;
};

struct mpc_context {
	struct hash32 id;
	unsigned threshold;
	unsigned me; /* our number, from 1; 0: we are not in it */
	unsigned n;
	struct mpc_context_party party[MPC_PARTIES_MAX]; /* party i is party[i - 1] */
};

/* A copy of its own. ERR_NOMEM. */
enum err mpc_context_copy(struct mpc_context *ret, const struct mpc_context *from) MUST_USE;
void mpc_context_clear(struct mpc_context *c); /* frees; empty again */

/* The number of a party by its identity; 0: it has none. */
unsigned mpc_context_find(const struct mpc_context *c, const char *identity);

static inline struct mpc_group mpc_context_group(const struct mpc_context *c)
{
	return (struct mpc_group){.n = c->n, .t = c->threshold, .me = c->me};
}

#endif

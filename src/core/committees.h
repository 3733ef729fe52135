/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The committees that this node belongs to: contexts (who they are), and epochs (the keys of their
 * masks). Entries are added at the end and never change or go, but that an epoch becomes ready: any
 * thread may look while the loop thread adds. They live as long as the committee.
 */
#ifndef CORE_COMMITTEES_H
#define CORE_COMMITTEES_H

#include <stdatomic.h>

#include "core/mpc_context.h"
#include "mpc/prss.h"

struct committee_epoch {
	struct hash32 id, context_id;
	/* Owned. NULL until all nodes of the context have their part of it. */
	struct prss *_Atomic prss;
};

struct committees {
	struct mpc_context *contexts;   /* room for PEER_CONTEXTS_MAX */
	struct committee_epoch *epochs; /* room for CORE_EPOCHS_MAX */
	atomic_size_t contexts_n, epochs_n;
};

enum err committees_new(struct committees **ret) MUST_USE;
void committees_free(struct committees *c); /* wipes; NULL allowed */

/* Copied. ERR_ALREADY_DONE: there is one with this id; ERR_TOO_BIG: no room; ERR_NOMEM. Loop
 * thread. */
enum err committees_add_context(struct committees *c, const struct mpc_context *x) MUST_USE;
/* NULL: there is none. */
const struct mpc_context *committees_context(const struct committees *c, struct hash32 id);

/* An epoch that is not ready. ERR_ALREADY_DONE, ERR_TOO_BIG. Loop thread. */
enum err committees_add_epoch(struct committees *c, struct hash32 id,
			      struct hash32 context_id) MUST_USE;
/* From now on it decrypts. Takes the set-up over; of an epoch that is there and not ready. */
void committees_epoch_ready(struct committees *c, struct hash32 id, struct prss *prss);
const struct committee_epoch *committees_epoch(const struct committees *c, struct hash32 id);
const struct prss *committees_prss(const struct committee_epoch *e); /* NULL: not ready */

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The set-up of epochs: the keys of their masks, made by all nodes of a context together, without a
 * dealer (mpc/prss_init.h). epoch_word.h says how they agree; here is what a node does for it: it
 * asks the others, runs attempts, and keeps what came of them.
 *
 *   - database: how far each epoch is (epoch_store.h), stored before anybody is told
 *   - vault: EpochDraft/<epoch> what is whole here, EpochData/<epoch> what is whole everywhere
 *
 * Loop thread; the vault is written in the pool.
 */
#ifndef CORE_EPOCH_SETUP_H
#define CORE_EPOCH_SETUP_H

#include "base/log.h"
#include "base/rng.h"
#include "core/committees.h"
#include "core/epoch_store.h"
#include "core/peer_net.h"
#include "core/vault.h"
#include "net/pool.h"

struct epoch_setup;

/* Everything is lent and must outlive it. */
struct epoch_setup_options {
	struct loop *loop;
	struct pool *pool;
	struct store *store;
	const struct log *log;
	struct committees *committee;
	struct peer_net *peers;
	struct vault private_vault;
	struct rng *rng;
	int64_t poll_ms;          /* between two questions to the others */
	int64_t round_timeout_ms; /* of an attempt */
};

/*
 * Reads the epochs of the vault, which decrypt from then on, and asks the database for those that
 * are being set up. If the committee has the default context, we are in it, and the default epoch
 * is not known, that one is begun. Errors of the vault, with a note.
 */
enum err epoch_setup_new(struct epoch_setup **ret, const struct epoch_setup_options *options,
			 struct err_note *note) MUST_USE;
/* After the pool and the store: nothing comes back. */
void epoch_setup_free(struct epoch_setup *s);

/* No more attempts and questions. */
void epoch_setup_stop(struct epoch_setup *s);

/* ERR_OK when the epoch is stored and will be set up, whatever happens to this process. */
typedef void epoch_begun_fn(void *ctx, enum err e);
/* A new epoch of a known context. ERR_ALREADY_DONE: it is known. ERR_NOT_READY: the database was
 * not read yet. ERR_TOO_BIG, ERR_NOMEM, errors of the store. */
enum err epoch_setup_begin(struct epoch_setup *s, struct hash32 context_id, struct hash32 epoch_id,
			   epoch_begun_fn *done, void *ctx) MUST_USE;

/* What a peer asked; for peer_net_options. */
void epoch_setup_answer(void *ctx, struct bytes question, struct buf *answer);

/* How many epochs are not ready; for metrics. */
size_t epoch_setup_pending(const struct epoch_setup *s);

#endif

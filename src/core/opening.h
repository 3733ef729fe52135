/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Opening the masked shares of a request's ciphertexts with the other nodes of the context: a
 * session for each, all at the same time, asynchronous. It never waits for more nodes than it
 * needs, and as long as it takes while too few are there, up to the idle timeout.
 */
#ifndef CORE_OPENING_H
#define CORE_OPENING_H

#include "core/peer_net.h"
#include "fhe/types.h"
#include "mpc/decryption.h"
#include "mpc/open.h"

struct opening_item {
	struct opening *opening;
	enum fhe_type type;
	struct mpc_session_id session;
	/* Ours, masked; then, when it is open, the blocks themselves: never given out as they are,
	 * but rounded. */
	struct gr blocks[MPC_BLOCKS_MAX];
	size_t n;
	struct mpc_open *open;
	struct peer_run *run;
};

struct opening {
	struct hash32 context_id;
	struct mpc_group group;
	size_t n, running_n;
	bool over;
	enum err err; /* the first */
	struct err_note note;
	mpc_set wrong; /* whose shares were not on the polynomial: a report, no evidence */
	void (*done)(void *ctx);
	void *ctx;
	struct opening_item items[];
};

/* Zeroed but for its number of items. NULL without memory. */
struct opening *opening_new(size_t n);
void opening_free(struct opening *o); /* cancels, wipes; NULL allowed */

/*
 * Begins all sessions; then, later, done(ctx) once. Loop thread. Errors of peer_net_run and
 * ERR_NOMEM: nothing is under way then.
 */
enum err opening_start(struct opening *o, struct peer_net *net, int64_t idle_timeout_ms,
		       void (*done)(void *ctx), void *ctx) MUST_USE;

/* No `done`. It can be started again in another process; in this one its sessions are over. */
void opening_cancel(struct opening *o);

/* ---- opening_words.c ---- */

/*
 * What we say in these sessions, before they begin (then the blocks are others): masked shares, the
 * same whenever they are computed. Any thread. ERR_NOMEM.
 */
enum err opening_words_pack(struct buf *ret_words, const struct opening *o) MUST_USE;

/* Of a request that an earlier process finished; see peer_net_linger. */
struct opening_words {
	struct hash32 id, context_id;
	size_t n;           /* sessions */
	struct bytes words; /* packed */
	int64_t age_ms;     /* since their end */
	bool say;
};

/* Errors of peer_net_linger; ERR_TRUNCATED, ERR_MALFORMED. */
enum err opening_words_linger(struct peer_net *net, const struct opening_words *w) MUST_USE;

#endif

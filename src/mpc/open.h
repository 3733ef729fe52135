/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Robust opening: every party sends its shares, and everybody (or one) computes the secrets in
 * spite of t parties who lie or are silent. One round. Degree t.
 *
 * Synchronous, it has an answer when all have spoken or the time is up. Asynchronous, it tries with
 * every word that comes, from the (2 t + 1)-th on: with h words it corrects up to h - 2 t - 1 and
 * is sure of what degree + 1 + t of them confirm. So 2 t + 1 honest words are enough while nobody
 * lies, and it never waits for who is dead.
 */
#ifndef MPC_OPEN_H
#define MPC_OPEN_H

#include "mpc/protocol.h"
#include "mpc/shamir.h"

enum {
	MPC_OPEN_SECRETS_MAX = 1 << 16
};

/* Shares, of which party i is to learn the secrets; n = 0: it learns none. */
struct mpc_open_list {
	const struct gr *shares;
	size_t n;
};

struct mpc_open_task {
	struct mpc_group group;
	mpc_set corrupt; /* whose words are not listened to; all honest parties agree on them */
	bool synchronous;
	/* Ours; borrowed until the protocol is freed. to[me - 1]: our own shares of what we learn.
	 */
	struct mpc_open_list to[MPC_PARTIES_MAX];
};

/* The same list to all of `receivers`. */
void mpc_open_to(struct mpc_open_task *task, mpc_set receivers, const struct gr *shares, size_t n);

struct mpc_open;
enum err mpc_open_new(struct mpc_open **ret, const struct mpc_open_task *task) MUST_USE;
void mpc_open_free(struct mpc_open *o); /* wipes */
struct mpc_protocol *mpc_open_protocol(struct mpc_open *o);

/* After the end, of a receiver: n secrets, and whose shares were wrong or missing (for a report:
 * nobody else saw the same words, so it is no evidence). ERR_MISMATCH: there were too few right
 * ones; only a synchronous opening ends like that. */
enum err mpc_open_result(const struct mpc_open *o, const struct gr **ret_secrets,
			 mpc_set *ret_wrong) MUST_USE;

#endif

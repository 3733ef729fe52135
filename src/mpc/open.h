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

struct mpc_open_task {
	struct mpc_group group;
	mpc_set receivers; /* who learns it */
	mpc_set corrupt;   /* whose words are not listened to; all honest parties agree on them */
	bool synchronous;
	size_t n;                /* secrets; the same number for everybody */
	const struct gr *shares; /* ours; copied */
};

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

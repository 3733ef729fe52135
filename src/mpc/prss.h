/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Pseudo-random secret sharing (Cramer, Damgard, Ishai 2005): every set of n - t parties has a key
 * that exactly its members know. From all keys that a party knows it computes, without a word to
 * anybody, its share of a number that no t parties know.
 *
 * Which number is a function of the keys, the session and a counter. A session id is used for one
 * purpose in the life of a set-up: the same mask over two ciphertexts would tell their difference.
 * The caller stores that an id is used before its first message leaves.
 *
 * The functions (AES-128, the set's key XOR the session id XOR one byte of use) are those of the
 * published implementation, so that a committee can be mixed.
 */
#ifndef MPC_PRSS_H
#define MPC_PRSS_H

#include "base/secret.h"
#include "mpc/gr.h"
#include "mpc/group.h"
#include "mpc/hash.h"

enum {
	PRSS_KEY_SIZE = MPC_KEY_SIZE,
	PRSS_MASK_LOG =
		110 /* a mask is the sum over all sets of two uniform numbers in [-2^110, 2^110) */
};

/*
 * A party's part of a set-up, of one epoch: for each set that it is in, the key, and the value at
 * its point of the polynomial that is 1 at 0 and 0 at everybody's who is not in the set. Immutable,
 * any thread.
 */
struct prss;

/*
 * Keys: PRSS_KEY_SIZE bytes for each set that g->me is in, in the order of mpc_sets. They are
 * copied into secret memory; the caller wipes its own. ERR_RANGE (mpc_group_check, or the length),
 * ERR_NOMEM.
 */
enum err prss_new(struct prss **ret, const struct mpc_group *g, struct bytes keys) MUST_USE;
void prss_free(struct prss *p); /* NULL allowed */

const struct mpc_group *prss_group(const struct prss *p);
unsigned prss_keys_n(const struct prss *p);
struct bytes prss_keys(const struct prss *p); /* secret: to be stored in a vault */

/* ---- numbers of a session ---- */

/*
 * One session's keys, expanded, and its three counters, which begin at 0. One thread at a time; not
 * longer than the prss.
 */
struct prss_session;
enum err prss_session_new(struct prss_session **ret, const struct prss *p,
			  const struct mpc_session_id *id) MUST_USE;
void prss_session_free(struct prss_session *s);

/* Shares of `n` numbers, each of the next counter. ERR_RANGE at a counter's end; nothing is used up
 * then. */
enum err prss_next(struct prss_session *s, struct gr *ret,
		   size_t n) MUST_USE; /* uniform in the ring, degree t */
enum err prss_zero(struct prss_session *s, struct gr *ret,
		   size_t n) MUST_USE; /* of 0, degree 2 t */
enum err prss_mask(struct prss_session *s, struct gr *ret,
		   size_t n) MUST_USE; /* decryption masks, scalars, degree t */

#endif

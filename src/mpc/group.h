/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Who takes part: n parties, numbered from 1, of which at most t are hostile. A set of parties is a
 * word: bit i - 1 is party i.
 */
#ifndef MPC_GROUP_H
#define MPC_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
	MPC_PARTIES_MAX = 15, /* the ring has that many points */
	/* Of n - t parties out of n. More, and the masks of a decryption would not fit beside its
	 * message: 2 * 2047 * 2^110 < 2^122. */
	MPC_SETS_MAX = 2047
};

struct mpc_group {
	unsigned n, t;
	unsigned me;
};

typedef uint16_t mpc_set;

static inline mpc_set mpc_set_of(unsigned party)
{
	return (mpc_set)(1u << (party - 1));
}

static inline bool mpc_set_has(mpc_set s, unsigned party)
{
	return s >> (party - 1) & 1;
}

static inline mpc_set mpc_set_all(const struct mpc_group *g)
{
	return (mpc_set)((1u << g->n) - 1);
}

static inline unsigned mpc_set_size(mpc_set s)
{
	return (unsigned)__builtin_popcount(s);
}

/* ERR_RANGE with the reason: 1 <= t, 3 t + 1 <= n <= MPC_PARTIES_MAX, 1 <= me <= n, sets below
 * their maximum. */
enum err mpc_group_check(const struct mpc_group *g, struct err_note *note) MUST_USE;

/*
 * The sets of n - t parties in the order that numbers their keys: lexicographic by their ascending
 * members. ret_sets has room for mpc_sets_n(g).
 */
unsigned mpc_sets_n(const struct mpc_group *g);
void mpc_sets(const struct mpc_group *g, mpc_set *ret_sets);

#endif

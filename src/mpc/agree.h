/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Agreement on a bit, synchronous, n >= 3 t + 1: Berman, Garay and Perry, "Towards optimal
 * distributed consensus", 1989 (the phase king). t + 1 phases of three rounds, each with another
 * party as its king:
 *
 *	value    everybody says its bit
 *	propose  whoever heard a bit from n - t parties says that one; others say nothing
 *	king     a bit that more than t proposed is taken over; the king says its own, and whoever
 *		 had fewer than n - t proposals of its bit takes the king's
 *
 * After a phase with an honest king all honest parties have the same bit, and from then on keep it.
 * If all begin with the same, that is it. Who is silent towards somebody has said nothing to it.
 */
#ifndef MPC_AGREE_H
#define MPC_AGREE_H

#include "mpc/group.h"

enum agree_step {
	AGREE_VALUE,
	AGREE_PROPOSE,
	AGREE_KING,
	AGREE_STEPS
};

enum agree_word {
	AGREE_0,
	AGREE_1,
	AGREE_NOTHING
};

struct agree {
	enum agree_word bit;
	enum agree_word says; /* what we say in the round that comes */
	bool strong;          /* the king is not needed */
	mpc_set said[2];      /* in this round: who said 0, who said 1; we too */
};

static inline void agree_begin(struct agree *a, bool bit)
{
	*a = (struct agree){.bit = bit ? AGREE_1 : AGREE_0};
	a->says = a->bit;
}

static inline void agree_hear(struct agree *a, unsigned from, enum agree_word word)
{
	if (word != AGREE_NOTHING)
		a->said[word] |= mpc_set_of(from);
}

/* The round is over. `quorum`: n - t, without who is known to be corrupt. In the king's round only
 * the king was heard. */
void agree_conclude(struct agree *a, enum agree_step step, unsigned quorum, unsigned t);

#endif

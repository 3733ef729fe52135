/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/group.h"

unsigned mpc_sets_n(const struct mpc_group *g)
{
	unsigned long sets = 1;

	/* Each step is a binomial coefficient itself, so the division is exact. */
	for (unsigned i = 1; i <= g->t; i++)
		sets = sets * (g->n - g->t + i) / i;
	return (unsigned)sets;
}

enum err mpc_group_check(const struct mpc_group *g, struct err_note *note)
{
	if (g->n > MPC_PARTIES_MAX)
		return err_say(note, ERR_RANGE, "%u parties, at most %d", g->n, MPC_PARTIES_MAX);
	if (g->t < 1 || g->t > MPC_PARTIES_MAX || 3 * g->t + 1 > g->n)
		return err_say(note, ERR_RANGE,
			       "threshold %u of %u parties: at least 1, and 3 t + 1 parties", g->t,
			       g->n);
	if (g->me < 1 || g->me > g->n)
		return err_say(note, ERR_RANGE, "party %u of %u", g->me, g->n);
	if (mpc_sets_n(g) > MPC_SETS_MAX)
		return err_say(note, ERR_RANGE, "%u sets of parties, at most %d", mpc_sets_n(g),
			       MPC_SETS_MAX);
	return ERR_OK;
}

void mpc_sets(const struct mpc_group *g, mpc_set *ret_sets)
{
	unsigned size = g->n - g->t, sets_n = mpc_sets_n(g);
	unsigned member[MPC_PARTIES_MAX];

	for (unsigned i = 0; i < size; i++)
		member[i] = i + 1;
	for (unsigned s = 0; s < sets_n; s++) {
		mpc_set set = 0;
		unsigned last = size;

		for (unsigned i = 0; i < size; i++)
			set |= mpc_set_of(member[i]);
		ret_sets[s] = set;
		/* The last member that can go up does; those behind it follow closely. */
		while (last > 0 && member[last - 1] == g->n - size + last)
			last--;
		if (last == 0)
			return;
		member[last - 1]++;
		for (unsigned i = last; i < size; i++)
			member[i] = member[i - 1] + 1;
	}
}

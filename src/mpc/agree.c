/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/agree.h"

void agree_conclude(struct agree *a, enum agree_step step, unsigned quorum, unsigned t)
{
	const unsigned n[] = {mpc_set_size(a->said[0]), mpc_set_size(a->said[1])};

	switch (step) {
	case AGREE_VALUE:
		a->says = n[1] >= quorum ? AGREE_1 : n[0] >= quorum ? AGREE_0 : AGREE_NOTHING;
		break;
	case AGREE_PROPOSE:
		/* Honest parties do not propose both, and among more than t there is one. */
		if (n[0] > t || n[1] > t)
			a->bit = n[1] > t ? AGREE_1 : AGREE_0;
		a->strong = n[a->bit] >= quorum;
		a->says = a->bit;
		break;
	default:
		if (!a->strong)
			a->bit = n[1] > 0 ? AGREE_1 : AGREE_0;
		a->says = a->bit;
	}
	a->said[0] = 0;
	a->said[1] = 0;
}

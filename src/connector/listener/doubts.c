/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Blocks with logs that could not be decoded: the endpoint may have cut them, so they are read
 * again, less and less often. */
#include "connector/listener/internal.h"

enum {
	FIRST_MS = 5000,
	FACTOR = 4,
	LONGEST_MS = 6 * 3600 * 1000,
};

void doubts_add(struct doubts *d, struct block_number block, int64_t now_ms)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].block.v == block.v)
			return;
	/* The oldest are left to the next start. */
	if (d->n == DOUBTS_MAX)
		memmove(&d->v[0], &d->v[1], (--d->n) * sizeof(d->v[0]));
	d->v[d->n++] =
		(struct doubt){.block = block, .delay_ms = FIRST_MS, .due_ms = now_ms + FIRST_MS};
}

bool doubts_take(struct doubts *d, struct block_number *ret_block, struct block_number head,
		 int64_t now_ms)
{
	for (size_t i = 0; i < d->n; i++) {
		struct doubt *v = &d->v[i];

		if (v->due_ms > now_ms || v->block.v > head.v)
			continue;
		/* Whatever becomes of this reading: others have their turn first. */
		v->delay_ms = v->delay_ms > LONGEST_MS / FACTOR ? LONGEST_MS : v->delay_ms * FACTOR;
		v->due_ms = now_ms + v->delay_ms;
		*ret_block = v->block;
		return true;
	}
	return false;
}

void doubts_settle(struct doubts *d, struct block_number block)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].block.v != block.v)
			d->v[kept++] = d->v[i];
	d->n = kept;
}

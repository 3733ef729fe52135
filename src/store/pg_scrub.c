/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/pg_scrub.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/secret.h"

enum {
	FREED_BYTE = 0xa5,
	/* glibc's thread cache: sizes 24, 40 … 1032, seven of each. */
	SIZE_FIRST = 24,
	SIZE_STEP = 16,
	SIZE_LAST = 1032,
	PER_SIZE = 8,
};

static void freed_bytes(struct pg_scrub *s, int change)
{
	CHECK(pthread_mutex_lock(&s->mutex) == 0);
	s->inside += (unsigned)change;
	(void)mallopt(M_PERTURB, s->inside > 0 ? FREED_BYTE : 0);
	CHECK(pthread_mutex_unlock(&s->mutex) == 0);
}

void pg_scrub_begin(struct pg_scrub *s)
{
	freed_bytes(s, 1);
}

static void cache_wipe(size_t size)
{
	void *pieces[PER_SIZE];

	for (size_t i = 0; i < PER_SIZE; i++) {
		pieces[i] = malloc(size);
		if (pieces[i])
			secret_wipe(pieces[i], size);
	}
	for (size_t i = 0; i < PER_SIZE; i++)
		free(pieces[i]);
}

void pg_scrub_end(struct pg_scrub *s, size_t size_max)
{
	for (size_t size = SIZE_FIRST; size <= SIZE_LAST && size < size_max + SIZE_STEP;
	     size += SIZE_STEP)
		cache_wipe(size);
	freed_bytes(s, -1);
}

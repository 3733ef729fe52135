/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: what libpq leaves behind in freed memory. It wipes the password that it keeps,
 * but not the copies that it makes while it takes an URL apart and logs in.
 *
 * Between begin and end the allocator overwrites what is freed (mallopt, M_PERTURB). It leaves out
 * small pieces, which each thread keeps in a cache of a few for each size: end takes and wipes
 * these. So what is freed in between, by the thread that calls both, is gone. glibc only; other
 * allocators, as those of the sanitizers, ignore it.
 */
#ifndef STORE_PG_SCRUB_H
#define STORE_PG_SCRUB_H

#include <pthread.h>
#include <stddef.h>

/* Shared by the threads of one store. */
struct pg_scrub {
	pthread_mutex_t mutex;
	unsigned inside; /* how many are between begin and end */
};

#define PG_SCRUB_INIT                                                                              \
	{                                                                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER                                                 \
	}

void pg_scrub_begin(struct pg_scrub *s);

/* `size_max`: of the pieces that may hold a secret. */
void pg_scrub_end(struct pg_scrub *s, size_t size_max);

#endif

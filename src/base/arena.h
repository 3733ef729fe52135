/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Arena: memory with one lifetime (a request, an event, a parse). Everything is freed at once;
 * nothing singly. A maximum is mandatory. Not for secrets. One thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used;
	size_t size_max;
};

static inline struct arena arena_make(size_t size_max)
{
	return (struct arena){.size_max = size_max};
}

/* Zero-filled, aligned for any type; NULL when the maximum is passed or memory is out. n == 0 gives
 * a valid pointer. */
void *arena_alloc(struct arena *a, size_t n);

/* Is there room for n more bytes below the maximum? If so, a NULL from arena_alloc means that
 * memory is out. */
bool arena_fits(const struct arena *a, size_t n);

/* n elements of `size`; NULL on overflow as well. */
void *arena_alloc_array(struct arena *a, size_t n, size_t size);

/* A copy of the bytes. ERR_NOMEM as above. */
enum err arena_copy(struct arena *a, struct bytes *ret_copy, struct bytes from) MUST_USE;

/* A NUL-terminated copy. NULL on failure. */
char *arena_strndup(struct arena *a, struct bytes text);

/* Frees everything; the arena is empty and usable again. NULL is allowed. */
void arena_free(struct arena *a);

#endif

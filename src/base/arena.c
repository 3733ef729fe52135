/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum {
	ARENA_ALIGN = alignof(max_align_t),
	ARENA_BLOCK_MIN = 4096,
};

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t cap;
	alignas(max_align_t) uint8_t data[];
};

/* What the arena counts is what was asked for, rounded up to alignment; block overhead is not
 * counted. n == 0 still gets a place of its own. */
static size_t rounded(size_t n)
{
	return ((n == 0 ? 1 : n) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

bool arena_fits(const struct arena *a, size_t n)
{
	return n <= SIZE_MAX - ARENA_ALIGN - sizeof(struct arena_block) && a->used <= a->size_max &&
	       rounded(n) <= a->size_max - a->used;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t want = rounded(n);

	if (!arena_fits(a, n))
		return NULL;
	if (!a->head || want > a->head->cap - a->head->used) {
		size_t cap = want < ARENA_BLOCK_MIN ? ARENA_BLOCK_MIN : want;
		struct arena_block *b = calloc(1, sizeof(*b) + cap);

		if (!b)
			return NULL;
		b->next = a->head;
		b->cap = cap;
		a->head = b;
	}

	void *place = &a->head->data[a->head->used];
	a->head->used += want;
	a->used += want;
	return place;
}

void *arena_alloc_array(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return arena_alloc(a, total);
}

enum err arena_copy(struct arena *a, struct bytes *ret_copy, struct bytes from)
{
	uint8_t *p = arena_alloc(a, from.n);

	if (!p)
		return ERR_NOMEM;
	if (from.n > 0)
		memcpy(p, from.p, from.n);
	*ret_copy = bytes_from(p, from.n);
	return ERR_OK;
}

char *arena_strndup(struct arena *a, struct bytes text)
{
	if (text.n == SIZE_MAX)
		return NULL;

	char *p = arena_alloc(a, text.n + 1);

	if (p && text.n > 0)
		memcpy(p, text.p, text.n);
	return p;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	while (a->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	a->used = 0;
}

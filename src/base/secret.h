/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Secret memory.
 *
 * A secret lives in its own pages: locked (never swapped), left out of core dumps, with a guard
 * page behind it, wiped when freed. There is no function that prints one and none that gives a
 * `struct bytes` by accident: the reader must write secret_view, which is what a reviewer searches
 * for.
 *
 * If the machine refuses to lock memory (RLIMIT_MEMLOCK), allocation still succeeds and
 * secret_lock_failed() counts it; the service says so once at start.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/bytes.h"

struct secret {
	uint8_t *p;
	size_t n;
};

/* Zero-filled secret of n bytes (n <= SECRET_SIZE_MAX). Errors: ERR_NOMEM, ERR_RANGE. */
enum err secret_alloc(struct secret *ret_secret, size_t n) MUST_USE;

/* Copies `from` into a fresh secret and wipes nothing: the source stays the caller's to wipe. */
enum err secret_copy(struct secret *ret_secret, struct bytes from) MUST_USE;

/* Wipes and releases; empties the handle; NULL and empty are allowed. */
void secret_free(struct secret *s);

static inline struct bytes secret_view(const struct secret *s)
{
	return (struct bytes){s->p, s->n};
}

/* Constant-time equality of equally long byte strings (length is public). */
bool secret_eq(struct bytes a, struct bytes b);

/* Overwrite in a way that the compiler keeps. */
void secret_wipe(void *p, size_t n);

/* How many allocations could not be locked. */
unsigned secret_lock_failed(void);

/* Fixed 32-byte secrets on the stack or inside a struct: wipe with secret32_wipe (also as CLEANUP).
 */
struct secret32 {
	uint8_t b[32];
};

static inline void secret32_wipe(struct secret32 *s)
{
	secret_wipe(s->b, sizeof(s->b));
}

#endif

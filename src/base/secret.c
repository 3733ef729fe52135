/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/secret.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"

/*
 *   | zero padding | secret, 64-byte aligned start | guard page |
 *
 * The secret ends (up to alignment) where the guard page begins, so that an overrun faults. Where
 * the mapping starts and how long it is follows from place and length of the secret: no header lies
 * beside it.
 */
enum {
	SECRET_ALIGN = 64
};

/* The one counter of the process: how often mlock(2) was refused. Never read to decide anything. */
static atomic_uint lock_failed;

struct mapping {
	size_t page;
	size_t data;   /* bytes of whole pages that hold the secret */
	size_t offset; /* of the secret in them */
};

static struct mapping mapping_of(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t padded = (n + SECRET_ALIGN - 1) / SECRET_ALIGN * SECRET_ALIGN;
	size_t data = (padded + page - 1) / page * page;

	return (struct mapping){.page = page, .data = data, .offset = data - padded};
}

enum err secret_alloc(struct secret *ret_secret, size_t n)
{
	if (n > SECRET_SIZE_MAX)
		return ERR_RANGE;
	if (n == 0) {
		*ret_secret = (struct secret){0};
		return ERR_OK;
	}

	struct mapping m = mapping_of(n);
	uint8_t *base = mmap(NULL, m.data + m.page, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return ERR_NOMEM;
	if (mprotect(base + m.data, m.page, PROT_NONE) != 0) {
		(void)munmap(base, m.data + m.page);
		return ERR_NOMEM;
	}
	/* mlock2 with no flags is mlock, but sanitizers do not replace it by nothing. */
	if (mlock2(base, m.data, 0) != 0)
		atomic_fetch_add(&lock_failed, 1);
		/* Kernels without one of these go on without it: neither is a condition for
		 * correctness. */
#ifdef MADV_DONTDUMP
	(void)madvise(base, m.data, MADV_DONTDUMP);
#endif
#ifdef MADV_WIPEONFORK
	(void)madvise(base, m.data, MADV_WIPEONFORK);
#endif
	*ret_secret = (struct secret){base + m.offset, n};
	return ERR_OK;
}

enum err secret_copy(struct secret *ret_secret, struct bytes from)
{
	struct secret s;

	TRY(secret_alloc(&s, from.n));
	if (from.n > 0)
		memcpy(s.p, from.p, from.n);
	*ret_secret = s;
	return ERR_OK;
}

void secret_free(struct secret *s)
{
	if (!s || !s->p)
		return;

	struct mapping m = mapping_of(s->n);

	secret_wipe(s->p, s->n);
	/* munmap unlocks as well */
	CHECK(munmap(s->p - m.offset, m.data + m.page) == 0);
	*s = (struct secret){0};
}

bool secret_eq(struct bytes a, struct bytes b)
{
	if (a.n != b.n)
		return false;

	/* volatile: the compiler must not find out that it could stop early */
	volatile uint8_t diff = 0;

	for (size_t i = 0; i < a.n; i++)
		diff = (uint8_t)(diff | (a.p[i] ^ b.p[i]));
	return diff == 0;
}

void secret_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}

unsigned secret_lock_failed(void)
{
	return atomic_load(&lock_failed);
}

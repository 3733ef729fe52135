/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/pg_forget.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	PASSWORD_MIN = 8,
	PASSWORD_MAX = 1024,
	STATE_SIZE = 128, /* of the login's state, what is looked at */
	ALIGNMENT = 16,   /* what malloc gives is a multiple of it */
	STEPS = 2
};

struct search {
	const struct secret *password;
	int pipe[2];
	uint8_t copy[PASSWORD_MAX + 1];
};

/*
 * What looks like a pointer may be none. The kernel knows: writing from a bad address to a pipe is
 * an error (EFAULT), and reading it back gives what stands there.
 */
static bool read_safely(const struct search *s, void *to, uintptr_t from, size_t n)
{
	/* Not write(): sanitizers would judge the address before the kernel can. */
	ssize_t got = syscall(SYS_write, s->pipe[1], from, n);

	if (got <= 0)
		return false;
	/* A mapping that ends in between gives the part before it. */
	return read(s->pipe[0], to, (size_t)got) == got && (size_t)got == n;
}

static bool is_password(struct search *s, uintptr_t at)
{
	size_t n = s->password->n;
	bool is = read_safely(s, s->copy, at, n + 1) && s->copy[n] == 0 &&
		  secret_eq(bytes_from(s->copy, n), secret_view(s->password));

	secret_wipe(s->copy, n + 1);
	return is;
}

/* The `n` bytes at `words`, as pointers. */
static void forget_in(struct search *s, const uint8_t *words, size_t n, unsigned steps)
{
	for (size_t i = 0; i + sizeof(uintptr_t) <= n; i += sizeof(uintptr_t)) {
		uint8_t state[STATE_SIZE];
		uintptr_t at;

		memcpy(&at, &words[i], sizeof(at));
		if (at == 0 || at % ALIGNMENT != 0)
			continue;
		if (is_password(s, at))
			secret_wipe((void *)at, s->password->n);
		else if (steps > 1 && read_safely(s, state, at, sizeof(state)))
			forget_in(s, state, sizeof(state), steps - 1);
	}
}

void pg_forget(PGconn *connection, const struct secret *password)
{
	struct search s = {.password = password};

	if (password->n < PASSWORD_MIN || password->n > PASSWORD_MAX ||
	    pipe2(s.pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return;
	forget_in(&s, (const uint8_t *)connection, malloc_usable_size(connection), STEPS);
	(void)close(s.pipe[0]);
	(void)close(s.pipe[1]);
}

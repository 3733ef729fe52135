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
};

struct search {
	const struct secret *password;
	int pipe[2];
	uint8_t copy[PASSWORD_MAX + 1];
};

/*
 * What looks like a pointer may be none. The kernel knows: writing from a bad address to a pipe is
 * an error (EFAULT), and reading it back gives what stands there. False also where a mapping ends
 * within the `n` bytes.
 */
static bool read_safely(const struct search *s, void *to, uintptr_t from, size_t n)
{
	/* Not write(): sanitizers would judge the address before the kernel can. */
	ssize_t got = syscall(SYS_write, s->pipe[1], from, n);

	if (got <= 0)
		return false;
	return read(s->pipe[0], to, (size_t)got) == got && (size_t)got == n;
}

/* Overwrites what stands there if it is the password. */
static bool forget_at(struct search *s, uintptr_t at)
{
	size_t n = s->password->n;
	bool is = read_safely(s, s->copy, at, n + 1) && s->copy[n] == 0 &&
		  secret_eq(bytes_from(s->copy, n), secret_view(s->password));

	secret_wipe(s->copy, n + 1);
	if (is)
		secret_wipe((void *)at, n);
	return is;
}

/* The i-th of the words as the address of something that malloc gave; 0 for what cannot be one. */
static uintptr_t pointer_at(struct bytes words, size_t i)
{
	struct bytes word = bytes_sub(words, i * sizeof(uintptr_t), sizeof(uintptr_t));
	uintptr_t at;

	memcpy(&at, word.p, sizeof(at));
	return at % ALIGNMENT == 0 ? at : 0;
}

static void forget_from_state(struct search *s, struct bytes state)
{
	for (size_t i = 0; i < state.n / sizeof(uintptr_t); i++)
		if (pointer_at(state, i) != 0)
			(void)forget_at(s, pointer_at(state, i));
}

static void forget_from_connection(struct search *s, struct bytes connection)
{
	uint8_t state[STATE_SIZE];

	for (size_t i = 0; i < connection.n / sizeof(uintptr_t); i++) {
		uintptr_t at = pointer_at(connection, i);

		if (at != 0 && !forget_at(s, at) && read_safely(s, state, at, sizeof(state)))
			forget_from_state(s, BYTES_OF(state));
	}
}

void pg_forget(PGconn *connection, const struct secret *password)
{
	struct search s = {.password = password};

	if (password->n < PASSWORD_MIN || password->n > PASSWORD_MAX ||
	    pipe2(s.pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return;
	/* PQconnectdbParams gets the connection from malloc, so its size is known. */
	forget_from_connection(&s, bytes_from(connection, malloc_usable_size(connection)));
	(void)close(s.pipe[0]);
	(void)close(s.pipe[1]);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Work shared out among child processes, for simulators: a run that aborts or hangs takes its child
 * along and no other, the parent says which one it was, and another child goes on.
 */
#ifndef TESTS_JOBS_H
#define TESTS_JOBS_H

enum {
	JOBS_MAX = 64
};

struct jobs {
	unsigned n; /* 1 to JOBS_MAX */
	void *ctx;  /* what the children write in it lies in shared memory */
	/* In a child: takes work until there is none. */
	void (*work)(void *ctx, unsigned index);
	/* In the parent: this child died at its work. */
	void (*died)(void *ctx, unsigned index);
};

/* Returns when all children have ended well. */
void jobs_run(const struct jobs *j);

#endif

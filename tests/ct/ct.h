/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Constant-time tests: memcheck reports every jump and every address that depends on undefined
 * memory, so a secret that is marked as undefined must not be reported anywhere. (An instruction
 * whose own time depends on its operands is not seen: a division, on many machines. The code under
 * test has none on secrets.)
 *
 * A program of this folder runs what its argument says: "good" is the subject, every other name is
 * a twin of it that leaks on purpose, which shows that the leak would be seen. run.sh judges.
 */
#ifndef TEST_CT_H
#define TEST_CT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "base/config.h"

#define CT_SECRET(p, n) ((void)VALGRIND_MAKE_MEM_UNDEFINED((p), (n)))
#define CT_PUBLIC(p, n) ((void)VALGRIND_MAKE_MEM_DEFINED((p), (n)))

struct ct_case {
	const char *name;
	void (*run)(void);
};

/* Where a leak ends up: the compiler must not drop what nobody reads. */
extern volatile unsigned ct_sink;

/* Without an argument the names of the cases, one a line; with one that case. 2: there is none of
 * that name, or nobody watches. */
int ct_main(int argc, char **argv, const struct ct_case *cases, size_t cases_n);

/* A vector; the caller frees. */
struct buf ct_vector(const char *name);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the tests of mpc/ share. Random numbers are of a seed, which SEED in the environment sets.
 */
#ifndef TEST_MPC_H
#define TEST_MPC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mpc/shamir.h"
#include "runs.h"

#define assert_ok(e) assert_int_equal((e), ERR_OK)

static inline struct rng *test_rng(struct rng_seeded *r)
{
	const char *seed = getenv("SEED");
	uint64_t n = seed ? strtoull(seed, NULL, 10) : 1;

	print_message("# SEED=%llu\n", (unsigned long long)n);
	return rng_seeded_init(r, n);
}

/* The simulator's run (tests/mpc) with all that it meets, every number of liars. A failing one says
 * which it was. */
static inline void mpc_matrix(const char *(*run)(struct mpc_run *r), unsigned meets, unsigned n,
			      unsigned t, uint64_t seeds)
{
	for (size_t s = 0; s < strategies_n; s++)
		for (unsigned liars = 1; liars <= t && strategies[s].on & meets; liars++)
			for (uint64_t seed = 1; seed <= seeds; seed++) {
				struct mpc_run r = {n, t, liars, &strategies[s], seed};
				const char *fault = run(&r);

				if (fault)
					print_error("# n=%u liars=%u %s seed %llu: %s\n", n, liars,
						    strategies[s].name, (unsigned long long)seed,
						    fault);
				assert_null(fault);
			}
}

#endif

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

#define assert_ok(e) assert_int_equal((e), ERR_OK)

static inline struct rng *test_rng(struct rng_seeded *r)
{
	const char *seed = getenv("SEED");
	uint64_t n = seed ? strtoull(seed, NULL, 10) : 1;

	print_message("# SEED=%llu\n", (unsigned long long)n);
	return rng_seeded_init(r, n);
}

static inline struct gr any_gr(struct rng *rng)
{
	uint8_t raw[GR_SIZE];

	rng_fill(rng, raw, sizeof(raw));
	return gr_get(raw);
}

/* k of the first n parties. */
static inline mpc_set any_parties(struct rng *rng, unsigned n, unsigned k)
{
	mpc_set s = 0;

	while (mpc_set_size(s) < k)
		s |= mpc_set_of(1 + (unsigned)rng_below(rng, n));
	return s;
}

#endif

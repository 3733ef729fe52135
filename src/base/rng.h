/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Seam 2 of 5: randomness.
 *
 * rng_system() is getrandom(2) and is the only source for keys and nonces; rng_seeded is for the
 * simulator and for tests, and prints nothing a key could come from in a service: services are
 * handed an rng and never choose one.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/bytes.h"

struct rng;

struct rng_ops {
	void (*fill)(struct rng *r, uint8_t *out,
		     size_t n); /* never fails: the system source aborts if it must */
};

struct rng {
	const struct rng_ops *ops;
};

static inline void rng_fill(struct rng *r, uint8_t *out, size_t n)
{
	r->ops->fill(r, out, n);
}

/* Uniform in [0, bound), bound > 0, without modulo bias. */
uint64_t rng_below(struct rng *r, uint64_t bound);

/* The kernel's source. One immutable object, any thread. */
struct rng *rng_system(void);

/* Deterministic (splitmix64): for simulation and tests only, never for a key. */
struct rng_seeded {
	struct rng base;
	uint64_t state;
};
struct rng *rng_seeded_init(struct rng_seeded *r, uint64_t seed);

#endif

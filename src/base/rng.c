/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/rng.h"

#include <errno.h>
#include <sys/random.h>

uint64_t rng_below(struct rng *r, uint64_t bound)
{
	CHECK(bound > 0);

	/* 2^64 mod bound: values below it would make the small results more likely. */
	uint64_t skip = (0 - bound) % bound;
	uint64_t v;

	do {
		uint8_t raw[8];

		rng_fill(r, raw, sizeof(raw));
		struct reader in = reader_of(BYTES_OF(raw));
		v = reader_u64le(&in);
	} while (v < skip);
	return v % bound;
}

static void system_fill(struct rng *r, uint8_t *out, size_t n)
{
	(void)r;
	while (n > 0) {
		ssize_t got = getrandom(out, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		/* There is no way to go on without randomness. */
		CHECK(got > 0);
		out += got;
		n -= (size_t)got;
	}
}

static const struct rng_ops system_ops = {.fill = system_fill};
static const struct rng system_rng = {.ops = &system_ops};

struct rng *rng_system(void)
{
	/* The table takes a mutable rng for the seeded kind; this one is never written to. */
	return (struct rng *)(uintptr_t)&system_rng;
}

/* splitmix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014.
 */
static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

/* Each call starts a fresh word, so that one caller's odd length does not shift bytes inside the
 * next word. */
static void seeded_fill(struct rng *r, uint8_t *out, size_t n)
{
	struct rng_seeded *s = CONTAINER_OF(r, struct rng_seeded, base);
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++) {
		if (i % 8 == 0)
			word = splitmix64(&s->state);
		out[i] = (uint8_t)word;
		word >>= 8;
	}
}

static const struct rng_ops seeded_ops = {.fill = seeded_fill};

struct rng *rng_seeded_init(struct rng_seeded *r, uint64_t seed)
{
	*r = (struct rng_seeded){.base = {.ops = &seeded_ops}, .state = seed};
	return &r->base;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the kernels of fhe/server/rns share. */
#ifndef FHE_SERVER_RNS_INTERNAL_H
#define FHE_SERVER_RNS_INTERNAL_H

#include "fhe/server/rns.h"

/* A constant factor w below a prime p, and floor(w * 2^64 / p). */
struct fhe_rns_factor {
	uint64_t w, quotient;
};

struct fhe_rns_prime {
	uint64_t p;
	struct fhe_rns_factor *forward; /* n powers of a 2n-th root of unity, bit-reversed order */
	struct fhe_rns_factor *inverse; /* of its inverse */
	/* The last step back puts in 1/n and, for the remainder theorem, the inverse of the
	 * product of the other primes. */
	struct fhe_rns_factor last_sum, last_difference;
	struct fhe_rns_factor one, two_64, two_52;
	fhe_u128 others;   /* product of the other primes, modulo 2^128 */
	uint64_t fraction; /* floor(2^(64 + FRACTION_BITS) / p) */
	uint64_t *lanes;   /* tables of a kernel, or NULL */
};

struct fhe_rns_kernel {
	const char *name;
	size_t size_min;
	/* Allocates and fills `lanes` of every prime; NULL: nothing to do. */
	enum err (*prepare)(struct fhe_rns *t);
	/* In place; values below 2 p in, below p out (in any order of the kernel's own). */
	void (*forward)(const struct fhe_rns *t, const struct fhe_rns_prime *q, uint64_t *a);
	/* Sums of products of what `forward` gave, then the way back: values below 2 p. */
	void (*multiply)(const struct fhe_rns *t, const struct fhe_rns_prime *q, size_t rows,
			 const uint64_t *digits, const uint64_t *words, uint64_t *ret_residues);
};

struct fhe_rns {
	const struct fhe_rns_kernel *kernel;
	size_t n;
	unsigned width, primes_n;
	struct fhe_rns_prime primes[FHE_RNS_PRIMES_MAX];
	fhe_u128 product; /* of all primes, modulo 2^128 */
};

/* NULL where the CPU or the compiler lacks the instructions. */
const struct fhe_rns_kernel *fhe_rns_kernel_ifma(void);

/* a * w modulo p in [0, 2 p), for any a. */
static inline uint64_t fhe_rns_times(uint64_t a, struct fhe_rns_factor f, uint64_t p)
{
	uint64_t quotient = (uint64_t)((fhe_u128)a * f.quotient >> 64);

	return a * f.w - quotient * p;
}

static inline uint64_t fhe_rns_reduce(uint64_t a, uint64_t bound)
{
	return a >= bound ? a - bound : a;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The programmable bootstrap: a table is looked up with an encrypted index.
 *
 * Both widths are the same code. The 64-bit torus is the upper half of the 128-bit one: numbers of
 * the torus are 128-bit words here, and a 64-bit key counts as shifted up by 64.
 */
#ifndef FHE_SERVER_BOOTSTRAP_H
#define FHE_SERVER_BOOTSTRAP_H

#include "fhe/key_set.h"
#include "fhe/u128.h"

enum {
	FHE_LUT_SIZE = 16, /* messages: 4 bits, below one bit of padding */
	FHE_DELTA_LOG = 128 - 1 - 4,
};

/* What each message becomes, as a number of the torus: m * 2^FHE_DELTA_LOG, say. */
struct fhe_lut {
	fhe_u128 values[FHE_LUT_SIZE];
};

/* One ciphertext on its way through. */
struct fhe_rotation {
	const uint32_t *exponents; /* mask and body of the input, modulo 2n */
	const struct fhe_lut *lut;
	fhe_u128 *ret_lwe; /* mask of k * n words and body, under the output key */
};

/* A bootstrapping key of a seeded part, masks back and transformed. Immutable; any thread. */
struct fhe_bootstrap;

/*
 * `portable`: see fhe_rns_new. By `threads` threads (1 to FHE_TEAM_THREADS_MAX). The part must have
 * passed fhe_key_set_check; it is not needed any more afterwards. ERR_UNSUPPORTED for sizes that
 * the arithmetic is not exact for, ERR_NOMEM, ERR_CRYPTO.
 */
enum err fhe_bootstrap_new(struct fhe_bootstrap **ret_key, const struct fhe_part_shape *shape,
			   const struct fhe_seeded *part, unsigned threads, bool portable) MUST_USE;
void fhe_bootstrap_free(struct fhe_bootstrap *b);

size_t fhe_bootstrap_input(const struct fhe_bootstrap *b);  /* bits of the input key */
size_t fhe_bootstrap_output(const struct fhe_bootstrap *b); /* of the output key */
unsigned fhe_bootstrap_log2(const struct fhe_bootstrap *b); /* log2 of 2n */
const char *fhe_bootstrap_kernel(const struct fhe_bootstrap *b);
uint64_t fhe_bootstrap_memory(const struct fhe_bootstrap *b); /* bytes */

/* Bootstraps all of `rotations`; the result does not depend on `threads`. ERR_RANGE for the number
 * of threads, ERR_NOMEM. */
enum err fhe_bootstrap_run(const struct fhe_bootstrap *b, const struct fhe_rotation *rotations,
			   size_t rotations_n, unsigned threads) MUST_USE;

#endif

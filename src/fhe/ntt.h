/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Exact products modulo X^n + 1 of public polynomials and secret binary ones, many products with
 * the same secret: what key generation consists of.
 *
 * Words of 64 or 128 bits are cut into limbs that are small enough for the product of a limb and a
 * binary polynomial to be exact modulo one 62-bit prime; the products come from the
 * number-theoretic transform modulo that prime and are added up again, shifted, modulo 2^64 or
 * 2^128. Integers only: no rounding, and no branch and no index that depends on a value.
 */
#ifndef FHE_NTT_H
#define FHE_NTT_H

#include "base/secret.h"
#include "fhe/u128.h"

enum {
	FHE_NTT_SIZE_MIN = 2,
	FHE_NTT_SIZE_MAX = 8192,
	FHE_NTT_POLYNOMIALS_MAX = 16,
};

/* Powers of a root of unity for one size. Immutable; any thread. */
struct fhe_ntt;

/* `n`: a power of two in [FHE_NTT_SIZE_MIN, FHE_NTT_SIZE_MAX], else ERR_RANGE. */
enum err fhe_ntt_new(struct fhe_ntt **ret_ntt, size_t n) MUST_USE;
void fhe_ntt_free(struct fhe_ntt *t);

/* A secret of `k` binary polynomials, transformed: as secret as the key itself. */
struct fhe_ntt_key {
	const struct fhe_ntt *ntt;
	struct secret values;
	size_t k;
};

/*
 * `bits`: k * n bytes of 0 or 1, k <= FHE_NTT_POLYNOMIALS_MAX; n the size of `ntt`, which must live
 * longer. `reversed`: each polynomial with its coefficients in reverse order.
 */
enum err fhe_ntt_key_new(struct fhe_ntt_key *ret_key, const struct fhe_ntt *ntt, struct bytes bits,
			 bool reversed) MUST_USE;
void fhe_ntt_key_free(struct fhe_ntt_key *key);

/* Room for one product at a time: bytes, from secret memory. */
size_t fhe_ntt_scratch_size(size_t n);

/*
 * ret_sum[0..n-1] = sum over j < k of words_j(X) * S_j(X) modulo X^n + 1, with k polynomials of n
 * little-endian words of `width` bytes (8 or 16) one after the other. Modulo 2^128; for 8-byte
 * words only the low 64 bits mean something. The sum is secret, and so is `scratch`.
 */
void fhe_ntt_product(const struct fhe_ntt_key *key, const uint8_t *words, unsigned width,
		     fhe_u128 *ret_sum, uint64_t *scratch);

#endif

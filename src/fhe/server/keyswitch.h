/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* From one LWE key to another, and to the exponents that a bootstrap takes. 64-bit. */
#ifndef FHE_SERVER_KEYSWITCH_H
#define FHE_SERVER_KEYSWITCH_H

#include "fhe/key_set.h"

/* A key switching key with its masks. All-zero is empty. Immutable; any thread. */
struct fhe_key_switch {
	size_t input, output; /* bits of the two keys */
	unsigned base_log, level;
	uint64_t *rows; /* [input][level, finest first][output + 1] */
};

/* The part must have passed fhe_key_set_check. ERR_NOMEM, ERR_CRYPTO. */
enum err fhe_key_switch_new(struct fhe_key_switch *ret_key, const struct fhe_part_shape *shape,
			    const struct fhe_seeded *part) MUST_USE;
void fhe_key_switch_free(struct fhe_key_switch *ks);

/* `lwe`: input + 1 words; ret_lwe: output + 1. */
void fhe_key_switch_run(const struct fhe_key_switch *ks, const uint64_t *lwe, uint64_t *ret_lwe);

/* How a ciphertext is rounded before a bootstrap, and what that takes: for the drift technique
 * encryptions of zero. All-zero is empty. */
struct fhe_rounding {
	struct fhe_mod_switch technique;
	size_t bits, zeros_n; /* of the key; zeros */
	uint64_t *zeros;      /* [zeros_n][bits + 1] */
};

/* `shape` and `part`: the zeros; shape->rows is 0 without them. */
enum err fhe_rounding_new(struct fhe_rounding *ret_rounding, const struct fhe_mod_switch *technique,
			  size_t bits, const struct fhe_part_shape *shape,
			  const struct fhe_seeded *part) MUST_USE;
void fhe_rounding_free(struct fhe_rounding *r);

/*
 * ret_exponents[0..bits]: the ciphertext modulo 2^log2 (at most 32). `lwe` is changed: by the mean
 * of the rounding errors, or by the zero that makes them small.
 */
void fhe_rounding_run(const struct fhe_rounding *r, uint64_t *lwe, unsigned log2,
		      uint32_t *ret_exponents);

#endif

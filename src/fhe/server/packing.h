/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Many 128-bit LWE ciphertexts into one GLWE ciphertext under another key. */
#ifndef FHE_SERVER_PACKING_H
#define FHE_SERVER_PACKING_H

#include "fhe/key_set.h"
#include "fhe/u128.h"

/*
 * ret_glwe: (k + 1) * n words, coefficient i of its phase that of ciphertext i. `lwes`: lwes_n (at
 * most n) of as many words as the input key has bits, and a body. The key is read from its seeded
 * form every time, masks made anew: with them it would have a gigabyte. The result does not depend
 * on `threads` (1 to FHE_TEAM_THREADS_MAX). The part must have passed fhe_key_set_check. ERR_RANGE,
 * ERR_NOMEM, ERR_CRYPTO, ERR_UNSUPPORTED for a base above 2^62.
 */
enum err fhe_packing_run(const struct fhe_part_shape *shape, const struct fhe_seeded *part,
			 const fhe_u128 *lwes, size_t lwes_n, unsigned threads,
			 fhe_u128 *ret_glwe) MUST_USE;

#endif

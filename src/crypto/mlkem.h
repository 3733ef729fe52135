/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * ML-KEM (FIPS 203), parameter sets ML-KEM-512 and ML-KEM-1024: by OpenSSL where it has it (3.5
 * on), else by our own code. Same inputs, same outputs, same errors; nobody sees which one runs.
 *
 * The functions are the standard's "internal" ones: they take the randomness (d, z, m) as inputs,
 * fresh from an rng and used once, and make the input checks of FIPS 203 section 7 as well.
 * Constant time in d, z, m, the decapsulation key and what follows from them; encapsulation keys
 * and ciphertexts are public and may be hostile.
 *
 * No state, any thread. Intermediate secrets are wiped; outputs are the caller's to wipe, and are
 * written on success only.
 */
#ifndef CRYPTO_MLKEM_H
#define CRYPTO_MLKEM_H

#include "base/secret.h"

enum mlkem_set {
	MLKEM_512,
	MLKEM_1024,
	MLKEM_SETS
};

/* FIPS 203, table 3: bytes of encapsulation key, decapsulation key, ciphertext. */
enum {
	MLKEM_512_EK_SIZE = 800,
	MLKEM_512_DK_SIZE = 1632,
	MLKEM_512_CT_SIZE = 768,

	MLKEM_1024_EK_SIZE = 1568,
	MLKEM_1024_DK_SIZE = 3168,
	MLKEM_1024_CT_SIZE = 1568,

	MLKEM_EK_SIZE_MAX = MLKEM_1024_EK_SIZE,
	MLKEM_DK_SIZE_MAX = MLKEM_1024_DK_SIZE,
	MLKEM_CT_SIZE_MAX = MLKEM_1024_CT_SIZE,
};

struct mlkem_sizes {
	size_t ek, dk, ct;
};
struct mlkem_sizes mlkem_sizes(enum mlkem_set set);

/* Errors of all: ERR_CRYPTO, ERR_NOMEM. */

/* A key pair from the seed (d, z), which is as secret as the decapsulation key. The key has the
 * standard's expanded form: dk of K-PKE || ek || H(ek) || z. */
enum err mlkem_keygen(enum mlkem_set set, uint8_t *ret_ek, uint8_t *ret_dk,
		      const struct secret32 *d, const struct secret32 *z) MUST_USE;

/* Is this an encapsulation key (7.2: length, and every coefficient below q)? ERR_MALFORMED. */
enum err mlkem_ek_check(enum mlkem_set set, struct bytes ek) MUST_USE;

/* A shared secret and its ciphertext, from the message m. ERR_MALFORMED as mlkem_ek_check. */
enum err mlkem_encaps(enum mlkem_set set, struct secret32 *ret_shared, uint8_t *ret_ct,
		      struct bytes ek, const struct secret32 *m) MUST_USE;

/*
 * The shared secret of a ciphertext. A ciphertext of the right length that nobody made by
 * encapsulation gives another secret, not an error (implicit rejection). ERR_MALFORMED: a length is
 * wrong, or the key's hash is not that of its ek part (7.3).
 */
enum err mlkem_decaps(enum mlkem_set set, struct secret32 *ret_shared, struct bytes dk,
		      struct bytes ct) MUST_USE;

#endif

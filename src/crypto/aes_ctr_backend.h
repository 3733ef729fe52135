/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The two ways to compute AES-128 for aes_ctr: the CPU's AES instructions, and OpenSSL where there
 * are none. Same bytes, chosen once per stream by what the CPU says. Internal to crypto/ and its
 * tests.
 */
#ifndef CRYPTO_AES_CTR_BACKEND_H
#define CRYPTO_AES_CTR_BACKEND_H

#include "crypto/aes_ctr.h"

__extension__ typedef unsigned __int128 aes_ctr_u128;

/*
 * counter + i modulo 2^128. The counter of a secret stream is secret as well, and compilers turn
 * the carry of a 128-bit addition into a jump when they feel like it: hence the carry by hand.
 */
static inline aes_ctr_u128 aes_ctr_add(aes_ctr_u128 counter, uint64_t i)
{
	uint64_t low = (uint64_t)counter, sum = low + i;
	uint64_t carry = ((low & i) | ((low | i) & ~sum)) >> 63;

	return (aes_ctr_u128)((uint64_t)(counter >> 64) + carry) << 64 | sum;
}

/* An expanded key. `round` for the backend that expands itself, `context` for the other. */
struct aes_ctr_key {
	uint8_t round[11][16];
	void *context;
};

struct aes_ctr_backend {
	const char *name;
	bool (*usable)(void);
	enum err (*key_set)(struct aes_ctr_key *k, const uint8_t key[16]);
	/* out = AES(first), AES(first + 1), ..., n blocks; counters are 128-bit little endian. */
	enum err (*blocks)(struct aes_ctr_key *k, uint8_t *out, aes_ctr_u128 first, size_t n);
	void (*key_clear)(struct aes_ctr_key *k);
};

extern const struct aes_ctr_backend aes_ctr_by_instructions; /* usable on x86-64 with AES-NI */
extern const struct aes_ctr_backend aes_ctr_by_openssl;

/* aes_ctr_new with a backend that must be usable. */
enum err aes_ctr_new_by(struct aes_ctr **ret_c, const struct aes_ctr_backend *by,
			const uint8_t key[16], const uint8_t counter0[16],
			unsigned first_byte) MUST_USE;

/* aes_ctr_new_xof with a backend that must be usable. */
enum err aes_ctr_new_xof_by(struct aes_ctr **ret_c, const struct aes_ctr_backend *by,
			    const char *dsep8, struct bytes seed) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keccak-256 as Ethereum uses it (the pre-FIPS-202 padding 0x01, rate 136). Own code: OpenSSL has
 * it from 3.2 on only. */
#ifndef CRYPTO_KECCAK_H
#define CRYPTO_KECCAK_H

#include "base/u256.h"

struct keccak256 {
	uint64_t state[25];
	size_t fill; /* bytes absorbed into the current block */
};

/* Streaming: init, any number of add, final. final writes the digest and leaves the object to be
 * initialised anew. */
void keccak256_init(struct keccak256 *k);
void keccak256_add(struct keccak256 *k, struct bytes data);
struct hash32 keccak256_final(struct keccak256 *k);

struct hash32 keccak256(struct bytes data);

#endif

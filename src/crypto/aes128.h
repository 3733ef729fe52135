/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * AES-128 (FIPS 197) under many keys at once, as a pseudo-random function of numbers:
 * AES_key(counter), the counter a 128-bit little-endian integer, as the result is. By the CPU's AES
 * instructions where it has them, else by OpenSSL; both constant time, same bytes.
 */
#ifndef CRYPTO_AES128_H
#define CRYPTO_AES128_H

#include "base/secret.h"
#include "base/u128.h"

enum {
	AES128_KEYS_MAX = 4096
};

/* Expanded keys, in secret memory. One thread at a time. */
struct aes128;

/* `keys`: 16 bytes each. ERR_RANGE for any other length or more than AES128_KEYS_MAX, ERR_NOMEM,
 * ERR_CRYPTO. */
enum err aes128_new(struct aes128 **ret, struct bytes keys) MUST_USE;
void aes128_free(struct aes128 *a); /* wipes; NULL allowed */

/* out[i] = AES under key number `key` of first + i, n of them. `key` exists. */
enum err aes128_numbers(struct aes128 *a, size_t key, u128 *out, u128 first, size_t n) MUST_USE;

/* The same under a key that is used this once: nothing of it is kept. */
enum err aes128_numbers_once(const uint8_t key[16], u128 *out, u128 first, size_t n) MUST_USE;

#endif

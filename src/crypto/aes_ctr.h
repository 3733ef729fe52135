/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The TFHE random byte stream: AES-128 where block i of the stream is AES_key(counter0 + i), the
 * counter being a 128-bit little-endian integer, bytes consumed in order (tfhe-csprng 0.8/0.9, AES
 * block order). This is not the NIST CTR mode, whose counter is big endian. By the CPU's AES
 * instructions where it has them, else by OpenSSL's AES-128-ECB; both constant time, same bytes.
 *
 * The object lies in secret memory, is used by one thread at a time and wiped when freed.
 */
#ifndef CRYPTO_AES_CTR_H
#define CRYPTO_AES_CTR_H

#include "base/secret.h"

struct aes_ctr;

enum {
	AES_CTR_XOF_SEED_MAX = 4096
};

/* counter0: 16 bytes little endian; first_byte: where in block 0 the stream starts (0..15, else
 * ERR_RANGE). ERR_NOMEM, ERR_CRYPTO. */
enum err aes_ctr_new(struct aes_ctr **ret_c, const uint8_t key[16], const uint8_t counter0[16],
		     unsigned first_byte) MUST_USE;

/* Seed of kind "Ctr": the key is the seed, little endian; counter0 = 0. */
enum err aes_ctr_new_seed(struct aes_ctr **ret_c, const uint8_t seed[16],
			  unsigned first_byte) MUST_USE;

/* Seed of kind "Xof": key and counter0 derived from domain separator (8 bytes) || seed by the AES
 * chain of tfhe-csprng. ERR_RANGE when dsep8 is not 8 long or the seed passes AES_CTR_XOF_SEED_MAX.
 */
enum err aes_ctr_new_xof(struct aes_ctr **ret_c, const char *dsep8, struct bytes seed) MUST_USE;

/* The next n bytes. After ERR_CRYPTO neither the output nor the stream is good for anything. */
enum err aes_ctr_fill(struct aes_ctr *c, uint8_t *out, size_t n) MUST_USE;

/* What comes next is byte `byte` of the stream, counted from the first of block 0. */
enum err aes_ctr_seek(struct aes_ctr *c, uint64_t byte) MUST_USE;

/* Blocks consumed so far, counting a block begun as consumed; the next byte's place inside its
 * block. */
void aes_ctr_position(const struct aes_ctr *c, uint64_t *ret_block, unsigned *ret_byte);

void aes_ctr_free(struct aes_ctr *c);

#endif

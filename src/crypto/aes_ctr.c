/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "crypto/aes_ctr.h"

#include <openssl/evp.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 u128;

enum {
	BLOCK = 16,
	BATCH = 4096, /* bytes per call into OpenSSL: long enough that the call itself costs nothing
		       */
};

struct aes_ctr {
	EVP_CIPHER_CTX *cipher;
	u128 counter0;
	uint64_t block; /* blocks made so far */
	unsigned left;  /* bytes at the end of `last` not yet given */
	uint8_t last[BLOCK];
};

static u128 load128le(const uint8_t b[BLOCK])
{
	u128 v = 0;

	for (size_t i = BLOCK; i > 0; i--)
		v = v << 8 | b[i - 1];
	return v;
}

/* As two words: compilers do not see through a loop of bytes, and this is half of the stream's cost
 * then. */
static void store128le(uint8_t b[BLOCK], u128 v)
{
	uint64_t w[2] = {(uint64_t)v, (uint64_t)(v >> 64)};

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w[0] = __builtin_bswap64(w[0]);
	w[1] = __builtin_bswap64(w[1]);
#endif
	memcpy(b, w, BLOCK);
}

static void cipher_free(EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX_free(*ctx); /* wipes its key schedule */
}

static enum err cipher_new(EVP_CIPHER_CTX **ret_ctx, const uint8_t key[16])
{
	CLEANUP(cipher_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx)
		return ERR_NOMEM;
	if (EVP_EncryptInit_ex2(ctx, EVP_aes_128_ecb(), key, NULL, NULL) != 1)
		return ERR_CRYPTO;
	if (EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
		return ERR_CRYPTO;
	*ret_ctx = ctx;
	ctx = NULL;
	return ERR_OK;
}

/* In place; n is a multiple of the block and at most BATCH. */
static enum err encrypt(EVP_CIPHER_CTX *ctx, uint8_t *data, size_t n)
{
	int done = 0;

	if (EVP_EncryptUpdate(ctx, data, &done, data, (int)n) != 1 || (size_t)done != n)
		return ERR_CRYPTO;
	return ERR_OK;
}

/* The next n / 16 blocks of the stream. */
static enum err make_blocks(struct aes_ctr *c, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n / BLOCK; i++)
		store128le(&out[i * BLOCK], c->counter0 + c->block + i);
	TRY(encrypt(c->cipher, out, n));
	c->block += n / BLOCK;
	return ERR_OK;
}

enum err aes_ctr_new(struct aes_ctr **ret_c, const uint8_t key[16], const uint8_t counter0[16],
		     unsigned first_byte)
{
	if (first_byte >= BLOCK)
		return ERR_RANGE;

	struct aes_ctr *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	c->counter0 = load128le(counter0);

	enum err e = cipher_new(&c->cipher, key);

	if (e == ERR_OK && first_byte > 0) {
		uint8_t skipped[BLOCK];

		e = aes_ctr_fill(c, skipped, first_byte);
		secret_wipe(skipped, sizeof(skipped));
	}
	if (e != ERR_OK) {
		aes_ctr_free(c);
		return e;
	}
	*ret_c = c;
	return ERR_OK;
}

enum err aes_ctr_new_seed(struct aes_ctr **ret_c, const uint8_t seed[16], unsigned first_byte)
{
	static const uint8_t zero[BLOCK];

	return aes_ctr_new(ret_c, seed, zero, first_byte);
}

/*
 * tfhe-csprng's "Xof" seed: a CBC chain under the all-zero key over dsep || seed, zero padded to
 * whole blocks, and then one block with the length in bits. The last two values of the chain are
 * counter and key.
 */
static enum err xof_chain(EVP_CIPHER_CTX *zero_key, struct bytes data, uint8_t key[BLOCK],
			  uint8_t counter0[BLOCK])
{
	uint8_t m[BLOCK];

	memset(key, 0, BLOCK);
	for (size_t at = 0;; at += BLOCK) {
		bool last = at >= data.n;
		struct bytes piece = bytes_sub(data, at, data.n - at < BLOCK ? data.n - at : BLOCK);

		memset(m, 0, sizeof(m));
		if (last)
			store128le(m, (u128)data.n * 8);
		else
			memcpy(m, piece.p, piece.n);
		memcpy(counter0, key, BLOCK);
		for (size_t i = 0; i < BLOCK; i++)
			key[i] ^= m[i];
		secret_wipe(m, sizeof(m));
		TRY(encrypt(zero_key, key, BLOCK));
		if (last)
			return ERR_OK;
	}
}

enum err aes_ctr_new_xof(struct aes_ctr **ret_c, const char *dsep8, struct bytes seed)
{
	static const uint8_t zero[BLOCK];
	CLEANUP(cipher_free) EVP_CIPHER_CTX *zero_key = NULL;
	CLEANUP(buf_wipe) struct buf data = buf_make(AES_CTR_XOF_SEED_MAX + 8);
	uint8_t key[BLOCK], counter0[BLOCK];

	if (bytes_str(dsep8).n != 8 || seed.n > AES_CTR_XOF_SEED_MAX)
		return ERR_RANGE;
	TRY(buf_reserve(&data, 8 + seed.n)); /* growing would leave copies of the seed behind */
	TRY(buf_add_str(&data, dsep8));
	TRY(buf_add(&data, seed));
	TRY(cipher_new(&zero_key, zero));

	enum err e = xof_chain(zero_key, buf_view(&data), key, counter0);

	if (e == ERR_OK)
		e = aes_ctr_new(ret_c, key, counter0, 0);
	secret_wipe(key, sizeof(key));
	secret_wipe(counter0, sizeof(counter0));
	return e;
}

enum err aes_ctr_fill(struct aes_ctr *c, uint8_t *out, size_t n)
{
	size_t at = 0;

	while (at < n) {
		if (c->left == 0 && n - at >= BLOCK) {
			size_t whole = (n - at) / BLOCK * BLOCK;

			if (whole > BATCH)
				whole = BATCH;
			TRY(make_blocks(c, &out[at], whole));
			at += whole;
			continue;
		}
		if (c->left == 0) {
			TRY(make_blocks(c, c->last, BLOCK));
			c->left = BLOCK;
		}

		size_t take = n - at < c->left ? n - at : c->left;

		memcpy(&out[at], &c->last[BLOCK - c->left], take);
		c->left -= (unsigned)take;
		at += take;
	}
	return ERR_OK;
}

void aes_ctr_position(const struct aes_ctr *c, uint64_t *ret_block, unsigned *ret_byte)
{
	*ret_block = c->block;
	*ret_byte = (BLOCK - c->left) % BLOCK;
}

void aes_ctr_free(struct aes_ctr *c)
{
	if (!c)
		return;
	EVP_CIPHER_CTX_free(c->cipher);
	secret_wipe(c, sizeof(*c));
	free(c);
}

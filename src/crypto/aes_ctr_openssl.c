/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* AES-128-ECB of OpenSSL over blocks of counters: constant time, with whatever the CPU has. */
#include <openssl/evp.h>

#include "crypto/aes_ctr_backend.h"

enum {
	BLOCK = 16,
	BATCH = 256, /* blocks per call into OpenSSL: long enough that the call itself costs nothing
		      */
};

static bool usable(void)
{
	return true;
}

static void key_clear(struct aes_ctr_key *k)
{
	EVP_CIPHER_CTX_free(k->context); /* wipes its key schedule */
	k->context = NULL;
}

static enum err key_set(struct aes_ctr_key *k, const uint8_t key[16])
{
	k->context = EVP_CIPHER_CTX_new();
	if (!k->context)
		return ERR_NOMEM;
	if (EVP_EncryptInit_ex2(k->context, EVP_aes_128_ecb(), key, NULL, NULL) == 1 &&
	    EVP_CIPHER_CTX_set_padding(k->context, 0) == 1)
		return ERR_OK;
	key_clear(k);
	return ERR_CRYPTO;
}

/* As two words: compilers do not see through a loop of bytes, and this is half of the stream's cost
 * then. */
static void store128le(uint8_t b[BLOCK], aes_ctr_u128 v)
{
	uint64_t w[2] = {(uint64_t)v, (uint64_t)(v >> 64)};

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w[0] = __builtin_bswap64(w[0]);
	w[1] = __builtin_bswap64(w[1]);
#endif
	memcpy(b, w, BLOCK);
}

static enum err blocks(struct aes_ctr_key *k, uint8_t *out, aes_ctr_u128 first, size_t n)
{
	for (size_t at = 0; at < n; at += BATCH) {
		size_t some = n - at < BATCH ? n - at : BATCH;
		uint8_t *place = &out[at * BLOCK];
		int done = 0;

		for (size_t i = 0; i < some; i++)
			store128le(&place[i * BLOCK], aes_ctr_add(first, at + i));
		if (EVP_EncryptUpdate(k->context, place, &done, place, (int)(some * BLOCK)) != 1 ||
		    (size_t)done != some * BLOCK)
			return ERR_CRYPTO;
	}
	return ERR_OK;
}

const struct aes_ctr_backend aes_ctr_by_openssl = {
	.name = "OpenSSL",
	.usable = usable,
	.key_set = key_set,
	.blocks = blocks,
	.key_clear = key_clear,
};

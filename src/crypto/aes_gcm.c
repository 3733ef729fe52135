/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "crypto/aes_gcm.h"

#include <openssl/evp.h>

static void cipher_free(EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX_free(*ctx); /* wipes its key schedule */
}

/* Key, nonce and additional data taken in. */
static enum err begin(EVP_CIPHER_CTX **ret_ctx, bool seal, const struct secret32 *key,
		      const uint8_t *nonce, struct bytes aad)
{
	CLEANUP(cipher_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	if (!ctx)
		return ERR_NOMEM;
	if (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->b, nonce, seal) != 1)
		return ERR_CRYPTO;
	if (aad.n > 0 && EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n) != 1)
		return ERR_CRYPTO;
	*ret_ctx = ctx;
	ctx = NULL;
	return ERR_OK;
}

static enum err update(EVP_CIPHER_CTX *ctx, uint8_t *out, struct bytes in)
{
	int n = 0;

	if (in.n == 0)
		return ERR_OK;
	if (EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) != 1 || (size_t)n != in.n)
		return ERR_CRYPTO;
	return ERR_OK;
}

enum err aes_gcm_seal(struct buf *out, const struct secret32 *key,
		      const uint8_t nonce[AES_GCM_NONCE_SIZE], struct bytes aad,
		      struct bytes plaintext)
{
	CLEANUP(cipher_free) EVP_CIPHER_CTX *ctx = NULL;
	size_t before = out->n;
	uint8_t *text;
	int n = 0;

	if (plaintext.n > AES_GCM_SIZE_MAX || aad.n > AES_GCM_SIZE_MAX)
		return ERR_RANGE;
	TRY(begin(&ctx, true, key, nonce, aad));
	TRY(buf_add_space(out, plaintext.n + AES_GCM_TAG_SIZE, &text));

	enum err e = update(ctx, text, plaintext);

	if (e == ERR_OK && (EVP_CipherFinal_ex(ctx, &text[plaintext.n], &n) != 1 || n != 0 ||
			    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AES_GCM_TAG_SIZE,
						&text[plaintext.n]) != 1))
		e = ERR_CRYPTO;
	if (e != ERR_OK)
		out->n = before;
	return e;
}

enum err aes_gcm_open(struct buf *out, const struct secret32 *key,
		      const uint8_t nonce[AES_GCM_NONCE_SIZE], struct bytes aad,
		      struct bytes sealed)
{
	CLEANUP(cipher_free) EVP_CIPHER_CTX *ctx = NULL;
	uint8_t tag[AES_GCM_TAG_SIZE], none;
	size_t before = out->n, size;
	uint8_t *text;
	int n = 0;

	if (sealed.n < AES_GCM_TAG_SIZE)
		return ERR_MISMATCH;
	size = sealed.n - AES_GCM_TAG_SIZE;
	if (size > AES_GCM_SIZE_MAX || aad.n > AES_GCM_SIZE_MAX)
		return ERR_RANGE;
	memcpy(tag, &sealed.p[size], sizeof(tag));
	TRY(begin(&ctx, false, key, nonce, aad));
	TRY(buf_add_space(out, size, &text));

	enum err e = update(ctx, text, bytes_sub(sealed, 0, size));

	if (e == ERR_OK && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) != 1)
		e = ERR_CRYPTO;
	if (e == ERR_OK && (EVP_CipherFinal_ex(ctx, &none, &n) != 1 || n != 0))
		e = ERR_MISMATCH;
	if (e != ERR_OK) {
		secret_wipe(text, size);
		out->n = before;
	}
	return e;
}

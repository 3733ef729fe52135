/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "crypto/sha.h"

#include <openssl/evp.h>
#include <pthread.h>

/*
 * OpenSSL 3 finds an algorithm by name under a lock, which costs more than hashing a short message.
 * Both objects are fetched on first use and live as long as the process; they are immutable
 * afterwards.
 */
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256_md;
static EVP_MD *shake256_md;

static void fetch(void)
{
	sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
	shake256_md = EVP_MD_fetch(NULL, "SHAKE256", NULL);
}

static void md_ctx_free(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static enum err digest_parts(EVP_MD_CTX *ctx, const EVP_MD *md, const struct bytes *parts,
			     size_t parts_n)
{
	if (!md || EVP_DigestInit_ex2(ctx, md, NULL) != 1)
		return ERR_CRYPTO;
	for (size_t i = 0; i < parts_n; i++)
		if (parts[i].n > 0 && EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) != 1)
			return ERR_CRYPTO;
	return ERR_OK;
}

enum err sha256(struct hash32 *ret_digest, const struct bytes *parts, size_t parts_n)
{
	CLEANUP(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct hash32 digest;

	if (!ctx)
		return ERR_NOMEM;
	if (pthread_once(&fetch_once, fetch) != 0)
		return ERR_CRYPTO;
	TRY(digest_parts(ctx, sha256_md, parts, parts_n));
	if (EVP_DigestFinal_ex(ctx, digest.b, NULL) != 1)
		return ERR_CRYPTO;
	*ret_digest = digest;
	return ERR_OK;
}

enum err shake256(uint8_t *out, size_t out_n, const struct bytes *parts, size_t parts_n)
{
	CLEANUP(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx)
		return ERR_NOMEM;
	if (pthread_once(&fetch_once, fetch) != 0)
		return ERR_CRYPTO;
	TRY(digest_parts(ctx, shake256_md, parts, parts_n));
	if (EVP_DigestFinalXOF(ctx, out, out_n) != 1)
		return ERR_CRYPTO;
	return ERR_OK;
}

enum err kms_digest(struct hash32 *ret_digest, const char *dsep8, struct bytes data)
{
	const struct bytes parts[] = {bytes_str(dsep8), data};
	struct hash32 digest;

	if (parts[0].n != KMS_DSEP_SIZE)
		return ERR_RANGE;
	TRY(shake256(digest.b, sizeof(digest.b), parts, ARRAY_LEN(parts)));
	*ret_digest = digest;
	return ERR_OK;
}

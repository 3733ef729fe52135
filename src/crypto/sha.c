/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "crypto/sha.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "base/secret.h"

enum algorithm {
	SHA256,
	SHA3_256,
	SHA3_512,
	SHAKE128,
	SHAKE256,
	ALGORITHMS
};

static const char *const names[ALGORITHMS] = {
	[SHA256] = "SHA256",     [SHA3_256] = "SHA3-256", [SHA3_512] = "SHA3-512",
	[SHAKE128] = "SHAKE128", [SHAKE256] = "SHAKE256",
};

/*
 * OpenSSL 3 finds an algorithm by name under a lock, which costs more than hashing a short message.
 * All are fetched on first use and live as long as the process; they are immutable afterwards.
 */
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_MD *fetched[ALGORITHMS];
static EVP_MAC *hmac;

static void fetch(void)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
		fetched[i] = EVP_MD_fetch(NULL, names[i], NULL);
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static void md_ctx_free(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx); /* wipes its state */
}

/* A context that has taken in all parts. */
static enum err absorb(EVP_MD_CTX **ret_ctx, enum algorithm algorithm, const struct bytes *parts,
		       size_t parts_n)
{
	CLEANUP(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx)
		return ERR_NOMEM;
	if (pthread_once(&fetch_once, fetch) != 0 || !fetched[algorithm] ||
	    EVP_DigestInit_ex2(ctx, fetched[algorithm], NULL) != 1)
		return ERR_CRYPTO;
	for (size_t i = 0; i < parts_n; i++)
		if (parts[i].n > 0 && EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) != 1)
			return ERR_CRYPTO;
	*ret_ctx = ctx;
	ctx = NULL;
	return ERR_OK;
}

static enum err hash_fixed(uint8_t *out, enum algorithm algorithm, const struct bytes *parts,
			   size_t parts_n)
{
	CLEANUP(md_ctx_free) EVP_MD_CTX *ctx = NULL;

	TRY(absorb(&ctx, algorithm, parts, parts_n));
	return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? ERR_OK : ERR_CRYPTO;
}

static enum err hash_extended(uint8_t *out, size_t out_n, enum algorithm algorithm,
			      const struct bytes *parts, size_t parts_n)
{
	CLEANUP(md_ctx_free) EVP_MD_CTX *ctx = NULL;

	TRY(absorb(&ctx, algorithm, parts, parts_n));
	return EVP_DigestFinalXOF(ctx, out, out_n) == 1 ? ERR_OK : ERR_CRYPTO;
}

enum err sha256(struct hash32 *ret_digest, const struct bytes *parts, size_t parts_n)
{
	return hash_fixed(ret_digest->b, SHA256, parts, parts_n);
}

enum err sha3_256(struct hash32 *ret_digest, const struct bytes *parts, size_t parts_n)
{
	return hash_fixed(ret_digest->b, SHA3_256, parts, parts_n);
}

enum err sha3_512(uint8_t ret_digest[SHA3_512_SIZE], const struct bytes *parts, size_t parts_n)
{
	return hash_fixed(ret_digest, SHA3_512, parts, parts_n);
}

enum err shake128(uint8_t *out, size_t out_n, const struct bytes *parts, size_t parts_n)
{
	return hash_extended(out, out_n, SHAKE128, parts, parts_n);
}

enum err shake256(uint8_t *out, size_t out_n, const struct bytes *parts, size_t parts_n)
{
	return hash_extended(out, out_n, SHAKE256, parts, parts_n);
}

static void mac_ctx_free(EVP_MAC_CTX **ctx)
{
	EVP_MAC_CTX_free(*ctx); /* wipes key and state */
}

enum err hmac_sha256(struct hash32 *ret_mac, struct bytes key, const struct bytes *parts,
		     size_t parts_n)
{
	static char digest_name[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
		OSSL_PARAM_construct_end(),
	};
	/* A NULL key would mean "the one from before". */
	const uint8_t *key_at = key.n > 0 ? key.p : (const uint8_t *)"";
	size_t n = 0;

	if (pthread_once(&fetch_once, fetch) != 0 || !hmac)
		return ERR_CRYPTO;
	CLEANUP(mac_ctx_free) EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);

	if (!ctx)
		return ERR_NOMEM;
	if (EVP_MAC_init(ctx, key_at, key.n, params) != 1)
		return ERR_CRYPTO;
	for (size_t i = 0; i < parts_n; i++)
		if (parts[i].n > 0 && EVP_MAC_update(ctx, parts[i].p, parts[i].n) != 1)
			return ERR_CRYPTO;

	struct hash32 mac;

	if (EVP_MAC_final(ctx, mac.b, &n, sizeof(mac.b)) != 1 || n != sizeof(mac.b))
		return ERR_CRYPTO;
	*ret_mac = mac;
	secret_wipe(mac.b, sizeof(mac.b));
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

/* ---- in pieces: the stream is OpenSSL's context by another name ---- */

enum err kms_digest_stream_new(struct kms_digest_stream **ret_stream, const char *dsep8)
{
	const struct bytes dsep = bytes_str(dsep8);
	EVP_MD_CTX *ctx;

	if (dsep.n != KMS_DSEP_SIZE)
		return ERR_RANGE;
	TRY(absorb(&ctx, SHAKE256, &dsep, 1));
	*ret_stream = (struct kms_digest_stream *)(void *)ctx;
	return ERR_OK;
}

enum err kms_digest_stream_add(struct kms_digest_stream *s, struct bytes piece)
{
	if (piece.n > 0 && EVP_DigestUpdate((EVP_MD_CTX *)(void *)s, piece.p, piece.n) != 1)
		return ERR_CRYPTO;
	return ERR_OK;
}

enum err kms_digest_stream_final(struct kms_digest_stream *s, struct hash32 *ret_digest)
{
	struct hash32 digest;

	if (EVP_DigestFinalXOF((EVP_MD_CTX *)(void *)s, digest.b, sizeof(digest.b)) != 1)
		return ERR_CRYPTO;
	*ret_digest = digest;
	return ERR_OK;
}

void kms_digest_stream_free(struct kms_digest_stream *s)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)(void *)s);
}

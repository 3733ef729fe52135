/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* ML-KEM by OpenSSL 3.5 or later; built only there. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "crypto/mlkem_internal.h"

static const char *const names[MLKEM_SETS] = {
	[MLKEM_512] = "ML-KEM-512",
	[MLKEM_1024] = "ML-KEM-1024",
};

static void pkey_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key); /* wipes */
}

static void pkey_ctx_free(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}

static enum err failed(enum err e)
{
	ERR_clear_error(); /* nobody else may find our failure in this thread's queue */
	return e;
}

static OSSL_PARAM octets(const char *name, const uint8_t *p, size_t n)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)p, n);
}

static enum err keygen(enum mlkem_set set, uint8_t *ek, uint8_t *dk, const struct secret32 *d,
		       const struct secret32 *z)
{
	CLEANUP(pkey_ctx_free)
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, names[set], NULL);
	CLEANUP(pkey_free) EVP_PKEY *key = NULL;
	struct mlkem_sizes sizes = mlkem_sizes(set);
	struct {
		struct secret32 d, z;
	} seed = {*d, *z};
	const OSSL_PARAM params[] = {
		octets(OSSL_PKEY_PARAM_ML_KEM_SEED, (const uint8_t *)&seed, sizeof(seed)),
		OSSL_PARAM_construct_end(),
	};
	bool ok = ctx && EVP_PKEY_keygen_init(ctx) == 1 &&
		  EVP_PKEY_CTX_set_params(ctx, params) == 1 && EVP_PKEY_generate(ctx, &key) == 1 &&
		  EVP_PKEY_get_raw_public_key(key, ek, &sizes.ek) == 1 &&
		  EVP_PKEY_get_raw_private_key(key, dk, &sizes.dk) == 1;

	secret_wipe(&seed, sizeof(seed));
	return ok ? ERR_OK : failed(ERR_CRYPTO);
}

/* Importing makes the check of FIPS 203, section 7.2. */
static enum err ek_import(EVP_PKEY **ret_key, enum mlkem_set set, struct bytes ek)
{
	*ret_key = EVP_PKEY_new_raw_public_key_ex(NULL, names[set], NULL, ek.p, ek.n);
	return *ret_key ? ERR_OK : failed(ERR_MALFORMED);
}

static enum err ek_check(enum mlkem_set set, struct bytes ek)
{
	CLEANUP(pkey_free) EVP_PKEY *key = NULL;

	return ek_import(&key, set, ek);
}

static enum err encaps(enum mlkem_set set, struct secret32 *shared, uint8_t *ct, struct bytes ek,
		       const struct secret32 *m)
{
	const OSSL_PARAM params[] = {
		octets(OSSL_KEM_PARAM_IKME, m->b, sizeof(m->b)),
		OSSL_PARAM_construct_end(),
	};
	CLEANUP(pkey_free) EVP_PKEY *key = NULL;
	CLEANUP(pkey_ctx_free) EVP_PKEY_CTX *ctx = NULL;
	size_t ct_n = mlkem_sizes(set).ct, shared_n = sizeof(shared->b);

	TRY(ek_import(&key, set, ek));
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!ctx || EVP_PKEY_encapsulate_init(ctx, params) != 1 ||
	    EVP_PKEY_encapsulate(ctx, ct, &ct_n, shared->b, &shared_n) != 1)
		return failed(ERR_CRYPTO);
	return ERR_OK;
}

/* Importing makes the check of FIPS 203, section 7.3. */
static enum err decaps(enum mlkem_set set, struct secret32 *shared, struct bytes dk,
		       struct bytes ct)
{
	CLEANUP(pkey_free)
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, names[set], NULL, dk.p, dk.n);
	CLEANUP(pkey_ctx_free) EVP_PKEY_CTX *ctx = NULL;
	size_t shared_n = sizeof(shared->b);

	if (!key)
		return failed(ERR_MALFORMED);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!ctx || EVP_PKEY_decapsulate_init(ctx, NULL) != 1 ||
	    EVP_PKEY_decapsulate(ctx, shared->b, &shared_n, ct.p, ct.n) != 1)
		return failed(ERR_CRYPTO);
	return ERR_OK;
}

const struct mlkem_backend mlkem_backend_openssl = {
	.name = "openssl",
	.keygen = keygen,
	.ek_check = ek_check,
	.encaps = encaps,
	.decaps = decaps,
};

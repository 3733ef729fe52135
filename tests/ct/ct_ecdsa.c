/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Signing: from secret32 to signature, in all three forms.
 *
 * Two things about a key show by design: whether it is one (0 < key < order), and that a signature
 * came out. libsecp256k1's calls are wrapped here to say so. Inside of it there are two such
 * conditions for each signature (the nonce and the signature are valid, each wrong with a
 * probability below 2^-127), which ct.supp suppresses and run.sh counts.
 */
#include <secp256k1_recovery.h>

#include "crypto/ecdsa.h"
#include "ct.h"

/* ---- what is public ---- */

int __real_secp256k1_ec_seckey_verify(const secp256k1_context *ctx, const unsigned char *key);
int __wrap_secp256k1_ec_seckey_verify(const secp256k1_context *ctx, const unsigned char *key);
int __real_secp256k1_ecdsa_sign_recoverable(const secp256k1_context *ctx,
					    secp256k1_ecdsa_recoverable_signature *sig,
					    const unsigned char *digest, const unsigned char *key,
					    secp256k1_nonce_function nonce, const void *data);
int __wrap_secp256k1_ecdsa_sign_recoverable(const secp256k1_context *ctx,
					    secp256k1_ecdsa_recoverable_signature *sig,
					    const unsigned char *digest, const unsigned char *key,
					    secp256k1_nonce_function nonce, const void *data);

int __wrap_secp256k1_ec_seckey_verify(const secp256k1_context *ctx, const unsigned char *key)
{
	int ok = __real_secp256k1_ec_seckey_verify(ctx, key);

	CT_PUBLIC(&ok, sizeof(ok));
	return ok;
}

int __wrap_secp256k1_ecdsa_sign_recoverable(const secp256k1_context *ctx,
					    secp256k1_ecdsa_recoverable_signature *sig,
					    const unsigned char *digest, const unsigned char *key,
					    secp256k1_nonce_function nonce, const void *data)
{
	int ok = __real_secp256k1_ecdsa_sign_recoverable(ctx, sig, digest, key, nonce, data);

	CT_PUBLIC(&ok, sizeof(ok));
	CT_PUBLIC(sig, sizeof(*sig));
	return ok;
}

/* ---- cases ---- */

static struct ecdsa *context(void)
{
	static const uint8_t seed[32] = {9};
	struct ecdsa *e;

	CHECK(ecdsa_new(&e, seed) == ERR_OK);
	return e;
}

static struct secret32 key_make(void)
{
	struct secret32 key = {{0x5b, 0x47, 0x32, 0x18}};

	key.b[31] = 0x7e;
	CT_SECRET(&key, sizeof(key));
	return key;
}

static void good(void)
{
	const struct hash32 digest = {{0xaa, 0xbb}};
	struct secret32 key = key_make();
	struct ecdsa *e = context();
	struct signature64 s64;
	struct signature65 s65;

	CHECK(ecdsa_sign64(e, &s64, &key, digest) == ERR_OK);
	CHECK(ecdsa_sign65(e, &s65, &key, digest) == ERR_OK);
	CHECK(memcmp(s64.b, s65.b, 64) == 0);
	CHECK(ecdsa_sign_kms(e, &s64, &key, "USER_DEC", BYTES_LIT("message")) == ERR_OK);
	ecdsa_free(e);
}

/* The naive multiplication: adds where the key has a one. */
static void double_and_add(void)
{
	struct secret32 key = key_make();

	for (size_t i = 0; i < 256; i++) {
		ct_sink *= 2;
		if (key.b[i / 8] >> (7 - i % 8) & 1)
			ct_sink += 3;
	}
}

/* The naive window: takes a multiple out of a table, four bits of the key at a time. */
static void window(void)
{
	static const volatile unsigned multiples[16] = {0, 3, 6, 9, 12, 15, 18, 21};
	struct secret32 key = key_make();

	for (size_t i = 0; i < sizeof(key.b); i++)
		ct_sink = 16 * ct_sink + multiples[key.b[i] & 15];
}

int main(int argc, char **argv)
{
	static const struct ct_case cases[] = {
		{"good", good}, {"double_and_add", double_and_add}, {"window", window}};

	return ct_main(argc, argv, cases, ARRAY_LEN(cases));
}

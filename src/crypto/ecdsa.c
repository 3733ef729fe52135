/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "crypto/ecdsa.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "crypto/sha.h"

struct ecdsa {
	secp256k1_context *ctx;
};

enum err ecdsa_new(struct ecdsa **ret_e, const uint8_t seed[32])
{
	struct ecdsa *e = calloc(1, sizeof(*e));

	if (!e)
		return ERR_NOMEM;
	/* Both flags: before libsecp256k1 0.2 a context could do only what it was made for. */
	e->ctx = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
	if (!e->ctx || secp256k1_context_randomize(e->ctx, seed) != 1) {
		enum err why = e->ctx ? ERR_CRYPTO : ERR_NOMEM;

		ecdsa_free(e);
		return why;
	}
	*ret_e = e;
	return ERR_OK;
}

void ecdsa_free(struct ecdsa *e)
{
	if (!e)
		return;
	secp256k1_context_destroy(e->ctx); /* NULL is allowed; the blinding is wiped */
	free(e);
}

enum err ecdsa_key_check(const struct ecdsa *e, const struct secret32 *key)
{
	return secp256k1_ec_seckey_verify(e->ctx, key->b) == 1 ? ERR_OK : ERR_BAD_REQUEST;
}

enum err ecdsa_public_key(const struct ecdsa *e, struct public_key33 *ret_pk,
			  const struct secret32 *key)
{
	secp256k1_pubkey point;
	struct public_key33 pk;
	size_t n = sizeof(pk.b);

	TRY(ecdsa_key_check(e, key));
	if (secp256k1_ec_pubkey_create(e->ctx, &point, key->b) != 1)
		return ERR_CRYPTO;
	if (secp256k1_ec_pubkey_serialize(e->ctx, pk.b, &n, &point, SECP256K1_EC_COMPRESSED) != 1)
		return ERR_CRYPTO;
	*ret_pk = pk;
	return ERR_OK;
}

/* The last 20 bytes of the Keccak-256 of x || y (Ethereum yellow paper, appendix F). */
static enum err address_of(const struct ecdsa *e, struct address *ret_address,
			   const secp256k1_pubkey *point)
{
	uint8_t sec1[65];
	size_t n = sizeof(sec1);

	if (secp256k1_ec_pubkey_serialize(e->ctx, sec1, &n, point, SECP256K1_EC_UNCOMPRESSED) != 1)
		return ERR_CRYPTO;

	struct hash32 digest = keccak256(bytes_sub(BYTES_OF(sec1), 1, 64));

	memcpy(ret_address->b, &digest.b[12], sizeof(ret_address->b));
	return ERR_OK;
}

enum err ecdsa_address(const struct ecdsa *e, struct address *ret_address,
		       const struct secret32 *key)
{
	secp256k1_pubkey point;

	TRY(ecdsa_key_check(e, key));
	if (secp256k1_ec_pubkey_create(e->ctx, &point, key->b) != 1)
		return ERR_CRYPTO;
	return address_of(e, ret_address, &point);
}

enum err ecdsa_address_of_point(const struct ecdsa *e, struct address *ret_address,
				struct bytes sec1)
{
	secp256k1_pubkey point;

	/* The library also takes the "hybrid" form 06/07, which SEC1 readers elsewhere refuse. */
	if (!(sec1.n == 33 || (sec1.n == 65 && sec1.p[0] == 0x04)))
		return ERR_MALFORMED;
	if (secp256k1_ec_pubkey_parse(e->ctx, &point, sec1.p, sec1.n) != 1)
		return ERR_MALFORMED;
	return address_of(e, ret_address, &point);
}

/* RFC 6979 nonce (the library's default) and s in the lower half (its guarantee). */
static enum err sign(const struct ecdsa *e, uint8_t rs[64], int *ret_recid,
		     const struct secret32 *key, struct hash32 digest)
{
	secp256k1_ecdsa_recoverable_signature sig;

	TRY(ecdsa_key_check(e, key));
	if (secp256k1_ecdsa_sign_recoverable(e->ctx, &sig, digest.b, key->b, NULL, NULL) != 1)
		return ERR_CRYPTO;
	if (secp256k1_ecdsa_recoverable_signature_serialize_compact(e->ctx, rs, ret_recid, &sig) !=
	    1)
		return ERR_CRYPTO;
	return ERR_OK;
}

enum err ecdsa_sign65(const struct ecdsa *e, struct signature65 *ret_sig,
		      const struct secret32 *key, struct hash32 digest)
{
	struct signature65 sig;
	int recid = 0;

	TRY(sign(e, sig.b, &recid, key, digest));
	/* 2 and 3 mean that r overflowed the group order, once in 2^127: such a signature has no
	 * Ethereum form. */
	if (recid > 1)
		return ERR_CRYPTO;
	sig.b[64] = (uint8_t)(27 + recid);
	*ret_sig = sig;
	return ERR_OK;
}

enum err ecdsa_sign64(const struct ecdsa *e, struct signature64 *ret_sig,
		      const struct secret32 *key, struct hash32 digest)
{
	struct signature64 sig;
	int recid = 0;

	TRY(sign(e, sig.b, &recid, key, digest));
	*ret_sig = sig;
	return ERR_OK;
}

enum err ecdsa_recover(const struct ecdsa *e, struct address *ret_signer, struct bytes signature65,
		       struct hash32 digest)
{
	secp256k1_ecdsa_recoverable_signature sig;
	secp256k1_ecdsa_signature plain;
	secp256k1_pubkey point;

	if (signature65.n != 65)
		return ERR_MALFORMED;

	uint8_t v = signature65.p[64];

	if (v == 27 || v == 28)
		v = (uint8_t)(v - 27);
	if (v > 1)
		return ERR_MISMATCH;
	if (secp256k1_ecdsa_recoverable_signature_parse_compact(e->ctx, &sig, signature65.p, v) !=
	    1)
		return ERR_MISMATCH;
	(void)secp256k1_ecdsa_recoverable_signature_convert(e->ctx, &plain, &sig);
	/* A high s is a second signature by somebody without the key (EIP-2); normalize answers 1
	 * for it. */
	if (secp256k1_ecdsa_signature_normalize(e->ctx, NULL, &plain) != 0)
		return ERR_MISMATCH;
	if (secp256k1_ecdsa_recover(e->ctx, &point, &sig, digest.b) != 1)
		return ERR_MISMATCH;
	return address_of(e, ret_signer, &point);
}

/* The library's parser takes strict DER only, but makes zero of numbers that are out of range. */
static bool has_zero(const uint8_t rs[64])
{
	static const uint8_t zero[32];

	return memcmp(rs, zero, 32) == 0 || memcmp(&rs[32], zero, 32) == 0;
}

enum err ecdsa_signature_of_der(const struct ecdsa *e, struct signature65 *ret_sig,
				struct bytes der, struct hash32 digest, struct address signer)
{
	secp256k1_ecdsa_signature plain;
	struct signature65 sig;
	struct address who;

	if (der.n == 0 || secp256k1_ecdsa_signature_parse_der(e->ctx, &plain, der.p, der.n) != 1)
		return ERR_MALFORMED;
	(void)secp256k1_ecdsa_signature_normalize(e->ctx, &plain, &plain);
	(void)secp256k1_ecdsa_signature_serialize_compact(e->ctx, sig.b, &plain);
	if (has_zero(sig.b))
		return ERR_MALFORMED;
	/* Where r overflowed the group order, once in 2^127, no v fits. */
	for (sig.b[64] = 27; sig.b[64] <= 28; sig.b[64]++) {
		if (ecdsa_recover(e, &who, BYTES_OF(sig.b), digest) != ERR_OK ||
		    !address_eq(who, signer))
			continue;
		*ret_sig = sig;
		return ERR_OK;
	}
	return ERR_MISMATCH;
}

enum err ecdsa_verify64(const struct ecdsa *e, struct public_key33 pk, struct signature64 sig,
			struct hash32 digest)
{
	secp256k1_ecdsa_signature plain;
	secp256k1_pubkey point;

	if (secp256k1_ec_pubkey_parse(e->ctx, &point, pk.b, sizeof(pk.b)) != 1)
		return ERR_MALFORMED;
	if (secp256k1_ecdsa_signature_parse_compact(e->ctx, &plain, sig.b) != 1)
		return ERR_MISMATCH;
	/* verify refuses a high s by itself */
	if (secp256k1_ecdsa_verify(e->ctx, &plain, digest.b, &point) != 1)
		return ERR_MISMATCH;
	return ERR_OK;
}

enum err ecdsa_sign_kms(const struct ecdsa *e, struct signature64 *ret_sig,
			const struct secret32 *key, const char *dsep8, struct bytes message)
{
	const struct bytes parts[] = {bytes_str(dsep8), message};
	struct hash32 digest;

	if (parts[0].n != KMS_DSEP_SIZE)
		return ERR_RANGE;
	TRY(sha256(&digest, parts, ARRAY_LEN(parts)));
	return ecdsa_sign64(e, ret_sig, key, digest);
}

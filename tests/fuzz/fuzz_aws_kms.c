/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Answers of AWS KMS. Input: u8 what, then for what % 3
 *
 *	0: the body of GetPublicKey. A key that is taken has one form, and its point that address.
 *	1: the body of Sign
 *	2: a signature in DER, in such a body: well formed if OpenSSL's encoder gives the same bytes
 *	   again and both numbers are in range
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/json.h"
#include "eth/signer_aws.h"
#include "fuzz.h"

static struct ecdsa *ecdsa_once(void)
{
	static const uint8_t seed[32] = {1};
	static struct ecdsa *e;

	if (!e)
		FUZZ_OK(ecdsa_new(&e, seed));
	return e;
}

static void public_key(struct bytes body)
{
	CLEANUP(json_free_ptr) json_t *o = NULL;
	CLEANUP(buf_free) struct buf der = buf_make(1024);
	struct address a = {{7}}, b, untouched = {{7}};
	struct err_note note = {{0}};
	enum err bad = ERR_OK;

	if (signer_aws_read_public_key(ecdsa_once(), &a, body, &note) != ERR_OK) {
		CHECK(address_eq(a, untouched) && note.text[0] != '\0');
		return;
	}
	FUZZ_OK(json_parse(&o, body, 1 << 20, NULL));
	FUZZ_OK(base64_decode(&der, bytes_str(json_get_str(o, "PublicKey", &bad))));
	CHECK(bad == ERR_OK && der.n == 88);
	FUZZ_OK(ecdsa_address_of_point(ecdsa_once(), &b, bytes_sub(buf_view(&der), 23, 65)));
	CHECK(address_eq(a, b));
}

static bool in_range(const BIGNUM *v)
{
	static BIGNUM *order;

	if (!order)
		CHECK(BN_hex2bn(&order,
				"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd03"
				"64141") > 0);
	return !BN_is_negative(v) && !BN_is_zero(v) && BN_cmp(v, order) < 0;
}

static bool well_formed(struct bytes der)
{
	const uint8_t *at = der.p;
	ECDSA_SIG *sig = der.n > 0 ? d2i_ECDSA_SIG(NULL, &at, (long)der.n) : NULL;
	uint8_t *again = NULL;
	bool good = false;

	if (sig) {
		int n = i2d_ECDSA_SIG(sig, &again);

		good = n > 0 && bytes_eq_var(bytes_from(again, (size_t)n), der) &&
		       in_range(ECDSA_SIG_get0_r(sig)) && in_range(ECDSA_SIG_get0_s(sig));
	}
	OPENSSL_free(again);
	ECDSA_SIG_free(sig);
	return good;
}

static enum err read_signature(struct bytes body)
{
	const struct address somebody = {{1}};
	const struct hash32 digest = {{9}};
	struct signature65 sig = {{7}};
	struct err_note note = {{0}};
	enum err e = signer_aws_read_signature(ecdsa_once(), &sig, body, digest, somebody, &note);

	/* Nobody has the key of this address. */
	CHECK(e != ERR_OK && sig.b[0] == 7 && note.text[0] != '\0');
	return e;
}

/* Who made it is found with either s: the one who signs is whoever it recovers to. */
static void recovers(struct bytes der)
{
	const struct hash32 digest = {{9}};
	struct signature65 sig;
	struct address who;

	/* A body of well formed DER that is not too long holds r and s: try both v. */
	for (uint8_t v = 27; v <= 28; v++) {
		const uint8_t *at = der.p;
		ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &at, (long)der.n);
		uint8_t raw[65];

		CHECK(s && BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, 32) == 32 &&
		      BN_bn2binpad(ECDSA_SIG_get0_s(s), &raw[32], 32) == 32);
		ECDSA_SIG_free(s);
		raw[64] = v;
		if (ecdsa_recover(ecdsa_once(), &who, BYTES_OF(raw), digest) != ERR_OK)
			continue; /* a high s, or no point */
		FUZZ_OK(ecdsa_signature_of_der(ecdsa_once(), &sig, der, digest, who));
		CHECK(memcmp(sig.b, raw, 65) == 0);
	}
}

static void signature_der(struct bytes der)
{
	CLEANUP(buf_free) struct buf body = buf_make(4096);
	enum err e;

	if (der.n > 72) /* the longest there is; longer ones end at our limit */
		return;
	FUZZ_OK(buf_add_str(&body, "{\"Signature\":\""));
	FUZZ_OK(base64_add(&body, der));
	FUZZ_OK(buf_add_str(&body, "\"}"));
	e = read_signature(buf_view(&body));
	CHECK(e == (well_formed(der) ? ERR_MISMATCH : ERR_MALFORMED));
	if (e == ERR_MISMATCH)
		recovers(der);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n);
	uint8_t what = fuzz_u8(&in);
	struct bytes copy = fuzz_copy(in);

	if (n < 1 << 12) {
		if (what % 3 == 0)
			public_key(copy);
		else if (what % 3 == 1)
			(void)read_signature(copy);
		else
			signature_der(copy);
	}
	fuzz_free(copy);
	return 0;
}

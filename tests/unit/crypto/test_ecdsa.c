/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "crypto/ecdsa.h"
#include "crypto/sha.h"

/* The group order, and the greatest s in its lower half (SEC 2, 2.4.1; EIP-2). */
static const char order_hex[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
static const char half_hex[] = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";

static struct ecdsa *e;

static int setup(void **state)
{
	static const uint8_t seed[32] = {1};

	(void)state;
	return ecdsa_new(&e, seed) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	ecdsa_free(e);
	return 0;
}

static void unhex(uint8_t *out, size_t n, const char *text)
{
	assert_int_equal(hex_decode_fixed(out, n, bytes_str(text)), ERR_OK);
}

static json_t *read_vectors(const char *name)
{
	CLEANUP(buf_free) struct buf text = buf_make(1 << 20);
	const char *folder = getenv("VECTORS");
	char path[1000];
	json_t *v = NULL;

	assert_non_null(folder);
	(void)snprintf(path, sizeof(path), "%s/crypto/%s", folder, name);
	assert_int_equal(config_read_file(&text, path, NULL), ERR_OK);
	assert_int_equal(json_parse(&v, buf_view(&text), 1 << 20, NULL), ERR_OK);
	return v;
}

/* r || s || v  ->  r || order - s || flipped v: the other signature that plain ECDSA would accept.
 */
static struct signature65 other_half(struct signature65 sig)
{
	uint8_t order[32];
	struct u256 s;

	unhex(order, 32, order_hex);
	assert_false(u256_sub(&s, u256_from_be(order), u256_from_be(sig.b + 32)));
	u256_to_be(sig.b + 32, s);
	sig.b[64] = (uint8_t)(27 + (28 - sig.b[64]));
	return sig;
}

static void test_addresses(void **state)
{
	static const struct {
		const char *key, *address;
	} rows[] = {
		{"8da4ef21b864d2cc526dbdb2a120bd2874c36c9d0a1fb7f8c63d7f7a8b41de8f",
		 "63FaC9201494f0bd17B9892B9fae4d52fe3BD377"},
		{"1111111111111111111111111111111111111111111111111111111111111111",
		 "19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"},
		{"2222222222222222222222222222222222222222222222222222222222222222",
		 "1563915e194D8CfBA1943570603F7606A3115508"},
		/* the generator itself */
		{"0000000000000000000000000000000000000000000000000000000000000001",
		 "7E5F4552091A69125d5DfCb7b8C2659029395Bdf"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct secret32 key;
		struct address want, got, again;
		struct public_key33 pk;

		unhex(key.b, 32, rows[i].key);
		unhex(want.b, 20, rows[i].address);
		assert_int_equal(ecdsa_address(e, &got, &key), ERR_OK);
		assert_true(address_eq(got, want));
		assert_int_equal(ecdsa_public_key(e, &pk, &key), ERR_OK);
		assert_int_equal(ecdsa_address_of_point(e, &again, BYTES_OF(pk.b)), ERR_OK);
		assert_true(address_eq(again, want));
	}
}

static void test_points(void **state)
{
	/* the generator, uncompressed: SEC 2, 2.4.1 */
	static const char g[] = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
				"483ada7726a3c4655da4fbfc"
				"0e1108a8fd17b448a68554199c47d08ffb10d4b8";
	struct address a = {{0}}, want;
	uint8_t point[65];

	(void)state;
	unhex(want.b, 20, "7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
	unhex(point, 65, g);
	assert_int_equal(ecdsa_address_of_point(e, &a, BYTES_OF(point)), ERR_OK);
	assert_true(address_eq(a, want));
	assert_int_equal(ecdsa_address_of_point(e, &a, bytes_from(point, 64)), ERR_MALFORMED);
	assert_int_equal(ecdsa_address_of_point(e, &a, BYTES_NONE), ERR_MALFORMED);
	assert_int_equal(ecdsa_address_of_point(e, &a, bytes_from(point, 33)), ERR_MALFORMED);
	point[64] ^= 1; /* off the curve */
	assert_int_equal(ecdsa_address_of_point(e, &a, BYTES_OF(point)), ERR_MALFORMED);
	point[64] ^= 1;
	point[0] = 6; /* hybrid form */
	assert_int_equal(ecdsa_address_of_point(e, &a, BYTES_OF(point)), ERR_MALFORMED);
	/* x = 5 has no point */
	memset(point, 0, sizeof(point));
	point[0] = 2;
	point[32] = 5;
	assert_int_equal(ecdsa_address_of_point(e, &a, bytes_from(point, 33)), ERR_MALFORMED);
}

static void test_key_range(void **state)
{
	static const struct {
		const char *key;
		enum err err;
	} rows[] = {
		{"0000000000000000000000000000000000000000000000000000000000000000",
		 ERR_BAD_REQUEST},
		{"0000000000000000000000000000000000000000000000000000000000000001", ERR_OK},
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140", ERR_OK},
		{order_hex, ERR_BAD_REQUEST},
		{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		 ERR_BAD_REQUEST},
	};
	struct hash32 digest = {{1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct secret32 key;
		struct address a;
		struct public_key33 pk;
		struct signature65 s65;
		struct signature64 s64;

		unhex(key.b, 32, rows[i].key);
		assert_int_equal(ecdsa_key_check(e, &key), rows[i].err);
		assert_int_equal(ecdsa_address(e, &a, &key), rows[i].err);
		assert_int_equal(ecdsa_public_key(e, &pk, &key), rows[i].err);
		assert_int_equal(ecdsa_sign65(e, &s65, &key, digest), rows[i].err);
		assert_int_equal(ecdsa_sign64(e, &s64, &key, digest), rows[i].err);
	}
}

/* Signatures made by ethers: RFC 6979 makes ours equal byte by byte. */
static void test_eip712_signatures(void **state)
{
	CLEANUP(json_free_ptr) json_t *doc = read_vectors("eip712_signatures.json");
	enum err err = ERR_OK;
	const json_t *list = json_get_array(doc, "signatures", &err);

	(void)state;
	assert_int_equal(err, ERR_OK);
	assert_int_equal(json_array_size(list), 14);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		struct secret32 key;
		struct hash32 digest;
		struct signature65 want, got;
		struct signature64 short_sig;
		struct public_key33 pk;
		struct address signer, recovered;

		json_get_hex_fixed(row, "key", key.b, 32, &err);
		json_get_hex_fixed(row, "digest", digest.b, 32, &err);
		json_get_hex_fixed(row, "signature", want.b, 65, &err);
		json_get_hex_fixed(row, "signer", signer.b, 20, &err);
		assert_int_equal(err, ERR_OK);

		assert_int_equal(ecdsa_sign65(e, &got, &key, digest), ERR_OK);
		assert_memory_equal(got.b, want.b, 65);
		assert_int_equal(ecdsa_sign64(e, &short_sig, &key, digest), ERR_OK);
		assert_memory_equal(short_sig.b, want.b, 64);
		assert_int_equal(ecdsa_recover(e, &recovered, BYTES_OF(want.b), digest), ERR_OK);
		assert_true(address_eq(recovered, signer));
		assert_int_equal(ecdsa_public_key(e, &pk, &key), ERR_OK);
		assert_int_equal(ecdsa_verify64(e, pk, short_sig, digest), ERR_OK);

		/* v as 0 and 1 */
		want.b[64] = (uint8_t)(want.b[64] - 27);
		assert_int_equal(ecdsa_recover(e, &recovered, BYTES_OF(want.b), digest), ERR_OK);
		assert_true(address_eq(recovered, signer));
		/* the wrong v is somebody else or nobody */
		want.b[64] ^= 1;
		if (ecdsa_recover(e, &recovered, BYTES_OF(want.b), digest) == ERR_OK)
			assert_false(address_eq(recovered, signer));
		/* another digest as well */
		digest.b[0] ^= 1;
		assert_int_equal(ecdsa_verify64(e, pk, short_sig, digest), ERR_MISMATCH);
	}
}

static void test_high_s_is_refused(void **state)
{
	struct secret32 key = {{0}};
	struct public_key33 pk;
	struct signature64 s64;
	struct address a;

	(void)state;
	memset(key.b, 0x11, 32);
	assert_int_equal(ecdsa_public_key(e, &pk, &key), ERR_OK);
	for (unsigned i = 0; i < 20; i++) {
		struct hash32 digest = {{(uint8_t)i, 3}};
		struct signature65 sig, high;
		uint8_t half[32];

		assert_int_equal(ecdsa_sign65(e, &sig, &key, digest), ERR_OK);
		unhex(half, 32, half_hex);
		assert_true(memcmp(sig.b + 32, half, 32) <= 0);
		high = other_half(sig);
		assert_int_equal(ecdsa_recover(e, &a, BYTES_OF(high.b), digest), ERR_MISMATCH);
		memcpy(s64.b, high.b, 64);
		assert_int_equal(ecdsa_verify64(e, pk, s64, digest), ERR_MISMATCH);
		memcpy(s64.b, sig.b, 64);
		assert_int_equal(ecdsa_verify64(e, pk, s64, digest), ERR_OK);
	}
}

static void test_malformed_signatures(void **state)
{
	struct secret32 key = {{0}};
	struct hash32 digest = {{9}};
	struct signature65 sig, bad;
	struct address a = {{0}}, untouched = {{0}};
	struct public_key33 pk = {{0}};
	struct signature64 s64 = {{0}};
	uint8_t longer[66] = {0};

	(void)state;
	memset(key.b, 0x22, 32);
	assert_int_equal(ecdsa_sign65(e, &sig, &key, digest), ERR_OK);
	memcpy(longer, sig.b, 65);
	assert_int_equal(ecdsa_recover(e, &a, bytes_from(sig.b, 64), digest), ERR_MALFORMED);
	assert_int_equal(ecdsa_recover(e, &a, BYTES_OF(longer), digest), ERR_MALFORMED);
	assert_int_equal(ecdsa_recover(e, &a, BYTES_NONE, digest), ERR_MALFORMED);
	for (unsigned v = 0; v < 256; v++) {
		bool known = v == 0 || v == 1 || v == 27 || v == 28;

		bad = sig;
		bad.b[64] = (uint8_t)v;
		if (!known)
			assert_int_equal(ecdsa_recover(e, &a, BYTES_OF(bad.b), digest),
					 ERR_MISMATCH);
	}
	for (size_t part = 0; part < 64; part += 32) {
		bad = sig;
		memset(bad.b + part, 0, 32);
		assert_int_equal(ecdsa_recover(e, &a, BYTES_OF(bad.b), digest), ERR_MISMATCH);
		unhex(bad.b + part, 32, order_hex);
		assert_int_equal(ecdsa_recover(e, &a, BYTES_OF(bad.b), digest), ERR_MISMATCH);
		memset(bad.b + part, 0xff, 32);
		assert_int_equal(ecdsa_recover(e, &a, BYTES_OF(bad.b), digest), ERR_MISMATCH);
	}
	assert_true(address_eq(a, untouched));
	assert_int_equal(ecdsa_verify64(e, pk, s64, digest), ERR_MALFORMED);
	assert_int_equal(ecdsa_public_key(e, &pk, &key), ERR_OK);
	assert_int_equal(ecdsa_verify64(e, pk, s64, digest), ERR_MISMATCH);
}

/* ---- signatures in DER ---- */

static void der_number(struct buf *out, const uint8_t *be)
{
	size_t at = 0;

	while (at < 31 && be[at] == 0)
		at++;

	bool pad = (be[at] & 0x80) != 0;

	assert_int_equal(buf_add_u8(out, 2), ERR_OK);
	assert_int_equal(buf_add_u8(out, (uint8_t)(32 - at + pad)), ERR_OK);
	if (pad)
		assert_int_equal(buf_add_u8(out, 0), ERR_OK);
	assert_int_equal(buf_add(out, bytes_from(&be[at], 32 - at)), ERR_OK);
}

static void der_of(struct buf *out, const uint8_t *r, const uint8_t *s)
{
	CLEANUP(buf_free) struct buf inner = buf_make(80);

	der_number(&inner, r);
	der_number(&inner, s);
	buf_clear(out);
	assert_int_equal(buf_add_u8(out, 0x30), ERR_OK);
	assert_int_equal(buf_add_u8(out, (uint8_t)inner.n), ERR_OK);
	assert_int_equal(buf_add(out, buf_view(&inner)), ERR_OK);
}

/* From either half, with v found: what we would have signed. */
static void test_der_signatures(void **state)
{
	CLEANUP(buf_free) struct buf der = buf_make(80);
	unsigned short_ones = 0, vs[2] = {0};
	struct secret32 key = {{0}};
	struct address signer;

	(void)state;
	memset(key.b, 0x33, 32);
	assert_int_equal(ecdsa_address(e, &signer, &key), ERR_OK);
	for (unsigned i = 0; i < 1000; i++) {
		struct hash32 digest = {{(uint8_t)i, (uint8_t)(i >> 8)}};
		struct signature65 want, high, got = {{0}};

		assert_int_equal(ecdsa_sign65(e, &want, &key, digest), ERR_OK);
		high = other_half(want);
		der_of(&der, want.b, &want.b[32]);
		short_ones += der.n < 70;
		vs[want.b[64] - 27]++;
		assert_int_equal(ecdsa_signature_of_der(e, &got, buf_view(&der), digest, signer),
				 ERR_OK);
		assert_memory_equal(got.b, want.b, 65);
		der_of(&der, want.b, &high.b[32]);
		got = (struct signature65){{0}};
		assert_int_equal(ecdsa_signature_of_der(e, &got, buf_view(&der), digest, signer),
				 ERR_OK);
		assert_memory_equal(got.b, want.b, 65);
	}
	assert_true(short_ones > 0 && vs[0] > 300 && vs[1] > 300);
}

static void test_der_refusals(void **state)
{
	CLEANUP(buf_free) struct buf der = buf_make(90);
	struct signature65 sig, got = {{7}};
	struct secret32 key = {{0}};
	struct hash32 digest = {{9}}, other = {{8}};
	struct address signer, somebody = {{1}};
	uint8_t zero[32] = {0}, order[32], wide[33] = {0x30, 30};

	(void)state;
	memset(key.b, 0x44, 32);
	unhex(order, 32, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
	assert_int_equal(ecdsa_address(e, &signer, &key), ERR_OK);
	assert_int_equal(ecdsa_sign65(e, &sig, &key, digest), ERR_OK);
	der_of(&der, sig.b, &sig.b[32]);
#define REFUSED(bytes_, digest_, signer_, err_)                                                    \
	assert_int_equal(ecdsa_signature_of_der(e, &got, bytes_, digest_, signer_), err_)
	REFUSED(buf_view(&der), other, signer, ERR_MISMATCH);
	REFUSED(buf_view(&der), digest, somebody, ERR_MISMATCH);
	REFUSED(BYTES_NONE, digest, signer, ERR_MALFORMED);
	for (size_t n = 0; n < der.n; n++)
		REFUSED(bytes_sub(buf_view(&der), 0, n), digest, signer, ERR_MALFORMED);
	assert_int_equal(buf_add_u8(&der, 0), ERR_OK);
	REFUSED(buf_view(&der), digest, signer, ERR_MALFORMED);
	/* out of range: zero, the order, negative */
	der_of(&der, zero, &sig.b[32]);
	REFUSED(buf_view(&der), digest, signer, ERR_MALFORMED);
	der_of(&der, sig.b, zero);
	REFUSED(buf_view(&der), digest, signer, ERR_MALFORMED);
	der_of(&der, order, &sig.b[32]);
	REFUSED(buf_view(&der), digest, signer, ERR_MALFORMED);
	der_of(&der, sig.b, order);
	REFUSED(buf_view(&der), digest, signer, ERR_MALFORMED);
	REFUSED(BYTES_LIT("\x30\x06\x02\x01\x81\x02\x01\x01"), digest, signer, ERR_MALFORMED);
	/* BER: a zero too many, a length in the long form, without end */
	REFUSED(BYTES_LIT("\x30\x07\x02\x02\x00\x01\x02\x01\x01"), digest, signer, ERR_MALFORMED);
	REFUSED(BYTES_LIT("\x30\x81\x06\x02\x01\x01\x02\x01\x01"), digest, signer, ERR_MALFORMED);
	REFUSED(BYTES_LIT("\x30\x80\x02\x01\x01\x02\x01\x01\x00\x00"), digest, signer,
		ERR_MALFORMED);
	REFUSED(BYTES_OF(wide), digest, signer, ERR_MALFORMED);
	/* well formed, and nobody's */
	REFUSED(BYTES_LIT("\x30\x06\x02\x01\x01\x02\x01\x01"), digest, signer, ERR_MISMATCH);
#undef REFUSED
	assert_int_equal(got.b[0], 7);
}

/* The KMS's internal signatures, from its own user decryption transcripts. */
static void test_kms_signatures(void **state)
{
	CLEANUP(json_free_ptr) json_t *doc = read_vectors("kms_signatures.json");
	enum err err = ERR_OK;
	const json_t *list = json_get_array(doc, "signatures", &err);

	(void)state;
	assert_true(json_array_size(list) > 0);
	for (size_t i = 0; i < json_array_size(list); i++) {
		CLEANUP(buf_free) struct buf message = buf_make(1 << 20);
		const json_t *row = json_array_get(list, i);
		const char *dsep = json_get_str(row, "dsep", &err);
		struct secret32 key;
		struct signature64 want, got;
		struct public_key33 want_pk, pk;
		struct address want_address, address;
		struct hash32 digest;

		unhex(key.b, 32, json_get_str(row, "key", &err));
		unhex(want.b, 64, json_get_str(row, "signature", &err));
		unhex(want_pk.b, 33, json_get_str(row, "public_key", &err));
		unhex(want_address.b, 20, json_get_str(row, "address", &err));
		assert_int_equal(
			hex_decode(&message, bytes_str(json_get_str(row, "message", &err))),
			ERR_OK);
		assert_int_equal(err, ERR_OK);

		assert_int_equal(ecdsa_public_key(e, &pk, &key), ERR_OK);
		assert_memory_equal(pk.b, want_pk.b, 33);
		assert_int_equal(ecdsa_address(e, &address, &key), ERR_OK);
		assert_true(address_eq(address, want_address));
		assert_int_equal(ecdsa_sign_kms(e, &got, &key, dsep, buf_view(&message)), ERR_OK);
		assert_memory_equal(got.b, want.b, 64);

		const struct bytes parts[] = {bytes_str(dsep), buf_view(&message)};
		assert_int_equal(sha256(&digest, parts, 2), ERR_OK);
		assert_int_equal(ecdsa_verify64(e, pk, got, digest), ERR_OK);
		assert_int_equal(ecdsa_sign_kms(e, &got, &key, "SHORT", buf_view(&message)),
				 ERR_RANGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_key_range),
		cmocka_unit_test(test_eip712_signatures),
		cmocka_unit_test(test_high_s_is_refused),
		cmocka_unit_test(test_malformed_signatures),
		cmocka_unit_test(test_kms_signatures),
		cmocka_unit_test(test_der_signatures),
		cmocka_unit_test(test_der_refusals),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "crypto/sha.h"

static void assert_hex(const uint8_t *got, size_t n, const char *want)
{
	char text[201];

	assert_true(n <= 100);
	hex_encode(text, bytes_from(got, n));
	assert_string_equal(text, want);
}

static void test_sha256(void **state)
{
	struct hash32 d;
	const struct bytes parts[] = {BYTES_LIT("a"), BYTES_NONE, BYTES_LIT("bc")};

	(void)state;
	/* FIPS 180-4 examples */
	assert_int_equal(sha256(&d, parts, ARRAY_LEN(parts)), ERR_OK);
	assert_hex(d.b, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(sha256(&d, NULL, 0), ERR_OK);
	assert_hex(d.b, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231: short keys, keys of a block and more, data of many parts. */
static void test_hmac(void **state)
{
	uint8_t key[131], data[50];
	struct hash32 d;

	(void)state;
	memset(key, 0x0b, 20);
	assert_int_equal(hmac_sha256(&d, bytes_from(key, 20), &BYTES_LIT("Hi There"), 1), ERR_OK);
	assert_hex(d.b, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");

	const struct bytes parts[] = {BYTES_LIT("what do ya "), BYTES_NONE,
				      BYTES_LIT("want for nothing?")};

	assert_int_equal(hmac_sha256(&d, BYTES_LIT("Jefe"), parts, ARRAY_LEN(parts)), ERR_OK);
	assert_hex(d.b, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	assert_int_equal(hmac_sha256(&d, bytes_from(key, 20), &BYTES_OF(data), 1), ERR_OK);
	assert_hex(d.b, 32, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");

	const struct bytes long_key[] = {
		BYTES_LIT("Test Using Larger Than Block-Size Key - Hash Key First")};

	assert_int_equal(hmac_sha256(&d, BYTES_OF(key), long_key, 1), ERR_OK);
	assert_hex(d.b, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");

	/* No key and nothing to hash, after another key: openssl mac -digest SHA256 -macopt hexkey:
	 */
	assert_int_equal(hmac_sha256(&d, BYTES_NONE, NULL, 0), ERR_OK);
	assert_hex(d.b, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_shake256(void **state)
{
	uint8_t out[100] = {0};

	(void)state;
	/* FIPS 202 examples: the empty message */
	assert_int_equal(shake256(out, 64, NULL, 0), ERR_OK);
	assert_hex(out, 64,
		   "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762fd75dc4ddd8c0f20"
		   "0cb05019d67b592f6fc821"
		   "c49479ab48640292eacb3b7c4be");
	assert_int_equal(out[64], 0);

	const struct bytes abc[] = {BYTES_LIT("ab"), BYTES_LIT("c")};
	assert_int_equal(shake256(out, 32, abc, 2), ERR_OK);
	assert_hex(out, 32, "483366601360a8771c6863080cc4114d8db44530f8f1e1ee4f94ea37e78b5739");
}

static void test_sha3(void **state)
{
	const struct bytes abc[] = {BYTES_LIT("ab"), BYTES_NONE, BYTES_LIT("c")};
	uint8_t wide[SHA3_512_SIZE], out[16];
	struct hash32 d;

	(void)state;
	/* FIPS 202 examples */
	assert_int_equal(sha3_256(&d, NULL, 0), ERR_OK);
	assert_hex(d.b, 32, "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a");
	assert_int_equal(sha3_256(&d, abc, ARRAY_LEN(abc)), ERR_OK);
	assert_hex(d.b, 32, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
	assert_int_equal(sha3_512(wide, abc, ARRAY_LEN(abc)), ERR_OK);
	assert_hex(wide, sizeof(wide),
		   "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
		   "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0");
	assert_int_equal(shake128(out, sizeof(out), NULL, 0), ERR_OK);
	assert_hex(out, sizeof(out), "7f9c2ba4e88f827d616045507605853e");
}

/* KMS identifiers: SHAKE-256("REQST_ID" || u64le(length) || name) */
static void test_request_ids(void **state)
{
	static const struct {
		const char *name;
		const char *id;
	} rows[] = {
		{"SIGNING_KEY_ID",
		 "60b7070add74be3827160aa635fb255eeeeb88586c4debf7ab1134ddceb4beee"},
		{"SIGNING_KEY_ID_Ed25519",
		 "ab71324874cb68940288a7262f9af0f984a2a55c529d9728d03310dfc91a2b41"},
		{"SIGNING_KEY_ID_MlDsa44",
		 "d424162ac21b8e361ce5531b94d450816d837db859e263534a201354c76f21cc"},
		{"SIGNING_KEY_ID_MlDsa65",
		 "5d9a570b2fb0befb80010da93e1c5109ae6d0eac45a20dc313fda76f2220c42a"},
		{"SIGNING_KEY_ID_MlDsa87",
		 "49cb8dfab84a16bbeca9938a3b5fc365a4067e9cfe1ea2abfba2d5b9de6356ab"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_free) struct buf b = buf_make(100);
		struct hash32 d;

		assert_int_equal(buf_add_u64le(&b, strlen(rows[i].name)), ERR_OK);
		assert_int_equal(buf_add_str(&b, rows[i].name), ERR_OK);
		assert_int_equal(kms_digest(&d, "REQST_ID", buf_view(&b)), ERR_OK);
		assert_hex(d.b, 32, rows[i].id);
	}
}

/* Session ids of the default epoch: "HASH_LST" || "SESSN_ID" || u64le 1 || id || u64le counter, 16
 * bytes. */
static void test_session_ids(void **state)
{
	static const struct {
		uint8_t counter;
		const char *id;
	} rows[] = {
		{0, "fdb22d60dedc597a53cdd5c6ef733b05"}, {1, "e94b09b0ebf9f50edc859735694f3766"},
		{2, "cd838fe3a068c5eec97df3b3547e1c62"}, {5, "eeea72af0b28b33b3025cf7bfddd47eb"},
		{6, "0224aa2e2cf2f0c50794c8e4a98d288c"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t one[8] = {1}, epoch[32] = {8}, counter[8] = {rows[i].counter}, out[16];

		epoch[31] = 1;

		const struct bytes parts[] = {BYTES_LIT("HASH_LST"), BYTES_LIT("SESSN_ID"),
					      BYTES_OF(one), BYTES_OF(epoch), BYTES_OF(counter)};

		assert_int_equal(shake256(out, sizeof(out), parts, ARRAY_LEN(parts)), ERR_OK);
		assert_hex(out, 16, rows[i].id);
	}
}

/* Seeds of the derived signing keys: SHAKE-256("SIGKDERV" || u32le scheme || 01 || key) */
static void test_derived_seeds(void **state)
{
	static const struct {
		uint8_t scheme;
		const char *seed;
	} rows[] = {
		{0, "02b4a490833ab18b4f54dca95e0fd4544bf8b18185c951dd4ea378c9551319dd"},
		{1, "a60e72eaf5ae0855565e2223b4a271e577098051d4b951fa5f23aa7988cd3931"},
		{3, "7e9124fb558344ffd57b55aeedefb1526e4cbbd708fc913d9b26e270165e1261"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t input[37] = {rows[i].scheme, 0, 0, 0, 1};
		struct hash32 d;

		memset(input + 5, 0x11, 32);
		assert_int_equal(kms_digest(&d, "SIGKDERV", BYTES_OF(input)), ERR_OK);
		assert_hex(d.b, 32, rows[i].seed);
	}
}

static void test_separator_length(void **state)
{
	struct hash32 d = {{7}};

	(void)state;
	assert_int_equal(kms_digest(&d, "SEVENCH", BYTES_NONE), ERR_RANGE);
	assert_int_equal(kms_digest(&d, "NINE_CHAR", BYTES_NONE), ERR_RANGE);
	assert_int_equal(kms_digest(&d, "", BYTES_NONE), ERR_RANGE);
	assert_int_equal(d.b[0], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),           cmocka_unit_test(test_sha3),
		cmocka_unit_test(test_shake256),         cmocka_unit_test(test_request_ids),
		cmocka_unit_test(test_session_ids),      cmocka_unit_test(test_derived_seeds),
		cmocka_unit_test(test_separator_length), cmocka_unit_test(test_hmac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

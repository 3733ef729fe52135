/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/rng.h"
#include "base/u256.h"

static struct u256 parse(const char *text)
{
	struct u256 v = U256_ZERO;

	assert_int_equal(u256_parse(&v, bytes_str(text)), ERR_OK);
	return v;
}

static const char max_dec[] =
	"115792089237316195423570985008687907853269984665640564039457584007913129639935";
static const char over_dec[] =
	"115792089237316195423570985008687907853269984665640564039457584007913129639936";
static const char max_hex[] = "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

static void test_parse_and_print(void **state)
{
	char dec[U256_DEC_SIZE];

	(void)state;
	u256_to_dec(dec, parse("0"));
	assert_string_equal(dec, "0");
	u256_to_dec(dec, parse("0x0"));
	assert_string_equal(dec, "0");
	u256_to_dec(dec, parse(max_hex));
	assert_string_equal(dec, max_dec);
	assert_true(u256_eq(parse(max_dec), parse(max_hex)));
	u256_to_dec(dec, parse("0X1fF"));
	assert_string_equal(dec, "511");
	u256_to_dec(dec, parse("0000000000000000000000000000000000000000000000000000000000000000000"
			       "0000000000000000007"));
	assert_string_equal(dec, "7");
	/* first public decryption id: type tag 1 in the top byte */
	u256_to_dec(dec,
		    parse("0x0100000000000000000000000000000000000000000000000000000000000001"));
	assert_string_equal(
		dec, "452312848583266388373324160190187140051835877600158453279131187530910662657");
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *text;
		enum err err;
	} rows[] = {
		{"", ERR_MALFORMED},
		{"0x", ERR_MALFORMED},
		{"x1", ERR_MALFORMED},
		{"1f", ERR_MALFORMED},
		{"0x1g", ERR_MALFORMED},
		{"-1", ERR_MALFORMED},
		{"+1", ERR_MALFORMED},
		{" 1", ERR_MALFORMED},
		{"1 ", ERR_MALFORMED},
		{"0x 1", ERR_MALFORMED},
		{"0x0x1", ERR_MALFORMED},
		{"1e5", ERR_MALFORMED},
		{over_dec, ERR_TOO_BIG},
		{"999999999999999999999999999999999999999999999999999999999999999999999999999999999"
		 "999",
		 ERR_TOO_BIG},
		{"0x10000000000000000000000000000000000000000000000000000000000000000",
		 ERR_TOO_BIG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct u256 v = u256_from_u64(77);

		assert_int_equal(u256_parse(&v, bytes_str(rows[i].text)), rows[i].err);
		assert_true(u256_eq(v, u256_from_u64(77)));
	}
}

static void test_bytes(void **state)
{
	uint8_t be[33] = {0};
	struct u256 v = parse("0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");

	(void)state;
	u256_to_be(be, v);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(be[i], i + 1);
	assert_true(u256_eq(u256_from_be(be), v));
	assert_int_equal(v.w[0], 0x191a1b1c1d1e1f20);

	struct u256 small = U256_ZERO;
	assert_int_equal(u256_from_bytes_be(&small, bytes_from(be, 2)), ERR_OK);
	assert_true(u256_eq(small, u256_from_u64(0x0102)));
	assert_int_equal(u256_from_bytes_be(&small, BYTES_NONE), ERR_OK);
	assert_true(u256_is_zero(small));
	assert_int_equal(u256_from_bytes_be(&small, bytes_from(be, 33)), ERR_TOO_BIG);

	uint64_t low = 5;
	assert_int_equal(u256_to_u64(&low, v), ERR_RANGE);
	assert_int_equal(low, 5);
	assert_int_equal(u256_to_u64(&low, u256_from_u64(UINT64_MAX)), ERR_OK);
	assert_true(low == UINT64_MAX);
}

static void test_arithmetic_edges(void **state)
{
	struct u256 max = parse(max_hex), one = u256_from_u64(1), r;

	(void)state;
	assert_true(u256_add(&r, max, one));
	assert_true(u256_is_zero(r));
	assert_true(u256_sub(&r, U256_ZERO, one));
	assert_true(u256_eq(r, max));
	assert_true(u256_sub(&r, U256_ZERO, max));
	assert_true(u256_eq(r, one));
	assert_false(u256_sub(&r, max, max));
	assert_true(u256_is_zero(r));
	assert_false(u256_add(&r, parse("0xffffffffffffffff"), one));
	assert_true(u256_eq(r, parse("0x10000000000000000")));
	assert_true(u256_cmp(max, one) > 0);
	assert_true(u256_cmp(one, max) < 0);
	assert_true(u256_cmp(parse("0x10000000000000000"), u256_from_u64(UINT64_MAX)) > 0);
	assert_int_equal(u256_mod_u64(max, 10), 5);
	assert_int_equal(u256_mod_u64(max, 1), 0);
	/* 2^256 - 1 = -1 mod 2^64 - 1 + ...: four limbs of 2^64 - 1 each are 0 */
	assert_int_equal(u256_mod_u64(max, UINT64_MAX), 0);
	assert_int_equal(u256_mod_u64(max, 1000000007), 792845265);
}

static void test_arithmetic_properties(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 20261120);

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		uint8_t raw[64];
		struct u256 a, b, sum, back, again;
		char dec[U256_DEC_SIZE];

		rng_fill(rng, raw, sizeof(raw));
		/* runs of ones and zeros are where carries go wrong */
		if (i % 3 == 0)
			memset(raw + rng_below(rng, 48), i % 2 ? 0xff : 0, 16);
		a = u256_from_be(raw);
		b = u256_from_be(raw + 32);
		bool carry = u256_add(&sum, a, b);
		bool borrow = u256_sub(&back, sum, b);
		assert_true(u256_eq(back, a));
		assert_int_equal(carry, borrow);
		assert_int_equal(carry, u256_cmp(sum, a) < 0);
		u256_to_dec(dec, a);
		assert_int_equal(u256_parse(&again, bytes_str(dec)), ERR_OK);
		assert_true(u256_eq(again, a));
	}
}

static void test_newtypes(void **state)
{
	struct address a = {{1}}, b = {{1}};
	struct hash32 h = {{2}}, k = {{2}};

	(void)state;
	assert_true(address_eq(a, b));
	b.b[19] = 1;
	assert_false(address_eq(a, b));
	assert_true(hash32_eq(h, k));
	k.b[31] = 1;
	assert_false(hash32_eq(h, k));
}

static void test_hex(void **state)
{
	static const uint8_t raw[] = {0x00, 0x9a, 0xff, 0x10};
	CLEANUP(buf_free) struct buf b = buf_make(10);
	char text[9];
	uint8_t out[4] = {0};

	(void)state;
	hex_encode(text, BYTES_OF(raw));
	assert_string_equal(text, "009aff10");
	hex_encode(text, BYTES_NONE);
	assert_string_equal(text, "");
	assert_int_equal(hex_add(&b, BYTES_OF(raw), true), ERR_OK);
	assert_true(bytes_eq_var(buf_view(&b), BYTES_LIT("0x009aff10")));
	assert_int_equal(hex_add(&b, BYTES_OF(raw), false), ERR_TOO_BIG);
	buf_clear(&b);
	assert_int_equal(hex_add(&b, BYTES_NONE, false), ERR_OK);

	static const char *const good[] = {"009aff10", "0x009aff10", "0X009AFF10", "009aFF10"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		memset(out, 0, sizeof(out));
		assert_int_equal(hex_decode_fixed(out, 4, bytes_str(good[i])), ERR_OK);
		assert_memory_equal(out, raw, 4);
		buf_clear(&b);
		assert_int_equal(hex_decode(&b, bytes_str(good[i])), ERR_OK);
		assert_true(bytes_eq_var(buf_view(&b), BYTES_OF(raw)));
	}
}

static void test_hex_refuses(void **state)
{
	static const char *const bad[] = {
		"009aff1",  "009aff1g", "x009aff10", "0x0x9aff", "009a ff10",  "g09aff10",
		"009aff1/", "009aff1:", "009aff1@",  "009aff1`", "\20009aff10"};
	CLEANUP(buf_free) struct buf b = buf_make(10);
	uint8_t out[4] = {7, 7, 7, 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(hex_decode(&b, bytes_str(bad[i])), ERR_MALFORMED);
		assert_int_equal(hex_decode_fixed(out, 4, bytes_str(bad[i])), ERR_MALFORMED);
	}
	assert_int_equal(hex_decode_fixed(out, 4, BYTES_LIT("009aff")), ERR_MALFORMED);
	assert_int_equal(hex_decode_fixed(out, 4, BYTES_LIT("009aff1000")), ERR_MALFORMED);
	assert_int_equal(hex_decode_fixed(out, 4, BYTES_NONE), ERR_MALFORMED);
	assert_int_equal(out[0], 7);
	assert_int_equal(b.n, 0);
	assert_int_equal(hex_decode(&b, BYTES_LIT("0x")), ERR_OK);
	assert_int_equal(b.n, 0);
	assert_int_equal(hex_decode(&b, BYTES_LIT("0102030405060708090a0b")), ERR_TOO_BIG);
}

/* All 256 bytes as a digit, against the C library. */
static void test_hex_alphabet(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		uint8_t text[2] = {'0', (uint8_t)c};
		uint8_t v = 0xee;
		bool digit =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
		char one[2] = {(char)c, 0};

		assert_int_equal(hex_decode_fixed(&v, 1, BYTES_OF(text)),
				 digit ? ERR_OK : ERR_MALFORMED);
		assert_int_equal(v, digit ? strtoul(one, NULL, 16) : 0xee);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_print),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_arithmetic_edges),
		cmocka_unit_test(test_arithmetic_properties),
		cmocka_unit_test(test_newtypes),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_hex_refuses),
		cmocka_unit_test(test_hex_alphabet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/u256.h"

#include "base/hex.h"

__extension__ typedef unsigned __int128 u128;

struct u256 u256_from_be(const uint8_t be[32])
{
	struct u256 v = U256_ZERO;

	for (size_t i = 0; i < 32; i++)
		v.w[3 - i / 8] = v.w[3 - i / 8] << 8 | be[i];
	return v;
}

void u256_to_be(uint8_t be[32], struct u256 v)
{
	for (size_t i = 0; i < 32; i++)
		be[i] = (uint8_t)(v.w[3 - i / 8] >> (56 - 8 * (i % 8)));
}

enum err u256_from_bytes_be(struct u256 *ret_v, struct bytes be)
{
	uint8_t full[32] = {0};

	if (be.n > sizeof(full))
		return ERR_TOO_BIG;
	if (be.n > 0)
		memcpy(full + sizeof(full) - be.n, be.p, be.n);
	*ret_v = u256_from_be(full);
	return ERR_OK;
}

enum err u256_to_u64(uint64_t *ret_v, struct u256 v)
{
	if ((v.w[1] | v.w[2] | v.w[3]) != 0)
		return ERR_RANGE;
	*ret_v = v.w[0];
	return ERR_OK;
}

int u256_cmp(struct u256 a, struct u256 b)
{
	for (size_t i = 4; i > 0; i--)
		if (a.w[i - 1] != b.w[i - 1])
			return a.w[i - 1] < b.w[i - 1] ? -1 : 1;
	return 0;
}

bool u256_add(struct u256 *ret_sum, struct u256 a, struct u256 b)
{
	u128 carry = 0;

	for (size_t i = 0; i < 4; i++) {
		carry += (u128)a.w[i] + b.w[i];
		ret_sum->w[i] = (uint64_t)carry;
		carry >>= 64;
	}
	return carry != 0;
}

bool u256_sub(struct u256 *ret_diff, struct u256 a, struct u256 b)
{
	bool borrow = false;

	for (size_t i = 0; i < 4; i++) {
		u128 take = (u128)b.w[i] + (borrow ? 1 : 0);

		borrow = take > a.w[i];
		ret_diff->w[i] = (uint64_t)(a.w[i] - take);
	}
	return borrow;
}

/* v = v / m, the remainder is returned. */
static uint64_t divide_small(struct u256 *v, uint64_t m)
{
	u128 rest = 0;

	for (size_t i = 4; i > 0; i--) {
		rest = rest << 64 | v->w[i - 1];
		v->w[i - 1] = (uint64_t)(rest / m);
		rest %= m;
	}
	return (uint64_t)rest;
}

/* v = v * m + add; true if the result does not fit. */
static bool multiply_small(struct u256 *v, uint64_t m, uint64_t add)
{
	u128 carry = add;

	for (size_t i = 0; i < 4; i++) {
		carry += (u128)v->w[i] * m;
		v->w[i] = (uint64_t)carry;
		carry >>= 64;
	}
	return carry != 0;
}

uint64_t u256_mod_u64(struct u256 v, uint64_t m)
{
	CHECK(m > 0);
	return divide_small(&v, m);
}

void u256_to_dec(char out[U256_DEC_SIZE], struct u256 v)
{
	char text[U256_DEC_SIZE];
	size_t at = sizeof(text);

	text[--at] = '\0';
	do {
		text[--at] = (char)('0' + divide_small(&v, 10));
	} while (!u256_is_zero(v));
	memcpy(out, text + at, sizeof(text) - at);
}

static enum err parse_hex(struct u256 *ret_v, struct bytes digits)
{
	struct u256 v = U256_ZERO;

	if (digits.n == 0)
		return ERR_MALFORMED;
	/* The fixed decoder knows the alphabet: one digit at a time as "0d". */
	for (size_t i = 0; i < digits.n; i++) {
		uint8_t pair[2] = {'0', digits.p[i]};
		uint8_t value;

		TRY(hex_decode_fixed(&value, 1, BYTES_OF(pair)));
		if (i >= 64)
			return ERR_TOO_BIG;
		(void)multiply_small(&v, 16, value);
	}
	*ret_v = v;
	return ERR_OK;
}

static enum err parse_dec(struct u256 *ret_v, struct bytes digits)
{
	struct u256 v = U256_ZERO;
	bool over = false;

	if (digits.n == 0)
		return ERR_MALFORMED;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return ERR_MALFORMED;
		over |= multiply_small(&v, 10, (uint64_t)(digits.p[i] - '0'));
	}
	if (over)
		return ERR_TOO_BIG;
	*ret_v = v;
	return ERR_OK;
}

enum err u256_parse(struct u256 *ret_v, struct bytes text)
{
	if (text.n >= 2 && text.p[0] == '0' && (text.p[1] == 'x' || text.p[1] == 'X'))
		return parse_hex(ret_v, bytes_sub(text, 2, text.n - 2));
	return parse_dec(ret_v, text);
}

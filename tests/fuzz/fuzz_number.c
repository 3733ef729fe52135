/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Numbers and hexadecimal text, against long multiplication byte by byte. Input: the text. */
#include <stdlib.h>
#include <strings.h>

#include "base/hex.h"
#include "base/u256.h"
#include "fuzz.h"

/* be = be * base + digit; true if it does not fit. */
static bool grow(uint8_t be[32], unsigned base, unsigned digit)
{
	for (size_t i = 32; i > 0; i--) {
		unsigned v = be[i - 1] * base + digit;

		be[i - 1] = (uint8_t)v;
		digit = v >> 8;
	}
	return digit != 0;
}

static int digit_of(uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

	return at ? (int)(at - digits) : 99;
}

static enum err simple_parse(uint8_t be[32], struct bytes text)
{
	unsigned base = text.n >= 2 && text.p[0] == '0' && (text.p[1] | 32) == 'x' ? 16 : 10;
	size_t at = base == 16 ? 2 : 0;
	bool over = text.n - at > 64 && base == 16;

	memset(be, 0, 32);
	if (at == text.n)
		return ERR_MALFORMED;
	for (; at < text.n; at++) {
		if (digit_of(text.p[at]) >= (int)base)
			return ERR_MALFORMED;
		over |= grow(be, base, (unsigned)digit_of(text.p[at]));
	}
	return over ? ERR_TOO_BIG : ERR_OK;
}

static void check_number(struct bytes text)
{
	struct u256 v, again;
	uint8_t want[32], got[32];
	char dec[U256_DEC_SIZE], hex[67] = "0x";
	enum err e = u256_parse(&v, text), e2 = simple_parse(want, text);

	/* Too long and wrong behind that: either may be said. */
	FUZZ_SAME(e, e2);
	if (e != ERR_OK)
		return;
	u256_to_be(got, v);
	CHECK(memcmp(got, want, 32) == 0);
	u256_to_dec(dec, v);
	FUZZ_OK(u256_parse(&again, bytes_str(dec)));
	CHECK(u256_eq(v, again));
	hex_encode(&hex[2], BYTES_OF(got));
	FUZZ_OK(u256_parse(&again, bytes_str(hex)));
	CHECK(u256_eq(v, again));
}

static void check_hex(struct bytes text)
{
	CLEANUP(buf_free) struct buf out = buf_make(text.n), back = buf_make(text.n + 2);
	bool prefix = text.n >= 2 && text.p[0] == '0' && (text.p[1] | 32) == 'x';
	struct bytes digits = bytes_sub(text, prefix ? 2 : 0, text.n - (prefix ? 2 : 0));
	bool good = digits.n % 2 == 0;
	uint8_t fixed[4];

	for (size_t i = 0; i < digits.n; i++)
		good &= digit_of(digits.p[i]) < 16;
	CHECK((hex_decode(&out, text) == ERR_OK) == good);
	CHECK((hex_decode_fixed(fixed, sizeof(fixed), text) == ERR_OK) ==
	      (good && digits.n == 2 * sizeof(fixed)));
	if (!good)
		return;
	FUZZ_OK(hex_add(&back, buf_view(&out), prefix));
	CHECK(back.n == text.n);
	CHECK(back.n == 0 || strncasecmp((const char *)back.p, (const char *)text.p, back.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes text = fuzz_copy(bytes_from(p, n < 4096 ? n : 4096));

	check_number(text);
	check_hex(text);
	fuzz_free(text);
	return 0;
}

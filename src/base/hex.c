/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/hex.h"

static const char digits[] = "0123456789abcdef";

/*
 * 0..15, or 16 for anything that is no digit. Without branch or table, because configuration files
 * hold keys in hexadecimal. A difference is in range when it is not negative and the bound makes it
 * so.
 */
static unsigned digit_value(uint8_t c)
{
	uint32_t number = (uint32_t)c - '0';
	uint32_t letter = (uint32_t)(c | 0x20) - 'a';
	uint32_t is_number = (~number & (number - 10)) >> 31;
	uint32_t is_letter = (~letter & (letter - 6)) >> 31;

	return is_number * number + is_letter * (letter + 10) + (1 - is_number - is_letter) * 16;
}

static struct bytes without_prefix(struct bytes text)
{
	if (text.n >= 2 && text.p[0] == '0' && (text.p[1] == 'x' || text.p[1] == 'X'))
		return bytes_sub(text, 2, text.n - 2);
	return text;
}

static bool all_digits(struct bytes text)
{
	unsigned bad = 0;

	for (size_t i = 0; i < text.n; i++)
		bad |= digit_value(text.p[i]) & 16;
	return bad == 0;
}

static void decode(uint8_t *out, struct bytes text)
{
	for (size_t i = 0; i < text.n / 2; i++)
		out[i] =
			(uint8_t)(digit_value(text.p[2 * i]) << 4 | digit_value(text.p[2 * i + 1]));
}

void hex_encode(char *out, struct bytes in)
{
	for (size_t i = 0; i < in.n; i++) {
		out[2 * i] = digits[in.p[i] >> 4];
		out[2 * i + 1] = digits[in.p[i] & 15];
	}
	out[2 * in.n] = '\0';
}

enum err hex_add(struct buf *out, struct bytes in, bool prefix)
{
	uint8_t *place;

	if (in.n > (SIZE_MAX - 2) / 2)
		return ERR_TOO_BIG;
	TRY(buf_add_space(out, 2 * in.n + (prefix ? 2 : 0), &place));
	if (prefix) {
		*place++ = '0';
		*place++ = 'x';
	}
	for (size_t i = 0; i < in.n; i++) {
		place[2 * i] = (uint8_t)digits[in.p[i] >> 4];
		place[2 * i + 1] = (uint8_t)digits[in.p[i] & 15];
	}
	return ERR_OK;
}

enum err hex_decode_fixed(uint8_t *out, size_t n, struct bytes text)
{
	text = without_prefix(text);
	if (text.n % 2 != 0 || text.n / 2 != n || !all_digits(text))
		return ERR_MALFORMED;
	decode(out, text);
	return ERR_OK;
}

enum err hex_decode(struct buf *out, struct bytes text)
{
	uint8_t *place;

	text = without_prefix(text);
	if (text.n % 2 != 0 || !all_digits(text))
		return ERR_MALFORMED;
	TRY(buf_add_space(out, text.n / 2, &place));
	decode(place, text);
	return ERR_OK;
}

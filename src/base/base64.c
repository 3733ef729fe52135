/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum err base64_add(struct buf *out, struct bytes in)
{
	TRY(buf_reserve(out, (in.n + 2) / 3 * 4));
	for (size_t i = 0; i < in.n; i += 3) {
		size_t left = in.n - i;
		uint32_t v = (uint32_t)in.p[i] << 16;

		if (left > 1)
			v |= (uint32_t)in.p[i + 1] << 8;
		if (left > 2)
			v |= in.p[i + 2];
		TRY(buf_add_u8(out, (uint8_t)digits[v >> 18]));
		TRY(buf_add_u8(out, (uint8_t)digits[v >> 12 & 63]));
		TRY(buf_add_u8(out, left > 1 ? (uint8_t)digits[v >> 6 & 63] : '='));
		TRY(buf_add_u8(out, left > 2 ? (uint8_t)digits[v & 63] : '='));
	}
	return ERR_OK;
}

static int value_of(uint8_t c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Four characters, `pads` of them '=' at the end. */
static enum err decode_four(struct buf *out, const uint8_t four[4], size_t pads)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int d = i < 4 - pads ? value_of(four[i]) : 0;

		if (d < 0)
			return ERR_MALFORMED;
		v = v << 6 | (uint32_t)d;
	}
	if ((v & (pads == 2 ? 0xffffu : pads == 1 ? 0xffu : 0)) != 0)
		return ERR_MALFORMED;
	for (size_t i = 0; i < 3 - pads; i++)
		TRY(buf_add_u8(out, (uint8_t)(v >> (16 - 8 * i))));
	return ERR_OK;
}

enum err base64_decode(struct buf *out, struct bytes text)
{
	size_t before = out->n;
	enum err e = text.n % 4 == 0 ? ERR_OK : ERR_MALFORMED;

	for (size_t i = 0; e == ERR_OK && i < text.n; i += 4) {
		bool last = i + 4 == text.n;
		size_t pads = !last || text.p[i + 3] != '=' ? 0 : text.p[i + 2] != '=' ? 1 : 2;

		e = decode_four(out, &text.p[i], pads);
	}
	if (e != ERR_OK)
		out->n = before;
	return e;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

enum {
	BUF_CAP_MIN = 64
};

/* ---- view ---- */

struct bytes bytes_sub(struct bytes b, size_t at, size_t n)
{
	if (at > b.n || n > b.n - at)
		return BYTES_NONE;
	return (struct bytes){at == 0 ? b.p : b.p + at, n};
}

/* Well-formed sequences: Unicode standard, table 3-7. */
size_t bytes_utf8_step(struct bytes b)
{
	static const struct {
		uint8_t first_min, first_max, second_min, second_max, len;
	} rows[] = {
		{0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (b.n == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (b.p[0] < rows[i].first_min || b.p[0] > rows[i].first_max)
			continue;
		if (b.n < rows[i].len)
			return 0;
		if (rows[i].len > 1 && (b.p[1] < rows[i].second_min || b.p[1] > rows[i].second_max))
			return 0;
		for (size_t k = 2; k < rows[i].len; k++)
			if ((b.p[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].len;
	}
	return 0;
}

/* ---- owner ---- */

void buf_free(struct buf *b)
{
	if (!b)
		return;
	free(b->p);
	*b = buf_make(b->size_max);
}

void buf_wipe(struct buf *b)
{
	if (!b)
		return;
	if (b->p)
		secret_wipe(b->p, b->cap);
	buf_free(b);
}

struct buf buf_take(struct buf *b)
{
	struct buf out = *b;

	*b = buf_make(b->size_max);
	return out;
}

/* Make the allocation at least `need` bytes; no maximum is looked at here. */
static enum err buf_grow(struct buf *b, size_t need)
{
	if (need <= b->cap)
		return ERR_OK;

	size_t cap = b->cap < BUF_CAP_MIN ? BUF_CAP_MIN : b->cap;
	while (cap < need && cap <= SIZE_MAX / 2)
		cap *= 2;
	if (cap > b->size_max)
		cap = b->size_max;
	if (cap < need)
		cap = need;

	uint8_t *p = realloc(b->p, cap);
	if (!p)
		return ERR_NOMEM;
	b->p = p;
	b->cap = cap;
	return ERR_OK;
}

enum err buf_reserve(struct buf *b, size_t extra)
{
	if (b->n > b->size_max || extra > b->size_max - b->n)
		return ERR_TOO_BIG;
	return buf_grow(b, b->n + extra);
}

enum err buf_add_space(struct buf *b, size_t n, uint8_t **ret_place)
{
	TRY(buf_reserve(b, n));
	/* With nothing ever written there is no memory yet, and NULL + 0 is not C. */
	*ret_place = b->p ? b->p + b->n : NULL;
	b->n += n;
	return ERR_OK;
}

enum err buf_add(struct buf *b, struct bytes v)
{
	uint8_t *place;

	TRY(buf_add_space(b, v.n, &place));
	if (v.n > 0)
		memcpy(place, v.p, v.n);
	return ERR_OK;
}

enum err buf_add_u8(struct buf *b, uint8_t v)
{
	return buf_add(b, bytes_from(&v, 1));
}

enum err buf_add_u32le(struct buf *b, uint32_t v)
{
	uint8_t t[4];

	for (unsigned i = 0; i < 4; i++)
		t[i] = (uint8_t)(v >> (8 * i));
	return buf_add(b, BYTES_OF(t));
}

enum err buf_add_u64le(struct buf *b, uint64_t v)
{
	uint8_t t[8];

	for (unsigned i = 0; i < 8; i++)
		t[i] = (uint8_t)(v >> (8 * i));
	return buf_add(b, BYTES_OF(t));
}

enum err buf_add_u32be(struct buf *b, uint32_t v)
{
	return buf_add_u32le(b, __builtin_bswap32(v));
}

enum err buf_add_u64be(struct buf *b, uint64_t v)
{
	return buf_add_u64le(b, __builtin_bswap64(v));
}

enum err buf_add_zero(struct buf *b, size_t n)
{
	uint8_t *place;

	TRY(buf_add_space(b, n, &place));
	if (n > 0)
		memset(place, 0, n);
	return ERR_OK;
}

enum err buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, bytes_str(s));
}

enum err buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return ERR_RANGE;
	TRY(buf_reserve(b, (size_t)n));
	TRY(buf_grow(b, b->n + (size_t)n + 1)); /* vsnprintf writes its NUL */
	va_start(ap, fmt);
	n = vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return ERR_RANGE;
	b->n += (size_t)n;
	return ERR_OK;
}

enum err buf_cstr(struct buf *b, const char **ret_text)
{
	if (b->n > 0 && memchr(b->p, 0, b->n))
		return ERR_MALFORMED;
	TRY(buf_grow(b, b->n + 1));
	b->p[b->n] = 0;
	*ret_text = (const char *)b->p;
	return ERR_OK;
}

/* ---- cursor ---- */

void reader_fail(struct reader *r, enum err e)
{
	if (r->err == ERR_OK)
		r->err = e;
}

struct bytes reader_bytes(struct reader *r, size_t n)
{
	if (r->err != ERR_OK)
		return BYTES_NONE;
	if (n > r->in.n) {
		r->err = ERR_TRUNCATED;
		return BYTES_NONE;
	}
	struct bytes out = {r->in.p, n};
	r->in = bytes_sub(r->in, n, r->in.n - n);
	return out;
}

static uint64_t read_le(struct reader *r, size_t n)
{
	struct bytes b = reader_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = b.n; i > 0; i--)
		v = v << 8 | b.p[i - 1];
	return v;
}

uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)read_le(r, 1);
}

uint32_t reader_u32le(struct reader *r)
{
	return (uint32_t)read_le(r, 4);
}

uint64_t reader_u64le(struct reader *r)
{
	return read_le(r, 8);
}

uint32_t reader_u32be(struct reader *r)
{
	return __builtin_bswap32(reader_u32le(r));
}

uint64_t reader_u64be(struct reader *r)
{
	return __builtin_bswap64(reader_u64le(r));
}

enum err reader_end(const struct reader *r)
{
	if (r->err != ERR_OK)
		return r->err;
	return r->in.n == 0 ? ERR_OK : ERR_MALFORMED;
}

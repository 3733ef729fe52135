/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	VECTORS_MAX = 32,
	OBJECT_MAX = 4 << 20
};

/* ---- input ---- */

struct bytes fuzz_take(struct bytes *in, size_t n)
{
	struct bytes b = bytes_sub(*in, 0, n < in->n ? n : in->n);

	*in = bytes_sub(*in, b.n, in->n - b.n);
	return b;
}

uint8_t fuzz_u8(struct bytes *in)
{
	struct bytes b = fuzz_take(in, 1);

	return b.n ? b.p[0] : 0;
}

static uint64_t little(struct bytes *in, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)fuzz_u8(in) << (8 * i);
	return v;
}

uint32_t fuzz_u32(struct bytes *in)
{
	return (uint32_t)little(in, 4);
}

struct bytes fuzz_line(struct bytes *in)
{
	const uint8_t *end = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;
	struct bytes line = fuzz_take(in, end ? (size_t)(end - in->p) : in->n);

	(void)fuzz_u8(in);
	return line;
}

struct bytes fuzz_part(struct bytes *in)
{
	size_t n = fuzz_u8(in);

	return fuzz_take(in, n < 255 ? n : fuzz_u32(in));
}

/* ---- memory ---- */

struct bytes fuzz_copy(struct bytes b)
{
	uint8_t *p = malloc(b.n ? b.n : 1);

	CHECK(p);
	if (b.n)
		memcpy(p, b.p, b.n);
	return bytes_from(p, b.n);
}

void fuzz_free(struct bytes b)
{
	free((void *)(uintptr_t)b.p);
}

char *fuzz_cstr(struct bytes b)
{
	char *s = calloc(1, b.n + 1);

	CHECK(s);
	if (b.n)
		memcpy(s, b.p, b.n);
	return s;
}

/* ---- vectors ---- */

static struct bytes file_read(const char *name)
{
	struct buf b = buf_make(OBJECT_MAX);
	char path[4096];
	uint8_t chunk[4096];
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", FUZZ_VECTORS, name);

	FILE *f = fopen(path, "rb");

	CHECK(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		FUZZ_OK(buf_add(&b, bytes_from(chunk, n)));
	CHECK(ferror(f) == 0 && fclose(f) == 0);
	return buf_view(&b);
}

struct bytes fuzz_vector(const char *name)
{
	static struct {
		const char *name;
		struct bytes content;
	} kept[VECTORS_MAX];
	size_t i = 0;

	while (i < VECTORS_MAX && kept[i].name && strcmp(kept[i].name, name) != 0)
		i++;
	CHECK(i < VECTORS_MAX);
	if (!kept[i].name) {
		kept[i].content = file_read(name);
		kept[i].name = name;
	}
	return kept[i].content;
}

/* ---- edits ---- */

static void remove_at(struct buf *b, size_t at, size_t n)
{
	n = n < b->n - at ? n : b->n - at;
	memmove(&b->p[at], &b->p[at + n], b->n - at - n);
	b->n -= n;
}

static void insert_at(struct buf *b, size_t at, struct bytes what)
{
	struct bytes tail = fuzz_copy(bytes_sub(buf_view(b), at, b->n - at));
	struct bytes copy = fuzz_copy(what);

	b->n = at;
	if (buf_add(b, copy) == ERR_OK)
		(void)buf_add(b, tail);
	fuzz_free(copy);
	fuzz_free(tail);
}

static void put_at(struct buf *b, size_t at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n && at + i < b->n; i++)
		b->p[at + i] = (uint8_t)(v >> (8 * i));
}

static void edit(struct buf *b, struct bytes *script)
{
	uint8_t what = fuzz_u8(script);
	size_t at = (size_t)little(script, 3);

	at = at < b->n ? at : b->n;
	if (what & 0x80)
		at = b->n - at;
	switch (what % 8) {
	case 0:
		put_at(b, at, little(script, 1), 1);
		break;
	case 1:
		put_at(b, at, little(script, 4), 4);
		break;
	case 2:
		put_at(b, at, little(script, 8), 8);
		break;
	case 3:
		b->n = at;
		break;
	case 4:
		remove_at(b, at, fuzz_u8(script));
		break;
	case 5:
		insert_at(b, at, fuzz_take(script, fuzz_u8(script)));
		break;
	case 6:
		if (at < b->n)
			b->p[at] ^= fuzz_u8(script);
		break;
	default:
		insert_at(b, at, bytes_sub(buf_view(b), at, fuzz_u8(script) % (b->n - at + 1)));
		break;
	}
}

struct bytes fuzz_patch(struct bytes vector, struct bytes script)
{
	struct buf b = buf_make(OBJECT_MAX);

	FUZZ_OK(buf_reserve(&b, vector.n + 1));
	FUZZ_OK(buf_add(&b, vector));
	while (script.n > 0)
		edit(&b, &script);

	struct bytes exact = fuzz_copy(buf_view(&b));

	buf_free(&b);
	return exact;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Bytes.
 *
 *   - struct bytes: a view: never owns, never frees; valid as long as what it points into
 *   - struct buf: an owner that grows up to a mandatory maximum; all-zero is empty with maximum 0
 *   - struct reader: a cursor over a view; latches its first error: parsers are straight lines
 *
 * These three are the only place of the project with pointer arithmetic on input.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

/* ---- view ---- */

struct bytes {
	const uint8_t *p;
	size_t n;
};

#define BYTES_NONE      ((struct bytes){0})
#define BYTES_OF(array) ((struct bytes){(const uint8_t *)(array), sizeof(array)})
#define BYTES_LIT(lit)  ((struct bytes){(const uint8_t *)(lit), sizeof(lit) - 1})

static inline struct bytes bytes_from(const void *p, size_t n)
{
	return (struct bytes){(const uint8_t *)p, n};
}

static inline struct bytes bytes_str(const char *s)
{
	return bytes_from(s, s ? strlen(s) : 0);
}

/* Equality in variable time: public data only; secrets use secret_eq. */
static inline bool bytes_eq_var(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The part of `b` from `at`, `n` long; empty view if it does not lie inside. */
struct bytes bytes_sub(struct bytes b, size_t at, size_t n);

/* Length (1..4) of the UTF-8 character that `b` starts with; 0 if it is empty, cut or not well
 * formed. */
size_t bytes_utf8_step(struct bytes b);

/* ---- owner ---- */

struct buf {
	uint8_t *p;
	size_t n;
	size_t cap;
	size_t size_max;
};

static inline struct buf buf_make(size_t size_max)
{
	return (struct buf){.size_max = size_max};
}

static inline struct bytes buf_view(const struct buf *b)
{
	return (struct bytes){b->p, b->n};
}

/* Frees the memory; keeps size_max; the buffer is empty and usable again. NULL is allowed. */
void buf_free(struct buf *b);

/* As buf_free, but wipes first. For buffers that held secrets. */
void buf_wipe(struct buf *b);

/* Hand the content over: `b` becomes empty, the result owns it. */
struct buf buf_take(struct buf *b);

static inline void buf_clear(struct buf *b)
{
	b->n = 0;
}

/* Errors of all writers: ERR_TOO_BIG past size_max, ERR_NOMEM. The buffer is unchanged on failure.
 * What is added must not lie in the buffer itself: growing moves it. */
enum err buf_reserve(struct buf *b, size_t extra) MUST_USE;
enum err buf_add(struct buf *b, struct bytes v) MUST_USE;
enum err buf_add_u8(struct buf *b, uint8_t v) MUST_USE;
enum err buf_add_u32le(struct buf *b, uint32_t v) MUST_USE;
enum err buf_add_u64le(struct buf *b, uint64_t v) MUST_USE;
enum err buf_add_u32be(struct buf *b, uint32_t v) MUST_USE;
enum err buf_add_u64be(struct buf *b, uint64_t v) MUST_USE;
enum err buf_add_zero(struct buf *b, size_t n) MUST_USE;
enum err buf_add_str(struct buf *b, const char *s) MUST_USE; /* without the NUL */
enum err buf_addf(struct buf *b, const char *fmt, ...) MUST_USE PRINTF(2, 3);

/* Make room for exactly `n` more bytes, count them as written, and give their place (valid until
 * the next write). */
enum err buf_add_space(struct buf *b, size_t n, uint8_t **ret_place) MUST_USE;

/* Make sure that a NUL follows the content (not counted in n) and give it as a C string; content
 * must hold no NUL. */
enum err buf_cstr(struct buf *b, const char **ret_text) MUST_USE;

/* ---- cursor ---- */

struct reader {
	struct bytes in; /* what is left */
	size_t size;     /* of the whole input */
	enum err err;    /* first error, ERR_OK so far; after an error every read gives zero */
};

static inline struct reader reader_of(struct bytes in)
{
	return (struct reader){.in = in, .size = in.n};
}

/* How much has been read: where the next byte stands in the input. */
static inline size_t reader_offset(const struct reader *r)
{
	return r->size - r->in.n;
}

struct bytes reader_bytes(struct reader *r, size_t n);
uint8_t reader_u8(struct reader *r);
uint32_t reader_u32le(struct reader *r);
uint64_t reader_u64le(struct reader *r);
uint32_t reader_u32be(struct reader *r);
uint64_t reader_u64be(struct reader *r);

/* Latch `e` unless an error stands already. */
void reader_fail(struct reader *r, enum err e);

/* The latched error; ERR_MALFORMED if there is none but input is left over. Call it once, at the
 * end. */
enum err reader_end(const struct reader *r) MUST_USE;

#endif

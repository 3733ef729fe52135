/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "codec/bincode.h"

/* ---- reading ---- */

uint64_t bincode_len(struct reader *r, uint64_t max)
{
	uint64_t n = reader_u64le(r);

	if (n > max) {
		reader_fail(r, ERR_TOO_BIG);
		return 0;
	}
	return n;
}

struct bytes bincode_vec(struct reader *r, uint64_t max)
{
	uint64_t n = bincode_len(r, max);

	if (n > SIZE_MAX) {
		reader_fail(r, ERR_TOO_BIG);
		return BYTES_NONE;
	}
	return reader_bytes(r, (size_t)n);
}

bool bincode_option(struct reader *r)
{
	uint8_t tag = reader_u8(r);

	if (tag > 1)
		reader_fail(r, ERR_MALFORMED);
	return tag == 1;
}

uint32_t bincode_tag(struct reader *r, uint32_t max)
{
	uint32_t tag = reader_u32le(r);

	if (tag > max) {
		reader_fail(r, ERR_UNSUPPORTED);
		return 0;
	}
	return tag;
}

void bincode_expect_u32(struct reader *r, uint32_t want)
{
	if (reader_u32le(r) != want)
		reader_fail(r, ERR_UNSUPPORTED);
}

uint64_t bincode_v0_u64(struct reader *r)
{
	bincode_expect_u32(r, 0);
	return reader_u64le(r);
}

/* ---- writing ---- */

/* After an error nothing more is written: what stands in the buffer is a clean prefix. */
#define PUT(w, call)                                                                               \
	do {                                                                                       \
		if ((w)->err == ERR_OK)                                                            \
			(w)->err = (call);                                                         \
	} while (0)

void bincode_put_u8(struct bincode_writer *w, uint8_t v)
{
	PUT(w, buf_add_u8(w->out, v));
}

void bincode_put_u32(struct bincode_writer *w, uint32_t v)
{
	PUT(w, buf_add_u32le(w->out, v));
}

void bincode_put_u64(struct bincode_writer *w, uint64_t v)
{
	PUT(w, buf_add_u64le(w->out, v));
}

void bincode_put_u128(struct bincode_writer *w, uint64_t lo, uint64_t hi)
{
	bincode_put_u64(w, lo);
	bincode_put_u64(w, hi);
}

void bincode_put_raw(struct bincode_writer *w, struct bytes v)
{
	PUT(w, buf_add(w->out, v));
}

void bincode_put_vec(struct bincode_writer *w, struct bytes v)
{
	bincode_put_u64(w, v.n);
	bincode_put_raw(w, v);
}

void bincode_put_str(struct bincode_writer *w, const char *s)
{
	bincode_put_vec(w, bytes_str(s));
}

void bincode_put_v0_u64(struct bincode_writer *w, uint64_t v)
{
	bincode_put_u32(w, 0);
	bincode_put_u64(w, v);
}

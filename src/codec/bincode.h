/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * bincode 1.x as TFHE and the KMS use it: little endian, fixed-width integers, u64 lengths, u32
 * enum tags, Option as a 0/1 byte. Reading goes through `struct reader` (latching), writing through
 * `struct bincode_writer`, which latches as well, so that encoders are straight lines too.
 *
 * "Versioned" (tfhe-versionable): each versioned type is preceded by its u32 version index.
 */
#ifndef CODEC_BINCODE_H
#define CODEC_BINCODE_H

#include "base/bytes.h"

/* ---- reading ---- */

/* A u64 length that is at most `max`: latches ERR_TOO_BIG otherwise and gives 0. */
uint64_t bincode_len(struct reader *r, uint64_t max);

/* u64 length and that many bytes, as a view into the input. */
struct bytes bincode_vec(struct reader *r, uint64_t max);

/* Option tag: latches ERR_MALFORMED unless 0 or 1. */
bool bincode_option(struct reader *r);

/* A u32 that must be <= max (a version index or an enum tag): latches ERR_UNSUPPORTED otherwise and
 * gives 0. */
uint32_t bincode_tag(struct reader *r, uint32_t max);

/* A u32 that must be exactly `want`. */
void bincode_expect_u32(struct reader *r, uint32_t want);

/* A V0 newtype over u64 (dimensions, moduli, degrees, counts): u32 0, u64 value. */
uint64_t bincode_v0_u64(struct reader *r);

/* ---- writing ---- */

struct bincode_writer {
	struct buf *out;
	enum err err;
};

void bincode_put_u8(struct bincode_writer *w, uint8_t v);
void bincode_put_u32(struct bincode_writer *w, uint32_t v);
void bincode_put_u64(struct bincode_writer *w, uint64_t v);
void bincode_put_u128(struct bincode_writer *w, uint64_t lo, uint64_t hi);
void bincode_put_raw(struct bincode_writer *w, struct bytes v);
void bincode_put_vec(struct bincode_writer *w, struct bytes v); /* u64 length first */
void bincode_put_str(struct bincode_writer *w, const char *s);
void bincode_put_v0_u64(struct bincode_writer *w, uint64_t v);

/* The latched error, once, at the end. */
static inline enum err bincode_end(const struct bincode_writer *w)
{
	return w->err;
}

#endif

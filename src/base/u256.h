/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Unsigned 256-bit integers, and the newtypes of Ethereum that are easily mixed up.
 *
 * Public data: variable time is fine here and said by nobody twice. Limbs are little endian (w[0]
 * lowest); every wire form in Ethereum is 32 bytes big endian.
 */
#ifndef BASE_U256_H
#define BASE_U256_H

#include "base/bytes.h"

struct u256 {
	uint64_t w[4];
};

#define U256_ZERO ((struct u256){{0}})

static inline struct u256 u256_from_u64(uint64_t v)
{
	return (struct u256){{v}};
}

struct u256 u256_from_be(const uint8_t be[32]);
void u256_to_be(uint8_t be[32], struct u256 v);

/* Big-endian bytes of any length up to 32. ERR_TOO_BIG beyond. */
enum err u256_from_bytes_be(struct u256 *ret_v, struct bytes be) MUST_USE;

/* ERR_RANGE if it does not fit. */
enum err u256_to_u64(uint64_t *ret_v, struct u256 v) MUST_USE;

int u256_cmp(struct u256 a, struct u256 b);
static inline bool u256_is_zero(struct u256 v)
{
	return (v.w[0] | v.w[1] | v.w[2] | v.w[3]) == 0;
}
static inline bool u256_eq(struct u256 a, struct u256 b)
{
	return u256_cmp(a, b) == 0;
}

/* Modulo 2^256; the carry out is returned. */
bool u256_add(struct u256 *ret_sum, struct u256 a, struct u256 b);
bool u256_sub(struct u256 *ret_diff, struct u256 a, struct u256 b);

/* v mod m, m > 0. */
uint64_t u256_mod_u64(struct u256 v, uint64_t m);

/* Decimal text: at most 78 digits and a NUL. */
enum {
	U256_DEC_SIZE = 79
};
void u256_to_dec(char out[U256_DEC_SIZE], struct u256 v);

/* Accepts decimal, or hexadecimal after "0x" (1..64 digits). Errors: ERR_MALFORMED, ERR_TOO_BIG. */
enum err u256_parse(struct u256 *ret_v, struct bytes text) MUST_USE;

/* ---- newtypes ---- */

struct address {
	uint8_t b[20];
};
struct hash32 {
	uint8_t b[32];
};
struct chain_id {
	uint64_t v;
};
struct block_number {
	uint64_t v;
};
struct wei {
	struct u256 v;
};

static inline bool address_eq(struct address a, struct address b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}
static inline bool hash32_eq(struct hash32 a, struct hash32 b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

#endif

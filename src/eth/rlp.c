/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "eth/rlp.h"

enum {
	RLP_STRING = 0x80,
	RLP_LIST = 0xc0,
	RLP_SHORT_MAX = 55, /* the longest payload whose length fits into the first byte */
	RLP_HEADER_MAX = 9,
};

/* Header of a payload: the length itself, or how many bytes the length takes and then the length.
 */
static size_t header(uint8_t out[RLP_HEADER_MAX], uint8_t base, size_t length)
{
	size_t n = 0;

	if (length <= RLP_SHORT_MAX) {
		out[0] = (uint8_t)(base + length);
		return 1;
	}
	for (size_t rest = length; rest > 0; rest >>= 8)
		n++;
	out[0] = (uint8_t)(base + RLP_SHORT_MAX + n);
	for (size_t i = n; i > 0; i--, length >>= 8)
		out[i] = (uint8_t)length;
	return n + 1;
}

enum err rlp_add_bytes(struct buf *out, struct bytes v)
{
	uint8_t head[RLP_HEADER_MAX];

	if (v.n == 1 && v.p[0] < RLP_STRING)
		return buf_add(out, v);
	size_t n = header(head, RLP_STRING, v.n);
	if (v.n > SIZE_MAX - n)
		return ERR_TOO_BIG;
	TRY(buf_reserve(out, n + v.n));
	TRY(buf_add(out, bytes_from(head, n)));
	return buf_add(out, v);
}

enum err rlp_add_u256(struct buf *out, struct u256 v)
{
	uint8_t be[32];
	size_t zeros = 0;

	u256_to_be(be, v);
	while (zeros < sizeof(be) && be[zeros] == 0)
		zeros++;
	return rlp_add_bytes(out, bytes_sub(BYTES_OF(be), zeros, sizeof(be) - zeros));
}

enum err rlp_add_u64(struct buf *out, uint64_t v)
{
	return rlp_add_u256(out, u256_from_u64(v));
}

enum err rlp_close_list(struct buf *out, size_t start)
{
	uint8_t head[RLP_HEADER_MAX];

	if (start > out->n)
		return ERR_RANGE;
	size_t length = out->n - start;
	size_t n = header(head, RLP_LIST, length);
	TRY(buf_add_zero(out, n));
	memmove(&out->p[start + n], &out->p[start], length);
	memcpy(&out->p[start], head, n);
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/acl_many.h"

/*
 * What follows the code is the contract (20 bytes), then for each question its length (two bytes,
 * big-endian) and its call data. Nothing newer than SHR (EIP-145) is used, so that every chain runs
 * it, and the answer never begins with 0xef (EIP-3541).
 */
const uint8_t acl_many_code[ACL_MANY_CODE_SIZE] = {
	/* what follows the code to memory 0x40: its end is where the answer begins */
	0x60, 0x5a, 0x38, 0x03, 0x80, 0x60, 0x5a, 0x60, 0x40, 0x39, 0x60, 0x40, 0x01,
	/* stack: end, contract, out, in */
	0x60, 0x40, 0x51, 0x60, 0x60, 0x1c, 0x81, 0x60, 0x54,
	/* 16: until in reaches end */
	0x5b, 0x83, 0x81, 0x10, 0x15, 0x60, 0x51, 0x57,
	/* length of the question, and where it is */
	0x80, 0x51, 0x60, 0xf0, 0x1c, 0x90, 0x60, 0x02, 0x01,
	/* STATICCALL, a word of result to memory 0 */
	0x60, 0x20, 0x60, 0x00, 0x83, 0x83, 0x87, 0x5a, 0xfa,
	/* it succeeded, with one word, which is 0 or 1 */
	0x3d, 0x60, 0x20, 0x14, 0x16, 0x60, 0x02, 0x60, 0x00, 0x51, 0x10, 0x16,
	/* then that word, else 2 */
	0x80, 0x15, 0x80, 0x01, 0x90, 0x60, 0x00, 0x51, 0x02, 0x01,
	/* MSTORE8 to out, the next of both */
	0x83, 0x53, 0x01, 0x90, 0x60, 0x01, 0x01, 0x90, 0x60, 0x16, 0x56,
	/* 51: RETURN from end to out */
	0x5b, 0x50, 0x90, 0x50, 0x81, 0x90, 0x03, 0x90, 0xf3};

enum err acl_many_begin(struct buf *out, struct address contract)
{
	TRY(buf_add(out, BYTES_OF(acl_many_code)));
	return buf_add(out, BYTES_OF(contract.b));
}

enum err acl_many_add(struct buf *out, struct bytes call_data)
{
	if (call_data.n > UINT16_MAX)
		return ERR_RANGE;
	TRY(buf_add_u8(out, (uint8_t)(call_data.n >> 8)));
	TRY(buf_add_u8(out, (uint8_t)call_data.n));
	return buf_add(out, call_data);
}

enum err acl_many_read(struct bytes answer, size_t n)
{
	if (answer.n != n)
		return ERR_MALFORMED;
	for (size_t i = 0; i < n; i++)
		if (answer.p[i] > ACL_SAID_NOTHING)
			return ERR_MALFORMED;
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside eth/ only: the leaves of the ABI, shared by the walker and by EIP-712 (whose atomic types
 * are the same, one word each).
 */
#ifndef ETH_ABI_WORD_H
#define ETH_ABI_WORD_H

#include "eth/abi.h"

enum {
	ABI_WORD = 32
};

/* A type without members: "uint8" … "bytes32", "bytes", "string". ERR_MALFORMED. */
enum err abi_leaf_parse(struct abi_type *ret_type, struct bytes text) MUST_USE;

/* "[7]" after its opening bracket and without its closing one: "7", or "" for a dynamic array
 * (length 0). */
enum err abi_length_parse(unsigned *ret_length, struct bytes digits) MUST_USE;

/* One word from and to its value; `t` is a leaf that is not dynamic. ERR_RANGE and ERR_MALFORMED:
 * it does not fit. */
enum err abi_word_encode(uint8_t out[ABI_WORD], const struct abi_type *t,
			 const struct abi_value *v) MUST_USE;
enum err abi_word_decode(struct abi_value *ret_value, const struct abi_type *t,
			 struct bytes word) MUST_USE;

#endif

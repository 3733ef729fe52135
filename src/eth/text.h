/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Ethereum text forms. */
#ifndef ETH_TEXT_H
#define ETH_TEXT_H

#include "base/u256.h"

enum {
	ADDRESS_TEXT_SIZE = 43,
	HASH_TEXT_SIZE = 67
};

/* EIP-55 mixed case with "0x". */
void address_to_text(char out[ADDRESS_TEXT_SIZE], struct address a);
void hash_to_text(char out[HASH_TEXT_SIZE], struct hash32 h);

/* Any case accepted; address_parse_checksum demands EIP-55. ERR_MALFORMED, ERR_MISMATCH. */
enum err address_parse(struct address *ret_address, struct bytes text) MUST_USE;
enum err address_parse_checksum(struct address *ret_address, struct bytes text) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "eth/text.h"

#include "base/hex.h"
#include "crypto/keccak.h"

/* EIP-55: a letter is upper case where the digit of the hash of the lower-case text at its place is
 * 8 or more. */
void address_to_text(char out[ADDRESS_TEXT_SIZE], struct address a)
{
	char hex[2 * sizeof(a.b) + 1];

	hex_encode(hex, BYTES_OF(a.b));
	struct hash32 h = keccak256(bytes_str(hex));
	out[0] = '0';
	out[1] = 'x';
	for (size_t i = 0; i < 2 * sizeof(a.b); i++) {
		unsigned digit = h.b[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
		char c = hex[i];

		out[2 + i] = (char)(c >= 'a' && digit >= 8 ? c - 'a' + 'A' : c);
	}
	out[ADDRESS_TEXT_SIZE - 1] = '\0';
}

void hash_to_text(char out[HASH_TEXT_SIZE], struct hash32 h)
{
	out[0] = '0';
	out[1] = 'x';
	hex_encode(&out[2], BYTES_OF(h.b));
}

enum err address_parse(struct address *ret_address, struct bytes text)
{
	return hex_decode_fixed(ret_address->b, sizeof(ret_address->b), text);
}

enum err address_parse_checksum(struct address *ret_address, struct bytes text)
{
	char want[ADDRESS_TEXT_SIZE];
	struct address a;

	TRY(address_parse(&a, text));
	address_to_text(want, a);
	/* With or without "0x", whose x is not part of the checksum but has one case only. */
	struct bytes full = bytes_str(want);
	if (!bytes_eq_var(text, full) && !bytes_eq_var(text, bytes_sub(full, 2, full.n - 2)))
		return ERR_MISMATCH;
	*ret_address = a;
	return ERR_OK;
}

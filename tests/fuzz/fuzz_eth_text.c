/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Addresses and identifiers as text. EIP-55 by hand agrees; what is read is written again. Input:
 * the text. */
#include <ctype.h>
#include <strings.h>

#include "core/request_id.h"
#include "crypto/keccak.h"
#include "eth/text.h"
#include "fuzz.h"

/* EIP-55: a letter is upper case where the hash of the lower case text has a digit of 8 or more. */
static bool simple_checksum(struct bytes text)
{
	char lower[40];

	for (size_t i = 0; i < 40; i++)
		lower[i] = (char)tolower(text.p[2 + i]);

	struct hash32 h = keccak256(bytes_from(lower, 40));

	for (size_t i = 0; i < 40; i++) {
		bool high = (h.b[i / 2] >> (i % 2 ? 0 : 4) & 15) >= 8;

		if (isalpha(text.p[2 + i]) && high != (isupper(text.p[2 + i]) != 0))
			return false;
	}
	return true;
}

static void check_address(struct bytes text)
{
	struct address a, b;
	char out[ADDRESS_TEXT_SIZE];
	bool good = address_parse(&a, text) == ERR_OK;
	enum err strict = address_parse_checksum(&b, text);

	if (!good) {
		CHECK(strict == ERR_MALFORMED);
		return;
	}
	CHECK(text.n == 42 || text.n == 40);
	address_to_text(out, a);
	CHECK(strncasecmp(out + 42 - text.n, (const char *)text.p, text.n) == 0);
	FUZZ_OK(address_parse_checksum(&b, bytes_str(out)));
	CHECK(address_eq(a, b));
	if (text.n == 42)
		CHECK((strict == ERR_OK) == (simple_checksum(text) && text.p[1] == 'x'));
}

static void check_id(struct bytes text)
{
	struct hash32 id, again;
	char out[REQUEST_ID_TEXT_SIZE];

	if (request_id_parse(&id, text) != ERR_OK)
		return;
	request_id_text(out, id);
	FUZZ_OK(request_id_parse(&again, bytes_str(out)));
	CHECK(hash32_eq(id, again) && strspn(out, "0") < 64);
	/* The digits stand in the text, whatever is around them. */
	for (size_t i = 0; i + 64 <= text.n; i++)
		if (strncasecmp(out, (const char *)&text.p[i], 64) == 0)
			return;
	CHECK(false && "digits that were not in the text");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes text = fuzz_copy(bytes_from(p, n < 256 ? n : 256));

	check_address(text);
	check_id(text);
	fuzz_free(text);
	return 0;
}

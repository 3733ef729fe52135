/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A request id as a person types it. Its digits, read again in the base that their look says, are
 * those of the number. Input: the text.
 */
#include <strings.h>

#include "base/hex.h"
#include "connector/inspect.h"
#include "fuzz.h"

static struct bytes zeros_skip(struct bytes digits)
{
	while (digits.n > 1 && digits.p[0] == '0')
		digits = bytes_sub(digits, 1, digits.n - 1);
	return digits;
}

static bool all_of(struct bytes digits, const char *set)
{
	for (size_t i = 0; i < digits.n; i++)
		if (digits.p[i] == '\0' || !strchr(set, digits.p[i]))
			return false;
	return digits.n > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char hex_set[] = "0123456789abcdefABCDEF";
	struct bytes text = fuzz_copy(bytes_from(p, n < 256 ? n : 256));
	bool prefixed = text.n > 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x';
	struct bytes digits = prefixed ? bytes_sub(text, 2, text.n - 2) : text;
	bool decimal = !prefixed && text.n != 64 && all_of(digits, "0123456789");
	struct u256 id;

	if (inspect_id_parse(&id, text) == ERR_OK) {
		char dec[U256_DEC_SIZE], hex[65];
		uint8_t be[32];

		u256_to_dec(dec, id);
		u256_to_be(be, id);
		hex_encode(hex, BYTES_OF(be));

		struct bytes shown = zeros_skip(bytes_str(decimal ? dec : hex));

		digits = zeros_skip(digits);
		CHECK(decimal || all_of(digits, hex_set));
		CHECK(shown.n == digits.n &&
		      strncasecmp((const char *)shown.p, (const char *)digits.p, shown.n) == 0);
	} else {
		/* Nothing that has the form is refused for anything but its size. */
		CHECK(!(decimal && digits.n < 77) && !(text.n == 64 && all_of(text, hex_set)));
		CHECK(!(prefixed && text.p[1] == 'x' && digits.n <= 64 && all_of(digits, hex_set)));
	}
	fuzz_free(text);
	return 0;
}

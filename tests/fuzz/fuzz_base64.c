/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Base64: what decodes encodes to the same text. Input: the text. */
#include "base/base64.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 16), again = buf_make(1 << 17);
	struct bytes text = bytes_from(p, n);
	enum err e;

	if (n > 1 << 12)
		return 0;
	FUZZ_OK(buf_add_str(&out, "before"));
	e = base64_decode(&out, text);
	if (e != ERR_OK) {
		CHECK(e == ERR_MALFORMED && out.n == 6);
		return 0;
	}
	FUZZ_OK(base64_add(&again, bytes_sub(buf_view(&out), 6, out.n - 6)));
	CHECK(bytes_eq_var(buf_view(&again), text));
	return 0;
}

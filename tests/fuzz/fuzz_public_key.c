/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Compact public keys. What is read is written again with the same bytes, but for the older form of
 * one version field. Input: edits of tfhe/cpk_v0.bin. */
#include "fhe/compact_public_key.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 20);
	struct fhe_compact_public_key k, again;
	struct err_note note = {0};
	size_t other = 0;

	if (n > 4096)
		return 0;

	struct bytes in = fuzz_patch(fuzz_vector("tfhe/cpk_v0.bin"), bytes_from(p, n));

	if (fhe_compact_public_key_read(&k, in, &note) == ERR_OK) {
		FUZZ_OK(fhe_compact_public_key_write(&k, &out));
		CHECK(out.n == in.n);
		for (size_t i = 0; i < in.n; i++)
			other += in.p[i] != out.p[i];
		CHECK(other <= 1);
		FUZZ_OK(fhe_compact_public_key_read(&again, buf_view(&out), &note));
		CHECK(bytes_eq_var(k.words, again.words) && bytes_eq_var(k.tag, again.tag));
		CHECK(k.words.n == 16 * k.params.dimension);
	}
	fuzz_free(in);
	return 0;
}

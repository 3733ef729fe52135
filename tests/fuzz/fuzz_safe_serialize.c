/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The container's header. What is accepted is what the writer makes, byte for byte. Input: the
 * bytes. */
#include "codec/safe_serialize.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = {"PrivateSigKey", "high_level_api::ClientKey", NULL};
	CLEANUP(buf_free) struct buf header = buf_make(1 << 10);
	struct bincode_writer w = {.out = &header};
	struct bytes in = fuzz_copy(bytes_from(p, n));
	struct reader r = reader_of(in);
	struct err_note note = {0};
	size_t index = 99;
	enum err e = safe_serialize_open(&r, names, &index, &note);

	if (e == ERR_OK) {
		CHECK(index < 2 && r.err == ERR_OK);
		safe_serialize_begin(&w, names[index]);
		FUZZ_OK(bincode_end(&w));
		CHECK(header.n == in.n - r.in.n && memcmp(header.p, in.p, header.n) == 0);

		/* A body of the small parts: what was read is written the same. */
		bool flag = bincode_option(&r);
		uint32_t tag = bincode_tag(&r, 5);
		uint64_t count = bincode_v0_u64(&r);
		struct bytes vec = bincode_vec(&r, 64);

		bincode_put_u8(&w, flag);
		bincode_put_u32(&w, tag);
		bincode_put_v0_u64(&w, count);
		bincode_put_vec(&w, vec);
		FUZZ_OK(bincode_end(&w));
		CHECK(reader_end(&r) != ERR_OK || bytes_eq_var(buf_view(&header), in));
	} else {
		CHECK(r.err == e && index == 99 && note.text[0]);
	}
	fuzz_free(in);
	return 0;
}

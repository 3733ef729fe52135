/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Users' keys. Exactly those are accepted that have the one header and coefficients below q, read
 * here bit by bit (FIPS 203, 4.2.1 and 7.2).
 *
 * Input: edits of a key of zeros.
 */
#include "codec/safe_serialize.h"
#include "core/signcrypt.h"
#include "fuzz.h"

enum {
	Q = 3329,
	HEADER = ENC_KEY_SIZE - MLKEM_512_EK_SIZE
};

static struct bytes zeros(void)
{
	static struct buf key;
	struct bincode_writer w = {.out = &key};

	if (key.n > 0)
		return buf_view(&key);
	key = buf_make(ENC_KEY_SIZE);
	safe_serialize_begin(&w, "UnifiedPublicEncKey");
	bincode_put_u32(&w, 0);
	bincode_put_u32(&w, 0);
	bincode_put_u64(&w, MLKEM_512_EK_SIZE);
	FUZZ_OK(bincode_end(&w));
	CHECK(key.n == HEADER);
	FUZZ_OK(buf_add_zero(&key, MLKEM_512_EK_SIZE));
	return buf_view(&key);
}

static bool simple(struct bytes in)
{
	struct bytes ek = bytes_sub(in, HEADER, MLKEM_512_EK_SIZE);

	if (in.n != ENC_KEY_SIZE || memcmp(in.p, zeros().p, HEADER) != 0)
		return false;
	for (size_t i = 0; i < 512; i++) {
		unsigned c = 0;

		for (size_t b = 0; b < 12; b++)
			c |= (unsigned)(ek.p[(12 * i + b) / 8] >> ((12 * i + b) % 8) & 1) << b;
		if (c >= Q)
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = fuzz_patch(zeros(), bytes_from(p, n < 4096 ? n : 4096));
	struct err_note note = {0};
	struct enc_key key;
	enum err e = enc_key_read(&key, in, &note);

	CHECK((e == ERR_OK) == simple(in));
	if (e == ERR_OK)
		CHECK(key.ek.n == MLKEM_512_EK_SIZE && bytes_eq_var(key.serialized, in));
	else
		CHECK(e == ERR_MALFORMED && note.text[0]);
	fuzz_free(in);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "crypto/aes_gcm.h"

#define assert_ok(expression) assert_int_equal((expression), ERR_OK)

#define ZERO_KEY "0000000000000000000000000000000000000000000000000000000000000000"
#define FEFF_KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define TEXT                                                                                       \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                         \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define SEALED                                                                                     \
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"                         \
	"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"

/* Test cases 13 to 16 of the specification that was submitted to NIST (McGrew and Viega): the ones
 * with a 256-bit key and a 96-bit nonce. */
static const struct {
	const char *key, *nonce, *aad, *text, *sealed;
} cases[] = {
	{ZERO_KEY, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{ZERO_KEY, "000000000000000000000000", "", "00000000000000000000000000000000",
	 "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
	{FEFF_KEY, "cafebabefacedbaddecaf888", "", TEXT "1aafd255",
	 SEALED "898015adb094dac5d93471bdec1a502270e3cc6c"},
	{FEFF_KEY, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", TEXT,
	 SEALED "76fc6ece0f4e1768cddf8853bb2d551b"},
};

struct given {
	struct secret32 key;
	uint8_t nonce[AES_GCM_NONCE_SIZE];
	struct buf aad, text, sealed;
};

static struct given given_make(size_t i)
{
	struct given g = {.aad = buf_make(100), .text = buf_make(100), .sealed = buf_make(100)};

	assert_ok(hex_decode_fixed(g.key.b, 32, bytes_str(cases[i].key)));
	assert_ok(hex_decode_fixed(g.nonce, sizeof(g.nonce), bytes_str(cases[i].nonce)));
	assert_ok(hex_decode(&g.aad, bytes_str(cases[i].aad)));
	assert_ok(hex_decode(&g.text, bytes_str(cases[i].text)));
	assert_ok(hex_decode(&g.sealed, bytes_str(cases[i].sealed)));
	return g;
}

static void given_free(struct given *g)
{
	buf_free(&g->aad);
	buf_free(&g->text);
	buf_free(&g->sealed);
}

static enum err open_given(struct buf *out, const struct given *g)
{
	return aes_gcm_open(out, &g->key, g->nonce, buf_view(&g->aad), buf_view(&g->sealed));
}

static void known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct given g = given_make(i);
		struct buf out = buf_make(200);

		/* appended to what is there */
		assert_ok(buf_add_u8(&out, 0xaa));
		assert_ok(aes_gcm_seal(&out, &g.key, g.nonce, buf_view(&g.aad), buf_view(&g.text)));
		assert_int_equal(out.n, 1 + g.sealed.n);
		assert_int_equal(out.p[0], 0xaa);
		assert_memory_equal(&out.p[1], g.sealed.p, g.sealed.n);
		out.n = 1;
		assert_ok(open_given(&out, &g));
		assert_int_equal(out.n, 1 + g.text.n);
		if (g.text.n)
			assert_memory_equal(&out.p[1], g.text.p, g.text.n);
		buf_free(&out);
		given_free(&g);
	}
}

/* Every bit of every input counts; nothing comes out. */
static void forgeries(void **state)
{
	struct given g = given_make(3);
	const struct bytes inputs[] = {BYTES_OF(g.key.b), BYTES_OF(g.nonce), buf_view(&g.aad),
				       buf_view(&g.sealed)};
	struct buf out = buf_make(200);

	(void)state;
	assert_ok(buf_add_u8(&out, 0xaa));
	assert_ok(buf_reserve(&out, 100));
	for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
		for (size_t bit = 0; bit < 8 * inputs[i].n; bit++) {
			uint8_t *byte = (uint8_t *)(uintptr_t)&inputs[i].p[bit / 8];

			*byte ^= (uint8_t)(1u << bit % 8);
			memset(&out.p[1], 0, 99);
			assert_int_equal(open_given(&out, &g), ERR_MISMATCH);
			assert_int_equal(out.n, 1);
			for (size_t at = 1; at < 100; at++)
				assert_int_equal(out.p[at], 0);
			*byte ^= (uint8_t)(1u << bit % 8);
		}
	}
	assert_ok(open_given(&out, &g));
	buf_free(&out);
	given_free(&g);
}

static void lengths(void **state)
{
	struct given g = given_make(3);
	struct buf out = buf_make(75); /* sealed: 76 */

	(void)state;
	assert_int_equal(aes_gcm_seal(&out, &g.key, g.nonce, buf_view(&g.aad), buf_view(&g.text)),
			 ERR_TOO_BIG);
	assert_int_equal(out.n, 0);
	for (size_t n = 0; n < g.sealed.n; n++)
		assert_int_equal(aes_gcm_open(&out, &g.key, g.nonce, buf_view(&g.aad),
					      bytes_sub(buf_view(&g.sealed), 0, n)),
				 ERR_MISMATCH);
	assert_int_equal(aes_gcm_seal(&out, &g.key, g.nonce, BYTES_NONE,
				      bytes_from(g.text.p, (size_t)AES_GCM_SIZE_MAX + 1)),
			 ERR_RANGE);
	assert_int_equal(aes_gcm_open(&out, &g.key, g.nonce,
				      bytes_from(g.text.p, (size_t)AES_GCM_SIZE_MAX + 1),
				      buf_view(&g.sealed)),
			 ERR_RANGE);
	assert_int_equal(out.n, 0);
	buf_free(&out);
	given_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(forgeries),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests_name("crypto aes_gcm", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"

/* RFC 4648, section 10, and the two digits that letters do not cover. */
static const struct {
	const char *plain;
	const char *text;
} vectors[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xff\xbf", "+/+/"},
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		CLEANUP(buf_free) struct buf text = buf_make(64), plain = buf_make(64);
		const char *got;

		assert_int_equal(base64_add(&text, bytes_str(vectors[i].plain)), ERR_OK);
		assert_int_equal(buf_cstr(&text, &got), ERR_OK);
		assert_string_equal(got, vectors[i].text);
		assert_int_equal(base64_decode(&plain, bytes_str(vectors[i].text)), ERR_OK);
		assert_true(bytes_eq_var(buf_view(&plain), bytes_str(vectors[i].plain)));
		buf_free(&plain);
	}
}

static void test_refusals(void **state)
{
	static const char *const bad[] = {
		"Z",    "Zg",       "Zg=",       "Zg===",     "====",       "Z===",  "=Zg=",
		"Zh==", "Zm9=",     "Zg==Zg==",  "Zm9v\n",    " Zm9v",      "Zm 9v", "Zm9-",
		"Zm9_", "Zm9v====", "Zm9vZ=9v=", "Zm9vYmF\r", "\x80m9vZm8="};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(buf_free) struct buf out = buf_make(64);

		assert_int_equal(buf_add_str(&out, "before"), ERR_OK);
		if (base64_decode(&out, bytes_str(bad[i])) != ERR_MALFORMED)
			fail_msg("%s", bad[i]);
		assert_int_equal(out.n, 6);
	}
	/* A NUL is no digit, and the end of the alphabet is none either. */
	CLEANUP(buf_free) struct buf out = buf_make(64);

	assert_int_equal(base64_decode(&out, bytes_from("Zm9\0", 4)), ERR_MALFORMED);
}

static void test_limits(void **state)
{
	CLEANUP(buf_free) struct buf out = buf_make(5);

	(void)state;
	assert_int_equal(base64_decode(&out, BYTES_LIT("Zm9vYmFy")), ERR_TOO_BIG);
	assert_int_equal(out.n, 0);
	assert_int_equal(base64_add(&out, BYTES_LIT("foob")), ERR_TOO_BIG);
	assert_int_equal(out.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"

static void test_views(void **state)
{
	static const uint8_t raw[] = {1, 2, 3, 4, 5};
	struct bytes b = BYTES_OF(raw);

	(void)state;
	assert_int_equal(b.n, 5);
	assert_true(bytes_eq_var(bytes_sub(b, 1, 3), bytes_from(raw + 1, 3)));
	assert_int_equal(bytes_sub(b, 5, 0).n, 0);
	assert_null(bytes_sub(b, 6, 0).p);
	assert_null(bytes_sub(b, 4, 2).p);
	assert_null(bytes_sub(b, 1, SIZE_MAX).p);
	assert_null(bytes_sub(b, SIZE_MAX, SIZE_MAX).p);
	assert_true(bytes_eq_var(BYTES_NONE, bytes_sub(b, 2, 0)));
	assert_false(bytes_eq_var(BYTES_LIT("ab"), BYTES_LIT("ac")));
	assert_false(bytes_eq_var(BYTES_LIT("ab"), BYTES_LIT("abc")));
	assert_int_equal(bytes_str(NULL).n, 0);
	assert_int_equal(bytes_str("abc").n, 3);
}

static void test_utf8_steps(void **state)
{
	static const struct {
		const char *text;
		size_t step;
	} rows[] = {
		{"", 0},
		{"a", 1},
		{"\xc3\xa9", 2},
		{"\xe2\x82\xac", 3},
		{"\xf0\x9f\x94\x91", 4},
		{"\xf4\x8f\xbf\xbf", 4},
		{"\xc0\x80", 0},         /* overlong */
		{"\xc1\xbf", 0},         /* overlong */
		{"\xe0\x9f\xbf", 0},     /* overlong */
		{"\xed\xa0\x80", 0},     /* surrogate */
		{"\xf0\x8f\xbf\xbf", 0}, /* overlong */
		{"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
		{"\xf5\x80\x80\x80", 0},
		{"\x80", 0},
		{"\xe2\x82", 0},
		{"\xe2\x82\x41", 0},
		{"\xff", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(bytes_utf8_step(bytes_str(rows[i].text)), rows[i].step);
	assert_int_equal(bytes_utf8_step(bytes_from("\0", 1)), 1);
}

static void test_buf_respects_its_maximum(void **state)
{
	CLEANUP(buf_free) struct buf b = buf_make(10);
	struct buf zero = {0};

	(void)state;
	assert_int_equal(buf_add(&b, BYTES_LIT("12345678")), ERR_OK);
	assert_int_equal(buf_add(&b, BYTES_LIT("abc")), ERR_TOO_BIG);
	assert_int_equal(buf_add_u32le(&b, 1), ERR_TOO_BIG);
	assert_int_equal(buf_addf(&b, "%s", "xyz"), ERR_TOO_BIG);
	assert_int_equal(buf_add_zero(&b, SIZE_MAX), ERR_TOO_BIG);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), ERR_TOO_BIG);
	assert_true(bytes_eq_var(buf_view(&b), BYTES_LIT("12345678")));
	assert_int_equal(buf_add(&b, BYTES_LIT("90")), ERR_OK);
	assert_int_equal(buf_add_u8(&b, 0), ERR_TOO_BIG);
	assert_int_equal(buf_add(&b, BYTES_NONE), ERR_OK);

	const char *text = NULL;
	assert_int_equal(buf_cstr(&b, &text), ERR_OK); /* the NUL does not count */
	assert_string_equal(text, "1234567890");
	assert_int_equal(b.n, 10);

	assert_int_equal(buf_add_u8(&zero, 1), ERR_TOO_BIG);
	assert_int_equal(buf_add(&zero, BYTES_NONE), ERR_OK);
	assert_null(zero.p);
	buf_free(NULL);
	buf_wipe(NULL);
}

static void test_buf_writes_what_readers_read(void **state)
{
	CLEANUP(buf_free) struct buf b = buf_make(1 << 20);

	(void)state;
	assert_int_equal(buf_add_u8(&b, 0x01), ERR_OK);
	assert_int_equal(buf_add_u32le(&b, 0x02030405), ERR_OK);
	assert_int_equal(buf_add_u32be(&b, 0x02030405), ERR_OK);
	assert_int_equal(buf_add_u64le(&b, 0x060708090a0b0c0d), ERR_OK);
	assert_int_equal(buf_add_u64be(&b, 0x060708090a0b0c0d), ERR_OK);
	assert_int_equal(buf_add_zero(&b, 2), ERR_OK);
	assert_int_equal(buf_addf(&b, "%d-%s", -5, "x"), ERR_OK);

	static const uint8_t want[] = {1, 5, 4, 3, 2, 2,  3,  4,  5,  13, 12, 11,  10,  9,   8,  7,
				       6, 6, 7, 8, 9, 10, 11, 12, 13, 0,  0,  '-', '5', '-', 'x'};
	assert_true(bytes_eq_var(buf_view(&b), BYTES_OF(want)));

	struct reader r = reader_of(buf_view(&b));
	assert_int_equal(reader_u8(&r), 1);
	assert_int_equal(reader_u32le(&r), 0x02030405);
	assert_int_equal(reader_u32be(&r), 0x02030405);
	assert_int_equal(reader_u64le(&r), 0x060708090a0b0c0d);
	assert_int_equal(reader_u64be(&r), 0x060708090a0b0c0d);
	assert_int_equal(reader_bytes(&r, 2).n, 2);
	assert_int_equal(reader_end(&r), ERR_MALFORMED);
	assert_true(bytes_eq_var(reader_bytes(&r, 4), BYTES_LIT("-5-x")));
	assert_int_equal(reader_end(&r), ERR_OK);
}

static void test_buf_grows_and_moves(void **state)
{
	struct buf b = buf_make(100000);

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(buf_add_u8(&b, (uint8_t)i), ERR_OK);
	for (unsigned i = 0; i < 100000; i += 997)
		assert_int_equal(b.p[i], (uint8_t)i);
	assert_true(b.cap <= 100000);

	CLEANUP(buf_free) struct buf taken = buf_take(&b);
	assert_int_equal(taken.n, 100000);
	assert_null(b.p);
	assert_int_equal(b.n, 0);
	assert_int_equal(b.size_max, 100000);
	assert_int_equal(buf_add_u8(&b, 7), ERR_OK);
	buf_wipe(&b);
	assert_null(b.p);
	assert_int_equal(b.size_max, 100000);

	uint8_t *place = NULL;
	buf_clear(&taken);
	assert_int_equal(buf_add_space(&taken, 3, &place), ERR_OK);
	memcpy(place, "abc", 3);
	assert_true(bytes_eq_var(buf_view(&taken), BYTES_LIT("abc")));
}

static void test_cstr_refuses_an_inner_nul(void **state)
{
	CLEANUP(buf_free) struct buf b = buf_make(8);
	const char *text = "untouched";

	(void)state;
	assert_int_equal(buf_add(&b, bytes_from("a\0b", 3)), ERR_OK);
	assert_int_equal(buf_cstr(&b, &text), ERR_MALFORMED);
	assert_string_equal(text, "untouched");
	buf_clear(&b);
	assert_int_equal(buf_cstr(&b, &text), ERR_OK);
	assert_string_equal(text, "");
}

static void test_reader_latches_its_first_error(void **state)
{
	static const uint8_t raw[] = {1, 2, 3};
	struct reader r = reader_of(BYTES_OF(raw));

	(void)state;
	assert_int_equal(reader_u8(&r), 1);
	assert_int_equal(reader_u32le(&r), 0);
	assert_int_equal(r.err, ERR_TRUNCATED);
	/* everything after it is zero, also what would have fitted */
	assert_int_equal(reader_u8(&r), 0);
	assert_null(reader_bytes(&r, 1).p);
	reader_fail(&r, ERR_TOO_BIG);
	assert_int_equal(reader_end(&r), ERR_TRUNCATED);

	struct reader s = reader_of(BYTES_OF(raw));
	reader_fail(&s, ERR_UNSUPPORTED);
	assert_int_equal(reader_u8(&s), 0);
	assert_int_equal(reader_end(&s), ERR_UNSUPPORTED);

	struct reader none = reader_of(BYTES_NONE);
	assert_int_equal(reader_bytes(&none, 0).n, 0);
	assert_int_equal(reader_end(&none), ERR_OK);
	assert_int_equal(reader_u64be(&none), 0);
	assert_int_equal(reader_end(&none), ERR_TRUNCATED);
}

static void test_arena_aligns_zeroes_and_ends(void **state)
{
	CLEANUP(arena_free) struct arena a = arena_make(64 << 10);
	void *last = NULL;

	(void)state;
	for (size_t n = 0; n < 200; n++) {
		uint8_t *p = arena_alloc(&a, n);

		assert_non_null(p);
		assert_ptr_not_equal(p, last);
		last = p;
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
	}
	assert_null(arena_alloc(&a, 64 << 10));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 40));
	assert_null(arena_alloc_array(&a, SIZE_MAX / 2, 3));
	assert_non_null(arena_alloc_array(&a, 10, 100));

	size_t left = a.size_max - a.used;
	assert_non_null(arena_alloc(&a, left / 16 * 16));
	assert_null(arena_alloc(&a, 16));
	arena_free(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 64 << 10));
	arena_free(NULL);
}

static void test_arena_copies(void **state)
{
	CLEANUP(arena_free) struct arena a = arena_make(100);
	struct bytes copy = BYTES_NONE;

	(void)state;
	assert_int_equal(arena_copy(&a, &copy, BYTES_LIT("hello")), ERR_OK);
	assert_true(bytes_eq_var(copy, BYTES_LIT("hello")));
	assert_string_equal(arena_strndup(&a, BYTES_LIT("text")), "text");
	assert_string_equal(arena_strndup(&a, BYTES_NONE), "");
	assert_int_equal(arena_copy(&a, &copy, bytes_from(copy.p, 1000)), ERR_NOMEM);
	assert_int_equal(copy.n, 5);
	assert_null(arena_strndup(&a, bytes_from("x", SIZE_MAX)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_utf8_steps),
		cmocka_unit_test(test_buf_respects_its_maximum),
		cmocka_unit_test(test_buf_writes_what_readers_read),
		cmocka_unit_test(test_buf_grows_and_moves),
		cmocka_unit_test(test_cstr_refuses_an_inner_nul),
		cmocka_unit_test(test_reader_latches_its_first_error),
		cmocka_unit_test(test_arena_aligns_zeroes_and_ends),
		cmocka_unit_test(test_arena_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

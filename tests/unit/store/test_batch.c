/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Batches: copying and limits, without any engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "store/store.h"

static void test_copies_what_it_is_given(void **state)
{
	struct store_batch b = store_batch_make(1 << 16);
	char text[] = "before";
	uint8_t blob[] = {1, 2, 3};

	(void)state;
	assert_int_equal(STORE_ADD(&b, STORE_ONE, "SQL", store_int(-7), store_text(text),
				   store_blob(BYTES_OF(blob)), store_null(), store_text(NULL)),
			 ERR_OK);
	memset(text, 'x', sizeof(text) - 1);
	memset(blob, 9, sizeof(blob));

	const struct store_statement *st = &b.v[0];

	assert_int_equal(b.n, 1);
	assert_int_equal(st->expect, STORE_ONE);
	assert_int_equal(st->args_n, 5);
	assert_int_equal(st->args[0].type, STORE_INT);
	assert_int_equal(st->args[0].i, -7);
	assert_int_equal(st->args[1].type, STORE_TEXT);
	assert_true(bytes_eq_var(st->args[1].b, BYTES_LIT("before")));
	assert_int_equal(st->args[2].type, STORE_BLOB);
	assert_true(bytes_eq_var(st->args[2].b, BYTES_LIT("\1\2\3")));
	assert_int_equal(st->args[3].type, STORE_NULL);
	assert_int_equal(st->args[4].type, STORE_NULL);
	store_batch_free(&b);
	assert_int_equal(b.n, 0);
	assert_int_equal(b.arena.size_max, 1 << 16);
	store_batch_free(NULL);
}

static void test_without_arguments(void **state)
{
	struct store_batch b = store_batch_make(1 << 12);

	(void)state;
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "SQL"), ERR_OK);
	assert_int_equal(b.v[0].args_n, 0);
	store_batch_free(&b);
}

static void test_statements_limit(void **state)
{
	struct store_batch b = store_batch_make(16 << 20);

	(void)state;
	for (int64_t i = 0; i < STORE_BATCH_STATEMENTS_MAX; i++)
		assert_int_equal(STORE_ADD(&b, STORE_ANY, "SQL", store_int(i)), ERR_OK);
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "SQL"), ERR_RANGE);
	assert_int_equal(b.n, STORE_BATCH_STATEMENTS_MAX);
	for (int64_t i = 0; i < STORE_BATCH_STATEMENTS_MAX; i++)
		assert_int_equal(b.v[i].args[0].i, i);
	store_batch_free(&b);
}

static void test_size_limit_leaves_the_batch_whole(void **state)
{
	static const uint8_t big[4000];
	struct store_batch b = store_batch_make(2000);

	(void)state;
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "first", store_int(1)), ERR_OK);
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "second", store_blob(BYTES_OF(big))), ERR_NOMEM);
	assert_int_equal(b.n, 1);
	assert_string_equal(b.v[0].sql, "first");
	store_batch_free(&b);

	struct store_batch none = {0};

	assert_int_equal(STORE_ADD(&none, STORE_ANY, "SQL"), ERR_NOMEM);
}

static void test_unsound_text_is_refused(void **state)
{
	static const struct bytes unsound[] = {
		{(const uint8_t *)"a\0b", 3},         /* NUL */
		{(const uint8_t *)"\xff", 1},         /* no such byte in UTF-8 */
		{(const uint8_t *)"ok\xc3", 3},       /* cut character */
		{(const uint8_t *)"\xed\xa0\x80", 3}, /* surrogate */
	};
	struct store_batch b = store_batch_make(1 << 12);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unsound); i++) {
		struct store_value v = {.type = STORE_TEXT, .b = unsound[i]};

		assert_int_equal(store_batch_add(&b, "SQL", &v, 1, STORE_ANY), ERR_RANGE);
	}
	assert_int_equal(b.n, 0);
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "SQL",
				   store_text("gr\xc3\xbc\xc3\x9f"
					      "e"),
				   store_text("")),
			 ERR_OK);
	store_batch_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_what_it_is_given),
		cmocka_unit_test(test_without_arguments),
		cmocka_unit_test(test_statements_limit),
		cmocka_unit_test(test_size_limit_leaves_the_batch_whole),
		cmocka_unit_test(test_unsound_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/toml.h"

static json_t *parse(const char *text)
{
	json_t *v = NULL;

	assert_int_equal(json_parse(&v, bytes_str(text), 1 << 20, NULL), ERR_OK);
	return v;
}

static void test_strictness(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{} x",
		"{}{}",
		"[1,]",
		"{\"a\":1,\"a\":2}",
		"{a:1}",
		"'a'",
		"NaN",
		"01",
		"+1",
		"1.",
		".5",
		"\"\\u0000\"",
		"\"\xff\"",
		"\"\xed\xa0\x80\"",
		"\"\\ud800\"",
		"\"a\nb\"",
		"9223372036854775808",
		"-9223372036854775809",
		"1e999",
		"// c\n1",
		"\xef\xbb\xbf{}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *v = NULL;
		struct err_note note = {0};

		if (json_parse(&v, bytes_str(bad[i]), 1 << 20, &note) != ERR_MALFORMED)
			fail_msg("accepted: %s", bad[i]);
		assert_null(v);
		assert_true(note.text[0] != '\0');
	}

	json_t *v = NULL;
	assert_int_equal(json_parse(&v, bytes_from("1\0", 2), 1 << 20, NULL), ERR_MALFORMED);
	assert_int_equal(json_parse(&v,
				    bytes_from("[\0"
					       "1]",
					       4),
				    1 << 20, NULL),
			 ERR_MALFORMED);
	assert_int_equal(json_parse(&v, BYTES_LIT("[1,2]"), 4, NULL), ERR_TOO_BIG);
	assert_int_equal(json_parse(&v, BYTES_LIT("[1,2]"), 5, NULL), ERR_OK);
	json_free_ptr(&v);
	assert_null(v);
}

/* An error note must not repeat its input: it may be a private key in the wrong place. */
static void test_notes_repeat_nothing(void **state)
{
	struct err_note note = {0};
	json_t *v = NULL;

	(void)state;
	assert_int_equal(json_parse(&v, BYTES_LIT("{\"k\": 8da4ef21b864d2cc"), 1 << 20, &note),
			 ERR_MALFORMED);
	assert_null(strstr(note.text, "da4"));
	assert_non_null(strstr(note.text, "line 1"));
}

static enum err parse_nested(size_t depth, const char *open, const char *close)
{
	CLEANUP(buf_free) struct buf text = buf_make(4 << 20);
	json_t *v = NULL;

	for (size_t i = 0; i < depth; i++)
		assert_int_equal(buf_add_str(&text, open), ERR_OK);
	assert_int_equal(buf_add_str(&text, "1"), ERR_OK);
	for (size_t i = 0; i < depth; i++)
		assert_int_equal(buf_add_str(&text, close), ERR_OK);

	enum err e = json_parse(&v, buf_view(&text), 4 << 20, NULL);
	json_free_ptr(&v);
	return e;
}

static void test_depth(void **state)
{
	(void)state;
	assert_int_equal(parse_nested(JSON_DEPTH_MAX, "[", "]"), ERR_OK);
	assert_int_equal(parse_nested(JSON_DEPTH_MAX + 1, "[", "]"), ERR_TOO_BIG);
	assert_int_equal(parse_nested(JSON_DEPTH_MAX, "{\"[\\\"[[\":", "}"), ERR_OK);
	assert_int_equal(parse_nested(JSON_DEPTH_MAX + 1, "{\"a\":", "}"), ERR_TOO_BIG);
	assert_int_equal(parse_nested(300000, "[", "]"), ERR_TOO_BIG);
	/* brackets inside of texts do not count */
	json_free_ptr(&(json_t *){parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
					"[[[[[[[[[[[[[[[[\\\\\"")});
}

static enum err parse_list(const char *item, size_t n)
{
	CLEANUP(buf_free) struct buf text = buf_make(8 << 20);
	json_t *v = NULL;

	assert_int_equal(buf_add_str(&text, "["), ERR_OK);
	for (size_t i = 1; i < n; i++)
		assert_int_equal(buf_addf(&text, "%s,", item), ERR_OK);
	assert_int_equal(buf_addf(&text, "%s]", item), ERR_OK);

	enum err e = json_parse(&v, buf_view(&text), 8 << 20, NULL);
	json_free_ptr(&v);
	return e;
}

/* A value costs up to 80 times its text: 32 MiB of "{}," would be 2.5 GiB. */
static void test_number_of_values(void **state)
{
	(void)state;
	assert_int_equal(parse_list("0", JSON_VALUES_MAX), ERR_OK);
	assert_int_equal(parse_list("0", JSON_VALUES_MAX + 1), ERR_TOO_BIG);
	assert_int_equal(parse_list("{}", JSON_VALUES_MAX / 2 + 1), ERR_TOO_BIG);
	/* what stands inside of texts does not count */
	assert_int_equal(parse_list("\",[{\\\",\"", JSON_VALUES_MAX / 4), ERR_OK);
}

static void test_access(void **state)
{
	CLEANUP(json_free_ptr)
	json_t *v = parse("{\"s\":\"x\",\"i\":-7,\"t\":true,\"a\":[1],\"o\":{\"k\":\"0x1F\"},\"n\":"
			  "null,\"f\":1.5}");
	enum err e = ERR_OK;

	(void)state;
	assert_string_equal(json_get_str(v, "s", &e), "x");
	assert_int_equal(json_get_int(v, "i", &e), -7);
	assert_true(json_get_bool(v, "t", &e));
	assert_int_equal(json_array_size(json_get_array(v, "a", &e)), 1);
	assert_int_equal(json_get_quantity(json_get_object(v, "o", &e), "k", &e), 31);
	assert_int_equal(json_get_int(json_array_get(json_get_array(v, "a", &e), 0), NULL, &e), 1);
	assert_int_equal(e, ERR_OK);

	static const char *const wrong[] = {"i", "t", "a", "o", "n", "f", "missing"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		enum err one = ERR_OK;

		assert_string_equal(json_get_str(v, wrong[i], &one), "");
		assert_int_equal(one, ERR_MALFORMED);
	}
	enum err f = ERR_OK;
	assert_int_equal(json_get_int(v, "f", &f), 0);
	assert_int_equal(f, ERR_MALFORMED);
	f = ERR_OK;
	assert_false(json_get_bool(v, "n", &f));
	assert_int_equal(f, ERR_MALFORMED);

	/* the first error stays, and values read after it are zero */
	f = ERR_REMOTE;
	assert_int_equal(json_get_int(v, "i", &f), 0);
	assert_false(json_get_bool(v, "t", &f));
	assert_null(json_get_array(v, "a", &f));
	assert_int_equal(json_get_quantity(json_get_object(v, "o", &f), "k", &f), 0);
	assert_int_equal(f, ERR_REMOTE);

	/* a whole missing branch is walked without care */
	f = ERR_OK;
	assert_string_equal(
		json_get_str(json_get_object(json_get_object(v, "no", &f), "no", &f), "no", &f),
		"");
	assert_int_equal(f, ERR_MALFORMED);
}

static void test_quantities(void **state)
{
	static const struct {
		const char *json;
		enum err err;
		uint64_t v;
	} rows[] = {
		{"\"0x0\"", ERR_OK, 0},
		{"\"0x1f\"", ERR_OK, 31},
		{"\"0xffffffffffffffff\"", ERR_OK, UINT64_MAX},
		{"\"0x10000000000000000\"", ERR_MALFORMED, 0},
		{"\"0x\"", ERR_MALFORMED, 0},
		{"\"31\"", ERR_MALFORMED, 0},
		{"\"1f\"", ERR_MALFORMED, 0},
		{"\"0X1f\"", ERR_MALFORMED, 0},
		{"\"0xg\"", ERR_MALFORMED, 0},
		{"31", ERR_MALFORMED, 0},
		{"null", ERR_MALFORMED, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(json_free_ptr) json_t *v = parse(rows[i].json);
		enum err e = ERR_OK;

		assert_true(json_get_quantity(v, NULL, &e) == rows[i].v);
		assert_int_equal(e, rows[i].err);
	}

	CLEANUP(json_free_ptr) json_t *big = parse("\"0x10000000000000000\"");
	enum err e = ERR_OK;
	assert_int_equal(json_get_u256(big, NULL, &e).w[1], 1);
	assert_int_equal(e, ERR_OK);
}

static void test_hex_members(void **state)
{
	CLEANUP(json_free_ptr)
	json_t *v =
		parse("{\"d\":\"0x0102ff\",\"e\":\"0x\",\"odd\":\"0x123\",\"bare\":\"0102ff\"}");
	CLEANUP(buf_free) struct buf b = buf_make(4);
	uint8_t out[3] = {9, 9, 9};
	enum err e = ERR_OK;

	(void)state;
	json_get_hex_fixed(v, "d", out, 3, &e);
	json_get_hex(v, "d", &b, &e);
	json_get_hex(v, "e", &b, &e);
	assert_int_equal(e, ERR_OK);
	assert_memory_equal(out, "\x01\x02\xff", 3);
	assert_true(bytes_eq_var(buf_view(&b), BYTES_LIT("\x01\x02\xff")));

	json_get_hex(v, "d", &b, &e);
	assert_int_equal(e, ERR_TOO_BIG);
	assert_int_equal(b.n, 3);

	static const char *const wrong[] = {"odd", "bare", "e", "missing"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		e = ERR_OK;
		out[0] = 9;
		json_get_hex_fixed(v, wrong[i], out, 3, &e);
		assert_int_equal(e, ERR_MALFORMED);
		assert_int_equal(out[0], 0);
	}
}

static void test_print(void **state)
{
	CLEANUP(json_free_ptr)
	json_t *v = parse(" { \"b\" : [ 1 , true , null ] , \"a\" : \"\\u00e9\" } ");
	CLEANUP(buf_free) struct buf b = buf_make(100);
	CLEANUP(buf_free) struct buf small = buf_make(10);

	(void)state;
	assert_int_equal(buf_add_str(&b, ">"), ERR_OK);
	assert_int_equal(json_print(&b, v), ERR_OK);
	assert_true(
		bytes_eq_var(buf_view(&b), BYTES_LIT(">{\"b\":[1,true,null],\"a\":\"\xc3\xa9\"}")));
	assert_int_equal(buf_add_str(&small, ">"), ERR_OK);
	assert_int_equal(json_print(&small, v), ERR_TOO_BIG);
	assert_int_equal(small.n, 1);
}

/* ---- TOML ---- */

static int64_t line_of(const json_t *lines, const char *a, const char *b)
{
	const json_t *at = json_object_get(lines, a);

	if (b)
		at = json_object_get(json_object_get(at, "of"), b);
	return json_integer_value(json_object_get(at, "line"));
}

static void test_toml_values_and_lines(void **state)
{
	static const char text[] = "# comment\n"
				   "name = \"x\"\n"
				   "big = 9223372036854775807\n"
				   "yes = true\n"
				   "half = 0.5\n"
				   "never = inf\n"
				   "day = 2026-11-20\n"
				   "list = [\n  \"a\",\n  \"b\",\n]\n"
				   "\n"
				   "[contract]\n"
				   "address = \"0x01\"\n"
				   "deep.er = 1\n"
				   "[[chain]]\n"
				   "id = 1\n"
				   "[[chain]]\n"
				   "id = 2\n";
	CLEANUP(json_free_ptr) json_t *doc = NULL;
	CLEANUP(json_free_ptr) json_t *lines = NULL;
	CLEANUP(buf_free) struct buf b = buf_make(1000);
	enum err e = ERR_OK;

	(void)state;
	assert_int_equal(toml_parse(&doc, &lines, BYTES_LIT(text), NULL), ERR_OK);
	assert_string_equal(json_get_str(doc, "name", &e), "x");
	assert_true(json_get_int(doc, "big", &e) == INT64_MAX);
	assert_true(json_get_bool(doc, "yes", &e));
	assert_string_equal(json_get_str(doc, "never", &e), "inf");
	assert_string_equal(json_get_str(doc, "day", &e), "2026-11-20");
	assert_int_equal(e, ERR_OK);
	assert_int_equal(line_of(lines, "name", NULL), 2);
	assert_int_equal(line_of(lines, "list", "1"), 10);
	assert_int_equal(line_of(lines, "contract", NULL), 13);
	assert_int_equal(line_of(lines, "contract", "address"), 14);
	assert_int_equal(line_of(lines, "chain", "1"), 18);
	assert_int_equal(json_print(&b, json_object_get(doc, "contract")), ERR_OK);
	assert_true(bytes_eq_var(buf_view(&b),
				 BYTES_LIT("{\"address\":\"0x01\",\"deep\":{\"er\":1}}")));
	buf_clear(&b);
	assert_int_equal(json_print(&b, json_object_get(doc, "chain")), ERR_OK);
	assert_true(bytes_eq_var(buf_view(&b), BYTES_LIT("[{\"id\":1},{\"id\":2}]")));
}

static void test_toml_errors_have_places(void **state)
{
	struct err_note note = {0};
	json_t *doc = NULL, *lines = NULL;

	(void)state;
	assert_int_equal(toml_parse(&doc, &lines, BYTES_LIT("a = 1\nb = = 2\n"), &note),
			 ERR_MALFORMED);
	assert_non_null(strstr(note.text, "line 2, column "));
	assert_int_equal(toml_parse(&doc, &lines, BYTES_LIT("a = 1\na = 2\n"), &note),
			 ERR_MALFORMED);
	assert_int_equal(toml_parse(&doc, &lines, BYTES_LIT("a = \"\xff\"\n"), &note),
			 ERR_MALFORMED);
	assert_int_equal(toml_parse(&doc, &lines, bytes_from("a = 1\0", 6), &note), ERR_MALFORMED);
	assert_int_equal(toml_parse(&doc, &lines, BYTES_LIT("\"a\\u0000b\" = 1\n"), &note),
			 ERR_MALFORMED);
	assert_null(doc);
	assert_null(lines);
	assert_int_equal(toml_parse(&doc, &lines, BYTES_NONE, &note), ERR_OK);
	assert_int_equal(json_object_size(doc), 0);
	json_free_ptr(&doc);
	json_free_ptr(&lines);
}

/* Malformed documents over which the library's own assertions fail, or its code for white space
 * runs off its end. */
static void test_toml_survives_its_library(void **state)
{
	static const char *const texts[] = {
		"[{",
		"a = 1\n[{.z]\nb = 2\n",
		"[[{]]\n",
		"[table\xc3\xb6]\n",
		"k\xc3\xb6 = 2\n",
		"\xd1\x8f = 2\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err_note note = {0};
		json_t *doc = NULL, *lines = NULL;

		assert_int_equal(toml_parse(&doc, &lines, bytes_str(texts[i]), &note),
				 ERR_MALFORMED);
		assert_null(doc);
		assert_true(note.text[0] != '\0');
		assert_null(strstr(note.text, "line 0"));
	}
}

/* A key without its quotes is a syntax error; the note must not tell it on. */
static void test_toml_notes_repeat_no_key(void **state)
{
	static const char *const texts[] = {
		"private_key = "
		"0x8da4ef21b864d2cc526dbdb2a120bd2874c36c9d0a1fb7f8c63d7f7a8b41de8f\n",
		"private_key = 8da4ef21b864d2cc526dbdb2a120bd2874c36c9d0a1fb7f8c63d7f7a8b41de8f\n",
		"private_key = "
		"83746218649822529898120162874236298036918637673374878888746219883746\n",
		"private_key = ef218da4b864d2cc526dbdb2a120bd2874c36c9d0a1fb7f8c63d7f7a8b41de8f\n",
		"private_key = "
		"\"8da4ef21b864d2cc526dbdb2a120bd2874c36c9d0a1fb7f8c63d7f7a8b41de8f\n",
		"private_key = '8da4ef21b864d2cc526dbdb2a120bd2874c36c9d0a1fb7f8c63d7f7a8b41de8f\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err_note note = {0};
		json_t *doc = NULL, *lines = NULL;

		assert_int_equal(toml_parse(&doc, &lines, bytes_str(texts[i]), &note),
				 ERR_MALFORMED);
		assert_non_null(strstr(note.text, "line 1"));
		for (size_t at = 14; at + 6 < strlen(texts[i]) - 1; at++) {
			char piece[7] = {0};

			memcpy(piece, texts[i] + at, 6);
			if (strstr(note.text, piece))
				fail_msg("\"%s\" is in the note: %s", piece, note.text);
		}
	}
}

static void test_toml_depth(void **state)
{
	CLEANUP(buf_free) struct buf text = buf_make(2 << 20);
	json_t *doc = NULL, *lines = NULL;

	(void)state;
	for (unsigned i = 0; i < JSON_DEPTH_MAX + 10; i++)
		assert_int_equal(buf_add_str(&text, "a."), ERR_OK);
	assert_int_equal(buf_add_str(&text, "a = 1\n"), ERR_OK);
	assert_int_equal(toml_parse(&doc, &lines, buf_view(&text), NULL), ERR_TOO_BIG);
	for (unsigned i = 0; i < TOML_DOTS_MAX; i++)
		assert_int_equal(buf_add_str(&text, "b."), ERR_OK);
	assert_int_equal(buf_add_str(&text, "b = 1\n"), ERR_OK);
	assert_int_equal(toml_parse(&doc, &lines, buf_view(&text), NULL), ERR_TOO_BIG);
	/* the deepest document that reaches the library at all */
	buf_clear(&text);
	for (unsigned i = 0; i < TOML_DOTS_MAX; i++)
		assert_int_equal(buf_add_str(&text, "b."), ERR_OK);
	assert_int_equal(buf_add_str(&text, "b = 1\n"), ERR_OK);
	assert_int_equal(toml_parse(&doc, &lines, buf_view(&text), NULL), ERR_TOO_BIG);
	buf_clear(&text);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(buf_add_str(&text, "["), ERR_OK);
	assert_int_not_equal(toml_parse(&doc, &lines, buf_view(&text), NULL), ERR_OK);
	buf_clear(&text);
	assert_int_equal(buf_add_zero(&text, CONFIG_FILE_SIZE_MAX + 1), ERR_OK);
	assert_int_equal(toml_parse(&doc, &lines, buf_view(&text), NULL), ERR_TOO_BIG);
	assert_null(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strictness),
		cmocka_unit_test(test_notes_repeat_nothing),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_number_of_values),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_quantities),
		cmocka_unit_test(test_hex_members),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_toml_values_and_lines),
		cmocka_unit_test(test_toml_errors_have_places),
		cmocka_unit_test(test_toml_survives_its_library),
		cmocka_unit_test(test_toml_notes_repeat_no_key),
		cmocka_unit_test(test_toml_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

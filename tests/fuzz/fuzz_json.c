/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* JSON text. What is accepted prints and parses to an equal value; the accessors agree with a
 * reading of the member's text by hand. Input: the text. */
#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "fuzz.h"

/* "0x" and 1 to 64 digits, most significant first; false for anything else. */
static bool simple_quantity(uint8_t be[32], const char *s)
{
	size_t n = strlen(s);

	memset(be, 0, 32);
	if (n < 3 || n > 66 || s[0] != '0' || s[1] != 'x')
		return false;
	for (size_t i = 0; i < n - 2; i++) {
		char digit[2] = {s[n - 1 - i], 0};

		if (!strchr("0123456789abcdefABCDEF", digit[0]))
			return false;
		be[31 - i / 2] |= (uint8_t)(strtoul(digit, NULL, 16) << (4 * (i % 2)));
	}
	return true;
}

static void check_string(const json_t *o, const char *key, const json_t *v)
{
	CLEANUP(buf_free) struct buf bytes = buf_make(1 << 20);
	CLEANUP(buf_free) struct buf again = buf_make(1 << 21);
	enum err e_word = ERR_OK, e_hex = ERR_OK, e_fixed = ERR_OK;
	const char *text = json_string_value(v);
	uint8_t be[32], fixed[20];
	struct u256 word = json_get_u256(o, key, &e_word);
	bool simple = simple_quantity(be, text);

	CHECK(simple == (e_word == ERR_OK));
	CHECK(!simple || u256_eq(word, u256_from_be(be)));
	e_word = ERR_OK;
	CHECK(json_get_quantity(o, key, &e_word) == word.w[0] || e_word != ERR_OK);

	json_get_hex(o, key, &bytes, &e_hex);
	if (e_hex == ERR_OK) {
		FUZZ_OK(hex_add(&again, buf_view(&bytes), true));
		CHECK(again.n == json_string_length(v));
		CHECK(strncasecmp((const char *)again.p, text, again.n) == 0);
	}
	json_get_hex_fixed(o, key, fixed, sizeof(fixed), &e_fixed);
	CHECK((e_fixed == ERR_OK) == (e_hex == ERR_OK && bytes.n == sizeof(fixed)));
	CHECK(e_fixed != ERR_OK || memcmp(fixed, bytes.p, sizeof(fixed)) == 0);
}

/* Exactly one accessor likes a member. */
static void check_member(const json_t *o, const char *key, const json_t *v)
{
	enum err e[5] = {ERR_OK};

	(void)json_get_str(o, key, &e[0]);
	CHECK(json_get_int(o, key, &e[1]) == json_integer_value(v) || e[1] != ERR_OK);
	CHECK(json_get_bool(o, key, &e[2]) == json_is_true(v));
	(void)json_get_array(o, key, &e[3]);
	(void)json_get_object(o, key, &e[4]);

	const bool is[] = {json_is_string(v), json_is_integer(v), json_is_boolean(v),
			   json_is_array(v), json_is_object(v)};

	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		CHECK(e[i] == (is[i] ? ERR_OK : ERR_MALFORMED));
	if (is[0])
		check_string(o, key, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(json_free_ptr) json_t *v = NULL, *again = NULL;
	CLEANUP(buf_free) struct buf text = buf_make(1 << 24);
	struct err_note note = {0};
	const char *key;
	json_t *member;

	if (json_parse(&v, bytes_from(p, n), 1 << 16, &note) != ERR_OK) {
		CHECK(!v && note.text[0]);
		return 0;
	}
	FUZZ_OK(json_print(&text, v));
	FUZZ_OK(json_parse(&again, buf_view(&text), text.n, NULL));
	CHECK(json_equal(v, again));
	check_member(v, NULL, v);
	json_object_foreach(v, key, member) check_member(v, key, member);
	return 0;
}

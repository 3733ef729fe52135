/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* TOML text. What is accepted is written again by the few lines below and reads the same; every
 * value has a line of the text, and notes show no long number. Input: the text. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/toml.h"
#include "fuzz.h"

static void put_value(struct buf *out, const json_t *v);

/* As a basic string. */
static void put_text(struct buf *out, const char *s, size_t n)
{
	FUZZ_OK(buf_add_u8(out, '"'));
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];

		if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
			FUZZ_OK(buf_addf(out, "\\u%04X", (unsigned)c));
		else
			FUZZ_OK(buf_add_u8(out, c));
	}
	FUZZ_OK(buf_add_u8(out, '"'));
}

static void put_members(struct buf *out, const json_t *o, const char *between)
{
	const char *key, *comma = "";
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)o, key, v)
	{
		FUZZ_OK(buf_add_str(out, comma));
		put_text(out, key, strlen(key));
		FUZZ_OK(buf_add_str(out, "="));
		put_value(out, v);
		comma = between;
	}
}

static void put_value(struct buf *out, const json_t *v)
{
	char number[64];

	if (json_is_string(v)) {
		put_text(out, json_string_value(v), json_string_length(v));
	} else if (json_is_integer(v)) {
		FUZZ_OK(buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v)));
	} else if (json_is_real(v)) {
		(void)snprintf(number, sizeof(number), "%.17e", json_real_value(v));
		FUZZ_OK(buf_add_str(out, number));
	} else if (json_is_boolean(v)) {
		FUZZ_OK(buf_add_str(out, json_is_true(v) ? "true" : "false"));
	} else if (json_is_array(v)) {
		FUZZ_OK(buf_add_str(out, "["));
		for (size_t i = 0; i < json_array_size(v); i++) {
			put_value(out, json_array_get(v, i));
			FUZZ_OK(buf_add_str(out, ","));
		}
		FUZZ_OK(buf_add_str(out, "]"));
	} else {
		FUZZ_OK(buf_add_str(out, "{"));
		put_members(out, v, ",");
		FUZZ_OK(buf_add_str(out, "}"));
	}
}

static size_t count_lines(struct bytes text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* The side table has the shape of the document. */
static void check_lines(const json_t *v, const json_t *lines, size_t max)
{
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)(uintptr_t)v, key, member)
	{
		const json_t *at = json_object_get(lines, key);
		json_int_t line = json_integer_value(json_object_get(at, "line"));

		CHECK(json_is_object(at) && line >= 1 && (size_t)line <= max);
		if (json_is_object(member))
			check_lines(member, json_object_get(at, "of"), max);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char too_long[CONFIG_FILE_SIZE_MAX + 1];
	CLEANUP(json_free_ptr) json_t *doc = NULL, *lines = NULL, *doc2 = NULL, *lines2 = NULL;
	CLEANUP(buf_free) struct buf text = buf_make(1 << 20);
	struct err_note note = {0};

	if (n > 1 << 14)
		return 0;
	CHECK(toml_parse(&doc, &lines, BYTES_OF(too_long), &note) == ERR_TOO_BIG);
	note = (struct err_note){0};
	if (toml_parse(&doc, &lines, bytes_from(p, n), &note) != ERR_OK) {
		CHECK(!doc && !lines && note.text[0]);
		return 0;
	}
	check_lines(doc, lines, count_lines(bytes_from(p, n)));
	put_members(&text, doc, "\n");
	FUZZ_OK(toml_parse(&doc2, &lines2, buf_view(&text), &note));
	CHECK(json_equal(doc, doc2));
	return 0;
}

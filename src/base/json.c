/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/json.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"

/*
 * What jansson does not bound, or not as we do: its depth limit is 2048, and a value costs it up to
 * 80 times its text. So both are counted before parsing, outside of strings. Every value but the
 * first follows a bracket or a comma. Anything else that is wrong with the text is the parser's to
 * find.
 */
static enum err check_shape(struct bytes text, struct err_note *note)
{
	size_t depth = 0, values = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		if (c == '"')
			in_string = true;
		else if (c == '[' || c == '{')
			depth++;
		else if ((c == ']' || c == '}') && depth > 0)
			depth--;
		values += c == '[' || c == '{' || c == ',';
		if (depth > JSON_DEPTH_MAX)
			return err_say(note, ERR_TOO_BIG, "JSON is nested deeper than %d",
				       (int)JSON_DEPTH_MAX);
		if (values > JSON_VALUES_MAX)
			return err_say(note, ERR_TOO_BIG, "JSON of more than %d values",
				       (int)JSON_VALUES_MAX);
	}
	return ERR_OK;
}

enum err json_parse(json_t **ret_value, struct bytes text, size_t size_max, struct err_note *note)
{
	json_error_t why;

	if (text.n > size_max)
		return err_say(note, ERR_TOO_BIG, "JSON of %zu bytes, at most %zu are accepted",
			       text.n, size_max);
	if (text.n == 0)
		return err_say(note, ERR_MALFORMED, "JSON text is empty");
	TRY(check_shape(text, note));

	/* jansson 2.14 takes a NUL after the value for the end. */
	if (memchr(text.p, 0, text.n))
		return err_say(note, ERR_MALFORMED, "JSON text holds a NUL");

	json_t *v = json_loadb((const char *)text.p, text.n,
			       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);

	if (!v) {
		/* The library's text quotes its input, which may be a secret of somebody's: only
		 * place and kind. */
		return err_say(note,
			       json_error_code(&why) == json_error_out_of_memory ? ERR_NOMEM
										 : ERR_MALFORMED,
			       "not valid JSON at line %d, column %d", why.line, why.column);
	}
	*ret_value = v;
	return ERR_OK;
}

void json_free_ptr(json_t **v)
{
	json_decref(*v);
	*v = NULL;
}

static int append(const char *text, size_t n, void *ctx)
{
	struct buf *out = ctx;

	return buf_add(out, bytes_from(text, n)) == ERR_OK ? 0 : -1;
}

enum err json_print(struct buf *out, const json_t *v)
{
	size_t before = out->n;

	if (json_dump_callback(v, append, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
		return ERR_OK;
	out->n = before;
	/* The callback's reason does not come through; a buffer that is near its end is the one
	 * that can happen. */
	return v ? ERR_TOO_BIG : ERR_RANGE;
}

/* ---- access ---- */

static void fail(enum err *err)
{
	if (*err == ERR_OK)
		*err = ERR_MALFORMED;
}

/* The member of type `type`; NULL with the error latched if there is none. */
static const json_t *member(const json_t *o, const char *key, json_type type, enum err *err)
{
	const json_t *v = key ? json_object_get(o, key) : o;

	if (*err != ERR_OK)
		return NULL;
	if (!v || json_typeof(v) != type) {
		fail(err);
		return NULL;
	}
	return v;
}

const char *json_get_str(const json_t *o, const char *key, enum err *err)
{
	const json_t *v = member(o, key, JSON_STRING, err);

	return v ? json_string_value(v) : "";
}

int64_t json_get_int(const json_t *o, const char *key, enum err *err)
{
	const json_t *v = member(o, key, JSON_INTEGER, err);

	return v ? json_integer_value(v) : 0;
}

bool json_get_bool(const json_t *o, const char *key, enum err *err)
{
	const json_t *v = key ? json_object_get(o, key) : o;

	if (*err != ERR_OK)
		return false;
	if (!json_is_boolean(v)) {
		fail(err);
		return false;
	}
	return json_is_true(v);
}

const json_t *json_get_array(const json_t *o, const char *key, enum err *err)
{
	return member(o, key, JSON_ARRAY, err);
}

const json_t *json_get_object(const json_t *o, const char *key, enum err *err)
{
	return member(o, key, JSON_OBJECT, err);
}

static struct bytes string_member(const json_t *o, const char *key, enum err *err)
{
	const json_t *v = member(o, key, JSON_STRING, err);

	return v ? bytes_from(json_string_value(v), json_string_length(v)) : BYTES_NONE;
}

/* "0x" is demanded: a number without it would be read as decimal by one node and as hexadecimal by
 * another. */
static bool has_0x(struct bytes text)
{
	return text.n >= 2 && text.p[0] == '0' && text.p[1] == 'x';
}

struct u256 json_get_u256(const json_t *o, const char *key, enum err *err)
{
	struct bytes text = string_member(o, key, err);
	struct u256 v;

	if (*err != ERR_OK)
		return U256_ZERO;
	if (!has_0x(text) || u256_parse(&v, text) != ERR_OK) {
		fail(err);
		return U256_ZERO;
	}
	return v;
}

uint64_t json_get_quantity(const json_t *o, const char *key, enum err *err)
{
	struct u256 big = json_get_u256(o, key, err);
	uint64_t v;

	if (u256_to_u64(&v, big) != ERR_OK) {
		fail(err);
		return 0;
	}
	return v;
}

void json_get_hex_fixed(const json_t *o, const char *key, uint8_t *out, size_t n, enum err *err)
{
	struct bytes text = string_member(o, key, err);

	if (*err == ERR_OK && (!has_0x(text) || hex_decode_fixed(out, n, text) != ERR_OK))
		fail(err);
	if (*err != ERR_OK && n > 0)
		memset(out, 0, n);
}

void json_get_hex(const json_t *o, const char *key, struct buf *out, enum err *err)
{
	struct bytes text = string_member(o, key, err);

	if (*err != ERR_OK)
		return;
	if (!has_0x(text)) {
		fail(err);
		return;
	}
	*err = hex_decode(out, text);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/config_value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/arena.h"
#include "base/hex.h"
#include "base/limits.h"

enum {
	SHOWN_MAX = 16, /* longer values are described, not shown: a key pasted into the wrong place
			   stays unseen */
};

static void *field(const struct config_row *row, void *target)
{
	return (uint8_t *)target + row->offset;
}

static bool in_bounds(const struct config_row *row, uint64_t v)
{
	return v >= row->min && (row->max == 0 || v <= row->max);
}

/* ---- one function per type: text into the field ---- */

typedef enum err text_fn(const struct config_row *row, void *to, struct arena *arena,
			 struct bytes text, struct err_note *why);

static enum err from_string(const struct config_row *row, void *to, struct arena *arena,
			    struct bytes text, struct err_note *why)
{
	if (text.n > 0 && memchr(text.p, 0, text.n))
		return err_say(why, ERR_CONFIG_VALUE, "it holds a NUL");
	if (!in_bounds(row, text.n))
		return err_say(why, ERR_CONFIG_VALUE, "it has %zu characters", text.n);

	char *copy = arena_strndup(arena, text);

	if (!copy)
		return ERR_NOMEM;
	*(char **)to = copy;
	return ERR_OK;
}

/* Decimal digits only: no sign, no "1e5", no separators. */
static bool parse_decimal(uint64_t *ret_v, struct bytes text)
{
	uint64_t v = 0;

	if (text.n == 0)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10U, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(text.p[i] - '0'), &v))
			return false;
	}
	*ret_v = v;
	return true;
}

static enum err from_u64(const struct config_row *row, void *to, struct arena *arena,
			 struct bytes text, struct err_note *why)
{
	uint64_t v;

	(void)arena;
	(void)why;
	if (!parse_decimal(&v, text) || !in_bounds(row, v))
		return ERR_CONFIG_VALUE;
	*(uint64_t *)to = v;
	return ERR_OK;
}

static enum err from_bool(const struct config_row *row, void *to, struct arena *arena,
			  struct bytes text, struct err_note *why)
{
	/* The words that upstream's configuration reader takes. */
	static const struct {
		const char *word;
		bool v;
	} words[] = {
		{"true", true}, {"false", false}, {"1", true},  {"0", false},
		{"yes", true},  {"no", false},    {"on", true}, {"off", false},
	};

	(void)row;
	(void)arena;
	(void)why;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (text.n == strlen(words[i].word) &&
		    strncasecmp((const char *)text.p, words[i].word, text.n) == 0) {
			*(bool *)to = words[i].v;
			return ERR_OK;
		}
	}
	return ERR_CONFIG_VALUE;
}

static enum err from_duration(const struct config_row *row, void *to, struct arena *arena,
			      struct bytes text, struct err_note *why)
{
	int64_t ms;
	uint64_t bare;

	(void)arena;
	if (parse_decimal(&bare, text)) {
		if (row->bare_ms == 0)
			return err_say(why, ERR_CONFIG_VALUE, "a number needs its unit");
		if (bare > (uint64_t)(INT64_MAX / row->bare_ms) ||
		    !in_bounds(row, bare * (uint64_t)row->bare_ms))
			return ERR_CONFIG_VALUE;
		*(int64_t *)to = (int64_t)bare * row->bare_ms;
		return ERR_OK;
	}
	if (config_parse_duration(&ms, text) != ERR_OK || !in_bounds(row, (uint64_t)ms))
		return ERR_CONFIG_VALUE;
	*(int64_t *)to = ms;
	return ERR_OK;
}

static enum err from_address(const struct config_row *row, void *to, struct arena *arena,
			     struct bytes text, struct err_note *why)
{
	struct address a;

	(void)row;
	(void)arena;
	if (text.n != 42 || text.p[0] != '0' || text.p[1] != 'x' ||
	    hex_decode_fixed(a.b, sizeof(a.b), text) != ERR_OK)
		return ERR_CONFIG_VALUE;
	if (address_eq(a, (struct address){{0}})) /* a template that nobody has filled in */
		return err_say(why, ERR_CONFIG_VALUE, "nothing is at the zero address");
	*(struct address *)to = a;
	return ERR_OK;
}

/* "host", "host:port", "[v6]:port": the host must be there and the port a number. */
static enum err check_authority(struct bytes s, struct err_note *why)
{
	size_t host_end = 0;
	uint64_t port;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '@') /* user and password */
			return check_authority(bytes_sub(s, i + 1, s.n - i - 1), why);
	if (s.n > 0 && s.p[0] == '[') {
		const uint8_t *end = memchr(s.p, ']', s.n);

		if (!end)
			return err_say(why, ERR_CONFIG_VALUE, "\"[\" without \"]\"");
		host_end = (size_t)(end - s.p) + 1;
		if (host_end <= 2)
			return err_say(why, ERR_CONFIG_VALUE, "it has no host");
	} else {
		while (host_end < s.n && s.p[host_end] != ':')
			host_end++;
		if (host_end == 0)
			return err_say(why, ERR_CONFIG_VALUE, "it has no host");
	}
	if (host_end == s.n)
		return ERR_OK;
	if (s.p[host_end] != ':' ||
	    !parse_decimal(&port, bytes_sub(s, host_end + 1, s.n - host_end - 1)) || port == 0 ||
	    port > UINT16_MAX)
		return err_say(why, ERR_CONFIG_VALUE, "its port is not a number from 1 to 65535");
	return ERR_OK;
}

static enum err from_any_url(const struct config_row *row, void *to, struct arena *arena,
			     struct bytes text, size_t schemes_n, struct err_note *why)
{
	static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
	struct bytes rest = BYTES_NONE;
	size_t n = 0;

	if (text.n > URL_SIZE_MAX)
		return err_say(why, ERR_CONFIG_VALUE, "it is longer than %d", (int)URL_SIZE_MAX);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f)
			return err_say(why, ERR_CONFIG_VALUE,
				       "it has a blank, control or non-ASCII character");
	for (size_t i = 0; i < schemes_n; i++) {
		size_t len = strlen(schemes[i]);

		if (text.n >= len && strncasecmp((const char *)text.p, schemes[i], len) == 0)
			rest = bytes_sub(text, len, text.n - len);
	}
	if (!rest.p)
		return err_say(why, ERR_CONFIG_VALUE,
			       "it does not start with http:// or https://%s",
			       schemes_n > 2 ? ", ws:// or wss://" : "");
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
		n++;
	TRY(check_authority(bytes_sub(rest, 0, n), why));

	return from_string(row, to, arena, text, why);
}

static enum err from_url(const struct config_row *row, void *to, struct arena *arena,
			 struct bytes text, struct err_note *why)
{
	return from_any_url(row, to, arena, text, 2, why);
}

static enum err from_rpc_url(const struct config_row *row, void *to, struct arena *arena,
			     struct bytes text, struct err_note *why)
{
	return from_any_url(row, to, arena, text, 4, why);
}

static enum err from_endpoint(const struct config_row *row, void *to, struct arena *arena,
			      struct bytes text, struct err_note *why)
{
	char host[INET6_ADDRSTRLEN + 2];
	uint8_t ip[sizeof(struct in6_addr)];
	size_t colon = text.n;
	uint64_t port;

	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == ':')
			colon = i;
	if (colon >= sizeof(host) || colon == text.n)
		return ERR_CONFIG_VALUE;
	if (!parse_decimal(&port, bytes_sub(text, colon + 1, text.n - colon - 1)) ||
	    port > UINT16_MAX)
		return err_say(why, ERR_CONFIG_VALUE, "its port is not a number up to 65535");

	bool v6 = colon > 2 && text.p[0] == '[' && text.p[colon - 1] == ']';
	struct bytes ip_text = v6 ? bytes_sub(text, 1, colon - 2) : bytes_sub(text, 0, colon);

	memset(host, 0, sizeof(host));
	if (ip_text.n > 0)
		memcpy(host, ip_text.p, ip_text.n);
	if (inet_pton(v6 ? AF_INET6 : AF_INET, host, ip) != 1)
		return err_say(why, ERR_CONFIG_VALUE, "it does not start with an IP address");

	return from_string(row, to, arena, text, why);
}

static enum err from_secret32(const struct config_row *row, void *to, struct arena *arena,
			      struct bytes text, struct err_note *why)
{
	CLEANUP(secret32_wipe) struct secret32 s;

	(void)row;
	(void)arena;
	(void)why;
	if (hex_decode_fixed(s.b, sizeof(s.b), text) != ERR_OK)
		return ERR_CONFIG_VALUE;
	*(struct secret32 *)to = s;
	return ERR_OK;
}

static enum err from_secret_text(const struct config_row *row, void *to, struct arena *arena,
				 struct bytes text, struct err_note *why)
{
	struct secret s;

	(void)arena;
	if (text.n > 0 && memchr(text.p, 0, text.n))
		return err_say(why, ERR_CONFIG_VALUE, "it holds a NUL");
	if (!in_bounds(row, text.n))
		return err_say(why, ERR_CONFIG_VALUE, "it has %zu characters", text.n);
	TRY(secret_alloc(&s, text.n + 1));
	if (text.n > 0)
		memcpy(s.p, text.p, text.n);
	secret_free(to);
	*(struct secret *)to = s;
	return ERR_OK;
}

static struct bytes trim(struct bytes s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = bytes_sub(s, 1, s.n - 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s = bytes_sub(s, 0, s.n - 1);
	return s;
}

/* "a, b,c"; the empty text is the empty list. */
static enum err from_comma_list(const struct config_row *row, void *to, struct arena *arena,
				struct bytes text, struct err_note *why)
{
	struct config_strings out = {0};
	struct bytes left = text;
	size_t n = trim(text).n == 0 ? 0 : 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == ',';
	if (!in_bounds(row, n))
		return err_say(why, ERR_CONFIG_VALUE, "it has %zu members", n);
	out.v = arena_alloc_array(arena, n, sizeof(*out.v));
	if (!out.v)
		return ERR_NOMEM;
	for (; out.n < n; out.n++) {
		const uint8_t *comma = left.n > 0 ? memchr(left.p, ',', left.n) : NULL;
		size_t len = comma ? (size_t)(comma - left.p) : left.n;
		struct bytes piece = trim(bytes_sub(left, 0, len));

		if (piece.n == 0)
			return err_say(why, ERR_CONFIG_VALUE, "member %zu is empty", out.n + 1);
		out.v[out.n] = arena_strndup(arena, piece);
		if (!out.v[out.n])
			return ERR_NOMEM;
		if (comma)
			left = bytes_sub(left, len + 1, left.n - len - 1);
	}
	*(struct config_strings *)to = out;
	return ERR_OK;
}

static enum err store_json(const struct config_row *row, void *to, json_t *v, struct err_note *why)
{
	size_t n = json_is_array(v) ? json_array_size(v) : json_object_size(v);

	if (!json_is_array(v) && !json_is_object(v))
		return ERR_CONFIG_VALUE;
	if (!in_bounds(row, n))
		return err_say(why, ERR_CONFIG_VALUE, "it has %zu members", n);
	json_decref(*(json_t **)to);
	*(json_t **)to = json_incref(v);
	return ERR_OK;
}

static enum err from_json_text(const struct config_row *row, void *to, struct arena *arena,
			       struct bytes text, struct err_note *why)
{
	CLEANUP(json_free_ptr) json_t *v = NULL;
	enum err e = json_parse(&v, text, CONFIG_FILE_SIZE_MAX, why);

	(void)arena;
	if (e == ERR_NOMEM)
		return e;
	return e == ERR_OK ? store_json(row, to, v, why) : ERR_CONFIG_VALUE;
}

/* ---- the table of types ---- */

static const struct {
	text_fn *parse;
	const char *word;     /* for the reference */
	const char *expected; /* for errors */
	const char *counted;  /* what min and max count */
	size_t size;
	bool shown; /* a short value may be repeated in an error */
} types[] = {
	[CONFIG_STRING] = {from_string, "text", "text", "characters", sizeof(char *), false},
	[CONFIG_U64] = {from_u64, "number", "a whole number", "", sizeof(uint64_t), true},
	[CONFIG_BOOL] = {from_bool, "true or false", "true or false", "", sizeof(bool), true},
	[CONFIG_DURATION] = {from_duration, "duration", "a duration like \"500ms\" or \"1h 30m\"",
			     "ms", sizeof(int64_t), true},
	[CONFIG_ADDRESS] = {from_address, "address", "an address: 0x and 40 hexadecimal digits", "",
			    sizeof(struct address), true},
	[CONFIG_URL] = {from_url, "URL", "an http or https URL", "characters", sizeof(char *),
			false},
	[CONFIG_RPC_URL] = {from_rpc_url, "URL", "an http, https, ws or wss URL", "characters",
			    sizeof(char *), false},
	[CONFIG_ENDPOINT] = {from_endpoint, "ip:port",
			     "an address to listen on like \"127.0.0.1:9100\"", "characters",
			     sizeof(char *), true},
	[CONFIG_SECRET32] = {from_secret32, "secret, 32 bytes", "64 hexadecimal digits", "",
			     sizeof(struct secret32), false},
	[CONFIG_SECRET_TEXT] = {from_secret_text, "secret text", "text", "characters",
				sizeof(struct secret), false},
	[CONFIG_STRINGS] = {from_comma_list, "list of texts", "a list of texts", "members",
			    sizeof(struct config_strings), false},
	[CONFIG_JSON] = {from_json_text, "list or table",
			 "a list or table (JSON text in the environment)", "members",
			 sizeof(json_t *), false},
};

const char *config_type_word(enum config_type type)
{
	return types[type].word;
}

enum err config_value_from_text(const struct config_row *row, void *target, struct arena *arena,
				struct bytes text, struct err_note *why)
{
	return types[row->type].parse(row, field(row, target), arena, text, why);
}

/* ---- TOML nodes ---- */

static enum err from_string_array(const struct config_row *row, void *to, struct arena *arena,
				  const json_t *node, struct err_note *why)
{
	struct config_strings out = {.n = json_array_size(node)};
	struct config_row unbounded = {.path = row->path};

	if (!in_bounds(row, out.n))
		return err_say(why, ERR_CONFIG_VALUE, "it has %zu members", out.n);
	out.v = arena_alloc_array(arena, out.n, sizeof(*out.v));
	if (!out.v)
		return ERR_NOMEM;
	for (size_t i = 0; i < out.n; i++) {
		const json_t *s = json_array_get(node, i);

		if (!json_is_string(s) || json_string_length(s) == 0)
			return err_say(why, ERR_CONFIG_VALUE, "member %zu is not text, or empty",
				       i + 1);
		TRY(from_string(&unbounded, &out.v[i], arena,
				bytes_from(json_string_value(s), json_string_length(s)), why));
	}
	*(struct config_strings *)to = out;
	return ERR_OK;
}

/*
 * Scalars go through the same text parsers as the environment, so that `1`, "1" and an exported 1
 * cannot differ. Floats have no row type: 1e5 is nobody's chain id. Where the key has no effect one
 * is passed over.
 */
enum err config_value_from_node(const struct config_row *row, void *target, struct arena *arena,
				const json_t *node, struct err_note *why)
{
	char digits[24];

	if (row->type == CONFIG_STRINGS && !(row->max == 1 && json_is_string(node)))
		return json_is_array(node)
			       ? from_string_array(row, field(row, target), arena, node, why)
			       : ERR_CONFIG_VALUE;
	if (row->type == CONFIG_JSON) {
		/* A copy: the tree's own texts are wiped with it. */
		CLEANUP(json_free_ptr) json_t *copy = json_deep_copy(node);

		return copy ? store_json(row, field(row, target), copy, why) : ERR_NOMEM;
	}

	switch (json_typeof(node)) {
	case JSON_STRING:
		return config_value_from_text(
			row, target, arena,
			bytes_from(json_string_value(node), json_string_length(node)), why);
	case JSON_INTEGER:
		(void)snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT,
			       json_integer_value(node));
		return config_value_from_text(row, target, arena, bytes_str(digits), why);
	case JSON_TRUE:
		return config_value_from_text(row, target, arena, BYTES_LIT("true"), why);
	case JSON_FALSE:
		return config_value_from_text(row, target, arena, BYTES_LIT("false"), why);
	case JSON_REAL:
		return row->moot ? ERR_OK : ERR_CONFIG_VALUE;
	case JSON_OBJECT:
	case JSON_ARRAY:
	case JSON_NULL:
		break;
	}
	return ERR_CONFIG_VALUE;
}

void config_value_clear(const struct config_row *row, void *target)
{
	if (row->type == CONFIG_JSON)
		json_decref(*(json_t **)field(row, target));
	if (row->type == CONFIG_SECRET_TEXT)
		secret_free(field(row, target));
	secret_wipe(field(row, target), types[row->type].size);
}

/* ---- words ---- */

void config_value_expected(char out[CONFIG_WORDS_SIZE], const struct config_row *row)
{
	const char *unit = types[row->type].counted;
	bool bounded = row->min != 0 || row->max != 0;

	if (!bounded)
		(void)snprintf(out, CONFIG_WORDS_SIZE, "%s", types[row->type].expected);
	else if (row->max == 0 || row->max == UINT64_MAX)
		(void)snprintf(out, CONFIG_WORDS_SIZE, "%s, at least %" PRIu64 "%s%s",
			       types[row->type].expected, row->min, *unit ? " " : "", unit);
	else
		(void)snprintf(out, CONFIG_WORDS_SIZE, "%s from %" PRIu64 " to %" PRIu64 "%s%s",
			       types[row->type].expected, row->min, row->max, *unit ? " " : "",
			       unit);
}

void config_value_found_text(char out[CONFIG_WORDS_SIZE], const struct config_row *row,
			     struct bytes text)
{
	if (text.n == 0)
		(void)snprintf(out, CONFIG_WORDS_SIZE, "nothing");
	else if (types[row->type].shown && text.n <= SHOWN_MAX)
		(void)snprintf(out, CONFIG_WORDS_SIZE, "\"%.*s\"", (int)text.n,
			       (const char *)text.p);
	else if (row->type == CONFIG_SECRET32 || row->type == CONFIG_SECRET_TEXT)
		(void)snprintf(out, CONFIG_WORDS_SIZE, "something else (not shown)");
	else
		(void)snprintf(out, CONFIG_WORDS_SIZE, "text of %zu characters", text.n);
}

void config_value_found_node(char out[CONFIG_WORDS_SIZE], const struct config_row *row,
			     const json_t *node)
{
	static const char *const kinds[] = {
		[JSON_OBJECT] = "a table",   [JSON_ARRAY] = "a list", [JSON_STRING] = "text",
		[JSON_INTEGER] = "a number", [JSON_REAL] = "a float", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",      [JSON_NULL] = "nothing",
	};

	if (json_is_string(node))
		config_value_found_text(
			out, row, bytes_from(json_string_value(node), json_string_length(node)));
	else if (json_is_integer(node) && types[row->type].shown)
		(void)snprintf(out, CONFIG_WORDS_SIZE, "%" JSON_INTEGER_FORMAT,
			       json_integer_value(node));
	else
		(void)snprintf(out, CONFIG_WORDS_SIZE, "%s", kinds[json_typeof(node)]);
}

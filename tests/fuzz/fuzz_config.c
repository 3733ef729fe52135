/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A configuration file, and one variable of the environment. What is loaded is within the bounds of
 * its row; a text means the same whether it stands in the file or in the environment.
 *
 * Input: u8 which row || line: the text of its variable || the file.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/u256.h"
#include "fuzz.h"

struct target {
	char *text, *url, *rpc, *endpoint;
	uint64_t number;
	bool flag, number_given, secret_given;
	int64_t duration_ms;
	struct address address;
	struct secret32 secret;
	struct config_strings list;
	json_t *json;
};

#define AT(f) .offset = offsetof(struct target, f), .present_offset = SIZE_MAX
#define GIVEN(f, g)                                                                                \
	.offset = offsetof(struct target, f), .present_offset = offsetof(struct target, g)
static const struct config_row rows[] = {
	{"text", CONFIG_STRING, AT(text), .min = 1, .max = 20, .services = 1, .doc = "a | b"},
	{"t.number", CONFIG_U64, GIVEN(number, number_given), .def = "7", .min = 3, .max = 9999,
	 .services = 1},
	{"t.old_number", CONFIG_U64, GIVEN(number, number_given), .min = 3, .max = 9999,
	 .services = 1},
	{"flag", CONFIG_BOOL, AT(flag), .services = 1},
	{"t.wait", CONFIG_DURATION, AT(duration_ms), .def = "1s", .min = 1, .services = 1},
	{"account", CONFIG_ADDRESS, AT(address), .services = 1},
	{"url", CONFIG_URL, AT(url), .services = 1},
	{"listen", CONFIG_ENDPOINT, AT(endpoint), .services = 1},
	{"secret", CONFIG_SECRET32, GIVEN(secret, secret_given), .services = 1},
	{"list", CONFIG_STRINGS, AT(list), .max = 4, .services = 1},
	{"t.u.json", CONFIG_JSON, AT(json), .max = 4, .services = 1},
	{"must", CONFIG_BOOL, AT(flag), .services = 2, .required = true},
	{"rpc", CONFIG_RPC_URL, AT(rpc), .services = 1},
};
static const struct config_table table = {"F_", rows, ARRAY_LEN(rows)};

static void target_free(struct target *t)
{
	json_decref(t->json);
	*t = (struct target){0};
}

static enum err load(struct target *t, struct arena *a, unsigned services, struct bytes text,
		     const char *variable)
{
	const char *const env[] = {"HOME=/", variable, NULL};
	const struct config_source src = {
		.file = "f.toml", .text = text, .env = variable ? env : NULL};
	struct err_note note = {0};
	enum err e;

	*t = (struct target){0};
	e = config_load(&table, services, &src, t, a, &note);
	CHECK(e == ERR_OK || (note.text[0] && !t->json && !t->text && !t->secret_given));
	return e;
}

static bool same_text(const char *a, const char *b)
{
	return !a || !b ? a == b : strcmp(a, b) == 0;
}

static void check_bounds(const struct target *t)
{
	CHECK(t->number >= 3 && t->number <= 9999 && t->duration_ms >= 1);
	CHECK(!t->text || (strlen(t->text) >= 1 && strlen(t->text) <= 20));
	CHECK(!t->url || strncasecmp(t->url, "http", 4) == 0);
	CHECK(!t->rpc || strncasecmp(t->rpc, "http", 4) == 0 || strncasecmp(t->rpc, "ws", 2) == 0);
	CHECK(t->list.n <= 4);
	for (size_t i = 0; i < t->list.n; i++)
		CHECK(t->list.v[i][0]);
	CHECK(!t->json || json_is_array(t->json) || json_is_object(t->json));
}

static void check_same(const struct target *a, const struct target *b)
{
	CHECK(same_text(a->text, b->text) && same_text(a->url, b->url));
	CHECK(same_text(a->endpoint, b->endpoint) && a->number == b->number);
	CHECK(a->flag == b->flag && a->duration_ms == b->duration_ms);
	CHECK(address_eq(a->address, b->address) && a->secret_given == b->secret_given);
	CHECK(memcmp(a->secret.b, b->secret.b, sizeof(a->secret.b)) == 0);
}

static char *variable_of(const struct config_row *row, struct bytes value)
{
	CLEANUP(buf_free) struct buf v = buf_make(1 << 16);

	FUZZ_OK(buf_add_str(&v, "F_"));
	for (const char *c = row->path; *c; c++)
		FUZZ_OK(*c == '.' ? buf_add_str(&v, "__")
				  : buf_add_u8(&v, (uint8_t)(*c >= 'a' ? *c - 32 : *c)));
	FUZZ_OK(buf_add_u8(&v, '='));
	FUZZ_OK(buf_add(&v, value));
	return fuzz_cstr(buf_view(&v));
}

/* Scalars only: lists and tables have another form in the environment. */
static void check_one(const struct config_row *row, struct bytes value)
{
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	CLEANUP(buf_free) struct buf file = buf_make(1 << 18);
	CLEANUP(target_free) struct target a = {0};
	CLEANUP(target_free) struct target b = {0};

	if (row->type == CONFIG_STRINGS || row->type == CONFIG_JSON || row->services != 1)
		return;
	FUZZ_OK(buf_addf(&file, "%s = \"", row->path));
	for (size_t i = 0; i < value.n; i++) {
		/* one byte is one character in a TOML escape, so that only ASCII goes this way */
		if (value.p[i] == 0 || value.p[i] >= 0x80)
			return;
		FUZZ_OK(buf_addf(&file, "\\u%04x", (unsigned)value.p[i]));
	}
	FUZZ_OK(buf_add_str(&file, "\""));

	char *variable = variable_of(row, value);
	enum err by_env = load(&a, &arena, 1, BYTES_NONE, variable);
	enum err by_file = load(&b, &arena, 1, buf_view(&file), NULL);

	free(variable);
	CHECK(by_env == by_file);
	if (by_env == ERR_OK)
		check_same(&a, &b);
}

/* Where a value came from can be said of every row, whatever the file is. */
static void check_places(const struct config_source *src)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_note note = {"odd"};

		CHECK(config_prefix_part(&note, ERR_CONFIG_VALUE, &table, src, rows[i].path,
					 "[0].x") == ERR_CONFIG_VALUE);
		CHECK(strstr(note.text, rows[i].path) || strstr(note.text, "environment: "));
	}
}

static void unknown(void *ctx, const char *where, const char *key)
{
	(void)ctx;
	CHECK(where[0]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK(strcmp(key, rows[i].path) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	CLEANUP(target_free) struct target t = {0};
	struct bytes in = bytes_from(p, n < 8192 ? n : 8192);
	uint8_t which = fuzz_u8(&in);
	const struct config_row *row = &rows[which % ARRAY_LEN(rows)];
	struct bytes value = fuzz_line(&in);

	if (value.n > 0 && memchr(value.p, 0, value.n))
		return 0;

	char *variable = variable_of(row, value);
	const char *const env[] = {variable, "f_other=1", NULL};
	const struct config_source src = {.file = "f.toml", .text = in, .env = env};

	if (load(&t, &arena, which & 0x80 ? 3 : 1, in, variable) == ERR_OK) {
		check_bounds(&t);
		FUZZ_OK(config_unknown(&table, &src, unknown, NULL));
	} else {
		(void)config_unknown(&table, &src, unknown, NULL);
	}
	check_places(&src);
	free(variable);
	check_one(row, value);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/arena.h"
#include "base/config_value.h"
#include "base/limits.h"
#include "base/toml.h"

enum {
	KEY_SIZE_MAX = 128
};

struct document {
	json_t *values; /* NULL: no file */
	json_t *lines;
};

static void document_free(struct document *d)
{
	json_free_ptr(&d->values);
	json_free_ptr(&d->lines);
}

static enum err document_read(struct document *ret_d, const struct config_source *src,
			      struct err_note *note)
{
	struct document d = {0};

	if (!src->file && src->text.n == 0) {
		*ret_d = d;
		return ERR_OK;
	}

	enum err e = toml_parse(&d.values, &d.lines, src->text, note);

	if (e == ERR_NOMEM)
		return e;
	if (e != ERR_OK)
		return err_prefix(note, ERR_CONFIG_FILE, "%s",
				  src->file ? src->file : "configuration");
	*ret_d = d;
	return ERR_OK;
}

/* ---- where a value stands ---- */

/* What is known of one value: at most one of node and env is set. */
struct found {
	const json_t *node;
	const char *env;      /* the value of the variable */
	const char *env_name; /* as it stands in the environment; not ended, see env_name_n */
	size_t env_name_n;
	int line;
	char path[KEY_SIZE_MAX]; /* of the node: the row's, or of what stands in its way */
	bool blocked; /* `node` is not the value but something that should have been a table */
};

/* Next segment of a dotted path; empty when it is used up. */
static struct bytes next_segment(struct bytes *path)
{
	size_t n = 0;

	while (n < path->n && path->p[n] != '.')
		n++;

	struct bytes segment = bytes_sub(*path, 0, n);

	*path = n < path->n ? bytes_sub(*path, n + 1, path->n - n - 1) : BYTES_NONE;
	return segment;
}

static int line_of(const json_t *lines, const char *key)
{
	return (int)json_integer_value(json_object_get(json_object_get(lines, key), "line"));
}

/* Walk the document along the row's path. */
static void find_in_file(struct found *f, const struct document *d, const char *path)
{
	const json_t *at = d->values, *lines = d->lines;
	struct bytes left = bytes_str(path);
	size_t walked = 0;

	while (at && left.n > 0) {
		struct bytes segment = next_segment(&left);
		char key[KEY_SIZE_MAX];

		(void)snprintf(key, sizeof(key), "%.*s", (int)segment.n, (const char *)segment.p);
		walked += segment.n + 1;
		at = json_object_get(at, key);
		if (!at)
			return;
		f->line = line_of(lines, key);
		lines = json_object_get(json_object_get(lines, key), "of");
		if (left.n > 0 && !json_is_object(at)) {
			f->blocked = true;
			break;
		}
	}
	f->node = at;
	(void)snprintf(f->path, sizeof(f->path), "%.*s", (int)walked - 1, path);
}

/* PREFIX and the path in upper case, dots doubled to underscores; in `out`, cut if it must be. */
static void env_name(char out[KEY_SIZE_MAX], const char *prefix, const char *path)
{
	size_t at = 0;

	for (const char *c = prefix; *c && at < KEY_SIZE_MAX - 1; c++)
		out[at++] = *c;
	for (const char *c = path; *c && at < KEY_SIZE_MAX - 2; c++) {
		if (*c == '.') {
			out[at++] = '_';
			out[at++] = '_';
		} else {
			out[at++] = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
		}
	}
	out[at] = '\0';
}

/* NAME=value: the length of NAME, 0 if it is not of this shape. */
static size_t env_name_length(const char *entry)
{
	const char *eq = strchr(entry, '=');

	return eq ? (size_t)(eq - entry) : 0;
}

/* Letter case of names does not matter (upstream folds it), but the exact spelling wins over
 * another. */
static void find_in_env(struct found *f, const struct config_source *src, const char *name)
{
	for (size_t i = 0; src->env && src->env[i]; i++) {
		const char *entry = src->env[i];
		size_t n = env_name_length(entry);

		if (n != strlen(name) || strncasecmp(entry, name, n) != 0)
			continue;

		bool exact = memcmp(entry, name, n) == 0;

		if (f->env && !exact)
			continue;
		f->env_name = entry;
		f->env_name_n = n;
		f->env = &entry[n + 1];
		if (exact)
			return;
	}
}

/* ---- loading ---- */

struct loader {
	const struct config_table *table;
	const struct config_source *src;
	unsigned services;
	void *target;
	struct arena *arena;
	struct err_note *note;
	struct document doc;
};

static bool is_read(const struct loader *l, const struct config_row *row)
{
	return (row->services & l->services) != 0;
}

/* The first row of its field: later ones with the same offset are aliases of it. */
static bool is_first(const struct loader *l, const struct config_row *row)
{
	for (const struct config_row *r = l->table->rows; r < row; r++)
		if (is_read(l, r) && r->offset == row->offset)
			return false;
	return true;
}

static enum err say_bad(struct loader *l, const struct config_row *row, const struct found *f,
			const struct err_note *why)
{
	char found[CONFIG_WORDS_SIZE], expected[CONFIG_WORDS_SIZE];
	const char *file = l->src->file ? l->src->file : "configuration";
	const char *open = why->text[0] ? " (" : "", *close = why->text[0] ? ")" : "";

	config_value_expected(expected, row);
	if (f->env) {
		config_value_found_text(found, row, bytes_str(f->env));
		return err_say(l->note, ERR_CONFIG_VALUE,
			       "environment: %.*s: found %s, expected %s%s%s%s", (int)f->env_name_n,
			       f->env_name, found, expected, open, why->text, close);
	}
	if (f->blocked) {
		/* What stands there has no row of its own, so nothing is known about how secret it
		 * is. */
		return err_say(l->note, ERR_CONFIG_VALUE,
			       "%s:%d: %s: found a plain value, expected a table with %s", file,
			       f->line, f->path, row->path);
	}
	if (f->node) {
		config_value_found_node(found, row, f->node);
		return err_say(l->note, ERR_CONFIG_VALUE, "%s:%d: %s: found %s, expected %s%s%s%s",
			       file, f->line, f->path, found, expected, open, why->text, close);
	}
	return err_say(l->note, ERR_CONFIG_VALUE, "default of %s: expected %s%s%s%s", row->path,
		       expected, open, why->text, close);
}

/* Store what was found for `row`; an error is told with its place. */
static enum err store(struct loader *l, const struct config_row *row, const struct found *f)
{
	struct err_note why = {0};
	enum err e = ERR_CONFIG_VALUE;

	if (f->env)
		e = config_value_from_text(row, l->target, l->arena, bytes_str(f->env), &why);
	else if (f->node && !f->blocked)
		e = config_value_from_node(row, l->target, l->arena, f->node, &why);
	else if (!f->node)
		e = config_value_from_text(row, l->target, l->arena, bytes_str(row->def), &why);
	if (e == ERR_CONFIG_VALUE)
		return say_bad(l, row, f, &why);
	if (e != ERR_OK)
		return err_say(l->note, e, "%s: out of memory for the configuration", row->path);
	return ERR_OK;
}

static enum err say_missing(struct loader *l, const struct config_row *row)
{
	char name[KEY_SIZE_MAX], expected[CONFIG_WORDS_SIZE];

	env_name(name, l->table->env_prefix, row->path);
	config_value_expected(expected, row);
	return err_say(l->note, ERR_CONFIG_VALUE,
		       "%s: %s is required: found nothing there nor in %s, expected %s",
		       l->src->file ? l->src->file : "configuration", row->path, name, expected);
}

static void set_present(const struct loader *l, const struct config_row *row, bool present)
{
	if (row->present_offset != SIZE_MAX)
		*(bool *)((uint8_t *)l->target + row->present_offset) = present;
}

/*
 * One field, by all rows that name it: environment before file, and in each of them the first row
 * before its aliases, because files that serve two versions at once hold both names.
 */
static enum err load_field(struct loader *l, const struct config_row *first)
{
	const struct config_row *end = l->table->rows + l->table->rows_n;
	const struct config_row *def = NULL, *required = NULL;
	const struct config_row *file_row = NULL;
	struct found in_file = {0};

	for (const struct config_row *r = first; r < end; r++) {
		struct found f = {0};
		char name[KEY_SIZE_MAX];

		if (!is_read(l, r) || r->offset != first->offset)
			continue;
		env_name(name, l->table->env_prefix, r->path);
		find_in_env(&f, l->src, name);
		if (f.env) {
			TRY(store(l, r, &f));
			set_present(l, r, true);
			return ERR_OK;
		}
		if (!file_row) {
			find_in_file(&f, &l->doc, r->path);
			if (f.node) {
				file_row = r;
				in_file = f;
			}
		}
		if (!def && r->def)
			def = r;
		if (!required && r->required)
			required = r;
	}
	if (file_row) {
		TRY(store(l, file_row, &in_file));
		set_present(l, file_row, true);
		return ERR_OK;
	}
	if (def)
		return store(l, def, &(struct found){0});
	return required ? say_missing(l, required) : ERR_OK;
}

/* The file's copy of each secret is ours to wipe. What toml++ and the caller's text hold is not
 * within our reach. */
static void wipe_secrets(const struct loader *l)
{
	for (size_t i = 0; i < l->table->rows_n; i++) {
		const struct config_row *row = &l->table->rows[i];
		struct found f = {0};

		if (row->type != CONFIG_SECRET32)
			continue;
		find_in_file(&f, &l->doc, row->path);
		if (json_is_string(f.node))
			secret_wipe((char *)(uintptr_t)json_string_value(f.node),
				    json_string_length(f.node));
	}
}

enum err config_load(const struct config_table *table, unsigned services,
		     const struct config_source *src, void *target, struct arena *arena,
		     struct err_note *note)
{
	struct loader l = {table, src, services, target, arena, note, {0}};
	enum err e = document_read(&l.doc, src, note);

	for (size_t i = 0; e == ERR_OK && i < table->rows_n; i++)
		if (is_read(&l, &table->rows[i]) && is_first(&l, &table->rows[i]))
			e = load_field(&l, &table->rows[i]);
	for (size_t i = 0; e != ERR_OK && i < table->rows_n; i++) {
		if (!is_read(&l, &table->rows[i]))
			continue;
		config_value_clear(&table->rows[i], target);
		set_present(&l, &table->rows[i], false);
	}
	wipe_secrets(&l);
	document_free(&l.doc);
	return e;
}

/* ---- unknown keys ---- */

/* Does a row have this path, or begin with it and a dot? */
static bool known_path(const struct config_table *table, const char *path, bool *ret_inner)
{
	size_t n = strlen(path);
	bool inner = false;

	for (size_t i = 0; i < table->rows_n; i++) {
		const char *row = table->rows[i].path;

		if (strcmp(row, path) == 0)
			return true;
		inner |= strncmp(row, path, n) == 0 && row[n] == '.';
	}
	*ret_inner = inner;
	return false;
}

struct unknown_walk {
	const struct config_table *table;
	const char *file;
	config_unknown_fn *fn;
	void *ctx;
};

static void unknown_in_table(const struct unknown_walk *w, const json_t *values,
			     const json_t *lines, const char *prefix)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)values, key, v)
	{
		char path[KEY_SIZE_MAX], where[KEY_SIZE_MAX];
		bool inner = false;
		int n = snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key);

		if (n >= 0 && (size_t)n < sizeof(path) && known_path(w->table, path, &inner))
			continue;
		if (inner && json_is_object(v)) {
			unknown_in_table(w, v, json_object_get(json_object_get(lines, key), "of"),
					 path);
			continue;
		}
		(void)snprintf(where, sizeof(where), "%s:%d", w->file, line_of(lines, key));
		w->fn(w->ctx, where, path);
	}
}

static bool known_env(const struct config_table *table, const char *entry, size_t n)
{
	for (size_t i = 0; i < table->rows_n; i++) {
		char name[KEY_SIZE_MAX];

		env_name(name, table->env_prefix, table->rows[i].path);
		if (strlen(name) == n && strncasecmp(entry, name, n) == 0)
			return true;
	}
	return false;
}

enum err config_unknown(const struct config_table *table, const struct config_source *src,
			config_unknown_fn *fn, void *ctx)
{
	const struct unknown_walk w = {table, src->file ? src->file : "configuration", fn, ctx};
	CLEANUP(document_free) struct document doc = {0};
	size_t prefix_n = strlen(table->env_prefix);

	TRY(document_read(&doc, src, NULL));
	unknown_in_table(&w, doc.values, doc.lines, "");
	for (size_t i = 0; src->env && src->env[i]; i++) {
		const char *entry = src->env[i];
		size_t n = env_name_length(entry);
		char key[KEY_SIZE_MAX];

		if (n < prefix_n || strncasecmp(entry, table->env_prefix, prefix_n) != 0 ||
		    known_env(table, entry, n))
			continue;
		(void)snprintf(key, sizeof(key), "%.*s", (int)n, entry);
		fn(ctx, "environment", key);
	}
	return ERR_OK;
}

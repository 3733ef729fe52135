/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/config_tree.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/toml.h"

/* ---- names ---- */

bool config_path_known(const struct config_table *table, const char *path, bool *ret_inner)
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

void config_env_name(char out[CONFIG_KEY_SIZE_MAX], const char *prefix, const char *path)
{
	size_t at = 0;

	for (const char *c = prefix; *c && at < CONFIG_KEY_SIZE_MAX - 1; c++)
		out[at++] = *c;
	for (const char *c = path; *c && at < CONFIG_KEY_SIZE_MAX - 2; c++) {
		if (*c == '.') {
			out[at++] = '_';
			out[at++] = '_';
		} else {
			out[at++] = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
		}
	}
	out[at] = '\0';
}

size_t config_env_name_length(const char *entry)
{
	const char *eq = strchr(entry, '=');

	return eq ? (size_t)(eq - entry) : 0;
}

int config_tree_line(const json_t *lines, const char *key)
{
	return (int)json_integer_value(json_object_get(json_object_get(lines, key), "line"));
}

/* ---- life ---- */

/* Any text may be a secret: one that stands under a mistyped key looks like all the others. */
static void wipe(json_t *v)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_string(v))
		secret_wipe((char *)(uintptr_t)json_string_value(v), json_string_length(v));
	json_object_foreach(v, key, member)
	{
		wipe(member);
	}
	json_array_foreach(v, i, member)
	{
		wipe(member);
	}
}

void config_tree_free(struct config_tree *t)
{
	wipe(t->values);
	json_free_ptr(&t->values);
	json_free_ptr(&t->lines);
}

/* ---- keys that slipped ---- */

struct slipped {
	json_t *values, *lines; /* of the table it stands in; NULL: did not slip */
	char table[CONFIG_KEY_SIZE_MAX];
};

struct slip_walk {
	const struct config_table *table;
	const char *file;
	struct config_tree *tree;
	struct slipped *found; /* one per row; used is the first row with that name at the top */
	struct err_note *note;
};

/* Is `name` what stands before the first dot of the path, or all of it? */
static bool top_is(const char *path, const char *name)
{
	size_t n = strlen(name);

	return strncmp(path, name, n) == 0 && (path[n] == '\0' || path[n] == '.');
}

/* Another name of the row's field stands at the top: then this one is not missed. */
static bool alias_at_top(const struct slip_walk *w, const struct config_row *row)
{
	for (size_t i = 0; i < w->table->rows_n; i++)
		if (w->table->rows[i].offset == row->offset &&
		    json_object_get(w->tree->values, w->table->rows[i].path))
			return true;
	return false;
}

/* The row whose value `v` could be, were it at the top. */
static const struct config_row *row_at_top(const struct slip_walk *w, const char *key,
					   const json_t *v)
{
	for (size_t i = 0; i < w->table->rows_n; i++) {
		const struct config_row *row = &w->table->rows[i];

		if (!top_is(row->path, key))
			continue;
		if (strcmp(row->path, key) != 0)
			return json_is_object(v) ? row : NULL;
		if (json_is_object(v) && row->type != CONFIG_JSON)
			return NULL;
		return alias_at_top(w, row) ? NULL : row;
	}
	return NULL;
}

static enum err slip_found(struct slip_walk *w, const struct config_row *row, json_t *values,
			   json_t *lines, const char *table, const char *key)
{
	struct slipped *s = &w->found[row - w->table->rows];

	if (s->values)
		return err_say(w->note, ERR_CONFIG_VALUE,
			       "%s:%d: %s: found under [%s] and, at line %d, under [%s], expected "
			       "once, above the first table",
			       w->file, config_tree_line(s->lines, key), key, s->table,
			       config_tree_line(lines, key), table);
	s->values = values;
	s->lines = lines;
	(void)snprintf(s->table, sizeof(s->table), "%s", table);
	return ERR_OK;
}

/* The row of a list or table whose members are not rows. */
static const struct config_row *json_row(const struct config_table *table, const char *path)
{
	for (size_t i = 0; i < table->rows_n; i++)
		if (table->rows[i].type == CONFIG_JSON && strcmp(table->rows[i].path, path) == 0)
			return &table->rows[i];
	return NULL;
}

static bool is_member(const struct config_row *json, const char *key)
{
	for (const char *const *m = json->members; m && *m; m++)
		if (strcmp(*m, key) == 0)
			return true;
	return !json->members; /* unknown what belongs there: all of it */
}

/* `path` of what `v` is; `json` the CONFIG_JSON row that it is part of. */
static enum err slip_walk(struct slip_walk *w, json_t *v, json_t *lines, const char *path,
			  const struct config_row *json)
{
	const char *key;
	json_t *member;
	size_t i;

	json_array_foreach(v, i, member)
	{
		char index[24];

		(void)snprintf(index, sizeof(index), "%zu", i);
		TRY(slip_walk(w, member, json_object_get(json_object_get(lines, index), "of"), path,
			      json));
	}
	json_object_foreach(v, key, member)
	{
		char inside[CONFIG_KEY_SIZE_MAX];
		bool inner = false;
		int n = snprintf(inside, sizeof(inside), "%s%s%s", path, *path ? "." : "", key);

		if (n < 0 || (size_t)n >= sizeof(inside))
			continue;

		bool belongs = config_path_known(w->table, inside, &inner) || inner ||
			       (json && is_member(json, key));
		const struct config_row *row =
			*path && !belongs ? row_at_top(w, key, member) : NULL;

		if (row && !json_object_get(w->tree->values, key))
			TRY(slip_found(w, row, v, lines, path, key));
		else
			TRY(slip_walk(w, member, json_object_get(json_object_get(lines, key), "of"),
				      inside, json ? json : json_row(w->table, inside)));
	}
	return ERR_OK;
}

/* What stands before the first dot. */
static void top_of(char out[CONFIG_KEY_SIZE_MAX], const char *path)
{
	(void)snprintf(out, CONFIG_KEY_SIZE_MAX, "%.*s", (int)strcspn(path, "."), path);
}

static enum err move(json_t *to, json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (v && json_object_set(to, key, v) != 0)
		return ERR_NOMEM;
	(void)json_object_del(from, key);
	return ERR_OK;
}

static enum err slips_undo(struct slip_walk *w, config_slip_fn *slip, void *ctx)
{
	TRY(slip_walk(w, w->tree->values, w->tree->lines, "", NULL));
	for (size_t i = 0; i < w->table->rows_n; i++) {
		const struct slipped *s = &w->found[i];
		char key[CONFIG_KEY_SIZE_MAX];

		if (!s->values)
			continue;
		top_of(key, w->table->rows[i].path);
		if (slip)
			slip(ctx, s->table, key, config_tree_line(s->lines, key));
		TRY(move(w->tree->values, s->values, key));
		TRY(move(w->tree->lines, s->lines, key));
	}
	return ERR_OK;
}

/* ---- reading ---- */

enum err config_tree_read(struct config_tree *ret_tree, const struct config_table *table,
			  const struct config_source *src, config_slip_fn *slip, void *ctx,
			  struct err_note *note)
{
	const char *file = src->file ? src->file : "configuration";
	struct config_tree t = {0};
	struct slip_walk w = {table, file, &t, NULL, note};

	if (!src->file && src->text.n == 0) {
		*ret_tree = t;
		return ERR_OK;
	}

	enum err e = toml_parse(&t.values, &t.lines, src->text, note);

	if (e == ERR_NOMEM)
		return e;
	if (e != ERR_OK)
		return err_prefix(note, ERR_CONFIG_FILE, "%s", file);
	w.found = calloc(table->rows_n, sizeof(*w.found));
	e = w.found ? slips_undo(&w, slip, ctx) : ERR_NOMEM;
	free(w.found);
	if (e == ERR_OK)
		*ret_tree = t;
	else
		config_tree_free(&t);
	return e;
}

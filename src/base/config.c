/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/arena.h"
#include "base/config_tree.h"
#include "base/config_value.h"

/* ---- where a value stands ---- */

/* What is known of one value: at most one of node and env is set. */
struct found {
	const json_t *node;
	const char *env;      /* the value of the variable */
	const char *env_name; /* as it stands in the environment; not ended, see env_name_n */
	size_t env_name_n;
	int line;
	const json_t *lines;            /* of what is in the node */
	char path[CONFIG_KEY_SIZE_MAX]; /* of the node: the row's, or of what stands in its way */
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

/* Walk the document along the row's path. */
static void find_in_file(struct found *f, const struct config_tree *d, const char *path)
{
	const json_t *at = d->values, *lines = d->lines;
	struct bytes left = bytes_str(path);
	size_t walked = 0;

	while (at && left.n > 0) {
		struct bytes segment = next_segment(&left);
		char key[CONFIG_KEY_SIZE_MAX];

		(void)snprintf(key, sizeof(key), "%.*s", (int)segment.n, (const char *)segment.p);
		walked += segment.n + 1;
		at = json_object_get(at, key);
		if (!at)
			return;
		f->line = config_tree_line(lines, key);
		lines = json_object_get(json_object_get(lines, key), "of");
		if (left.n > 0 && !json_is_object(at)) {
			f->blocked = true;
			break;
		}
	}
	f->node = at;
	f->lines = lines;
	(void)snprintf(f->path, sizeof(f->path), "%.*s", (int)walked - 1, path);
}

/* Letter case of names does not matter (upstream folds it), but the exact spelling wins over
 * another. */
static void find_in_env(struct found *f, const struct config_source *src, const char *name)
{
	for (size_t i = 0; src->env && src->env[i]; i++) {
		const char *entry = src->env[i];
		size_t n = config_env_name_length(entry);

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
	struct config_tree doc;
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
	char name[CONFIG_KEY_SIZE_MAX], expected[CONFIG_WORDS_SIZE];

	config_env_name(name, l->table->env_prefix, row->path);
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

/* The secret of a file, where `place` gives one. */
static enum err load_secret_file(struct loader *l, const struct config_row *r,
				 enum config_secret_place place, bool *ret_given)
{
	char path[CONFIG_PATH_SIZE];

	*ret_given = config_is_secret(r) &&
		     config_secret_path(path, place, l->table->env_prefix, r, l->src->env);
	if (!*ret_given)
		return ERR_OK;
	TRY(config_secret_load(r, l->target, path, l->note));
	set_present(l, r, true);
	return ERR_OK;
}

/* The environment's value of a row, or of its NAME_FILE. */
static enum err load_from_env(struct loader *l, const struct config_row *r, bool *ret_given)
{
	struct found f = {0};
	char name[CONFIG_KEY_SIZE_MAX];

	config_env_name(name, l->table->env_prefix, r->path);
	find_in_env(&f, l->src, name);
	TRY(load_secret_file(l, r, CONFIG_SECRET_VARIABLE, ret_given));
	if (!f.env)
		return ERR_OK;
	if (*ret_given)
		return err_say(l->note, ERR_CONFIG_VALUE,
			       "environment: %s and %s_FILE are both set: one of them", name, name);
	*ret_given = true;
	TRY(store(l, r, &f));
	set_present(l, r, true);
	return ERR_OK;
}

/*
 * One field, by all rows that name it: environment before a credential of systemd before file, and
 * in each of them the first row before its aliases, because files that serve two versions at once
 * hold both names.
 */
static enum err load_field(struct loader *l, const struct config_row *first)
{
	const struct config_row *end = l->table->rows + l->table->rows_n;
	const struct config_row *def = NULL, *required = NULL;
	const struct config_row *file_row = NULL;
	struct found in_file = {0};
	bool given = false;

	for (const struct config_row *r = first; r < end; r++) {
		struct found f = {0};

		if (!is_read(l, r) || r->offset != first->offset)
			continue;
		TRY(load_from_env(l, r, &given));
		if (given)
			return ERR_OK;
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
	TRY(load_secret_file(l, first, CONFIG_SECRET_CREDENTIAL, &given));
	if (given)
		return ERR_OK;
	if (file_row) {
		TRY(store(l, file_row, &in_file));
		set_present(l, file_row, true);
		return ERR_OK;
	}
	if (def)
		return store(l, def, &(struct found){0});
	return required ? say_missing(l, required) : ERR_OK;
}

enum err config_load(const struct config_table *table, unsigned services,
		     const struct config_source *src, void *target, struct arena *arena,
		     struct err_note *note)
{
	struct loader l = {table, src, services, target, arena, note, {0}};
	enum err e = config_tree_read(&l.doc, table, src, NULL, NULL, note);

	for (size_t i = 0; e == ERR_OK && i < table->rows_n; i++)
		if (is_read(&l, &table->rows[i]) && is_first(&l, &table->rows[i]))
			e = load_field(&l, &table->rows[i]);
	for (size_t i = 0; e != ERR_OK && i < table->rows_n; i++) {
		if (!is_read(&l, &table->rows[i]))
			continue;
		config_value_clear(&table->rows[i], target);
		set_present(&l, &table->rows[i], false);
	}
	config_tree_free(&l.doc);
	return e;
}

static const struct config_row *row_of(const struct config_table *table, const char *path)
{
	for (size_t i = 0; i < table->rows_n; i++)
		if (strcmp(table->rows[i].path, path) == 0)
			return &table->rows[i];
	return NULL;
}

enum err config_prefix(struct err_note *note, enum err e, const struct config_table *table,
		       const struct config_source *src, const char *path)
{
	return config_prefix_part(note, e, table, src, path, "");
}

/* Of "[1].url": the line of the innermost that stands in the file under that name. */
static int part_line(const struct found *f, const char *part)
{
	const json_t *lines = f->lines;
	int line = f->line;

	while (*part && lines) {
		char key[CONFIG_KEY_SIZE_MAX];
		size_t n = strcspn(++part, "].[");

		(void)snprintf(key, sizeof(key), "%.*s", (int)n, part);
		if (config_tree_line(lines, key) > 0)
			line = config_tree_line(lines, key);
		lines = json_object_get(json_object_get(lines, key), "of");
		part += n + (part[n] == ']');
	}
	return line;
}

enum err config_prefix_part(struct err_note *note, enum err e, const struct config_table *table,
			    const struct config_source *src, const char *path, const char *part)
{
	CLEANUP(config_tree_free) struct config_tree doc = {0};
	const struct config_row *row = row_of(table, path);
	char name[CONFIG_KEY_SIZE_MAX];
	struct found f = {0};

	config_env_name(name, table->env_prefix, path);
	find_in_env(&f, src, name);
	if (f.env)
		return err_prefix(note, e, "environment: %.*s%s", (int)f.env_name_n, f.env_name,
				  part);
	if (config_tree_read(&doc, table, src, NULL, NULL, NULL) == ERR_OK)
		find_in_file(&f, &doc, path);
	if (f.node)
		return err_prefix(note, e, "%s:%d: %s%s", src->file ? src->file : "configuration",
				  part_line(&f, part), path, part);
	if (row && row->def)
		return err_prefix(note, e, "default of %s%s", path, part);
	return err_prefix(note, e, "%s%s%s%s", src->file ? src->file : "", src->file ? ": " : "",
			  path, part);
}

void config_wipe_env(const struct config_table *table, char **env)
{
	for (size_t i = 0; env && env[i]; i++) {
		size_t n = config_env_name_length(env[i]);

		for (size_t k = 0; k < table->rows_n; k++) {
			const struct config_row *row = &table->rows[k];
			char name[CONFIG_KEY_SIZE_MAX];

			if (!config_is_secret(row))
				continue;
			config_env_name(name, table->env_prefix, row->path);
			if (strlen(name) == n && strncasecmp(env[i], name, n) == 0)
				secret_wipe(&env[i][n + 1], strlen(&env[i][n + 1]));
		}
	}
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys that have no effect, or not where they stand: to be told, never to fail for. */
#include <stdio.h>
#include <strings.h>

#include "base/config_tree.h"
#include "base/config_value.h"

/* ---- what was meant ---- */

/* Letters of either case are the same, and so are the three signs between words. */
static char folded(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '-' || c == '.' ? '_' : c;
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Letters to add, drop, change or swap with their neighbour to make `a` of `b` (the optimal string
 * alignment distance). Both shorter than CONFIG_KEY_SIZE_MAX.
 */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][CONFIG_KEY_SIZE_MAX], a_n = strlen(a), b_n = strlen(b);
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_n; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_n; i++) {
		now[0] = i;
		for (size_t j = 1; j <= b_n; j++) {
			char x = folded(a[i - 1]), y = folded(b[j - 1]);

			now[j] = min(min(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == folded(b[j - 2]) && folded(a[i - 2]) == y)
				now[j] = min(now[j], before[j - 2] + 1);
		}

		size_t *free_row = before;

		before = last;
		last = now;
		now = free_row;
	}
	return last[b_n];
}

/* The known path, or table of paths, that is so near to `key` that it is likely meant. */
static const char *likely(char out[CONFIG_KEY_SIZE_MAX], const struct config_table *table,
			  const char *key)
{
	size_t n = strlen(key);
	size_t best = n < 4 ? 2 : n < 8 ? 3 : 4; /* so many slips of the pen are too many */
	bool found = false;

	for (size_t i = 0; i < table->rows_n; i++) {
		const char *path = table->rows[i].path;

		/* Each table in the path, then the path itself. */
		for (size_t end = strcspn(path, "."); end < CONFIG_KEY_SIZE_MAX;) {
			char candidate[CONFIG_KEY_SIZE_MAX];

			(void)snprintf(candidate, sizeof(candidate), "%.*s", (int)end, path);

			size_t d = distance(key, candidate);

			if (d < best && d < end) {
				best = d;
				found = true;
				(void)snprintf(out, CONFIG_KEY_SIZE_MAX, "%s", candidate);
			}
			if (path[end] == '\0')
				break;
			end += 1 + strcspn(&path[end + 1], ".");
		}
	}
	return found ? out : NULL;
}

/* ---- the file ---- */

struct walk {
	const struct config_table *table;
	const char *file;
	config_oddity_fn *fn;
	void *ctx;
};

static void tell_unknown(const struct walk *w, const char *where, const char *key,
			 const char *compared)
{
	char meant[CONFIG_KEY_SIZE_MAX];
	const struct config_oddity o = {CONFIG_UNKNOWN_KEY, where, key,
					likely(meant, w->table, compared)};

	w->fn(w->ctx, &o);
}

static void on_slip(void *ctx, const char *table, const char *key, int line)
{
	const struct walk *w = ctx;
	char where[CONFIG_WHERE_SIZE], path[2 * CONFIG_KEY_SIZE_MAX];
	const struct config_oddity o = {CONFIG_SLIPPED_KEY, where, path, key};

	(void)snprintf(where, sizeof(where), "%s:%d", w->file, line);
	(void)snprintf(path, sizeof(path), "%s.%s", table, key);
	w->fn(w->ctx, &o);
}

static void in_table(const struct walk *w, const json_t *values, const json_t *lines,
		     const char *prefix)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)values, key, v)
	{
		char path[CONFIG_KEY_SIZE_MAX], where[CONFIG_WHERE_SIZE];
		bool inner = false;
		int n = snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key);

		if (n >= 0 && (size_t)n < sizeof(path) && config_path_known(w->table, path, &inner))
			continue;
		if (inner && json_is_object(v)) {
			in_table(w, v, json_object_get(json_object_get(lines, key), "of"), path);
			continue;
		}
		(void)snprintf(where, sizeof(where), "%s:%d", w->file,
			       config_tree_line(lines, key));
		tell_unknown(w, where, path, path);
	}
}

/* ---- the environment ---- */

static bool known_env(const struct config_table *table, const char *entry, size_t n)
{
	for (size_t i = 0; i < table->rows_n; i++) {
		char name[CONFIG_KEY_SIZE_MAX];

		config_env_name(name, table->env_prefix, table->rows[i].path);
		if (strlen(name) == n && strncasecmp(entry, name, n) == 0)
			return true;
		if (config_is_secret(&table->rows[i]) && strlen(name) + 5 == n &&
		    strncasecmp(entry, name, n - 5) == 0 &&
		    strncasecmp(&entry[n - 5], "_FILE", 5) == 0)
			return true;
	}
	return false;
}

/* DECRYPTION_CONTRACT__ADDRESS as decryption_contract.address */
static void as_path(char out[CONFIG_KEY_SIZE_MAX], const char *name)
{
	size_t at = 0;

	while (*name && at < CONFIG_KEY_SIZE_MAX - 1) {
		bool dot = name[0] == '_' && name[1] == '_';

		out[at++] = dot ? '.' : *name;
		name += dot ? 2 : 1;
	}
	out[at] = '\0';
}

static void in_environment(const struct walk *w, const char *const *env)
{
	size_t prefix_n = strlen(w->table->env_prefix);

	for (size_t i = 0; env && env[i]; i++) {
		const char *entry = env[i];
		size_t n = config_env_name_length(entry);
		char key[CONFIG_KEY_SIZE_MAX], path[CONFIG_KEY_SIZE_MAX];

		if (n < prefix_n || strncasecmp(entry, w->table->env_prefix, prefix_n) != 0 ||
		    known_env(w->table, entry, n))
			continue;
		(void)snprintf(key, sizeof(key), "%.*s", (int)n, entry);
		as_path(path, strlen(key) > prefix_n ? &key[prefix_n] : "");
		tell_unknown(w, "environment", key, path);
	}
}

/* ---- the whole ---- */

enum err config_oddities(const struct config_table *table, const struct config_source *src,
			 config_oddity_fn *fn, void *ctx)
{
	struct walk w = {table, src->file ? src->file : "configuration", fn, ctx};
	CLEANUP(config_tree_free) struct config_tree tree = {0};

	TRY(config_tree_read(&tree, table, src, on_slip, &w, NULL));
	in_table(&w, tree.values, tree.lines, "");
	in_environment(&w, src->env);
	return ERR_OK;
}

struct unknown {
	config_unknown_fn *fn;
	void *ctx;
};

static void as_unknown(void *ctx, const struct config_oddity *o)
{
	const struct unknown *u = ctx;

	u->fn(u->ctx, o->where, o->key);
}

enum err config_unknown(const struct config_table *table, const struct config_source *src,
			config_unknown_fn *fn, void *ctx)
{
	struct unknown u = {fn, ctx};

	return config_oddities(table, src, as_unknown, &u);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/config_file.h"

#include "connector/config_chains.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"

enum {
	LIST_FILES_MAX = 4096,
	OF_ARENA_MAX = 1 << 20
};

const char *connector_env_get(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; env && env[i]; i++)
		if (strncmp(env[i], name, n) == 0 && env[i][n] == '=')
			return &env[i][n + 1];
	return NULL;
}

/* ---- files ---- */

static const char *config_dir(const char *const *env)
{
	const char *dir = connector_env_get(env, CONNECTOR_CONFIG_DIR_VARIABLE);

	return dir && dir[0] ? dir : CONNECTOR_CONFIG_DIR;
}

enum err connector_config_path(struct buf *ret_path, const char *name, const char *const *env,
			       struct err_note *note)
{
	const char *path;

	CHECK(ret_path->n == 0);
	if (!strchr(name, '/')) {
		TRY(buf_addf(ret_path, "%s/%s", config_dir(env), name));
		TRY(buf_cstr(ret_path, &path));
		if (access(path, F_OK) == 0)
			return ERR_OK;
		if (access(name, F_OK) != 0)
			return err_say(note, ERR_CONFIG_FILE,
				       "%s: found neither here nor in %s (%s names another "
				       "directory)",
				       name, config_dir(env), CONNECTOR_CONFIG_DIR_VARIABLE);
		buf_clear(ret_path);
	}
	TRY(buf_add_str(ret_path, name));
	return buf_cstr(ret_path, &path);
}

static int is_config(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(&d->d_name[n - 5], ".toml") == 0;
}

enum err connector_config_list(struct buf *out, const char *const *env, bool full,
			       struct err_note *note)
{
	const char *dir = config_dir(env);
	char absolute[PATH_MAX];
	struct dirent **files = NULL;
	enum err e = ERR_OK;
	int n = scandir(dir, &files, is_config, alphasort);

	if (n < 0 || !realpath(dir, absolute))
		return err_say(note, ERR_CONFIG_FILE, "%s: %s (%s names another directory)", dir,
			       strerror(errno), CONNECTOR_CONFIG_DIR_VARIABLE);
	for (int i = 0; i < n; i++) {
		if (e == ERR_OK && i < LIST_FILES_MAX)
			e = buf_addf(out, "%s%s%s\n", full ? absolute : "", full ? "/" : "",
				     files[i]->d_name);
		free(files[i]);
	}
	free(files);
	return e;
}

/* ---- the database ---- */

/* Something behind one of the schemes that store_open knows. */
static bool is_database_url(const char *url)
{
	static const char *const schemes[] = {"sqlite://", "sqlite:", "postgres://",
					      "postgresql://"};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return url[strlen(schemes[i])] != '\0';
	return false;
}

/* `table`, `source`: where it stands; NULL: not known. */
static enum err database_url(struct secret *ret_url, const struct secret *configured,
			     const char *const *env, const struct config_table *table,
			     const struct config_source *source, struct err_note *note)
{
	CLEANUP(buf_free) struct buf url = buf_make(PATH_MAX + 32);
	const char *dir = connector_env_get(env, "STATE_DIRECTORY"); /* systemd.exec(5) */
	enum err e;

	if (configured->p && !is_database_url((const char *)configured->p)) {
		e = err_say(note, ERR_CONFIG_VALUE,
			    "found something else (not shown: it may hold a password), expected "
			    "sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE");
		return source ? config_prefix(note, e, table, source, "database_url")
			      : err_prefix(note, e, "database_url");
	}
	if (configured->p)
		return secret_copy(ret_url, secret_view(configured));
	if (!dir || dir[0] == '\0' || dir[0] == ':')
		dir = ".";
	TRY(buf_addf(&url, "sqlite:%.*s/kms-connector.db", (int)strcspn(dir, ":"), dir));
	TRY(buf_add_u8(&url, '\0'));
	return secret_copy(ret_url, buf_view(&url));
}

/* ---- reading ---- */

static enum err log_check(const struct connector_config *c, const struct config_source *source,
			  struct err_note *note)
{
	enum log_level level;
	enum err e;

	if (log_level_parse(&level, c->log_level) != ERR_OK) {
		e = err_say(note, ERR_CONFIG_VALUE,
			    "found \"%.40s\", expected error, warn, info or debug", c->log_level);
		return config_prefix(note, e, &connector_config, source, "log_level");
	}
	if (strcmp(c->log_format, "json") != 0 && strcmp(c->log_format, "text") != 0) {
		e = err_say(note, ERR_CONFIG_VALUE, "found \"%.40s\", expected text or json",
			    c->log_format);
		return config_prefix(note, e, &connector_config, source, "log_format");
	}
	return ERR_OK;
}

static void say_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static enum err files_check(const struct connector_config *c, unsigned services,
			    const struct connector_config_source *src, struct err_note *note)
{
	if ((services & SERVICE_WORKER) == 0)
		return ERR_OK;
	return cores_check_files(c, (int64_t)time(NULL), src->warning ? src->warning : say_nothing,
				 src->ctx, note);
}

struct filter {
	const struct connector_config_source *src;
};

/* Ours, and no key. */
static void on_oddity(void *ctx, const struct config_oddity *o)
{
	const struct filter *f = ctx;

	if (strcmp(o->key, CONNECTOR_CONFIG_DIR_VARIABLE) != 0)
		f->src->oddity(f->src->ctx, o);
}

/* ---- a key that is missing because it is misspelt ---- */

struct misspelt {
	const char *note; /* what the configuration was refused for */
	struct err_note found;
};

/* Is this the key that the refusal begins with, behind the name of the file? */
static bool is_about(const char *note, const char *key)
{
	size_t n = strlen(key);

	for (const char *at = strstr(note, key); at; at = strstr(at + 1, key))
		if ((at == note || at[-1] == ' ') && (at[n] == ':' || at[n] == ' '))
			return true;
	return false;
}

static void on_misspelt(void *ctx, const struct config_oddity *o)
{
	struct misspelt *m = ctx;

	if (m->found.text[0] || o->kind != CONFIG_UNKNOWN_KEY || !o->meant ||
	    !is_about(m->note, o->meant))
		return;
	(void)err_say(&m->found, ERR_CONFIG_VALUE, "%s: unknown key %s, did you mean %s? ",
		      o->where, o->key, o->meant);
}

static enum err load_or_name_misspelt(struct connector_config *c, unsigned services,
				      const struct config_source *source, struct arena *arena,
				      struct err_note *note)
{
	struct err_note refusal = {0};
	struct misspelt misspelt = {.note = refusal.text};
	enum err e = connector_config_load(c, services, source, arena, &refusal);

	if (e == ERR_OK)
		return ERR_OK;
	if (e == ERR_CONFIG_VALUE)
		TRY(config_oddities(&connector_config, source, on_misspelt, &misspelt));
	return err_say(note, e, "%s%s", misspelt.found.text, refusal.text);
}

static enum err load(struct connector_config *c, unsigned services,
		     const struct connector_config_source *src, const struct config_source *source,
		     struct arena *arena, struct err_note *note)
{
	CLEANUP(secret_free) struct secret url = {0};
	struct filter filter = {src};

	TRY(load_or_name_misspelt(c, services, source, arena, note));
	TRY(log_check(c, source, note));
	TRY(database_url(&url, &c->database_url, src->env, &connector_config, source, note));
	if (src->loaded)
		src->loaded(src->ctx, c);
	if (src->oddity)
		TRY(config_oddities(&connector_config, source, on_oddity, &filter));
	if (src->remark) {
		TRY(connector_config_remarks(services, source, src->remark, src->ctx));
		config_chains_remarks(c, services, src->remark, src->ctx);
	}
	return files_check(c, services, src, note);
}

enum err connector_config_read(struct connector_config *ret_config, unsigned services,
			       const struct connector_config_source *src, struct arena *arena,
			       struct err_note *note)
{
	CLEANUP(buf_wipe) struct buf text = buf_make(CONFIG_FILE_SIZE_MAX);
	struct config_source source = {.file = src->file, .env = src->env};
	struct connector_config c = {0};

	if (source.file)
		TRY(config_read_file(&text, source.file, note));
	source.text = buf_view(&text);

	enum err e = load(&c, services, src, &source, arena, note);

	if (e == ERR_OK)
		*ret_config = c;
	else
		connector_config_free(&c);
	secret32_wipe(&c.private_key);
	return e;
}

enum err connector_database_url(struct secret *ret_url, const struct secret *configured,
				const char *const *env, struct err_note *note)
{
	return database_url(ret_url, configured, env, NULL, NULL, note);
}

enum err connector_database_of(struct secret *ret_url, const char *file, const char *const *env,
			       struct err_note *note)
{
	struct settings {
		struct secret url;
	} settings = {0};
	static const struct config_row row = {
		.path = "database_url",
		.type = CONFIG_SECRET_TEXT,
		.offset = offsetof(struct settings, url),
		.present_offset = SIZE_MAX,
		.services = 1,
	};
	const struct config_table table = {
		.env_prefix = connector_config.env_prefix, .rows = &row, .rows_n = 1};
	CLEANUP(arena_free) struct arena arena = arena_make(OF_ARENA_MAX);
	CLEANUP(buf_wipe) struct buf text = buf_make(CONFIG_FILE_SIZE_MAX);
	struct config_source source = {.file = file, .env = env};

	if (file)
		TRY(config_read_file(&text, file, note));
	source.text = buf_view(&text);
	TRY(config_load(&table, 1, &source, &settings, &arena, note));

	enum err e = database_url(ret_url, &settings.url, env, &table, &source, note);

	secret_free(&settings.url);
	return e;
}

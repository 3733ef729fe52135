/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Secrets that stand in a file of their own: NAME_FILE, and credentials of systemd. */
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/config_tree.h"
#include "base/config_value.h"
#include "base/limits.h"

bool config_is_secret(const struct config_row *row)
{
	return row->type == CONFIG_SECRET32 || row->type == CONFIG_SECRET_TEXT;
}

/* The value of a variable; letter case does not matter. NULL also for an empty one. */
static const char *variable(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; env && env[i]; i++)
		if (strncasecmp(env[i], name, n) == 0 && env[i][n] == '=')
			return env[i][n + 1] ? &env[i][n + 1] : NULL;
	return NULL;
}

static bool is_regular(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool config_secret_path(char out[CONFIG_PATH_SIZE], enum config_secret_place place,
			const char *prefix, const struct config_row *row, const char *const *env)
{
	char key[CONFIG_KEY_SIZE_MAX], name[CONFIG_KEY_SIZE_MAX + sizeof("_FILE")];
	const char *value;
	int n;

	if (place == CONFIG_SECRET_VARIABLE) {
		config_env_name(key, prefix, row->path);
		(void)snprintf(name, sizeof(name), "%s_FILE", key);
		value = variable(env, name);
		n = snprintf(out, CONFIG_PATH_SIZE, "%s", value ? value : "");
		return value && n >= 0;
	}
	value = variable(env, "CREDENTIALS_DIRECTORY"); /* systemd.exec(5) */
	n = snprintf(out, CONFIG_PATH_SIZE, "%s/%s", value ? value : "", row->path);
	return value && n > 0 && n < CONFIG_PATH_SIZE && is_regular(out);
}

enum err config_secret_load(const struct config_row *row, void *target, const char *path,
			    struct err_note *note)
{
	CLEANUP(buf_wipe) struct buf text = buf_make(CONFIG_SECRET_FILE_SIZE_MAX);
	char expected[CONFIG_WORDS_SIZE], found[CONFIG_WORDS_SIZE];
	struct err_note why = {{0}};
	enum err e;

	/* A pipe would be waited for, a terminal too. */
	if (!is_regular(path))
		return err_say(note, ERR_CONFIG_FILE, "%s (for %s): is no file that can be read",
			       path, row->path);
	TRY(config_read_file(&text, path, note));
	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	e = config_value_from_text(row, target, NULL, buf_view(&text), &why);
	if (e != ERR_CONFIG_VALUE)
		return e;
	config_value_expected(expected, row);
	config_value_found_text(found, row, buf_view(&text));
	return err_say(note, e, "%s: found %s, expected %s for %s", path, found, expected,
		       row->path);
}

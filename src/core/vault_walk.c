/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* All that lies in a vault. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/request_id.h"
#include "core/vault.h"

enum {
	WALK_PATH_MAX = 4096,
	WALK_LEVELS = 3, /* <prefix>/<type>/<epoch> */
};

struct walk {
	const struct vault *v;
	vault_file_fn *each;
	void *ctx;
	char path[WALK_PATH_MAX]; /* of what is looked at */
	size_t root_n;            /* length of the vault's own folder and the slash after it */
	char type[NAME_MAX + 1];
	struct hash32 epoch;
};

static void dir_close(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

/* May this folder hold objects? A type may have any name: what is in it will be looked at. */
static bool is_ours(struct walk *w, unsigned level, const char *name)
{
	if (level == 0)
		(void)snprintf(w->type, sizeof(w->type), "%s", name);
	return level == 0 || (level == 1 && vault_is_id(&w->epoch, bytes_str(name)));
}

static enum err file_give(struct walk *w, unsigned level, const char *name, const struct stat *st,
			  struct err_note *note)
{
	struct vault_file file = {
		.path = &w->path[w->root_n],
		.type = level == 0 ? "" : w->type,
		.has_epoch = level == WALK_LEVELS - 1,
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
	};

	if (file.has_epoch)
		file.epoch = w->epoch;
	if (level > 0 && S_ISREG(st->st_mode)) {
		file.whole = vault_is_id(&file.id, bytes_str(name));
		file.partial = !file.whole && vault_is_partial(&file.id, bytes_str(name));
	}
	return w->each(w->ctx, &file, note);
}

/* At most WALK_LEVELS deep. */
static enum err folder_walk(struct walk *w, unsigned level, struct err_note *note)
{
	size_t path_n = strlen(w->path);
	CLEANUP(dir_close) DIR *d = opendir(w->path);

	if (!d && errno == ENOENT)
		return ERR_OK;
	if (!d)
		return err_say(note, ERR_CONFIG_FILE, "folder %s cannot be read: %s", w->path,
			       strerror(errno));
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		const char *name = entry->d_name;
		struct stat st;
		enum err e;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if ((size_t)snprintf(&w->path[path_n], sizeof(w->path) - path_n, "/%s", name) >=
		    sizeof(w->path) - path_n)
			return err_say(note, ERR_CONFIG_VALUE, "the vault's path is too long");
		/* Links are followed, as in reading; of one to nowhere there is the link. */
		if (stat(w->path, &st) != 0 && lstat(w->path, &st) != 0)
			e = ERR_OK; /* gone by now */
		else if (S_ISDIR(st.st_mode) && is_ours(w, level, name))
			e = folder_walk(w, level + 1, note);
		else
			e = file_give(w, level, name, &st, note);
		w->path[path_n] = '\0';
		TRY(e);
	}
	return ERR_OK;
}

enum err vault_walk(const struct vault *v, vault_file_fn *each, void *ctx, struct err_note *note)
{
	struct walk w = {.v = v, .each = each, .ctx = ctx, .root_n = strlen(v->path) + 1};
	int n = snprintf(w.path, sizeof(w.path), "%s/%s", v->path, v->prefix);

	if (n < 0 || (size_t)n >= sizeof(w.path))
		return err_say(note, ERR_CONFIG_VALUE, "the vault's path is too long");
	return folder_walk(&w, 0, note);
}

enum err vault_remove_partial(const struct vault *v, const char *path, struct err_note *note)
{
	const char *last = strrchr(path, '/');
	char whole[WALK_PATH_MAX];
	struct hash32 id;
	int n = snprintf(whole, sizeof(whole), "%s/%s", v->path, path);

	if (!last || !vault_is_partial(&id, bytes_str(last + 1)))
		return ERR_RANGE;
	if (n < 0 || (size_t)n >= sizeof(whole))
		return err_say(note, ERR_CONFIG_VALUE, "the vault's path is too long");
	if (unlink(whole) != 0 && errno != ENOENT)
		return err_say(note, ERR_IO, "%s cannot be removed: %s", whole, strerror(errno));
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/vault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "core/request_id.h"

#define PARTIAL_END ".partial"

enum {
	VAULT_PATH_MAX = 4096,
	PIECE_SIZE = 1 << 16,
};

struct vault_path {
	char text[VAULT_PATH_MAX];
};

/* `id` NULL: the folder. */
static enum err path_make(struct vault_path *p, const struct vault *v, const char *type,
			  const struct hash32 *epoch, const struct hash32 *id,
			  struct err_note *note)
{
	char epoch_text[REQUEST_ID_TEXT_SIZE] = "", id_text[REQUEST_ID_TEXT_SIZE] = "";

	if (epoch)
		request_id_text(epoch_text, *epoch);
	if (id)
		request_id_text(id_text, *id);

	int n = snprintf(p->text, sizeof(p->text), "%s/%s/%s%s%s%s%s", v->path, v->prefix, type,
			 epoch ? "/" : "", epoch_text, id ? "/" : "", id_text);

	if (n < 0 || (size_t)n >= sizeof(p->text))
		return err_say(note, ERR_CONFIG_VALUE, "the vault's path is too long");
	return ERR_OK;
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* ---- reading ---- */

/*
 * A private object is ours alone; or it is root's, and readable for a group that we are in: so
 * Kubernetes mounts secrets for a process that is not root (fsGroup). Root could read it anyway.
 */
static enum err private_check(const struct stat *st, const char *path, struct err_note *note)
{
	mode_t others =
		st->st_uid == 0 && geteuid() != 0 ? S_IRWXO | S_IWGRP | S_IXGRP : S_IRWXO | S_IRWXG;

	if (st->st_mode & others)
		return err_say(note, ERR_CONFIG_FILE,
			       "%s is open to other users (mode %04o): chmod 600 it", path,
			       (unsigned)(st->st_mode & 07777));
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return err_say(note, ERR_CONFIG_FILE,
			       "%s belongs to user %u, this process is user %u", path,
			       (unsigned)st->st_uid, (unsigned)geteuid());
	return ERR_OK;
}

/*
 * Open and judge: a plain file of bounded size and, in a private vault, ours alone. Symbolic links
 * are followed, since secrets are mounted as such (..data/…); what counts is the file that was
 * opened, not its name: owner and mode are asked of the descriptor.
 */
static enum err object_open(int *ret_fd, size_t *ret_size, const struct vault *v,
			    const struct vault_name *name, size_t size_max, struct err_note *note)
{
	struct vault_path path = {0};
	struct stat st;

	TRY(path_make(&path, v, name->type, name->epoch, &name->id, note));

	CLEANUP(fd_close) int fd = open(path.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_say(note, ERR_NOT_FOUND, "%s does not exist", path.text);
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_say(note, ERR_CONFIG_FILE, "%s cannot be read: %s", path.text,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_say(note, ERR_CONFIG_FILE, "%s is not a plain file", path.text);
	if (v->private)
		TRY(private_check(&st, path.text, note));
	if (st.st_size < 0 || (uint64_t)st.st_size > size_max)
		return err_say(note, ERR_TOO_BIG, "%s has more than %zu bytes", path.text,
			       size_max);
	*ret_size = (size_t)st.st_size;
	*ret_fd = fd;
	fd = -1;
	return ERR_OK;
}

static enum err object_fill(int fd, uint8_t *out, size_t n, struct err_note *note)
{
	size_t at = 0;

	while (at < n) {
		ssize_t got = read(fd, &out[at], n - at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_say(note, ERR_IO,
				       "an object of the vault could not be read whole");
		at += (size_t)got;
	}
	return ERR_OK;
}

enum err vault_read(struct buf *out, const struct vault *v, const struct vault_name *name,
		    struct err_note *note)
{
	CLEANUP(fd_close) int fd = -1;
	uint8_t *place;
	size_t size, before = out->n;

	TRY(object_open(&fd, &size, v, name, VAULT_OBJECT_SIZE_MAX, note));
	TRY(buf_add_space(out, size, &place));

	enum err e = object_fill(fd, place, size, note);

	if (e != ERR_OK)
		out->n = before;
	return e;
}

enum err vault_read_secret(struct secret *ret_object, const struct vault *v,
			   const struct vault_name *name, struct err_note *note)
{
	CLEANUP(secret_free) struct secret s = {0};
	CLEANUP(fd_close) int fd = -1;
	size_t size;

	TRY(object_open(&fd, &size, v, name, VAULT_OBJECT_SIZE_MAX, note));
	TRY(secret_alloc(&s, size));
	TRY(object_fill(fd, s.p, size, note));
	*ret_object = s;
	s = (struct secret){0};
	return ERR_OK;
}

enum err vault_read_pieces(const struct vault *v, const struct vault_name *name, size_t size_max,
			   vault_piece_fn *each, void *ctx, struct err_note *note)
{
	CLEANUP(buf_free) struct buf piece = buf_make(PIECE_SIZE);
	CLEANUP(fd_close) int fd = -1;
	uint8_t *place;
	size_t left;

	TRY(buf_add_space(&piece, PIECE_SIZE, &place));
	TRY(object_open(&fd, &left, v, name, size_max, note));
	while (left > 0) {
		size_t n = left < PIECE_SIZE ? left : PIECE_SIZE;

		TRY(object_fill(fd, place, n, note));
		TRY(each(ctx, bytes_from(place, n), note));
		left -= n;
	}
	return ERR_OK;
}

/* ---- writing ---- */

static enum err folder_sync(const char *path, struct err_note *note)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return err_say(note, ERR_IO, "%s cannot be synced: %s", path, strerror(errno));
	return ERR_OK;
}

/* Make `folder` and what is missing above it. The vault's own folder may hold public things too;
 * what is below a private prefix is closed. */
static enum err folder_make(const struct vault_path *folder, const struct vault *v,
			    struct err_note *note)
{
	struct vault_path p = *folder;
	size_t root_n = strlen(v->path);

	for (size_t i = 1; p.text[i - 1] != '\0'; i++) {
		char c = p.text[i];

		if (c != '/' && c != '\0')
			continue;
		p.text[i] = '\0';
		if (mkdir(p.text, v->private && i > root_n ? 0700 : 0755) != 0 && errno != EEXIST)
			return err_say(note, ERR_CONFIG_FILE, "folder %s cannot be made: %s",
				       p.text, strerror(errno));
		p.text[i] = c;
	}
	return ERR_OK;
}

/* The folders from the vault's own down to that of the object keep their new entries. */
static enum err folders_sync(const struct vault_path *folder, const struct vault *v,
			     struct err_note *note)
{
	struct vault_path p = *folder;

	for (size_t i = strlen(p.text); i >= strlen(v->path) && i > 0; i--) {
		if (p.text[i] != '/' && p.text[i] != '\0')
			continue;
		p.text[i] = '\0';
		TRY(folder_sync(p.text, note));
	}
	return ERR_OK;
}

static enum err fd_fill(int fd, struct bytes content, struct err_note *note)
{
	size_t at = 0;

	while (at < content.n) {
		ssize_t put = write(fd, &content.p[at], content.n - at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return err_say(note, ERR_IO, "an object of the vault: %s", strerror(errno));
		at += (size_t)put;
	}
	return ERR_OK;
}

/* The name that an object has until it is whole. */
struct partial_path {
	char text[VAULT_PATH_MAX + 32];
};

static struct partial_path partial_of(const struct vault_path *path)
{
	struct partial_path p = {0};
	(void)snprintf(p.text, sizeof(p.text), "%s.%ld" PARTIAL_END, path->text, (long)getpid());
	return p;
}

enum err vault_begin(struct vault_writer *w, const struct vault *v, const struct vault_name *name,
		     struct err_note *note)
{
	struct vault_path folder = {0}, path = {0};
	struct partial_path partial;
	mode_t mode = v->private ? 0600 : 0644;

	*w = (struct vault_writer){.v = v, .name = *name, .fd = -1};
	TRY(path_make(&folder, v, name->type, name->epoch, NULL, note));
	TRY(path_make(&path, v, name->type, name->epoch, &name->id, note));
	TRY(folder_make(&folder, v, note));
	partial = partial_of(&path);
	(void)unlink(partial.text); /* of a process that had our number and died */
	w->fd = open(partial.text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (w->fd < 0)
		return err_say(note, ERR_CONFIG_FILE, "%s cannot be written: %s", partial.text,
			       strerror(errno));
	if (fchmod(w->fd, mode) != 0) {
		vault_abandon(w);
		return err_say(note, ERR_IO, "%s: %s", partial.text, strerror(errno));
	}
	return ERR_OK;
}

enum err vault_commit(struct vault_writer *w, struct err_note *note)
{
	struct vault_path folder = {0}, path = {0};
	struct partial_path partial;
	enum err e = path_make(&folder, w->v, w->name.type, w->name.epoch, NULL, note);

	if (e == ERR_OK)
		e = path_make(&path, w->v, w->name.type, w->name.epoch, &w->name.id, note);
	if (e != ERR_OK) {
		vault_abandon(w);
		return e;
	}
	partial = partial_of(&path);
	if (fsync(w->fd) != 0)
		e = err_say(note, ERR_IO, "%s: %s", partial.text, strerror(errno));
	/* link(2), unlike rename(2), refuses a name that is taken. */
	else if (link(partial.text, path.text) != 0)
		e = errno == EEXIST ? err_say(note, ERR_ALREADY_DONE, "%s exists", path.text)
				    : err_say(note, ERR_IO, "%s: %s", path.text, strerror(errno));
	vault_abandon(w);
	if (e == ERR_OK)
		e = folders_sync(&folder, w->v, note);
	return e;
}

void vault_abandon(struct vault_writer *w)
{
	struct vault_path path = {0};

	if (w->fd < 0)
		return;
	(void)close(w->fd);
	w->fd = -1;
	if (path_make(&path, w->v, w->name.type, w->name.epoch, &w->name.id, NULL) == ERR_OK) {
		struct partial_path partial = partial_of(&path);

		(void)unlink(partial.text);
	}
}

enum err vault_write(const struct vault *v, const struct vault_name *name, struct bytes object,
		     struct err_note *note)
{
	struct vault_writer w;
	enum err e;

	TRY(vault_begin(&w, v, name, note));
	e = fd_fill(w.fd, object, note);
	if (e == ERR_OK)
		return vault_commit(&w, note);
	vault_abandon(&w);
	return e;
}

/* ---- removing ---- */

bool vault_exists(const struct vault *v, const struct vault_name *name)
{
	struct vault_path path = {0};
	struct stat st;

	return path_make(&path, v, name->type, name->epoch, &name->id, NULL) != ERR_OK ||
	       lstat(path.text, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

enum err vault_remove(const struct vault *v, const struct vault_name *name, struct err_note *note)
{
	struct vault_path folder = {0}, path = {0};

	TRY(path_make(&folder, v, name->type, name->epoch, NULL, note));
	TRY(path_make(&path, v, name->type, name->epoch, &name->id, note));
	if (unlink(path.text) == 0)
		return folder_sync(folder.text, note);
	if (errno == ENOENT || errno == ENOTDIR)
		return ERR_OK;
	return err_say(note, ERR_IO, "%s cannot be removed: %s", path.text, strerror(errno));
}

/* ---- who uses it ---- */

static enum err folder_lock(int *ret_fd, const struct vault_path *path, enum vault_use use,
			    struct err_note *note)
{
	CLEANUP(fd_close) int fd = open(path->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_say(note, ERR_CONFIG_FILE, "folder %s cannot be opened: %s", path->text,
			       strerror(errno));
	if (flock(fd, (use == VAULT_ALONE ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			return err_say(note, ERR_TRANSIENT, "the vault %s is in use", path->text);
		return err_say(note, ERR_CONFIG_FILE, "%s cannot be locked: %s", path->text,
			       strerror(errno));
	}
	*ret_fd = fd;
	fd = -1;
	return ERR_OK;
}

enum err vault_lock(int *ret_fd, const struct vault *v, enum vault_use use, struct err_note *note)
{
	struct vault_path path = {0};

	TRY(path_make(&path, v, "", NULL, NULL, note));
	return folder_lock(ret_fd, &path, use, note);
}

enum err vault_lock_type(int *ret_fd, const struct vault *v, const char *type,
			 struct err_note *note)
{
	struct vault_path path = {0};

	TRY(path_make(&path, v, type, NULL, NULL, note));
	TRY(folder_make(&path, v, note));
	return folder_lock(ret_fd, &path, VAULT_ALONE, note);
}

/* ---- listing ---- */

static int id_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash32));
}

static void dir_close(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

enum err vault_list(struct vault_ids *ret_ids, const struct vault *v, const char *type,
		    const struct hash32 *epoch, struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids ids = {0};
	struct vault_path path = {0};

	TRY(path_make(&path, v, type, epoch, NULL, note));

	CLEANUP(dir_close) DIR *d = opendir(path.text);

	if (!d && errno == ENOENT) {
		*ret_ids = (struct vault_ids){0};
		return ERR_OK;
	}
	if (!d)
		return err_say(note, ERR_CONFIG_FILE, "folder %s cannot be read: %s", path.text,
			       strerror(errno));
	ids.v = calloc(VAULT_ENTRIES_MAX, sizeof(*ids.v));
	if (!ids.v)
		return ERR_NOMEM;
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		struct hash32 id;

		if (!vault_is_id(&id, bytes_str(entry->d_name)))
			continue;
		if (ids.n == VAULT_ENTRIES_MAX)
			return err_say(note, ERR_TOO_BIG, "folder %s holds more than %d objects",
				       path.text, VAULT_ENTRIES_MAX);
		ids.v[ids.n++] = id;
	}
	qsort(ids.v, ids.n, sizeof(*ids.v), id_cmp);
	*ret_ids = ids;
	ids = (struct vault_ids){0};
	return ERR_OK;
}

bool vault_is_id(struct hash32 *ret_id, struct bytes name)
{
	char text[REQUEST_ID_TEXT_SIZE];

	if (name.n != sizeof(text) - 1 || request_id_parse(ret_id, name) != ERR_OK)
		return false;
	request_id_text(text, *ret_id);
	return memcmp(text, name.p, name.n) == 0;
}

/* <id>.<number of a process>.partial */
bool vault_is_partial(struct hash32 *ret_id, struct bytes name)
{
	const size_t id_n = REQUEST_ID_TEXT_SIZE - 1, end_n = sizeof(PARTIAL_END) - 1;

	if (name.n < id_n + 2 + end_n || name.p[id_n] != '.' ||
	    !vault_is_id(ret_id, bytes_sub(name, 0, id_n)))
		return false;
	for (size_t i = id_n + 1; i < name.n - end_n; i++)
		if (name.p[i] < '0' || name.p[i] > '9')
			return false;
	return bytes_eq_var(bytes_sub(name, name.n - end_n, end_n), BYTES_LIT(PARTIAL_END));
}

enum err vault_sweep(const struct vault *v, const char *type, const struct hash32 *epoch,
		     size_t *removed, struct err_note *note)
{
	struct vault_path path = {0};

	TRY(path_make(&path, v, type, epoch, NULL, note));

	CLEANUP(dir_close) DIR *d = opendir(path.text);

	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return ERR_OK;
	if (!d)
		return err_say(note, ERR_CONFIG_FILE, "folder %s cannot be read: %s", path.text,
			       strerror(errno));
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		struct hash32 id;

		if (!vault_is_partial(&id, bytes_str(entry->d_name)))
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) != 0)
			return err_say(note, ERR_IO, "%s/%s cannot be removed: %s", path.text,
				       entry->d_name, strerror(errno));
		(*removed)++;
	}
	return ERR_OK;
}

void vault_ids_free(struct vault_ids *ids)
{
	if (!ids)
		return;
	free(ids->v);
	*ids = (struct vault_ids){0};
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MODE = 0600,
	PID_TEXT_SIZE = 24,
};

static enum err errno_say(struct err_note *note, int error, const char *path)
{
	enum err e = ERR_CONFIG_VALUE;

	if (error == ENOMEM)
		e = ERR_NOMEM;
	else if (error == EIO || error == ENOSPC || error == EDQUOT)
		e = ERR_IO;
	return err_say(note, e, "database %s: %s", path, strerror(error));
}

enum err sqlite_file_resolve(char **ret_path, const char *path, struct err_note *note)
{
	char *real = realpath(path, NULL);

	if (!real && errno == ENOMEM)
		return ERR_NOMEM;
	if (!real)
		return err_say(note, ERR_CONFIG_FILE, "database %s: %s", path, strerror(errno));
	*ret_path = real;
	return ERR_OK;
}

/* As above, for a file that does not exist yet: its directory must. */
static enum err path_resolve_new(char **ret_path, const char *path, struct err_note *note)
{
	char copy[PATH_MAX], name[PATH_MAX], full[PATH_MAX];

	if (path[0] == '\0' || strlen(path) >= sizeof(copy))
		return err_say(note, ERR_CONFIG_VALUE, "database path is empty or too long");
	memcpy(copy, path, strlen(path) + 1);
	memcpy(name, path, strlen(path) + 1);

	char *dir = realpath(dirname(copy), NULL);

	if (!dir)
		return errno_say(note, errno, path);

	int n = snprintf(full, sizeof(full), "%s/%s", strcmp(dir, "/") == 0 ? "" : dir,
			 basename(name));

	free(dir);
	if (n < 0 || (size_t)n >= sizeof(full))
		return err_say(note, ERR_CONFIG_VALUE, "database path is too long");
	*ret_path = strdup(full);
	return *ret_path ? ERR_OK : ERR_NOMEM;
}

static enum err lock_taken_say(int fd, const char *path, struct err_note *note)
{
	char text[PID_TEXT_SIZE] = {0};
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	size_t digits = n > 0 ? strspn(text, "0123456789") : 0;

	if (digits == 0)
		return err_say(note, ERR_CONFIG_VALUE, "database %s is in use by another process",
			       path);
	return err_say(note, ERR_CONFIG_VALUE, "database %s is in use by process %.*s", path,
		       (int)digits, text);
}

static enum err lock_take(int *ret_fd, const char *file, const char *path, struct err_note *note)
{
	char name[PATH_MAX], pid[PID_TEXT_SIZE];
	int n = snprintf(name, sizeof(name), "%s.lock", file);

	if (n < 0 || (size_t)n >= sizeof(name))
		return err_say(note, ERR_CONFIG_VALUE, "database path is too long");

	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

	if (fd == -1)
		return errno_say(note, errno, name);

	enum err e = ERR_OK;

	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		e = errno == EWOULDBLOCK ? lock_taken_say(fd, path, note)
					 : errno_say(note, errno, name);
	else if ((n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid())) < 0 ||
		 fchmod(fd, FILE_MODE) == -1 || ftruncate(fd, 0) == -1 ||
		 pwrite(fd, pid, (size_t)n, 0) != n)
		e = errno_say(note, errno, name);
	if (e != ERR_OK) {
		(void)close(fd);
		return e;
	}
	*ret_fd = fd;
	return ERR_OK;
}

/* Closing a descriptor of the database would drop the locks that SQLite holds on it in this
 * process: nothing here opens a file that exists. */
static enum err file_create(const char *file, struct err_note *note)
{
	struct stat st;
	int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

	if (fd != -1) {
		int rc = fchmod(fd, FILE_MODE); /* whatever the umask took away */
		int error = errno;

		(void)close(fd);
		return rc == 0 ? ERR_OK : errno_say(note, error, file);
	}
	if (errno != EEXIST)
		return errno_say(note, errno, file);
	if (stat(file, &st) == -1)
		return errno_say(note, errno, file);
	if (!S_ISREG(st.st_mode))
		return err_say(note, ERR_CONFIG_VALUE, "database %s is not a regular file", file);
	return ERR_OK;
}

enum err sqlite_file_take(struct sqlite_file *ret_file, const char *path, struct err_note *note)
{
	struct sqlite_file f = {.lock_fd = -1};
	enum err e = sqlite_file_resolve(&f.path, path, NULL);

	if (e != ERR_OK)
		e = path_resolve_new(&f.path, path, note);
	if (e == ERR_OK)
		e = lock_take(&f.lock_fd, f.path, path, note);
	if (e == ERR_OK)
		e = file_create(f.path, note);
	if (e != ERR_OK) {
		sqlite_file_release(&f);
		return e;
	}
	*ret_file = f;
	return ERR_OK;
}

void sqlite_file_release(struct sqlite_file *f)
{
	if (f->lock_fd != -1)
		(void)close(f->lock_fd);
	free(f->path);
	*f = (struct sqlite_file){.lock_fd = -1};
}

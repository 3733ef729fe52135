/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: the database file's name, mode and lock.
 *
 * The lock is flock on "PATH.lock", held as long as the descriptor lives: the kernel drops it when
 * the process dies, however it dies. The file stays; its content, the holder's process id, is only
 * for the message.
 */
#ifndef STORE_SQLITE_FILE_H
#define STORE_SQLITE_FILE_H

#include "base/err.h"

struct sqlite_file {
	char *path; /* absolute, without symbolic links */
	int lock_fd;
};

/*
 * Resolve `path`, lock it and create an empty file of mode 0600 if there is none. ERR_CONFIG_VALUE
 * (another process holds it, no such directory, no permission, not a regular file), ERR_IO,
 * ERR_NOMEM.
 */
enum err sqlite_file_take(struct sqlite_file *ret_file, const char *path,
			  struct err_note *note) MUST_USE;
void sqlite_file_release(struct sqlite_file *f);

/* The absolute name of a file that exists; the caller frees it. ERR_CONFIG_FILE, ERR_NOMEM. */
enum err sqlite_file_resolve(char **ret_path, const char *path, struct err_note *note) MUST_USE;

#endif

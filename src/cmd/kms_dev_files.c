/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "cmd/kms_dev_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/keccak.h"

enum err dev_file_read(struct buf *out, const char *path, struct err_note *note)
{
	struct stat st;
	uint8_t *place;
	size_t done = 0;
	enum err e = ERR_OK;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		e = err_say(note, ERR_IO, "cannot read %s: %s", path,
			    fd < 0 ? strerror(errno) : "not a file");
		goto out;
	}
	e = buf_add_space(out, (size_t)st.st_size, &place);
	if (e != ERR_OK) {
		e = err_say(note, e, "%s is too big", path);
		goto out;
	}
	while (done < (size_t)st.st_size) {
		ssize_t n = read(fd, &place[done], (size_t)st.st_size - done);

		if (n <= 0) {
			e = err_say(note, ERR_IO, "cannot read %s", path);
			goto out;
		}
		done += (size_t)n;
	}
out:
	if (fd >= 0)
		(void)close(fd);
	return e;
}

static enum err directory_make(const char *path, mode_t mode, struct err_note *note)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return err_say(note, ERR_IO, "cannot make %s: %s", path, strerror(errno));
	return ERR_OK;
}

enum err dev_path_print(char out[DEV_PATH_SIZE_MAX], const char *dir, const char *name,
			struct err_note *note)
{
	int n = snprintf(out, DEV_PATH_SIZE_MAX, "%s/%s", dir, name);

	return n > 0 && n < DEV_PATH_SIZE_MAX ? ERR_OK
					      : err_say(note, ERR_TOO_BIG, "path too long");
}

enum err dev_file_write(const char *dir, const char *name, mode_t mode, struct bytes content,
			struct err_note *note)
{
	mode_t dir_mode = mode == 0600 ? 0700 : 0755;
	char path[DEV_PATH_SIZE_MAX];
	size_t done = 0;
	int fd;

	TRY(dev_path_print(path, dir, name, note));
	for (size_t i = strlen(dir); path[i]; i++) {
		if (path[i] != '/')
			continue;
		path[i] = '\0';
		TRY(directory_make(path, dir_mode, note));
		path[i] = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_say(note, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	while (done < content.n) {
		struct bytes rest = bytes_sub(content, done, content.n - done);
		ssize_t n = write(fd, rest.p, rest.n);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (fsync(fd) != 0 || close(fd) != 0 || done < content.n)
		return err_say(note, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	return ERR_OK;
}

json_t *dev_object_json(size_t index, const struct fhe_type_row *type, const char *path,
			struct bytes ciphertext)
{
	struct hash32 digest = keccak256(ciphertext);
	char hex[2 * sizeof(digest.b) + 1];

	hex_encode(hex, BYTES_OF(digest.b));
	return json_pack("{s:I, s:s, s:i, s:i, s:s, s:I, s:s+}", "index", (json_int_t)index, "type",
			 type->name, "fhe_type", (int)type->type, "blocks", (int)type->blocks,
			 "file", path, "size", (json_int_t)ciphertext.n, "digest", "0x", hex);
}

enum err dev_line_print(json_t *value)
{
	CLEANUP(json_free_ptr) json_t *line = value;
	CLEANUP(buf_free) struct buf text = buf_make(DEV_LINE_SIZE_MAX);
	const char *out;

	if (!line)
		return ERR_NOMEM;
	TRY(json_print(&text, line));
	TRY(buf_cstr(&text, &out));
	return puts(out) < 0 || fflush(stdout) != 0 ? ERR_IO : ERR_OK;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Files and lines of output that the programs of the local network share. */
#ifndef CMD_KMS_DEV_FILES_H
#define CMD_KMS_DEV_FILES_H

#include <sys/types.h>

#include "base/json.h"
#include "fhe/types.h"

enum {
	DEV_PATH_SIZE_MAX = 4096,
	DEV_LINE_SIZE_MAX = 1 << 16,
};

/* Appends a whole file. */
enum err dev_file_read(struct buf *out, const char *path, struct err_note *note) MUST_USE;

/* DIR/NAME */
enum err dev_path_print(char out[DEV_PATH_SIZE_MAX], const char *dir, const char *name,
			struct err_note *note) MUST_USE;

/* DIR/NAME with the directories that NAME asks for. An existing object is never overwritten, as in
 * a vault. */
enum err dev_file_write(const char *dir, const char *name, mode_t mode, struct bytes content,
			struct err_note *note) MUST_USE;

/* What a ciphertext in a file is: index, type, fhe_type, blocks, file, size, digest (Keccak-256).
 * NULL without memory. */
json_t *dev_object_json(size_t index, const struct fhe_type_row *type, const char *path,
			struct bytes ciphertext);

/* Prints a line and frees the value; NULL is ERR_NOMEM. */
enum err dev_line_print(json_t *value) MUST_USE;

#endif

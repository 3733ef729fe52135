/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Where an object that is too large for memory comes from, piece by piece: what keygen/sink.h is
 * for writing. */
#ifndef FHE_SOURCE_H
#define FHE_SOURCE_H

#include "base/bytes.h"

struct fhe_source;

struct fhe_source_ops {
	/* Exactly n bytes from byte `at`, which lie inside. By any number of threads at a time. */
	enum err (*read)(const struct fhe_source *s, uint64_t at, uint8_t *out, size_t n,
			 struct err_note *note);
};

struct fhe_source {
	const struct fhe_source_ops *ops;
	uint64_t size;
};

/* ERR_TRUNCATED past the end, ERR_IO. */
enum err fhe_source_read(const struct fhe_source *s, uint64_t at, uint8_t *out, size_t n,
			 struct err_note *note) MUST_USE;

/* Out of bytes that stay the caller's. */
struct fhe_bytes_source {
	struct fhe_source base;
	struct bytes in;
};
struct fhe_source *fhe_bytes_source_init(struct fhe_bytes_source *s, struct bytes in);

/* Out of a file: a readable descriptor, which stays the caller's, and whose offset is neither used
 * nor moved. The size is what the file has now. ERR_IO: no file that can be read at any place. */
struct fhe_file_source {
	struct fhe_source base;
	int fd;
};
enum err fhe_file_source_init(struct fhe_file_source *s, int fd, struct err_note *note) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Where an object that is too large for memory goes, piece by piece. */
#ifndef FHE_KEYGEN_SINK_H
#define FHE_KEYGEN_SINK_H

#include "base/bytes.h"

struct fhe_sink;

struct fhe_sink_ops {
	enum err (*write)(struct fhe_sink *s, struct bytes piece, struct err_note *note);
};

struct fhe_sink {
	const struct fhe_sink_ops *ops;
};

static inline enum err fhe_sink_write(struct fhe_sink *s, struct bytes piece, struct err_note *note)
{
	return s->ops->write(s, piece, note);
}

/* Into a buffer, which stays the caller's. */
struct fhe_buf_sink {
	struct fhe_sink base;
	struct buf *out;
};
struct fhe_sink *fhe_buf_sink_init(struct fhe_buf_sink *s, struct buf *out);

/*
 * Into a file descriptor, which stays the caller's, as do fsync and rename. ERR_IO, the note says
 * why (a full disk, say). If `digest` is not NULL, it takes in all pieces as well.
 */
struct kms_digest_stream;

struct fhe_file_sink {
	struct fhe_sink base;
	int fd;
	struct kms_digest_stream *digest;
	uint64_t size; /* written so far */
};
struct fhe_sink *fhe_file_sink_init(struct fhe_file_sink *s, int fd,
				    struct kms_digest_stream *digest);

#endif

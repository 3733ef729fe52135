/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/keygen/sink.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "crypto/sha.h"

static enum err buf_write(struct fhe_sink *base, struct bytes piece, struct err_note *note)
{
	struct fhe_buf_sink *s = CONTAINER_OF(base, struct fhe_buf_sink, base);

	(void)note;
	return buf_add(s->out, piece);
}

struct fhe_sink *fhe_buf_sink_init(struct fhe_buf_sink *s, struct buf *out)
{
	static const struct fhe_sink_ops ops = {.write = buf_write};

	*s = (struct fhe_buf_sink){.base = {.ops = &ops}, .out = out};
	return &s->base;
}

static enum err file_write(struct fhe_sink *base, struct bytes piece, struct err_note *note)
{
	struct fhe_file_sink *s = CONTAINER_OF(base, struct fhe_file_sink, base);

	if (s->digest)
		TRY(kms_digest_stream_add(s->digest, piece));
	while (piece.n > 0) {
		ssize_t n = write(s->fd, piece.p, piece.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_say(note, ERR_IO, "after %llu bytes: %s",
				       (unsigned long long)s->size,
				       n < 0 ? strerror(errno) : "nothing was written");
		s->size += (uint64_t)n;
		piece = bytes_sub(piece, (size_t)n, piece.n - (size_t)n);
	}
	return ERR_OK;
}

struct fhe_sink *fhe_file_sink_init(struct fhe_file_sink *s, int fd,
				    struct kms_digest_stream *digest)
{
	static const struct fhe_sink_ops ops = {.write = file_write};

	*s = (struct fhe_file_sink){.base = {.ops = &ops}, .fd = fd, .digest = digest};
	return &s->base;
}

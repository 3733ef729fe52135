/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/source.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum err fhe_source_read(const struct fhe_source *s, uint64_t at, uint8_t *out, size_t n,
			 struct err_note *note)
{
	if (at > s->size || n > s->size - at)
		return err_say(note, ERR_TRUNCATED, "%llu bytes, %zu wanted at byte %llu",
			       (unsigned long long)s->size, n, (unsigned long long)at);
	return n == 0 ? ERR_OK : s->ops->read(s, at, out, n, note);
}

static enum err bytes_read(const struct fhe_source *base, uint64_t at, uint8_t *out, size_t n,
			   struct err_note *note)
{
	const struct fhe_bytes_source *s = CONTAINER_OF(base, const struct fhe_bytes_source, base);

	(void)note;
	memcpy(out, bytes_sub(s->in, (size_t)at, n).p, n);
	return ERR_OK;
}

struct fhe_source *fhe_bytes_source_init(struct fhe_bytes_source *s, struct bytes in)
{
	static const struct fhe_source_ops ops = {.read = bytes_read};

	*s = (struct fhe_bytes_source){.base = {.ops = &ops, .size = in.n}, .in = in};
	return &s->base;
}

static enum err file_read(const struct fhe_source *base, uint64_t at, uint8_t *out, size_t n,
			  struct err_note *note)
{
	const struct fhe_file_source *s = CONTAINER_OF(base, const struct fhe_file_source, base);

	for (size_t done = 0; done < n;) {
		ssize_t got = pread(s->fd, &out[done], n - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_say(note, ERR_IO, "at byte %llu: %s",
				       (unsigned long long)(at + done),
				       got < 0 ? strerror(errno) : "the file became shorter");
		done += (size_t)got;
	}
	return ERR_OK;
}

enum err fhe_file_source_init(struct fhe_file_source *s, int fd, struct err_note *note)
{
	static const struct fhe_source_ops ops = {.read = file_read};
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_say(note, ERR_IO, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_say(note, ERR_IO, "not a regular file");
	*s = (struct fhe_file_source){
		.base = {.ops = &ops, .size = (uint64_t)st.st_size},
		.fd = fd,
	};
	return ERR_OK;
}

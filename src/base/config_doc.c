/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The configuration reference, and the file a configuration comes from. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config_value.h"
#include "base/limits.h"

/* A table cell: "|" would end it. */
static enum err add_cell(struct buf *out, const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c == '|')
			TRY(buf_add_u8(out, '\\'));
		TRY(buf_add_u8(out, (uint8_t)(*c == '\n' ? ' ' : *c)));
	}
	return ERR_OK;
}

static enum err add_env_name(struct buf *out, const char *prefix, const char *path)
{
	TRY(buf_add_str(out, prefix));
	for (const char *c = path; *c; c++) {
		if (*c == '.')
			TRY(buf_add_str(out, "__"));
		else
			TRY(buf_add_u8(out,
				       (uint8_t)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c)));
	}
	return ERR_OK;
}

static const char *alias_of(const struct config_table *table, const struct config_row *row)
{
	for (const struct config_row *r = table->rows; r < row; r++)
		if (r->offset == row->offset && strcmp(r->path, row->path) != 0)
			return r->path;
	return NULL;
}

static enum err add_row(const struct config_table *table, const struct config_row *row,
			struct buf *out)
{
	const char *alias = alias_of(table, row);
	bool bounded = row->min != 0 || row->max != 0;

	TRY(buf_addf(out, "| `%s` | `", row->path));
	TRY(add_env_name(out, table->env_prefix, row->path));
	TRY(buf_add_str(out, config_is_secret(row) ? "`, or `…_FILE`" : "`"));
	TRY(buf_addf(out, " | %s", config_type_word(row->type)));
	if (bounded && row->max != 0 && row->max != UINT64_MAX)
		TRY(buf_addf(out, ", %llu to %llu", (unsigned long long)row->min,
			     (unsigned long long)row->max));
	else if (bounded)
		TRY(buf_addf(out, ", at least %llu", (unsigned long long)row->min));
	TRY(buf_add_str(out, " | "));
	if (row->def) {
		TRY(buf_add_str(out, "`"));
		TRY(add_cell(out, row->def));
		TRY(buf_add_str(out, "`"));
	} else {
		TRY(buf_add_str(out, row->required ? "required" : "none"));
	}
	TRY(buf_add_str(out, " | "));
	TRY(add_cell(out, row->doc ? row->doc : ""));
	if (row->moot) {
		TRY(buf_add_str(out, " Has no effect here: "));
		TRY(add_cell(out, row->moot));
		TRY(buf_add_str(out, "."));
	}
	if (alias)
		TRY(buf_addf(out, "%sAnother name of `%s`.", row->doc ? " " : "", alias));
	return buf_add_str(out, " |\n");
}

enum err config_reference(const struct config_table *table, struct buf *out)
{
	size_t before = out->n;
	enum err e = buf_add_str(
		out, "| key | environment | type | default | meaning |\n|---|---|---|---|---|\n");

	for (size_t i = 0; e == ERR_OK && i < table->rows_n; i++)
		e = add_row(table, &table->rows[i], out);
	if (e != ERR_OK)
		out->n = before;
	return e;
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

enum err config_read_file(struct buf *out, const char *path, struct err_note *note)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t before = out->n;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_say(note, ERR_CONFIG_FILE, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return err_say(note, ERR_CONFIG_FILE, "%s: is a directory", path);
	/* At once, because growing leaves copies behind and the file may hold a key. */
	if (S_ISREG(st.st_mode) && st.st_size >= 0 &&
	    (uintmax_t)st.st_size < out->size_max - before)
		TRY(buf_reserve(out, (size_t)st.st_size));
	for (;;) {
		uint8_t piece[4096];
		ssize_t got = read(fd, piece, sizeof(piece));
		enum err e = ERR_OK;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			e = err_say(note, ERR_CONFIG_FILE, "%s: %s", path, strerror(errno));
		else if (got > 0)
			e = buf_add(out, bytes_from(piece, (size_t)got));
		secret_wipe(piece, sizeof(piece));
		if (e == ERR_TOO_BIG)
			e = err_say(note, e, "%s: larger than %zu bytes", path, out->size_max);
		if (e != ERR_OK) {
			out->n = before;
			return e;
		}
		if (got == 0)
			return ERR_OK;
	}
}

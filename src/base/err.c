/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

struct name_row {
	unsigned code;
	const char *name;
};

/* Indexed by class. */
static const char *const class_names[] = {
	[ERR_CLASS_NONE] = "none",       [ERR_CLASS_TRANSIENT] = "transient",
	[ERR_CLASS_SOURCE] = "source",   [ERR_CLASS_REFUSED] = "refused",
	[ERR_CLASS_EXPIRED] = "expired", [ERR_CLASS_CONFLICT] = "conflict",
	[ERR_CLASS_CONFIG] = "config",   [ERR_CLASS_INTERNAL] = "internal",
};

/* These words are stored in databases and searched in logs: they never change. */
static const struct name_row names[] = {
	{ERR_OK, "ok"},
	{ERR_TRANSIENT, "transient"},
	{ERR_TIMEOUT, "timeout"},
	{ERR_UNAVAILABLE, "unavailable"},
	{ERR_BUSY, "busy"},
	{ERR_NOT_READY, "not_ready"},
	{ERR_CANCELLED, "cancelled"},
	{ERR_SOURCE, "source"},
	{ERR_TRUNCATED, "truncated"},
	{ERR_MALFORMED, "malformed"},
	{ERR_TOO_BIG, "too_big"},
	{ERR_MISMATCH, "mismatch"},
	{ERR_UNSUPPORTED, "unsupported"},
	{ERR_REMOTE, "remote"},
	{ERR_NOT_FOUND, "not_found"},
	{ERR_REFUSED, "refused"},
	{ERR_NOT_ALLOWED, "not_allowed"},
	{ERR_BAD_REQUEST, "bad_request"},
	{ERR_EXPIRED, "expired"},
	{ERR_CONFLICT, "conflict"},
	{ERR_ALREADY_DONE, "already_done"},
	{ERR_STATE_MOVED, "state_moved"},
	{ERR_CONFIG, "config"},
	{ERR_CONFIG_VALUE, "config_value"},
	{ERR_CONFIG_FILE, "config_file"},
	{ERR_INTERNAL, "internal"},
	{ERR_NOMEM, "nomem"},
	{ERR_IO, "io"},
	{ERR_CRYPTO, "crypto"},
	{ERR_RANGE, "range"},
	{ERR_CORRUPT, "corrupt"},
};

const char *err_class_name(enum err_class c)
{
	size_t i = (size_t)c;

	return i < ARRAY_LEN(class_names) ? class_names[i] : "internal";
}

const char *err_name(enum err e)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].code == (unsigned)e)
			return names[i].name;
	/* A cause that is younger than this table: its class is still true. */
	return err_class_name(err_class(e));
}

enum err err_from_name(const char *name)
{
	if (!name)
		return ERR_INTERNAL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].name, name) == 0)
			return (enum err)names[i].code;
	return ERR_INTERNAL;
}

/* C0, DEL, C1: U+0080 to U+009F drive terminals too. */
static bool is_control(struct bytes c, size_t step)
{
	if (step == 2)
		return c.p[0] == 0xc2 && c.p[1] < 0xa0;
	return step == 1 && (c.p[0] < 0x20 || c.p[0] == 0x7f);
}

/* Copy `text` into the note: whole UTF-8 characters only, everything unprintable becomes '?'. */
static void note_set(struct err_note *note, const char *text)
{
	struct bytes left = bytes_str(text);
	size_t at = 0;

	while (left.n > 0) {
		size_t step = bytes_utf8_step(left);
		bool bad = step == 0 || is_control(left, step);

		if (step == 0)
			step = 1;
		if (at + (bad ? 1 : step) >= ERR_NOTE_SIZE)
			break;
		if (bad) {
			note->text[at++] = '?';
		} else {
			memcpy(note->text + at, left.p, step);
			at += step;
		}
		left = bytes_sub(left, step, left.n - step);
	}
	note->text[at] = '\0';
}

enum err err_say(struct err_note *note, enum err e, const char *fmt, ...)
{
	char text[2 * ERR_NOTE_SIZE]; /* arguments may lie in the note itself */
	va_list ap;

	if (!note)
		return e;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note_set(note, n < 0 ? "(unprintable)" : text);
	return e;
}

enum err err_prefix(struct err_note *note, enum err e, const char *fmt, ...)
{
	char prefix[2 * ERR_NOTE_SIZE]; /* longer than what is kept: the cut is err_say's */
	va_list ap;

	if (!note)
		return e;
	va_start(ap, fmt);
	int n = vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	if (n < 0)
		return e;
	if (note->text[0] == '\0')
		return err_say(note, e, "%s", prefix);
	return err_say(note, e, "%s: %s", prefix, note->text);
}

void err_check_failed(const char *cond, const char *file, int line)
{
	(void)fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, cond);
	abort();
}

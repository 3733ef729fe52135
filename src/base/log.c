/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"

/* The line under construction. A piece that does not fit is left out whole, so that JSON stays
 * JSON. */
struct line {
	char text[LOG_LINE_MAX];
	size_t n;
	size_t room; /* what `n` may reach; less than the array, the rest is for the end of the line
		      */
	bool full;
};

/* For the end of a line: `,"suppressed":18446744073709551615,"cut":true}` and a newline. */
enum {
	LINE_TAIL = 64
};

static void put_char(struct line *l, char c)
{
	if (l->n < l->room)
		l->text[l->n++] = c;
	else
		l->full = true;
}

static void put(struct line *l, const char *s)
{
	for (; *s; s++)
		put_char(l, *s);
}

static void put_int(struct line *l, int64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)v);
	put(l, text);
}

static void put_hex(struct line *l, struct bytes v)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = v.n > LOG_HEX_MAX ? LOG_HEX_MAX : v.n;

	put(l, "0x");
	for (size_t i = 0; i < n; i++) {
		put_char(l, digits[v.p[i] >> 4]);
		put_char(l, digits[v.p[i] & 15]);
	}
	if (n < v.n)
		put(l, "...");
}

/*
 * The inside of a quoted string, both formats: JSON escapes (RFC 8259, 7). Nothing that a terminal
 * or a log collector would take for more than text gets through: no control bytes, no C1 controls,
 * no ill-formed UTF-8.
 */
static void put_escaped(struct line *l, struct bytes v)
{
	size_t n_max = l->n + LOG_VALUE_MAX;

	while (v.n > 0) {
		size_t step = bytes_utf8_step(v);
		uint8_t c = v.p[0];

		if (l->n > n_max) {
			put(l, "...");
			return;
		}
		if (step == 0) {
			step = 1;
			put(l, "\\ufffd");
		} else if (c == '"' || c == '\\') {
			put_char(l, '\\');
			put_char(l, (char)c);
		} else if (c == '\n') {
			put(l, "\\n");
		} else if (c < 0x20 || c == 0x7f || (step == 2 && c == 0xc2 && v.p[1] < 0xa0)) {
			char text[8];

			(void)snprintf(text, sizeof(text), "\\u%04x", step == 1 ? c : v.p[1]);
			put(l, text);
		} else {
			for (size_t i = 0; i < step; i++)
				put_char(l, (char)v.p[i]);
		}
		v = bytes_sub(v, step, v.n - step);
	}
}

static void put_quoted(struct line *l, const char *s)
{
	put_char(l, '"');
	put_escaped(l, bytes_str(s));
	put_char(l, '"');
}

/* Words go bare in text lines, everything else is quoted. */
static void put_word(struct line *l, const char *s)
{
	bool bare = *s != '\0';

	for (const char *p = s; *p && bare; p++)
		bare = *p > ' ' && *p < 0x7f && *p != '"' && *p != '\\' && *p != '=';
	if (bare)
		put_escaped(l, bytes_str(s));
	else
		put_quoted(l, s);
}

static void put_value(struct line *l, const struct log_field *f, enum log_format format)
{
	char dec[U256_DEC_SIZE];
	bool json = format == LOG_FORMAT_JSON;

	switch (f->type) {
	case LOG_STR:
		(json ? put_quoted : put_word)(l, f->v.s ? f->v.s : "");
		break;
	case LOG_INT:
		put_int(l, f->v.i);
		break;
	case LOG_HEX:
		put(l, json ? "\"" : "");
		put_hex(l, f->v.b);
		put(l, json ? "\"" : "");
		break;
	case LOG_ERR:
		(json ? put_quoted : put_word)(l, err_name(f->v.e));
		break;
	case LOG_U256:
		/* text in JSON: readers there would round it to a double */
		u256_to_dec(dec, f->v.u);
		(json ? put_quoted : put_word)(l, dec);
		break;
	}
}

static void put_field(struct line *l, const struct log_field *f, enum log_format format)
{
	size_t before = l->n;

	if (l->full)
		return;
	if (format == LOG_FORMAT_JSON) {
		put_char(l, ',');
		put_quoted(l, f->key);
		put_char(l, ':');
	} else {
		put_char(l, ' ');
		put(l, f->key);
		put_char(l, '=');
	}
	put_value(l, f, format);
	if (l->full)
		l->n = before;
}

static void put_head(struct line *l, const struct log *log, enum log_level level, const char *event)
{
	static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
	struct timespec now = {0};
	struct tm tm;
	char date[32];
	char stamp[64];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(stamp, sizeof(stamp), "%s.%06ldZ", date, now.tv_nsec / 1000);
	if (log->format == LOG_FORMAT_JSON) {
		put(l, "{\"timestamp\":\"");
		put(l, stamp);
		put(l, "\",\"level\":\"");
		put(l, names[level]);
		put_char(l, '"');
		if (log->service) {
			put(l, ",\"service\":");
			put_quoted(l, log->service);
		}
		put(l, ",\"message\":");
		put_quoted(l, event);
		return;
	}
	put(l, stamp);
	put_char(l, ' ');
	put(l, names[level]);
	put_char(l, ' ');
	if (log->service) {
		put(l, log->service);
		put_char(l, ' ');
	}
	put_escaped(l, bytes_str(event));
}

static void write_line(int fd, const char *text, size_t n)
{
	ssize_t got;

	/* One write, so that lines of several processes do not mix. A log that cannot be written is
	 * not an error. */
	do {
		got = write(fd, text, n);
	} while (got < 0 && errno == EINTR);
}

static void emit(const struct log *log, enum log_level level, const char *event,
		 const struct log_field *fields, size_t n, unsigned suppressed)
{
	struct line l;

	l.n = 0;
	l.full = false;
	l.room = sizeof(l.text) - LINE_TAIL;
	put_head(&l, log, level, event);
	for (size_t i = 0; i < n; i++)
		put_field(&l, &fields[i], log->format);

	bool cut = l.full;
	struct log_field tail[] = {log_i("suppressed", suppressed), log_s("cut", "true")};

	l.room = sizeof(l.text) - 2;
	l.full = false;
	if (suppressed > 0)
		put_field(&l, &tail[0], log->format);
	if (cut)
		put_field(&l, &tail[1], log->format);
	l.room = sizeof(l.text);
	if (log->format == LOG_FORMAT_JSON)
		put_char(&l, '}');
	put_char(&l, '\n');
	write_line(log->fd, l.text, l.n);
}

/*
 * May this line go out now? Events are told apart by their address: they are literals at fixed
 * places. Two events in one slot drive each other out and are limited less, never more, than each
 * alone. *ret_before gets the slot as it was when this line is the first of a new second.
 */
static bool admit(struct log_state *s, const char *event, struct log_slot *ret_before)
{
	struct timespec now = {0};
	bool yes = true;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)pthread_mutex_lock(&s->lock);

	struct log_slot *slot = &s->slots[((uintptr_t)event >> 3) % ARRAY_LEN(s->slots)];

	if (slot->event != event || slot->second != (int64_t)now.tv_sec) {
		*ret_before = *slot;
		*slot = (struct log_slot){.event = event, .second = now.tv_sec, .passed = 1};
	} else if (slot->passed < LOG_BURST) {
		slot->passed++;
	} else {
		slot->suppressed++;
		yes = false;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return yes;
}

void log_write(const struct log *l, enum log_level level, const char *event,
	       const struct log_field *fields, size_t n)
{
	struct log_slot before = {0};

	if (!l || l->fd < 0 || level > l->level)
		return;
	if (l->state && !admit(l->state, event, &before))
		return;
	if (before.suppressed > 0 && before.event != event) {
		emit(l, LOG_LEVEL_WARN, before.event, NULL, 0, before.suppressed);
		before.suppressed = 0;
	}
	emit(l, level, event, fields, n, before.suppressed);
}

void log_flush(const struct log *l)
{
	if (!l || !l->state || l->fd < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(l->state->slots); i++) {
		(void)pthread_mutex_lock(&l->state->lock);
		struct log_slot slot = l->state->slots[i];
		l->state->slots[i] = (struct log_slot){0};
		(void)pthread_mutex_unlock(&l->state->lock);
		if (slot.suppressed > 0)
			emit(l, LOG_LEVEL_WARN, slot.event, NULL, 0, slot.suppressed);
	}
}

enum err log_level_parse(enum log_level *ret_level, const char *text)
{
	static const struct {
		const char *word;
		enum log_level level;
	} rows[] = {
		{"error", LOG_LEVEL_ERROR}, {"warn", LOG_LEVEL_WARN},   {"info", LOG_LEVEL_INFO},
		{"debug", LOG_LEVEL_DEBUG}, {"trace", LOG_LEVEL_DEBUG},
	};

	for (size_t i = 0; text && i < ARRAY_LEN(rows); i++) {
		if (strcasecmp(text, rows[i].word) == 0) {
			*ret_level = rows[i].level;
			return ERR_OK;
		}
	}
	return ERR_CONFIG_VALUE;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Log: one JSON object or one text line per call on stderr, written with a single write(2).
 *
 * Only the service layer (connector/, core/, cmd/) logs; libraries return errors instead. A `struct
 * log` is handed down, there is no global; any thread may use it. Values are escaped; there is no
 * call that takes a secret. With a log_state, the same event is not repeated more than LOG_BURST
 * times a second: the rest is counted and the count is said, as `suppressed`, by the event's next
 * line or by log_flush.
 *
 *   2026-11-20T05:00:00.123456Z INFO kms-worker Decryption done id=7 error=timeout
 *   {"timestamp":"2026-11-20T05:00:00.123456Z","level":"INFO","service":"kms-worker","message":"…","id":7}
 *
 * A field that would pass LOG_LINE_MAX is left out whole and the line ends with cut=true.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <pthread.h>

#include "base/bytes.h"
#include "base/u256.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};
enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON
};

/* What was said lately. All-zero is empty. Lives as long as the logs that point to it. */
struct log_state {
	pthread_mutex_t lock;
	struct log_slot {
		const char *event;
		int64_t second;
		unsigned passed;
		unsigned suppressed;
	} slots[64];
};

struct log {
	enum log_level level;
	enum log_format format;
	int fd;                  /* -1 discards; tests give a pipe or file */
	const char *service;     /* "kms-worker"; NULL leaves it out */
	struct log_state *state; /* the caller's; shared by the services of one process; NULL:
				    nothing is suppressed */
};

/* One key and value; build them with the helpers below. */
struct log_field {
	const char *key;
	enum {
		LOG_STR,
		LOG_INT,
		LOG_HEX,
		LOG_ERR,
		LOG_U256
	} type;
	union {
		const char *s;
		int64_t i;
		struct bytes b;
		enum err e;
		struct u256 u;
	} v;
};

static inline struct log_field log_s(const char *k, const char *v)
{
	return (struct log_field){.key = k, .type = LOG_STR, .v.s = v};
}
static inline struct log_field log_i(const char *k, int64_t v)
{
	return (struct log_field){.key = k, .type = LOG_INT, .v.i = v};
}
static inline struct log_field log_hex(const char *k, struct bytes v)
{
	return (struct log_field){.key = k, .type = LOG_HEX, .v.b = v};
}
static inline struct log_field log_e(enum err v)
{
	return (struct log_field){.key = "error", .type = LOG_ERR, .v.e = v};
}
static inline struct log_field log_u256(const char *k, struct u256 v)
{
	return (struct log_field){.key = k, .type = LOG_U256, .v.u = v};
}

/* `event` is a fixed phrase that operators may search for: "Started Decryption polling from block".
 */
void log_write(const struct log *l, enum log_level level, const char *event,
	       const struct log_field *fields, size_t n);

/* Says the counts that were not said yet. At the end of a program. */
void log_flush(const struct log *l);

#define LOG_AT(l, level, event, ...)                                                               \
	log_write(l, level, event, (struct log_field[]){{0}, ##__VA_ARGS__} + 1,                   \
		  ARRAY_LEN(((struct log_field[]){{0}, ##__VA_ARGS__})) - 1)
#define LOG_ERROR(l, event, ...) LOG_AT(l, LOG_LEVEL_ERROR, event, ##__VA_ARGS__)
#define LOG_WARN(l, event, ...)  LOG_AT(l, LOG_LEVEL_WARN, event, ##__VA_ARGS__)
#define LOG_INFO(l, event, ...)  LOG_AT(l, LOG_LEVEL_INFO, event, ##__VA_ARGS__)
#define LOG_DEBUG(l, event, ...) LOG_AT(l, LOG_LEVEL_DEBUG, event, ##__VA_ARGS__)

/* "error" | "warn" | "info" | "debug"; the RUST_LOG-style default word is accepted too.
 * ERR_CONFIG_VALUE otherwise. */
enum err log_level_parse(enum log_level *ret_level, const char *text) MUST_USE;

#endif

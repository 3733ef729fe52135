/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Errors.
 *
 * Every fallible function returns an `enum err`. The high 16 bits are the *class*: what the caller
 * should do about it. The low bits name the cause. Retry policy is keyed by class alone, in one
 * place; nobody else switches on causes.
 *
 * A failing function may explain itself to a person through a caller-owned `struct err_note`. Notes
 * never carry secrets. A NULL note is always allowed.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

#define MUST_USE                      __attribute__((warn_unused_result))
#define PRINTF(f, a)                  __attribute__((format(printf, f, a)))
#define CLEANUP(fn)                   __attribute__((cleanup(fn)))
#define ARRAY_LEN(a)                  (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* What to do about an error. */
enum err_class {
	ERR_CLASS_NONE = 0,
	ERR_CLASS_TRANSIENT = 1, /* try again later, the same way: back off */
	ERR_CLASS_SOURCE = 2,    /* this source misbehaved: try another endpoint */
	ERR_CLASS_REFUSED = 3,   /* the request itself is not acceptable: terminal */
	ERR_CLASS_EXPIRED = 4,   /* too late: terminal */
	ERR_CLASS_CONFLICT = 5,  /* somebody already did it, or the state moved on */
	ERR_CLASS_CONFIG = 6,    /* the operator must change something: exit 1 at start */
	ERR_CLASS_INTERNAL = 7,  /* our own fault or this machine's: abort the work */
};

enum err {
	ERR_OK = 0,

	ERR_TRANSIENT = ERR_CLASS_TRANSIENT << 16,
	ERR_TIMEOUT,     /* a deadline passed */
	ERR_UNAVAILABLE, /* could not connect, connection lost, server says "not now" */
	ERR_BUSY,        /* a named limit of ours is reached */
	ERR_NOT_READY,   /* the answer does not exist yet */
	ERR_CANCELLED,   /* the caller or a shutdown withdrew the work */

	ERR_SOURCE = ERR_CLASS_SOURCE << 16,
	ERR_TRUNCATED,   /* input ended early */
	ERR_MALFORMED,   /* input breaks its format */
	ERR_TOO_BIG,     /* input passes a named maximum */
	ERR_MISMATCH,    /* digest, signature, chain id or echo is not what it must be */
	ERR_UNSUPPORTED, /* a version, type or variant that we do not speak */
	ERR_REMOTE,      /* the other side answered with an error of its own */
	ERR_NOT_FOUND,   /* the source does not have it */

	ERR_REFUSED = ERR_CLASS_REFUSED << 16,
	ERR_NOT_ALLOWED, /* permission missing */
	ERR_BAD_REQUEST, /* content that can never be served */

	ERR_EXPIRED = ERR_CLASS_EXPIRED << 16,

	ERR_CONFLICT = ERR_CLASS_CONFLICT << 16,
	ERR_ALREADY_DONE, /* the effect we wanted is already there: success in other words */
	ERR_STATE_MOVED,  /* a compare-and-set found another state */

	ERR_CONFIG = ERR_CLASS_CONFIG << 16,
	ERR_CONFIG_VALUE, /* a key has an unusable value */
	ERR_CONFIG_FILE,  /* a file is missing, unreadable or not parseable */

	ERR_INTERNAL = ERR_CLASS_INTERNAL << 16,
	ERR_NOMEM,
	ERR_IO,      /* disk or descriptor failure */
	ERR_CRYPTO,  /* a library that cannot fail failed */
	ERR_RANGE,   /* a caller broke a documented limit */
	ERR_CORRUPT, /* our own stored data does not decode */
};

static inline enum err_class err_class(enum err e)
{
	return (enum err_class)((unsigned)e >> 16);
}

/* Stable lower-case names for logs, metrics and the database: "transient", "timeout", ... Never
 * NULL. */
const char *err_class_name(enum err_class c);
const char *err_name(enum err e);

/* Inverse of err_name; ERR_INTERNAL for an unknown name. */
enum err err_from_name(const char *name);

enum {
	ERR_NOTE_SIZE = 256
};

/* A sentence for a person; all-zero is the valid empty note. Text is cut at a UTF-8 boundary;
 * control and ill-formed bytes become '?'. */
struct err_note {
	char text[ERR_NOTE_SIZE];
};

/* Write the note (if not NULL) and return `e`, so that a failing line reads `return err_say(note,
 * ERR_X, "...");`. */
enum err err_say(struct err_note *note, enum err e, const char *fmt, ...) PRINTF(3, 4);

/* Put "prefix: " before what the note already says and return `e`. */
enum err err_prefix(struct err_note *note, enum err e, const char *fmt, ...) PRINTF(3, 4);

/* The only control-flow macros of the project. */
#define TRY(x)                                                                                     \
	do {                                                                                       \
		enum err try_err_ = (x);                                                           \
		if (try_err_ != ERR_OK)                                                            \
			return try_err_;                                                           \
	} while (0)

/* A broken invariant of ours, never of input: prints the condition and aborts, in release builds
 * too. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			err_check_failed(#cond, __FILE__, __LINE__);                               \
	} while (0)
__attribute__((noreturn)) void err_check_failed(const char *cond, const char *file, int line);

#endif

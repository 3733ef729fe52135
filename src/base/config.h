/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Configuration by one table.
 *
 * A service describes each key once, as a row. Parser, environment, defaults, validation, `--help`
 * and the configuration reference are made from the rows. Precedence: default < TOML file <
 * environment. An alias is a second row with the same offset; where a file (or the environment) has
 * both names, the row that stands first counts.
 *
 * Scalars of the file and of the environment go through the same parsers: 54321 and "54321" are the
 * same number, "yes" and true the same bool. A number may become text, a float never becomes
 * anything. Letter case of variable names does not matter; an empty variable is given, not absent.
 *
 * A secret (CONFIG_SECRET…) may stand in a file of its own, without the line end behind it: the one
 * that the variable NAME_FILE names, or KEY in $CREDENTIALS_DIRECTORY (systemd's LoadCredential=).
 * Precedence: default < TOML file < credential < environment; NAME and NAME_FILE together are
 * refused.
 *
 * Environment name: prefix + path in upper case, "." written "__": KMS_CONNECTOR_ +
 * decryption_contract.address = KMS_CONNECTOR_DECRYPTION_CONTRACT__ADDRESS. Unknown keys are
 * tolerated (operators share files between services and versions); config_unknown lists them for a
 * warning.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/json.h"
#include "base/secret.h"

enum config_type {
	CONFIG_STRING,   /* char *, owned by the arena */
	CONFIG_U64,      /* uint64_t */
	CONFIG_BOOL,     /* bool */
	CONFIG_DURATION, /* int64_t ms; humantime text "500ms", "1h 30m"; a bare integer only where
			    the row says what it counts */
	CONFIG_ADDRESS,  /* struct address; "0x" and 40 digits */
	CONFIG_URL,      /* char *; http or https with a host */
	CONFIG_RPC_URL,  /* the same, or ws or wss */
	CONFIG_ENDPOINT, /* char *; "ip:port" to listen on */
	CONFIG_SECRET32, /* struct secret32 + presence; 64 hex digits, optional 0x */
	CONFIG_SECRET_TEXT, /* struct secret; the text and a NUL, which n counts; empty = not given
			     */
	CONFIG_STRINGS,     /* struct config_strings; TOML array, or comma list in the environment;
			       where     it may have one member only, text in TOML, too */
	CONFIG_JSON,        /* json_t *; TOML array/table, or JSON text in the environment */
};

struct config_strings {
	char **v;
	size_t n;
};

struct config_row {
	const char *path; /* "decryption_contract.address" */
	enum config_type type;
	size_t offset;         /* into the service's struct */
	size_t present_offset; /* of a bool "was given", SIZE_MAX if not wanted */
	const char *def;       /* textual default; NULL = none */
	/* Of the value (numbers, durations in ms), of the length (texts) or of the number of
	 * members (lists, JSON); max 0 = no upper bound. */
	uint64_t min, max;
	unsigned services; /* bit set of those that read it */
	bool required;
	const char *doc; /* one sentence */
	/* CONFIG_JSON: names that a table in the value may hold, ended by NULL; others that stand
	 * there may have slipped. NULL: any name. */
	const char *const *members;
	int64_t bare_ms;     /* CONFIG_DURATION: what a number without unit counts; 0: refused */
	unsigned generation; /* of the configuration that alone has this name; 0 = any */
	const char *moot;    /* why it has no effect; NULL: it has one */
};

struct config_table {
	const char *env_prefix; /* "KMS_CONNECTOR_" */
	const struct config_row *rows;
	size_t rows_n;
};

struct config_source {
	const char *file;       /* path shown in errors; NULL = no file */
	struct bytes text;      /* the file's content */
	const char *const *env; /* environ-shaped list; NULL = none */
};

struct arena;

/*
 * Fill `target` (zeroed by the caller) for the services in `services`. Every error is
 * ERR_CONFIG_VALUE or ERR_CONFIG_FILE and its note says file and line (or variable), key, what was
 * found, what is expected; secret values are never repeated (or ERR_NOMEM). Strings live in
 * `arena`, JSON values are owned by the target (json_decref), and so are secret texts
 * (secret_free). On failure all fields of the rows are
 * released, wiped and zero again. The text of `src` may hold a key: wiping it is the caller's
 * (buf_wipe).
 */
enum err config_load(const struct config_table *table, unsigned services,
		     const struct config_source *src, void *target, struct arena *arena,
		     struct err_note *note) MUST_USE;

/*
 * For checks of what rows mean together: puts "FILE:LINE: PATH: ", "environment: NAME: " or
 * "default of PATH: " before what the note says, by where the value of the row `path` comes from,
 * and returns `e`. "FILE: PATH: " when it has no value, without a file "PATH: ".
 */
enum err config_prefix(struct err_note *note, enum err e, const struct config_table *table,
		       const struct config_source *src, const char *path);

/* The same for a part of that value: `part`, "[1].url", stands behind PATH. */
enum err config_prefix_part(struct err_note *note, enum err e, const struct config_table *table,
			    const struct config_source *src, const char *path, const char *part);

/*
 * What a person should be told about the keys of a configuration that is otherwise sound. A key
 * that slipped under a table counts as if it stood at the top; one that slipped twice is an error
 * of config_load.
 */
enum config_oddity_kind {
	CONFIG_UNKNOWN_KEY, /* no row knows it: it has no effect */
	CONFIG_SLIPPED_KEY, /* it stands under a [table] that does not have it, and counts as if it
			       stood at the top of the file */
};
struct config_oddity {
	enum config_oddity_kind kind;
	const char *where; /* "FILE:LINE" or "environment" */
	const char *key;   /* as it stands: "aws_kms_config.gateway_url" */
	const char *meant; /* slipped: what it counts as; unknown: a known key that is nearly it, or
			      NULL */
};
typedef void config_oddity_fn(void *ctx, const struct config_oddity *o);
enum err config_oddities(const struct config_table *table, const struct config_source *src,
			 config_oddity_fn *fn, void *ctx) MUST_USE;

/* Overwrites the values of all variables that name a secret: whoever has read them needs them no
 * more, and they stay readable in the process's memory. */
void config_wipe_env(const struct config_table *table, char **env);

/* For programs that take no key they do not know. Calls `fn` for each slipped key and each file key
 * or prefixed variable that no row knows. */
typedef void config_unknown_fn(void *ctx, const char *where, const char *key);
enum err config_unknown(const struct config_table *table, const struct config_source *src,
			config_unknown_fn *fn, void *ctx) MUST_USE;

/* Markdown table of all rows: what the configuration reference is made from. */
enum err config_reference(const struct config_table *table, struct buf *out) MUST_USE;

/* "500ms", "3s", "1h 30m", "2days": humantime grammar; below a millisecond rounds up.
 * ERR_MALFORMED, ERR_RANGE. */
enum err config_parse_duration(int64_t *ret_ms, struct bytes text) MUST_USE;

/* Appends a whole file, at most up to out->size_max bytes. ERR_CONFIG_FILE, ERR_TOO_BIG, both with
 * a note; ERR_NOMEM. */
enum err config_read_file(struct buf *out, const char *path, struct err_note *note) MUST_USE;

#endif

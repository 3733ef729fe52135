/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Where a configuration comes from: a file, which may be named by its bare name, and the
 * environment. And which database is meant when neither names one.
 */
#ifndef CONNECTOR_CONFIG_FILE_H
#define CONNECTOR_CONFIG_FILE_H

#include "connector/cores.h"

/* The directory of configuration files, and what names another one. */
#define CONNECTOR_CONFIG_DIR          "config/environments"
#define CONNECTOR_CONFIG_DIR_VARIABLE "KMS_CONNECTOR_CONFIG_DIR"

/* The schema of our tables in PostgreSQL. */
#define CONNECTOR_SCHEMA "claviger_connector"

/* The value of a variable; NULL if it is not there. */
const char *connector_env_get(const char *const *env, const char *name);

/*
 * The file that `name` means, as an ended text in the empty `ret_path`: a name without '/' is one
 * of the configuration directory, if that has it, else of the working directory; everything else is
 * a path. ERR_CONFIG_FILE, with a note that says where was looked, for a name that neither has.
 */
enum err connector_config_path(struct buf *ret_path, const char *name, const char *const *env,
			       struct err_note *note) MUST_USE;

/* One line for each *.toml of the configuration directory, sorted; `full`: with its absolute path.
 * ERR_CONFIG_FILE with a note. */
enum err connector_config_list(struct buf *out, const char *const *env, bool full,
			       struct err_note *note) MUST_USE;

struct connector_config_source {
	const char *file; /* a path; NULL: the environment alone */
	const char *const *env;
	/* Told the configuration, when it is known to be sound: how to log what comes. NULL
	 * allowed.
	 */
	void (*loaded)(void *ctx, const struct connector_config *c);
	config_oddity_fn *oddity; /* then told what is odd about the keys; NULL allowed */
	cores_warning_fn *remark; /* and of older names and defaults; NULL allowed */
	/* Then told of what can be used and should be changed: a certificate that ends soon. NULL:
	 * nobody wants to know, and a start will say it. */
	cores_warning_fn *warning;
	void *ctx;
};

/* connector_config_load on a file; then what only a start would find out: log settings, the form of
 * database_url, the files of certificates. */
enum err connector_config_read(struct connector_config *ret_config, unsigned services,
			       const struct connector_config_source *src, struct arena *arena,
			       struct err_note *note) MUST_USE;

/*
 * The database as an URL of store_open, ended by a NUL: `configured`, else kms-connector.db in
 * $STATE_DIRECTORY (the first of them), else in the working directory. ERR_CONFIG_VALUE for what is
 * none; the note repeats nothing of it.
 */
enum err connector_database_url(struct secret *ret_url, const struct secret *configured,
				const char *const *env, struct err_note *note) MUST_USE;

/* The database that a configuration names; nothing else of it is looked at. */
enum err connector_database_of(struct secret *ret_url, const char *file, const char *const *env,
			       struct err_note *note) MUST_USE;

#endif

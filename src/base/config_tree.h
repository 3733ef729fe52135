/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The configuration file as a tree, with every key where it belongs. Private to base: everybody
 * else uses base/config.h.
 *
 * TOML has a trap: a key that is written below a [table] belongs to that table, also where the
 * writer meant the top of the file. A key that no row knows where it stands, but that would be
 * known at the top, and is not there, is taken as if it stood there ("slipped").
 */
#ifndef BASE_CONFIG_TREE_H
#define BASE_CONFIG_TREE_H

#include "base/config.h"

enum {
	CONFIG_KEY_SIZE_MAX = 128,
	CONFIG_WHERE_SIZE = 512
};

/* All-zero is the tree of no file. Its texts are wiped when it is freed. */
struct config_tree {
	json_t *values;
	json_t *lines; /* as toml_parse */
};

/* A key that slipped under `table` ("aws_kms_config"), at `line`, meant as `key`. */
typedef void config_slip_fn(void *ctx, const char *table, const char *key, int line);

/* Notes as config_load. `slip` may be NULL. */
enum err config_tree_read(struct config_tree *ret_tree, const struct config_table *table,
			  const struct config_source *src, config_slip_fn *slip, void *ctx,
			  struct err_note *note) MUST_USE;
void config_tree_free(struct config_tree *t);

/* The line of a member, beside its table's lines; 0 if it is not known. */
int config_tree_line(const json_t *lines, const char *key);

/* Does a row have this path? *ret_inner: does one begin with it and a dot? */
bool config_path_known(const struct config_table *table, const char *path, bool *ret_inner);

/* PREFIX and the path in upper case, each dot two underscores; cut if it must be. */
void config_env_name(char out[CONFIG_KEY_SIZE_MAX], const char *prefix, const char *path);

/* NAME=value: the length of NAME, 0 if it is not of this shape. */
size_t config_env_name_length(const char *entry);

#endif

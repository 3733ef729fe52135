/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * One configuration value: from text or from a TOML node into the field that its row describes, and
 * the words for an error about it. Private to base: everybody else uses base/config.h.
 */
#ifndef BASE_CONFIG_VALUE_H
#define BASE_CONFIG_VALUE_H

#include "base/config.h"

enum {
	CONFIG_WORDS_SIZE = 120
};

/*
 * Parse and store. ERR_CONFIG_VALUE when the value does not suit the row, ERR_NOMEM; the field is
 * unchanged then, and `why` may hold a detail that repeats nothing secret.
 */
enum err config_value_from_text(const struct config_row *row, void *target, struct arena *arena,
				struct bytes text, struct err_note *why) MUST_USE;
enum err config_value_from_node(const struct config_row *row, void *target, struct arena *arena,
				const json_t *node, struct err_note *why) MUST_USE;

/* Undo: release JSON, wipe secrets, zero the field. */
void config_value_clear(const struct config_row *row, void *target);

/* "a whole number from 1 to 64" */
void config_value_expected(char out[CONFIG_WORDS_SIZE], const struct config_row *row);

/* What was found, without repeating what could be a secret: short values of harmless types,
 * otherwise kind and size. */
void config_value_found_text(char out[CONFIG_WORDS_SIZE], const struct config_row *row,
			     struct bytes text);
void config_value_found_node(char out[CONFIG_WORDS_SIZE], const struct config_row *row,
			     const json_t *node);

/* "duration" */
const char *config_type_word(enum config_type type);

/* ---- secrets in a file of their own (config_secret.c) ---- */

enum {
	CONFIG_PATH_SIZE = 4096
};
enum config_secret_place {
	CONFIG_SECRET_VARIABLE,  /* the file that NAME_FILE names */
	CONFIG_SECRET_CREDENTIAL /* $CREDENTIALS_DIRECTORY/KEY, if it is there */
};
bool config_is_secret(const struct config_row *row);
/* False: none is given there. */
bool config_secret_path(char out[CONFIG_PATH_SIZE], enum config_secret_place place,
			const char *prefix, const struct config_row *row, const char *const *env);
/* The file's text without line ends behind it. ERR_CONFIG_VALUE, ERR_CONFIG_FILE, ERR_TOO_BIG with
 * a note; ERR_NOMEM. */
enum err config_secret_load(const struct config_row *row, void *target, const char *path,
			    struct err_note *note) MUST_USE;

#endif

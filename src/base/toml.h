/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * TOML by toml++ behind a C shim. The document comes back as JSON values (dates as text) beside a
 * side table of source lines, so that a configuration error can name its line.
 */
#ifndef BASE_TOML_H
#define BASE_TOML_H

#include "base/json.h"

/*
 * Every node of *ret_doc that is an object holds its values only; *ret_lines mirrors its shape: for
 * each key, an object {"line": N, "of": {…}} so that lines["a"]["of"]["b"]["line"] is the line of
 * a.b; members of arrays go by "0", "1", …. The caller owns both. Errors: ERR_MALFORMED (the note
 * gets "line L, column C: …", never a value), ERR_TOO_BIG past CONFIG_FILE_SIZE_MAX, JSON_DEPTH_MAX
 * or TOML_DOTS_MAX, ERR_NOMEM.
 */
enum err toml_parse(json_t **ret_doc, json_t **ret_lines, struct bytes text,
		    struct err_note *note) MUST_USE;

#endif

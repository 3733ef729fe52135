/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What C and the one C++ file of the project say to each other. Private to base: everybody else
 * uses base/toml.h.
 */
#ifndef BASE_TOML_SHIM_H
#define BASE_TOML_SHIM_H

#include <jansson.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum toml_shim_result {
	TOML_SHIM_OK = 0,
	TOML_SHIM_SYNTAX, /* `why`, line and column say what and where */
	TOML_SHIM_DEPTH,
	TOML_SHIM_NOMEM,
};

struct toml_shim_error {
	unsigned line, column;
	char why[160]; /* as the library says it: may repeat pieces of the input */
};

/* Throws nothing. Values and lines as in base/toml.h, owned by the caller; written on success only.
 */
enum toml_shim_result toml_shim_parse(const char *text, size_t n, unsigned depth_max,
				      json_t **ret_doc, json_t **ret_lines,
				      struct toml_shim_error *error);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/toml.h"

#include "base/limits.h"
#include "base/toml_shim.h"

/*
 * toml++ builds and destroys its tables by recursion and bounds the depth of values but not of
 * dotted keys. Each level beyond a bracket costs one dot, so bounding the dots bounds the stack.
 */
static bool too_many_dots(struct bytes text)
{
	size_t dots = 0;

	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '.' && ++dots > TOML_DOTS_MAX)
			return true;
	return false;
}

/*
 * The library's messages quote what it read. That may be a piece of a key that somebody forgot to
 * put in quotes, so quoted parts with a digit in them are blanked unless they are very short.
 */
static void blank_quotes(char *why)
{
	char *open = NULL;
	bool digit = false;

	for (char *c = why; *c; c++) {
		if (*c == '\'' && !open) {
			open = c;
			digit = false;
		} else if (*c == '\'') {
			if (digit && c - open > 4)
				memset(open + 1, '*', (size_t)(c - open - 1));
			open = NULL;
		} else if (*c >= '0' && *c <= '9') {
			digit = true;
		}
	}
	/* cut inside a quotation */
	if (open && digit)
		*open = '\0';
}

enum err toml_parse(json_t **ret_doc, json_t **ret_lines, struct bytes text, struct err_note *note)
{
	struct toml_shim_error error = {0};

	if (text.n > CONFIG_FILE_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "TOML of %zu bytes, at most %d are accepted",
			       text.n, (int)CONFIG_FILE_SIZE_MAX);
	if (too_many_dots(text))
		return err_say(note, ERR_TOO_BIG, "more than %d dots: dotted keys are bounded",
			       (int)TOML_DOTS_MAX);

	switch (toml_shim_parse(text.n > 0 ? (const char *)text.p : "", text.n, JSON_DEPTH_MAX,
				ret_doc, ret_lines, &error)) {
	case TOML_SHIM_OK:
		return ERR_OK;
	case TOML_SHIM_SYNTAX:
		blank_quotes(error.why);
		return err_say(note, ERR_MALFORMED, "line %u, column %u: %s", error.line,
			       error.column, error.why);
	case TOML_SHIM_DEPTH:
		return err_say(note, ERR_TOO_BIG, "nested deeper than %d", (int)JSON_DEPTH_MAX);
	case TOML_SHIM_NOMEM:
		break;
	}
	return err_say(note, ERR_NOMEM, "out of memory");
}

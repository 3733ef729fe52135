/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "codec/safe_serialize.h"

static const char header_version[] = "0.5";
static const char versioning_scheme[] = "0.1";

enum {
	MODE_VERSIONED = 0,
	VERSION_TEXT_MAX = 16,
};

/* A version text that must be `want`. */
static enum err expect_version(struct reader *r, const char *want, const char *what,
			       struct err_note *note)
{
	size_t at = reader_offset(r);
	struct bytes got = bincode_vec(r, VERSION_TEXT_MAX);

	/* A length that cannot be a version's is what other data looks like from here: it is no
	 * container at all. */
	if (r->err == ERR_TOO_BIG)
		r->err = ERR_MALFORMED;
	if (r->err != ERR_OK)
		return err_say(note, r->err, "not a safe_serialize container (%s at byte %zu)",
			       what, at);
	if (!bytes_eq_var(got, bytes_str(want))) {
		reader_fail(r, ERR_UNSUPPORTED);
		return err_say(note, ERR_UNSUPPORTED,
			       "safe_serialize %s at byte %zu is \"%.*s\", expected \"%s\"", what,
			       at, (int)got.n, (const char *)got.p, want);
	}
	return ERR_OK;
}

enum err safe_serialize_open(struct reader *r, const char *const *names, size_t *ret_index,
			     struct err_note *note)
{
	size_t at;

	TRY(expect_version(r, header_version, "header version", note));
	at = reader_offset(r);
	if (bincode_tag(r, UINT32_MAX) != MODE_VERSIONED)
		reader_fail(r, ERR_UNSUPPORTED);
	if (r->err != ERR_OK)
		return err_say(note, r->err,
			       "safe_serialize mode at byte %zu is missing or not \"versioned\"",
			       at);
	TRY(expect_version(r, versioning_scheme, "versioning scheme", note));

	at = reader_offset(r);

	struct bytes name = bincode_vec(r, SAFE_SERIALIZE_NAME_MAX);

	if (r->err == ERR_TOO_BIG)
		r->err = ERR_MALFORMED;
	if (r->err != ERR_OK)
		return err_say(note, r->err,
			       "safe_serialize type name at byte %zu is cut or too long", at);
	for (size_t i = 0; names[i]; i++) {
		if (bytes_eq_var(name, bytes_str(names[i]))) {
			*ret_index = i;
			return ERR_OK;
		}
	}
	reader_fail(r, ERR_MISMATCH);
	return err_say(note, ERR_MISMATCH, "type at byte %zu is \"%.*s\", expected \"%s\"%s", at,
		       (int)name.n, (const char *)name.p, names[0] ? names[0] : "",
		       names[0] && names[1] ? " or another known name" : "");
}

void safe_serialize_begin(struct bincode_writer *w, const char *name)
{
	bincode_put_str(w, header_version);
	bincode_put_u32(w, MODE_VERSIONED);
	bincode_put_str(w, versioning_scheme);
	bincode_put_str(w, name);
}

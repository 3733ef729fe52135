/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The container of tfhe-rs "safe_serialize", also used by the KMS for its own objects:
 *   str "0.5" | u32 mode (0 = versioned) | str "0.1" | str type name | versioned body
 * where str is a u64 length and bytes.
 */
#ifndef CODEC_SAFE_SERIALIZE_H
#define CODEC_SAFE_SERIALIZE_H

#include "codec/bincode.h"

enum {
	SAFE_SERIALIZE_NAME_MAX = 128
};

/*
 * Check the header; `names` are the accepted type names, NULL-terminated; *ret_index says which one
 * it was. The reader then stands at the body. The note says what is wrong at which byte.
 * ERR_UNSUPPORTED for another header version or mode, ERR_MISMATCH for another type (the note says
 * which), ERR_MALFORMED, ERR_TRUNCATED.
 */
enum err safe_serialize_open(struct reader *r, const char *const *names, size_t *ret_index,
			     struct err_note *note) MUST_USE;

/* Write the header for `name`. */
void safe_serialize_begin(struct bincode_writer *w, const char *name);

#endif

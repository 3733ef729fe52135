/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a node of a committee does not do in this build: its clients get FAILED_PRECONDITION, which
 * nobody tries again, and its operator reads it in the log of the start and in GET /status. One
 * table is all three.
 */
#ifndef CORE_NOT_BUILT_H
#define CORE_NOT_BUILT_H

#include "base/bytes.h"

enum not_built {
	BUILT, /* it is there */
	NOT_BUILT_KEYGEN_PREPROC,
	NOT_BUILT_KEYGEN,
	NOT_BUILT_CRSGEN,
	NOT_BUILT_RESHARING,
	NOT_BUILT_CONTEXT_END,
	NOT_BUILT_EPOCH_END,
	NOT_BUILT_ROWS
};

struct not_built_row {
	const char *operation; /* the method, and with what */
	const char *refusal;   /* what its client is told */
};
extern const struct not_built_row not_built[NOT_BUILT_ROWS]; /* [BUILT] is empty */

/* All operations, with `between` between them. */
enum err not_built_print(struct buf *out, const char *between) MUST_USE;

#endif

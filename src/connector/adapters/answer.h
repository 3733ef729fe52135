/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Answers as the sender sees them: whatever the kind, a stored answer gives a call, and a revert of
 * that call has a meaning.
 */
#ifndef CONNECTOR_ADAPTERS_ANSWER_H
#define CONNECTOR_ADAPTERS_ANSWER_H

#include "connector/operation.h"

/*
 * Appends the call data that answers request `id`. Of decryptions the stored form has its own
 * encoding, of everything else it is the call itself. ERR_CORRUPT: not an answer to that.
 */
enum err answer_call(struct buf *out, enum op_kind kind, struct u256 id,
		     struct bytes stored) MUST_USE;

/*
 * ERR_ALREADY_DONE: the chain has this answer, or what it was for has been decided without it;
 * ERR_TRANSIENT: may be another answer later; ERR_BAD_REQUEST: never.
 */
enum err answer_classify_revert(const char **ret_name, enum op_kind kind, struct bytes revert_data);

#endif

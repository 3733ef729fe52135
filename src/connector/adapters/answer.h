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

/* Who has to do something about a revert, in the order of METRIC_REVERT_…. */
enum revert_cause {
	REVERT_ANSWERED,     /* nobody: the chain has it */
	REVERT_NOT_YET,      /* nobody: a node lags, or another step comes first */
	REVERT_REGISTRATION, /* the operator: this node's account or signing key is not registered
			      */
	REVERT_CONTEXT,      /* nobody during a rotation of contexts, else the operator */
	REVERT_BAD_ANSWER,   /* whoever runs the core */
	REVERT_PAUSED,       /* who runs the contracts */
	REVERT_OTHER,
	REVERT_CAUSES,
};

/* Of a name that answer_classify_revert gave. ret_hint: what it means, for a person; may be "". */
enum revert_cause answer_revert_cause(const char **ret_hint, const char *name);

#endif

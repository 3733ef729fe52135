/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A job's spans: one for the pass from claim to end, below what the listener (or an earlier start)
 * stored with the row; and one for each stage in it. What the core is asked carries the stage's.
 */
#include <stdio.h>

#include "base/hex.h"
#include "connector/worker/internal.h"

static const char *const stages[] = {
	[OP_SEEN] = "check_permission",
	[OP_READY] = "fetch_ciphertexts",
	[OP_COMPUTING] = "ask_core",
};

static void stage_begin(struct job *j)
{
	if ((size_t)j->op.state < ARRAY_LEN(stages) && stages[j->op.state])
		trace_begin(j->worker->env.tracer, &j->stage, stages[j->op.state], &j->span.self);
}

void work_traced(struct job *j)
{
	const struct trace_context parent = traceparent_read(j->op.traceparent);

	trace_begin(j->worker->env.tracer, &j->span, "handle_event", &parent);
	stage_begin(j);
}

void work_stage_over(struct job *j)
{
	trace_end(j->worker->env.tracer, &j->stage, false, NULL, 0);
	stage_begin(j);
}

void work_trace_end(struct job *j)
{
	char id[65];
	uint8_t be[32];
	/* Where the row went: an error is a failure of the pass, also where it is tried again. */
	bool failed = j->change.error.n > 0;
	const struct trace_attribute attributes[] = {
		{"event", op_kind_name(j->op.key.kind)},
		{"request_id", id},
		{"state", op_state_name(j->op.state)},
	};

	u256_to_be(be, j->op.key.request_id);
	hex_encode(id, BYTES_OF(be));
	trace_end(j->worker->env.tracer, &j->stage, failed, NULL, 0);
	trace_end(j->worker->env.tracer, &j->span, failed, attributes, ARRAY_LEN(attributes));
}

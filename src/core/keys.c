/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What methods of key generation have that others do not: preprocessings, and withdrawing. */
#include "core/service_internal.h"

void keygen_refuse(struct visit *v, const struct request_admission *a)
{
	static const struct {
		enum grpc_status status;
		const char *text;
	} rows[] = {
		[PREPROC_UNKNOWN] = {GRPC_NOT_FOUND, "preproc_id is not known, or it failed"},
		[PREPROC_PENDING] = {GRPC_UNAVAILABLE, "preproc_id has no result yet"},
		[PREPROC_READY] = {GRPC_RESOURCE_EXHAUSTED,
				   "the node holds as many keys as it may"},
		[PREPROC_USED] = {GRPC_NOT_FOUND, "preproc_id is used up by another key"},
	};

	/* Not ALREADY_EXISTS: who reads that asks for a result, and there is none to be had. */
	if (v->key_exists)
		visit_fail_status(v, GRPC_FAILED_PRECONDITION,
				  "the vault holds a key of this id that no known request made");
	else if (a->preproc == PREPROC_USED && entry_find_preproc(v->core, v->preproc_id))
		visit_fail_status(v, GRPC_ALREADY_EXISTS,
				  "another key is being generated from preproc_id");
	else
		visit_fail_status(v, rows[a->preproc].status, rows[a->preproc].text);
}

/* Answered when the end is recorded: then no restart brings the key back. */
void keygen_abort_handle(void *ctx, struct grpc_call *call)
{
	struct core_service *s = ctx;
	struct visit *v = visit_new(s, call, REQUEST_KEYGEN, METRICS_KEYGEN_ABORT);
	struct entry *entry;
	enum err e;

	if (!v)
		return;
	if (s->phase != CORE_SERVING) {
		visit_fail_status(v, GRPC_UNAVAILABLE, "the node is starting or stopping");
		return;
	}
	e = id_message_read(&v->id, grpc_call_request(call), &v->note);
	if (e != ERR_OK) {
		visit_fail(v, e, &v->note);
		return;
	}
	entry = entry_find_preproc(s, v->id);
	if (!entry) {
		visit_fail_status(v, GRPC_NOT_FOUND, "nothing is running for this preprocessing");
		return;
	}
	v->abort = true;
	entry_abort(entry);
	visit_wait(v, entry);
}

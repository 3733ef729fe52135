/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What methods of key and CRS generation have that others do not: preprocessings, and withdrawing.
 */
#include <stdlib.h>

#include "base/limits.h"
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

	/* The table may be younger than the vault. */
	if (v->preproc_used)
		visit_fail_status(v, rows[PREPROC_USED].status, rows[PREPROC_USED].text);
	else if (a->preproc == PREPROC_USED && entry_find_preproc(v->core, v->preproc_id))
		visit_fail_status(v, GRPC_ALREADY_EXISTS,
				  "another key is being generated from preproc_id");
	else
		visit_fail_status(v, rows[a->preproc].status, rows[a->preproc].text);
}

/* Answered when the end is recorded: then no restart brings key or CRS back. */
static void abort_handle(struct core_service *s, struct grpc_call *call, enum request_kind kind)
{
	bool key = kind == REQUEST_KEYGEN;
	struct visit *v =
		visit_new(s, call, kind, key ? METRICS_KEYGEN_ABORT : METRICS_CRSGEN_ABORT);
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
	entry = key ? entry_find_preproc(s, v->id)
		    : entry_find(s, (struct request_name){.kind = kind, .id = v->id});
	if (!entry) {
		visit_fail_status(v, GRPC_NOT_FOUND,
				  key ? "nothing is running for this preprocessing"
				      : "nothing is running for this CRS");
		return;
	}
	v->abort = true;
	entry_abort(entry);
	visit_wait(v, entry);
}

void keygen_abort_handle(void *ctx, struct grpc_call *call)
{
	abort_handle(ctx, call, REQUEST_KEYGEN);
}

void crsgen_abort_handle(void *ctx, struct grpc_call *call)
{
	abort_handle(ctx, call, REQUEST_CRSGEN);
}

/* ---- which CRSs there are ---- */

void crss_add(struct core_service *s, struct hash32 id)
{
	for (size_t i = 0; i < s->crss.n; i++)
		if (hash32_eq(s->crss.v[i], id))
			return;
	if (s->crss.n < VAULT_ENTRIES_MAX)
		s->crss.v[s->crss.n++] = id;
}

static enum err epoch_load(struct core_service *s, struct hash32 epoch_id, struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids ids = {0};

	TRY(vault_list(&ids, &s->o.vaults.private, publish_crs_form.private_type, &epoch_id, note));
	for (size_t i = 0; i < ids.n; i++)
		crss_add(s, ids.v[i]);
	return ERR_OK;
}

static enum err epochs_load(struct core_service *s, struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids epochs = {0};

	TRY(vault_list(&epochs, &s->o.vaults.private, publish_crs_form.private_type, NULL, note));
	for (size_t i = 0; i < epochs.n; i++)
		TRY(epoch_load(s, epochs.v[i], note));
	return ERR_OK;
}

/* Only told of, never needed: a folder that cannot be read is no reason not to serve. */
enum err crss_load(struct core_service *s)
{
	struct err_note note = {0};
	enum err e;

	s->crss.v = calloc(VAULT_ENTRIES_MAX, sizeof(*s->crss.v));
	if (!s->crss.v)
		return ERR_NOMEM;
	e = epochs_load(s, &note);
	if (e != ERR_OK)
		LOG_WARN(s->o.log, "Not all CRSs of the vault are known", log_e(e),
			 log_s("detail", note.text));
	return ERR_OK;
}

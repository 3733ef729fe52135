/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Life of the service, and of a request: check, admit, answer. */
#include "core/service.h"

#include <stdlib.h>

#include "core/epoch_setup.h"
#include "core/request_id.h"
#include "core/service_internal.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

static struct request_name visit_name(const struct visit *v)
{
	return (struct request_name){.kind = v->kind, .id = v->id};
}

/* ---- Get…Result ---- */

static void result_wait(struct visit *v, struct entry *entry)
{
	if (works[v->kind].no_wait)
		visit_fail_status(v, GRPC_UNAVAILABLE, "the result is not there yet");
	else
		visit_wait(v, entry);
}

static void result_found(void *ctx, const struct store_result *result)
{
	struct visit *v = ctx;
	struct request_found found = {0};
	struct err_note note = result->note;
	enum err e = request_store_found(&found, result);
	struct entry *entry;

	if (e != ERR_OK) {
		visit_fail(v, e, &note);
		return;
	}
	if (!found.known && works[v->kind].form) {
		visit_recover(v);
		return;
	}
	if (!found.known || found.state == REQUEST_EVICTED) {
		visit_fail_status(v, GRPC_NOT_FOUND,
				  found.known ? "the result was kept for a while and is gone"
					      : "no such request");
		return;
	}
	switch (found.state) {
	case REQUEST_DONE:
		visit_reply(v, found.answer);
		return;
	case REQUEST_FAILED:
		visit_fail_status(v, failure_status(found.cause), works[v->kind].failure);
		return;
	case REQUEST_PENDING:
	case REQUEST_EVICTED:
		break;
	}
	entry = entry_find(v->core, visit_name(v));
	if (entry)
		result_wait(v, entry);
	else
		visit_fail(v, ERR_CORRUPT,
			   &(struct err_note){"pending in the store, unknown in memory"});
}

/* The result, now or when it is there. */
static void visit_result(struct visit *v)
{
	struct entry *entry = entry_find(v->core, visit_name(v));

	if (entry) {
		result_wait(v, entry);
		return;
	}

	enum err e = request_store_find(v->core->o.store, visit_name(v), result_found, v);

	if (e != ERR_OK)
		visit_fail(v, e, &(struct err_note){"the database is busy"});
}

void service_result_handle(struct core_service *s, struct grpc_call *call, enum request_kind kind)
{
	struct visit *v = visit_new(s, call, kind, works[kind].result);
	enum err e;

	if (!v)
		return;
	v->asks_result = true;
	if (s->phase != CORE_SERVING) {
		visit_fail_status(v, GRPC_UNAVAILABLE, "the node is starting or stopping");
		return;
	}
	e = id_message_read(&v->id, grpc_call_request(call), &v->note);
	if (e != ERR_OK)
		visit_fail(v, e, &v->note);
	else
		visit_result(v);
}

/* ---- …Decrypt, …DecryptSync, KeyGen… ---- */

static void visit_accepted(struct visit *v, const struct request_admission *a)
{
	struct core_service *s = v->core;
	struct kind_count *count = &s->kinds[v->kind];
	struct bytes message = grpc_call_request(v->call);
	const struct request_pending pending = {
		.name = visit_name(v),
		.message_n = message.n,
		.preproc_id = v->preproc_id,
		.preproc_params = a->preproc_params,
	};
	struct entry *entry;
	char id[REQUEST_ID_TEXT_SIZE];

	rate_limit_give(&s->rate, &v->tokens); /* the entry claims them */
	entry = entry_add(s, &pending, message);

	if (a->restarted && count->finished_n > 0)
		count->finished_n--;
	if (!entry) {
		/* It is in the store, and will be done after the next start. */
		visit_fail(v, ERR_NOMEM, &(struct err_note){"accepted, but not started"});
		return;
	}
	request_id_text(id, v->id);
	LOG_INFO(s->o.log, works[v->kind].accepted, log_s("kind", works[v->kind].name),
		 log_s("request_id", id), log_i("handles", (int64_t)v->items_n),
		 log_i("bytes", (int64_t)message.n));
	if (v->extra_data_differs)
		LOG_WARN(s->o.log, "extra_data does not name the context and epoch of its request",
			 log_s("request_id", id));
	if (v->sync)
		visit_wait(v, entry);
	else
		visit_reply(v, BYTES_NONE); /* Empty */
	entries_run(s);
	entries_evict(count);
}

static void visit_admitted(void *ctx, const struct store_result *result)
{
	struct visit *v = ctx;
	struct request_admission a = {0};
	struct err_note note = result->note;
	enum err e = request_store_admitted(&a, result);

	v->core->kinds[v->kind].reserved_n--;
	v->reserved = false;
	if (e != ERR_OK)
		visit_fail(v, e, &note);
	else if (a.inserted || a.restarted)
		visit_accepted(v, &a);
	else if (a.session_used && !hash32_eq(a.session_use, v->session_use))
		visit_fail_status(v, GRPC_FAILED_PRECONDITION,
				  "request_id was used before with other ciphertexts");
	else if (!a.known && v->taken)
		visit_recover(v);
	else if (!a.known && v->kind == REQUEST_KEYGEN &&
		 !(v->limited && a.preproc == PREPROC_READY))
		keygen_refuse(v, &a);
	else if (!a.known || (a.state == REQUEST_FAILED && !works[v->kind].key))
		visit_fail_status(v, GRPC_RESOURCE_EXHAUSTED,
				  v->limited ? "the node works on as much as its rate limit allows"
					     : "the node holds as many requests as it may");
	else if (!hash32_eq(a.digest, v->digest))
		visit_fail_status(v, GRPC_FAILED_PRECONDITION,
				  "request_id was used before with other content");
	else if (v->sync)
		visit_result(v);
	else
		visit_fail_status(v, GRPC_ALREADY_EXISTS, "request_id is known");
}

/* Pool thread for large messages, loop thread for small ones: touches the visit and what is
 * immutable. */
static void visit_check(void *job)
{
	struct visit *v = job;
	struct bytes message = grpc_call_request(v->call);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);

	v->err = works[v->kind].check(v, message, &memory);
}

static void visit_checked(void *job)
{
	struct visit *v = job;
	struct core_service *s = v->core;

	if (v->err != ERR_OK) {
		visit_fail(v, v->err, &v->note);
		return;
	}
	if (s->phase != CORE_SERVING) {
		visit_fail_status(v, GRPC_UNAVAILABLE, "the node is starting or stopping");
		return;
	}

	struct bytes message = grpc_call_request(v->call);

	v->limited = !rate_limit_take(&s->rate, v->kind, &v->tokens);

	const struct request_offer offer = {
		.name = visit_name(v),
		.digest = v->digest,
		.message = message,
		.now_ms = clock_wall_ms(loop_clock(s->o.loop)),
		.lookup_only = v->limited || v->taken || v->preproc_used ||
			       !entries_room(s, v->kind, message.n),
		.params = v->params,
		.preproc_id = v->preproc_id,
		.sessions = s->o.net && !works[v->kind].key,
		.session_use = v->session_use,
	};
	enum err e = request_store_admit(s->o.store, &offer, visit_admitted, v);

	if (e != ERR_OK) {
		visit_fail(v, e, &(struct err_note){"the database is busy"});
		return;
	}
	v->reserved = true;
	s->kinds[v->kind].reserved_n++;
}

void service_request_handle(struct core_service *s, struct grpc_call *call, enum request_kind kind,
			    bool sync)
{
	struct visit *v = visit_new(s, call, kind, works[kind].request);

	if (!v)
		return;
	v->sync = sync;
	if (s->o.committees && works[kind].committee != BUILT)
		visit_fail_status(v, GRPC_FAILED_PRECONDITION,
				  not_built[works[kind].committee].refusal);
	else if (s->phase != CORE_SERVING) {
		visit_fail_status(v, GRPC_UNAVAILABLE, "the node is starting or stopping");
	} else if (grpc_call_request(call).n <= PROTOBUF_INLINE_MAX) {
		visit_check(v);
		visit_checked(v);
	} else if (pool_submit(s->o.pool, visit_check, visit_checked, v) != ERR_OK) {
		visit_fail_status(v, GRPC_RESOURCE_EXHAUSTED, "the node has too much to compute");
	}
}

/* ---- life ---- */

/* What an earlier process accepted and did not answer goes first into the queue. */
static enum err unfinished_queue(struct core_service *s, const struct store_result *result)
{
	size_t finished[REQUEST_KINDS];

	TRY(request_store_surveyed(finished, result));
	FOR_EACH_REQUEST_KIND(k)
	s->kinds[k].finished_n = finished[k];
	for (size_t i = 0; i < result->rows[1].rows_n; i++) {
		struct request_pending p;

		TRY(request_store_pending(&p, result, i));
		if (!entry_add(s, &p, BYTES_NONE))
			return ERR_NOMEM;
	}
	return ERR_OK;
}

static void surveyed(void *ctx, const struct store_result *result)
{
	struct core_service *s = ctx;
	enum err e = unfinished_queue(s, result);
	size_t entries = 0, finished = 0;

	if (e != ERR_OK) {
		s->phase = CORE_BROKEN;
		LOG_ERROR(s->o.log, "The requests of an earlier run could not be read", log_e(e),
			  log_s("detail", result->note.text));
		if (s->o.broken)
			s->o.broken(s->o.broken_ctx);
		return;
	}
	if (s->phase != CORE_STARTING)
		return;
	s->phase = CORE_SERVING;
	FOR_EACH_REQUEST_KIND(k)
	{
		entries += s->kinds[k].entries_n;
		finished += s->kinds[k].finished_n;
	}
	LOG_INFO(s->o.log, "Serving", log_i("fhe_keys", (int64_t)s->o.keys->n),
		 log_i("unfinished_requests", (int64_t)entries),
		 log_i("stored_results", (int64_t)finished));
	entries_run(s);
	FOR_EACH_REQUEST_KIND(k)
	entries_evict(&s->kinds[k]);
}

enum err core_service_new(struct core_service **ret_service,
			  const struct core_service_options *options)
{
	struct core_service *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NOMEM;
	s->o = *options;
	s->rate.config = options->rate;
	FOR_EACH_REQUEST_KIND(k)
	s->kinds[k] = (struct kind_count){.core = s, .kind = k};

	enum err e = crss_load(s);

	/* First, so that what is unfinished begins after it. */
	if (e == ERR_OK && s->o.net)
		e = words_load(s);
	if (e == ERR_OK)
		e = request_store_survey(s->o.store, surveyed, s);
	if (e != ERR_OK) {
		vault_ids_free(&s->crss);
		free(s);
		return e;
	}
	*ret_service = s;
	return ERR_OK;
}

enum core_phase core_service_phase(const struct core_service *s)
{
	return s->phase;
}

void core_service_stop(struct core_service *s, loop_fn *stopped, void *ctx)
{
	s->phase = CORE_STOPPING;
	s->stopped = stopped;
	s->stopped_ctx = ctx;
	for (size_t i = 0; i < ENTRY_BUCKETS; i++) {
		for (struct entry *e = s->buckets[i]; e; e = e->bucket_next) {
			bool interrupt = e->stage == ENTRY_COMPUTING && works[e->name.kind].alone;
			bool ends = (e->stage == ENTRY_COMPUTING && !interrupt) ||
				    e->stage == ENTRY_SAVING;

			if (interrupt)
				atomic_store(&e->stop, true);
			if (e->stage == ENTRY_OPENING)
				entry_open_cancel(e);

			while (!ends && e->waiters)
				visit_fail_status(e->waiters, GRPC_UNAVAILABLE,
						  "the node is stopping");
		}
	}
	entries_stop_check(s);
}

void core_service_free(struct core_service *s)
{
	if (!s)
		return;
	entries_free(s);
	while (s->visits)
		visit_drop(s->visits);
	vault_ids_free(&s->crss);
	free(s);
}

const struct peer_net *core_service_peers(const struct core_service *s)
{
	return s->o.net;
}

const struct metrics *core_service_metrics(const struct core_service *s)
{
	return &s->metrics;
}

struct metrics_gauges core_service_gauges(const struct core_service *s)
{
	struct metrics_gauges g = {
		.calls_waiting = s->waiters_n,
		.fhe_keys = s->o.keys->n,
		.rate_tokens_used = s->rate.used,
		.serving = s->phase == CORE_SERVING,
		.committee = s->o.committees != NULL,
		.sessions = s->sessions_n,
		.epochs_pending = s->o.epochs ? epoch_setup_pending(s->o.epochs) : 0,
	};

	FOR_EACH_REQUEST_KIND(k)
	{
		g.requests[k].pending = s->kinds[k].entries_n;
		g.requests[k].stored = s->kinds[k].entries_n + s->kinds[k].finished_n;
		g.requests[k].running = s->kinds[k].running_n;
	}
	return g;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Keys and CRSs that lie whole in the vaults, and whose request the table does not know: it was
 * lost, or comes from an older backup. The private object holds digests and signature, so that the
 * answer is still there; and a second key is never made for an id.
 *
 * All public objects are read for it, half a gigabyte of them: one visit at a time.
 */
#include <stdio.h>

#include "core/request_id.h"
#include "core/service_internal.h"
#include "net/protobuf.h"

bool material_find(struct publish_name *name, const struct core_service_options *o)
{
	bool found;

	name->epoch_id = request_id_default_epoch;
	found = publish_is_ended(&o->vaults, name);
	for (size_t i = o->keys->n; i-- > 0 && !found;) {
		name->epoch_id = o->keys->v[i].epoch_id;
		found = publish_is_ended(&o->vaults, name);
	}
	return found;
}

static void recover_compute(void *job)
{
	struct visit *v = job;
	struct bytes message = v->asks_result ? BYTES_NONE : grpc_call_request(v->call);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);

	v->answer = buf_make(KEY_ANSWER_MAX);
	v->err = works[v->kind].recover(v, &v->answer, message, &memory);
}

/* Not ALREADY_EXISTS if there is no result: who reads that asks for one. */
static void request_refuse(struct visit *v)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
		       "the vault holds a %s of this id that no known request made",
		       works[v->kind].form->name);
	if (v->err == ERR_OK)
		visit_fail_status(v, GRPC_ALREADY_EXISTS, "request_id is known");
	else if (v->err == ERR_STATE_MOVED)
		visit_fail(v, v->err, &v->note);
	else
		visit_fail_status(v, GRPC_FAILED_PRECONDITION, text);
}

static void result_answer(struct visit *v)
{
	if (v->err == ERR_OK)
		visit_reply(v, buf_view(&v->answer));
	else if (v->err == ERR_NOT_FOUND)
		visit_fail_status(v, GRPC_NOT_FOUND, "no such request");
	else
		visit_fail(v, v->err, &v->note);
}

static void recovered(void *job)
{
	struct visit *v = job;
	struct core_service *s = v->core;
	char id[REQUEST_ID_TEXT_SIZE];

	s->recovering = false;
	request_id_text(id, v->id);
	if (v->err == ERR_OK)
		LOG_WARN(s->o.log, "The vault holds what the database has forgotten",
			 log_s("kind", works[v->kind].name), log_s("request_id", id));
	else if (v->err != ERR_NOT_FOUND && !v->asks_result)
		LOG_WARN(s->o.log, "Objects of an id that the database does not know",
			 log_s("kind", works[v->kind].name), log_s("request_id", id), log_e(v->err),
			 log_s("detail", v->note.text));
	if (v->asks_result)
		result_answer(v);
	else
		request_refuse(v);
}

void visit_recover(struct visit *v)
{
	struct core_service *s = v->core;
	struct publish_name name = {.form = works[v->kind].form, .id = v->id};
	bool there = !v->asks_result || material_find(&name, &s->o);

	if (v->asks_result)
		v->epoch_id = name.epoch_id;
	if (!there) {
		visit_fail_status(v, GRPC_NOT_FOUND, "no such request");
	} else if (s->recovering) {
		visit_fail_status(v, GRPC_UNAVAILABLE, "the node reads its vault for another call");
	} else if (pool_submit(s->o.pool, recover_compute, recovered, v) != ERR_OK) {
		visit_fail_status(v, GRPC_RESOURCE_EXHAUSTED, "the node has too much to compute");
	} else {
		s->recovering = true;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdlib.h>

#include "base/limits.h"
#include "core/request_id.h"
#include "core/service_internal.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

enum {
	/* Answered a little before the client's deadline, a wait ends with a status that says more.
	 */
	DEADLINE_MARGIN_MS = 50,
};

static const struct {
	enum err err;
	enum grpc_status status;
} status_rows[] = {
	{ERR_OK, GRPC_OK},
	{ERR_BAD_REQUEST, GRPC_INVALID_ARGUMENT},
	{ERR_MALFORMED, GRPC_INVALID_ARGUMENT},
	{ERR_TOO_BIG, GRPC_INVALID_ARGUMENT},
	{ERR_UNSUPPORTED, GRPC_UNIMPLEMENTED},
	{ERR_NOT_FOUND, GRPC_NOT_FOUND},
	{ERR_ALREADY_DONE, GRPC_ALREADY_EXISTS},
	{ERR_STATE_MOVED, GRPC_FAILED_PRECONDITION},
	{ERR_BUSY, GRPC_RESOURCE_EXHAUSTED},
	{ERR_NOT_READY, GRPC_UNAVAILABLE},
	{ERR_TRANSIENT, GRPC_UNAVAILABLE},
};

enum grpc_status visit_status(enum err e)
{
	for (size_t i = 0; i < ARRAY_LEN(status_rows); i++)
		if (status_rows[i].err == e)
			return status_rows[i].status;
	return GRPC_INTERNAL;
}

enum grpc_status failure_status(enum err cause)
{
	if (cause ==
	    ERR_TIMEOUT) /* too few nodes for too long: whoever still wants it asks again */
		return GRPC_NOT_FOUND;
	return cause == ERR_CANCELLED ? GRPC_ABORTED : GRPC_INTERNAL;
}

enum err id_message_read(struct hash32 *ret_id, struct bytes message, struct err_note *note)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	ProtobufCMessage *m;

	if (protobuf_unpack(&m, &kms__v1__request_id__descriptor, message, &memory) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST, "the message is not a RequestId");
	if (request_id_parse(ret_id, bytes_str(((const Kms__V1__RequestId *)m)->request_id)) !=
	    ERR_OK)
		return err_say(note, ERR_BAD_REQUEST,
			       "request_id is not an identifier of 64 hexadecimal digits");
	return ERR_OK;
}

static void list_add(struct visit **list, struct visit *v)
{
	v->list = list;
	v->prev = NULL;
	v->next = *list;
	if (v->next)
		v->next->prev = v;
	*list = v;
}

static void list_remove(struct visit *v)
{
	if (v->prev)
		v->prev->next = v->next;
	else
		*v->list = v->next;
	if (v->next)
		v->next->prev = v->prev;
}

struct visit *visit_new(struct core_service *s, struct grpc_call *call, enum request_kind kind,
			enum metrics_operation operation)
{
	struct visit *v = calloc(1, sizeof(*v));

	s->metrics.operations[operation]++;
	if (!v) {
		s->metrics.errors[operation][GRPC_RESOURCE_EXHAUSTED]++;
		grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "the node is out of memory");
		return NULL;
	}
	v->core = s;
	v->call = call;
	v->kind = kind;
	v->operation = operation;
	list_add(&s->visits, v);
	return v;
}

void visit_drop(struct visit *v)
{
	struct core_service *s = v->core;

	if (v->reserved)
		s->kinds[v->kind].reserved_n--;
	if (v->list != &s->visits) {
		s->waiters_n--;
		clock_timer_cancel(loop_clock(s->o.loop), &v->timer);
	}
	list_remove(v);
	rate_limit_give(&s->rate, &v->tokens);
	buf_free(&v->answer);
	if (v->looks)
		s->looks_n--;
	if (v->free_more)
		v->free_more(v->more);
	arena_free(&v->memory);
	if (v->context)
		mpc_context_clear(v->context);
	free(v->context);
	free(v);
}

void visit_reply(struct visit *v, struct bytes message)
{
	grpc_call_reply(v->call, message);
	visit_drop(v);
}

void visit_reply_message(struct visit *v, const ProtobufCMessage *message)
{
	CLEANUP(buf_free) struct buf out = buf_make(REPLY_MAX);

	if (protobuf_pack(&out, message) == ERR_OK)
		visit_reply(v, buf_view(&out));
	else
		visit_fail_nomem(v);
}

void visit_fail_nomem(struct visit *v)
{
	visit_fail_status(v, GRPC_RESOURCE_EXHAUSTED, "the node is out of memory");
}

void visit_fail_status(struct visit *v, enum grpc_status status, const char *text)
{
	char id[REQUEST_ID_TEXT_SIZE];

	request_id_text(id, v->id);
	v->core->metrics.errors[v->operation][status]++;
	LOG_INFO(v->core->o.log, "Call refused", log_s("request_id", id),
		 log_s("status", grpc_status_name(status)), log_s("reason", text));
	grpc_call_fail(v->call, status, text);
	visit_drop(v);
}

void visit_fail(struct visit *v, enum err e, const struct err_note *note)
{
	enum grpc_status status = visit_status(e);

	if (status == GRPC_INTERNAL) {
		char id[REQUEST_ID_TEXT_SIZE];

		request_id_text(id, v->id);
		LOG_ERROR(v->core->o.log, "Call failed", log_s("request_id", id), log_e(e),
			  log_s("detail", note->text));
		visit_fail_status(v, status, "the node failed; its log says why");
		return;
	}
	if (status == GRPC_UNAVAILABLE) {
		visit_fail_status(v, status, "the node cannot do this now");
		return;
	}

	struct err_note copy = *note; /* may lie in the visit */

	visit_fail_status(v, status, copy.text[0] ? copy.text : err_name(e));
}

static void wait_over(void *ctx)
{
	visit_fail_status(ctx, GRPC_UNAVAILABLE, "the result is not there yet");
}

void visit_wait(struct visit *v, struct entry *e)
{
	struct core_service *s = v->core;
	int64_t left = grpc_call_time_left_ms(v->call);
	int64_t wait = CORE_POLL_WAIT_MS;

	if (s->waiters_n >= CORE_WAITERS_MAX) {
		visit_fail_status(v, GRPC_RESOURCE_EXHAUSTED, "too many calls wait for results");
		return;
	}
	if (left < wait + DEADLINE_MARGIN_MS)
		wait = left > DEADLINE_MARGIN_MS ? left - DEADLINE_MARGIN_MS : 0;
	list_remove(v);
	list_add(&e->waiters, v);
	s->waiters_n++;
	clock_timer_set(loop_clock(s->o.loop), &v->timer, wait, wait_over, v);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The methods about contexts and epochs. A centralised node has none of them. */
#include <stdlib.h>

#include "core/context_info.h"
#include "core/epoch_setup.h"
#include "core/request_id.h"
#include "core/service_internal.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

/* A visit to one of them; NULL: it is answered. */
static struct visit *begin(struct core_service *s, struct grpc_call *call,
			   enum metrics_operation operation)
{
	struct visit *v;

	if (!s->o.committees) {
		grpc_call_fail(call, GRPC_UNIMPLEMENTED, "a centralised node has no committee");
		return NULL;
	}
	v = visit_new(s, call, REQUEST_PUBLIC_DECRYPTION, operation);
	if (v && s->phase != CORE_SERVING) {
		visit_fail_status(v, GRPC_UNAVAILABLE, "the node is starting or stopping");
		return NULL;
	}
	return v;
}

/* ---- NewMpcContext ---- */

static enum err context_read(struct visit *v)
{
	struct bytes message = grpc_call_request(v->call);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	const Kms__V1__NewMpcContextRequest *m;
	ProtobufCMessage *unpacked;

	if (protobuf_unpack(&unpacked, &kms__v1__new_mpc_context_request__descriptor, message,
			    &memory) != ERR_OK)
		return err_say(&v->note, ERR_BAD_REQUEST,
			       "the message is not a NewMpcContextRequest");
	m = (const Kms__V1__NewMpcContextRequest *)unpacked;
	if (!m->new_context)
		return err_say(&v->note, ERR_BAD_REQUEST, "new_context is missing");
	v->answer = buf_make(CONTEXT_INFO_SIZE_MAX);
	TRY(context_info_write(&v->answer, m->new_context, &v->note));
	return context_info_read(v->context, buf_view(&v->answer), v->core->o.signer->address,
				 &v->note);
}

/* Pool thread. */
static void context_keep(void *job)
{
	struct visit *v = job;
	const struct vault_name name = {.type = CONTEXT_INFO_TYPE, .id = v->context->id};

	v->err = vault_write(&v->core->o.vaults.private, &name, buf_view(&v->answer), &v->note);
}

static void context_kept(void *job)
{
	struct visit *v = job;
	struct core_service *s = v->core;

	s->context_busy = false;
	if (v->err == ERR_OK)
		v->err = committees_add_context(s->o.committees, v->context);
	if (v->err != ERR_OK) {
		peer_net_context_drop(s->o.net, &v->context->id);
		visit_fail(v, v->err, &v->note);
		return;
	}

	char id[REQUEST_ID_TEXT_SIZE];

	request_id_text(id, v->context->id);
	LOG_INFO(s->o.log, "Context added", log_s("context_id", id),
		 log_i("nodes", (int64_t)v->context->n),
		 log_i("threshold", (int64_t)v->context->threshold),
		 log_i("party_id", (int64_t)v->context->me));
	visit_reply(v, BYTES_NONE); /* Empty */
}

static enum err context_begin(struct visit *v)
{
	struct core_service *s = v->core;

	TRY(context_read(v));
	v->id = v->context->id;
	if (committees_context(s->o.committees, v->id))
		return err_say(&v->note, ERR_ALREADY_DONE, "context_id is known");
	if (s->context_busy)
		return ERR_NOT_READY;
	TRY(peer_net_context_set(s->o.net, v->context, &v->note));
	if (pool_submit(s->o.pool, context_keep, context_kept, v) != ERR_OK) {
		peer_net_context_drop(s->o.net, &v->id);
		return err_say(&v->note, ERR_BUSY, "the node has too much to do");
	}
	s->context_busy = true;
	return ERR_OK;
}

void context_new_handle(void *ctx, struct grpc_call *call)
{
	struct visit *v = begin(ctx, call, METRICS_NEW_MPC_CONTEXT);
	enum err e;

	if (!v)
		return;
	v->context = calloc(1, sizeof(*v->context));
	e = v->context ? context_begin(v) : ERR_NOMEM;
	if (e != ERR_OK) /* what the net refuses is the message's fault */
		visit_fail(v, e == ERR_CONFIG_VALUE ? ERR_BAD_REQUEST : e, &v->note);
}

/* ---- NewMpcEpoch ---- */

static enum err epoch_read(struct visit *v, struct request_where *where)
{
	struct core_service *s = v->core;
	struct bytes message = grpc_call_request(v->call);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	const Kms__V1__NewMpcEpochRequest *m;
	const struct mpc_context *c;
	ProtobufCMessage *unpacked;

	if (protobuf_unpack(&unpacked, &kms__v1__new_mpc_epoch_request__descriptor, message,
			    &memory) != ERR_OK)
		return err_say(&v->note, ERR_BAD_REQUEST,
			       "the message is not a NewMpcEpochRequest");
	m = (const Kms__V1__NewMpcEpochRequest *)unpacked;
	TRY(field_where(where, m->context_id, m->epoch_id, &v->note));
	v->id = where->epoch_id;
	if (m->previous_epoch)
		return err_say(&v->note, ERR_STATE_MOVED, "%s",
			       not_built[NOT_BUILT_RESHARING].refusal);
	c = committees_context(s->o.committees, where->context_id);
	if (!c)
		return err_say(&v->note, ERR_NOT_FOUND, "context_id is not known to this node");
	if (c->me == 0)
		return err_say(&v->note, ERR_STATE_MOVED, "this node is not in the context");
	return ERR_OK;
}

static void epoch_begun(void *ctx, enum err e)
{
	struct visit *v = ctx;

	if (e == ERR_OK)
		visit_reply(v, BYTES_NONE); /* Empty */
	else
		visit_fail(v, e, &(struct err_note){"epoch_id was used by a request"});
}

/* Known, in the same context: as all other ids. In another one it can never be served. */
static enum err epoch_known(struct visit *v, const struct request_where *where)
{
	const struct committee_epoch *known =
		committees_epoch(v->core->o.committees, where->epoch_id);

	if (known && !hash32_eq(known->context_id, where->context_id))
		return err_say(&v->note, ERR_BAD_REQUEST, "epoch_id is one of another context");
	return err_say(&v->note, ERR_ALREADY_DONE, "epoch_id is known");
}

void epoch_new_handle(void *ctx, struct grpc_call *call)
{
	struct core_service *s = ctx;
	struct visit *v = begin(s, call, METRICS_NEW_MPC_EPOCH);
	struct request_where where;
	enum err e;

	if (!v)
		return;
	e = epoch_read(v, &where);
	if (e == ERR_OK)
		e = epoch_setup_begin(s->o.epochs, where.context_id, where.epoch_id, epoch_begun,
				      v);
	if (e == ERR_ALREADY_DONE)
		e = epoch_known(v, &where);
	if (e == ERR_TOO_BIG)
		e = err_say(&v->note, ERR_BUSY, "the node holds as many epochs as it may");
	if (e != ERR_OK)
		visit_fail(v, e, &v->note);
}

void epoch_result_handle(void *ctx, struct grpc_call *call)
{
	struct core_service *s = ctx;
	struct visit *v = begin(s, call, METRICS_EPOCH_RESULT);
	const struct committee_epoch *epoch;
	enum err e;

	if (!v)
		return;
	e = id_message_read(&v->id, grpc_call_request(call), &v->note);
	if (e != ERR_OK) {
		visit_fail(v, e, &v->note);
		return;
	}
	epoch = committees_epoch(s->o.committees, v->id);
	if (!epoch)
		visit_fail_status(v, GRPC_NOT_FOUND, "no such epoch");
	else if (!committees_prss(epoch))
		visit_fail_status(v, GRPC_UNAVAILABLE, "the set-up is under way");
	else
		visit_reply(v, BYTES_NONE); /* nothing was reshared */
}

/* ---- what is not there ---- */

static void refuse(struct core_service *s, struct grpc_call *call, enum metrics_operation operation,
		   enum not_built what)
{
	struct visit *v = begin(s, call, operation);

	if (v)
		visit_fail_status(v, GRPC_FAILED_PRECONDITION, not_built[what].refusal);
}

void context_destroy_handle(void *ctx, struct grpc_call *call)
{
	refuse(ctx, call, METRICS_DESTROY_MPC_CONTEXT, NOT_BUILT_CONTEXT_END);
}

void epoch_destroy_handle(void *ctx, struct grpc_call *call)
{
	refuse(ctx, call, METRICS_DESTROY_MPC_EPOCH, NOT_BUILT_EPOCH_END);
}

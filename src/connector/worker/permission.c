/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * May these handles be decrypted, for whom they are asked? The rules of the request's kind (acl.c,
 * user_rules.c) are put to the ACL of each handle's host chain, at a head that was read just
 * before, so that the proof can say at which block it was allowed; besides, the context that the
 * extra data names, if any.
 *
 * A "no" may come from a node that lags. It becomes a refusal only when a host block is later than
 * the request by acl_grace and a second read, head and calls, says the same. The request is as old
 * as its gateway block says: our own clock, and when we saw it, have no part in this.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "connector/adapters/views.h"
#include "connector/worker/acl.h"
#include "eth/text.h"

/* Whatever an RPC node does wrong is not the request's fault: it waits, and no attempt is counted.
 */
void permission_network_failed(struct job *j, enum err e, const char *what, const char *detail)
{
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS, METRIC_CHECK_NETWORK);
	work_retry(j, err_class(e) == ERR_CLASS_SOURCE ? ERR_UNAVAILABLE : e, "%s: %s", what,
		   detail);
}

/* One part of the pass is done; with the last one the permission is proven. */
void permission_part_done(struct job *j)
{
	if (--j->pending > 0)
		return;
	if (j->request.handles_n == 0)
		proof_note(j->proof, PROOF_CONFIRMED);
	if (!proof_permitted(j->proof)) {
		work_retry(j, ERR_INTERNAL, "permission was not proven for every handle");
		return;
	}
	work_permitted(j);
}

enum err permission_call(struct job *j, struct endpoint *at, struct call_msg msg,
			 const struct buf *data, struct block_tag tag, provider_bytes_fn *done,
			 size_t index)
{
	struct ticket *t = scope_open(&j->calls, j->worker->env.inflight, j, index);
	enum err e;

	msg.data = buf_view(data);
	e = t ? provider_call(at->provider, &msg, tag, done, t) : ERR_NOMEM;
	if (e != ERR_OK && t)
		(void)ticket_close(t, NULL);
	return e;
}

struct block_tag permission_head(const struct job *j, size_t handle)
{
	return (struct block_tag){.kind = BLOCK_NUMBER, .number = j->heads[handle].number};
}

struct address permission_acl_of(const struct job *j, const struct endpoint *host)
{
	return j->worker->env.config->host_chains[host - j->worker->hosts].acl;
}

/* ---- a "no" ---- */

/* Is the host's head later than the request by the grace? */
static bool grace_is_over(const struct job *j, size_t i)
{
	uint64_t head_s = j->heads[i].timestamp_s;
	uint64_t grace_s = ((uint64_t)j->worker->env.config->acl_grace_ms + 999) / 1000;

	return j->request_dated && head_s >= j->request_time_s &&
	       head_s - j->request_time_s >= grace_s;
}

/* "handle 0x… is not", "allowed for …", "by the ACL of" chain …; or the same of the signature. */
struct denial_text {
	char subject[96], predicate[REASON_SIZE_MAX];
	const char *by;
};

static void denial_text(struct denial_text *t, const struct job *j)
{
	char hex[65], user[ADDRESS_TEXT_SIZE];

	if (j->denied_by) {
		hex_encode(hex, BYTES_OF(j->request.handles[j->denied_by->handle].b));
		(void)snprintf(t->subject, sizeof(t->subject), "handle 0x%s", hex);
		acl_rule_text(t->predicate, j->denied_by);
		t->by = "by the ACL of";
		return;
	}
	address_to_text(user, j->request.user->user);
	(void)snprintf(t->subject, sizeof(t->subject), "the signature");
	(void)snprintf(t->predicate, sizeof(t->predicate),
		       "user %s's, nor vouched for by a contract wallet at that address", user);
	t->by = "on";
}

static void decide_denied(struct job *j, size_t i)
{
	const struct block_head *head = &j->heads[i];
	bool late = grace_is_over(j, i);
	struct denial_text t;

	if (late && !j->second_read) {
		j->second_read = true;
		permission_ask(j);
		return;
	}
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS,
		    j->denied_by ? METRIC_CHECK_ACL : METRIC_CHECK_SIGNATURE);
	denial_text(&t, j);
	if (late)
		work_end(j, OP_REFUSED, ERR_NOT_ALLOWED,
			 "%s is not %s %s chain %" PRIu64 " (block %" PRIu64 ", read twice)",
			 t.subject, t.predicate, t.by, j->hosts[i]->chain.v, head->number.v);
	else
		work_denied(j, "%s is not yet %s %s chain %" PRIu64 " (block %" PRIu64 ")",
			    t.subject, t.predicate, t.by, j->hosts[i]->chain.v, head->number.v);
}

static void on_request_block(void *ctx, const struct provider_error *e,
			     const struct block_head *block)
{
	size_t i;
	struct job *j = ticket_close(ctx, &i);

	if (!j)
		return;
	if (e->err != ERR_OK) {
		permission_network_failed(j, e->err, "block of the request", e->note.text);
		return;
	}
	/* A request that a re-organisation took away has no time: it waits for its new block. */
	j->request_dated = hash32_eq(block->hash, j->op.block_hash);
	j->request_time_s = block->timestamp_s;
	decide_denied(j, i);
}

/* One "no" is enough: the rest of the pass does not matter any more. */
void permission_denied(struct job *j, size_t handle, const struct acl_rule *rule)
{
	scope_cancel(&j->calls);
	j->denied_by = rule;
	if (j->request_dated) {
		decide_denied(j, handle);
		return;
	}

	struct ticket *t = scope_open(&j->calls, j->worker->env.inflight, j, handle);
	enum err e = t ? provider_head(j->worker->gateway.provider,
				       (struct block_tag){BLOCK_NUMBER, j->op.block},
				       on_request_block, t)
		       : ERR_NOMEM;
	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	permission_network_failed(j, e, "block of the request", "not sent");
}

/* ---- heads ---- */

/* All heads are there. */
static enum err ask_rules(struct job *j)
{
	TRY(acl_ask(j));
	return user_signature_ask(j);
}

/* `first` is the first handle of its host chain: it stands for the chain. */
static void on_head(void *ctx, const struct provider_error *e, const struct block_head *head)
{
	size_t first;
	struct job *j = ticket_close(ctx, &first);
	enum err err = ERR_OK;

	if (!j)
		return;
	if (e->err != ERR_OK) {
		permission_network_failed(j, e->err, "head of the host chain", e->note.text);
		return;
	}
	for (size_t i = first; i < j->request.handles_n; i++)
		if (j->hosts[i] == j->hosts[first])
			j->heads[i] = *head;
	if (--j->heads_pending == 0)
		err = ask_rules(j);
	if (err != ERR_OK)
		permission_network_failed(j, err, "permission of a handle", "not sent");
}

static enum err ask_head(struct job *j, size_t first)
{
	struct ticket *t = scope_open(&j->calls, j->worker->env.inflight, j, first);
	enum err e = t ? provider_head(j->hosts[first]->provider,
				       (struct block_tag){.kind = BLOCK_LATEST}, on_head, t)
		       : ERR_NOMEM;

	if (e != ERR_OK && t)
		(void)ticket_close(t, NULL);
	return e;
}

/* ---- context ---- */

static void on_valid(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct job *j = ticket_close(ctx, NULL);
	char context[65];
	uint8_t be[32];
	bool valid;

	if (!j)
		return;
	enum err err = e->err != ERR_OK ? e->err : view_bool_result(&valid, data);
	if (err != ERR_OK) {
		permission_network_failed(j, err, "isValidKmsContext",
					  e->err != ERR_OK ? e->note.text : err_name(err));
		return;
	}
	if (valid) {
		permission_part_done(j);
		return;
	}
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS, METRIC_CHECK_KMS_CONTEXT);
	u256_to_be(be, j->extra.context);
	hex_encode(context, BYTES_OF(be));
	work_retry(j, ERR_NOT_FOUND, "KMS context 0x%s%s is not valid", context,
		   j->extra.has_epoch ? " or its epoch" : "");
}

/* ProtocolConfig knows contexts and epochs; the gateway's GatewayConfig, asked where it is not
 * configured, contexts. */
enum err permission_context(struct job *j)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);
	const struct connector_config *c = j->worker->env.config;
	const struct block_tag latest = {.kind = BLOCK_LATEST};
	bool protocol = j->worker->ethereum.provider != NULL;
	struct endpoint *at = protocol ? &j->worker->ethereum : &j->worker->gateway;
	const struct call_msg msg = {.to = protocol ? c->protocol_config_contract.address
						    : c->gateway_config_contract.address};

	if (!j->extra.has_context)
		return ERR_OK;
	TRY(config_is_valid_kms_context_call(&data, j->extra.context));
	TRY(permission_call(j, at, msg, &data, latest, on_valid, 0));
	j->pending++;
	if (!protocol || !j->extra.has_epoch)
		return ERR_OK;
	buf_clear(&data);
	TRY(config_is_valid_epoch_for_context_call(&data, j->extra.context, j->extra.epoch));
	TRY(permission_call(j, at, msg, &data, latest, on_valid, 0));
	j->pending++;
	return ERR_OK;
}

/* ---- a pass ---- */

static bool first_of_host(const struct job *j, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (j->hosts[k] == j->hosts[i])
			return false;
	return true;
}

static enum err pass_ask(struct job *j)
{
	for (size_t i = 0; i < j->request.handles_n; i++)
		if (first_of_host(j, i)) {
			j->heads_pending++;
			TRY(ask_head(j, i));
		}
	return permission_context(j);
}

void permission_ask(struct job *j)
{
	enum err e =
		proof_new(&j->arena, &j->proof, j->op.key.content_digest, j->request.handles_n);

	j->pending = 1; /* the rules */
	j->heads_pending = 0;
	if (e == ERR_OK)
		e = pass_ask(j);
	if (e != ERR_OK)
		permission_network_failed(j, e, "permission", "not sent");
}

static struct endpoint *host_of(const struct job *j, const struct hash32 *handle)
{
	struct chain_id chain = handle_chain_id(handle);

	for (size_t k = 0; k < j->worker->env.hosts_n; k++)
		if (j->worker->hosts[k].chain.v == chain.v)
			return &j->worker->hosts[k];
	return NULL;
}

/* A public decryption needs one yes for each handle. */
void public_rules(struct job *j)
{
	const struct acl_question q = {.view = ACL_PUBLIC};
	enum err e = acl_init(j);

	for (size_t i = 0; e == ERR_OK && i < j->request.handles_n; i++)
		e = acl_rule_add_one(j, i, q);
	if (e == ERR_OK)
		permission_ask(j);
	else
		work_retry(j, e, "the rules of the request: %s", err_name(e));
}

void permission_start(struct job *j)
{
	size_t n = j->request.handles_n;

	j->hosts = arena_alloc_array(&j->arena, n, sizeof(struct endpoint *));
	j->heads = arena_alloc_array(&j->arena, n, sizeof(*j->heads));
	if (!j->hosts || !j->heads) {
		work_retry(j, ERR_NOMEM, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		j->hosts[i] = host_of(j, &j->request.handles[i]);
		if (!j->hosts[i]) {
			work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
				 "handle %zu is of chain %" PRIu64
				 ", which is not one of the configured host chains",
				 i, handle_chain_id(&j->request.handles[i]).v);
			return;
		}
	}
	j->kind->rules(j);
}

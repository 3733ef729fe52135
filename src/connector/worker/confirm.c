/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Does the chain's state agree with the event? One false log must not make a core forget a context,
 * or learn one that nobody announced. What the chain does not say (yet) is waited for; a contract
 * without the view cannot be asked.
 */
#include "connector/adapters/views.h"
#include "connector/worker/internal.h"

/* The endpoint of the operation's own chain. */
static struct endpoint *home(struct job *j)
{
	return j->op.key.chain.v == j->worker->gateway.chain.v ? &j->worker->gateway
							       : &j->worker->ethereum;
}

static enum err ask(struct job *j, const struct buf *data, provider_bytes_fn *done)
{
	const struct call_msg msg = {.to = j->op.key.contract};
	struct endpoint *at = home(j);

	if (!at->provider)
		return ERR_OK; /* no view of that chain is configured for the worker */
	TRY(permission_call(j, at, msg, data, (struct block_tag){.kind = BLOCK_LATEST}, done, 0));
	j->pending++;
	return ERR_OK;
}

static void disagrees(struct job *j, const char *what)
{
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS, METRIC_CHECK_KMS_CONTEXT);
	work_retry(j, ERR_NOT_READY, "%s", what);
}

/* A reverted call without data, or no data: there is no such view. */
static bool has_no_view(const struct provider_error *e, struct bytes data)
{
	return e->err == ERR_REMOTE ? e->revert_data.n == 0 : e->err == ERR_OK && data.n == 0;
}

/* ---- given up ---- */

static void on_request_done(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct job *j = ticket_close(ctx, NULL);
	bool done = false;

	if (!j)
		return;
	if (has_no_view(e, data)) {
		permission_part_done(j);
		return;
	}
	enum err err = e->err != ERR_OK ? e->err : view_bool_result(&done, data);
	if (err != ERR_OK)
		permission_network_failed(j, err, "isRequestDone", e->note.text);
	else if (!done)
		disagrees(j, "the contract does not say that it was given up");
	else
		permission_part_done(j);
}

enum err abort_confirm(struct job *j)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);

	TRY(is_request_done_call(&data, j->op.key.request_id));
	return ask(j, &data, on_request_done);
}

/* ---- a new context: its hash is that of what was announced ---- */

static void on_anchor(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct job *j = ticket_close(ctx, NULL);
	struct block_number block;
	struct hash32 hash;

	if (!j)
		return;
	enum err err = e->err != ERR_OK ? e->err : context_anchor_result(&block, &hash, data);
	if (err != ERR_OK)
		permission_network_failed(j, err, "getKmsContextAnchor", e->note.text);
	else if (!hash32_eq(hash, new_context_info_hash(j->op.content)))
		disagrees(j, "the contract's hash of the context is not that of the event");
	else
		permission_part_done(j);
}

enum err context_confirm(struct job *j)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);

	TRY(context_anchor_call(&data, j->op.key.request_id));
	return ask(j, &data, on_anchor);
}

/* ---- live or destroyed ---- */

/* index 1: must be live; 0: must not be. */
static void on_live(void *ctx, const struct provider_error *e, struct bytes data)
{
	size_t want;
	struct job *j = ticket_close(ctx, &want);
	bool live = false;

	if (!j)
		return;
	enum err err = e->err != ERR_OK ? e->err : view_bool_result(&live, data);
	if (err != ERR_OK)
		permission_network_failed(j, err, "isLiveKmsContext", e->note.text);
	else if (live != (want == 1))
		disagrees(j, live ? "the contract says that the context is not destroyed"
				  : "the contract says that the context is destroyed");
	else
		permission_part_done(j);
}

static enum err ask_live(struct job *j, struct u256 context, bool want)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);
	const struct call_msg msg = {.to = j->op.key.contract};

	TRY(is_live_context_call(&data, context));
	TRY(permission_call(j, home(j), msg, &data, (struct block_tag){.kind = BLOCK_LATEST},
			    on_live, want ? 1 : 0));
	j->pending++;
	return ERR_OK;
}

enum err epoch_confirm(struct job *j)
{
	return ask_live(j, j->epoch.context, true);
}

enum err context_destroyed_confirm(struct job *j)
{
	return ask_live(j, j->op.key.request_id, false);
}

static void on_current(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct job *j = ticket_close(ctx, NULL);
	struct u256 context, epoch;

	if (!j)
		return;
	enum err err = e->err != ERR_OK ? e->err
					: current_context_and_epoch_result(&context, &epoch, data);
	if (err != ERR_OK)
		permission_network_failed(j, err, "getCurrentKmsContextAndEpoch", e->note.text);
	else if (u256_eq(epoch, j->op.key.request_id))
		disagrees(j, "the contract says that the epoch is the current one");
	else
		permission_part_done(j);
}

enum err epoch_destroyed_confirm(struct job *j)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);

	TRY(current_context_and_epoch_call(&data));
	return ask(j, &data, on_current);
}

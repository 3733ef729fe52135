/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the core is given with a new context or epoch, and only the chain knows: the context before,
 * as it was announced; the keys and CRSs that an epoch takes over, as they were at its block.
 */
#include "connector/worker/internal.h"

static void failed(struct job *j, enum err e, const char *what, const struct provider_error *pe)
{
	permission_network_failed(j, e, what,
				  pe && pe->err != ERR_OK ? pe->note.text : err_name(e));
}

static struct address generation(const struct job *j)
{
	return j->worker->env.config->kms_generation_contract.address;
}

static enum err ask(struct job *j, struct address to, struct block_tag at, const struct buf *data,
		    provider_bytes_fn *done, size_t index)
{
	const struct call_msg msg = {.to = to};

	return permission_call(j, &j->worker->ethereum, msg, data, at, done, index);
}

/* ---- the context before ---- */

static enum err previous_read(struct job *j, const struct event_log *log, struct hash32 want)
{
	const struct event_table *t = &event_tables[EVENTS_PROTOCOL_CONFIG];
	struct err_note note = {0};
	struct operation op;

	TRY(event_table_decode(t, &j->arena, &op, j->op.key.chain, log, &note));
	if (!u256_eq(op.key.request_id, j->context.previous) ||
	    !hash32_eq(new_context_info_hash(op.content), want))
		return ERR_MISMATCH;
	return new_context_decode(&j->arena, &j->previous, op.content);
}

static void on_logs(void *ctx, const struct provider_error *e, const struct event_log *logs,
		    size_t logs_n)
{
	struct job *j = ticket_close(ctx, NULL);
	enum err err = ERR_NOT_FOUND;

	if (!j)
		return;
	for (size_t i = 0; e->err == ERR_OK && i < logs_n; i++)
		if (logs[i].topics_n > 1 &&
		    u256_eq(u256_from_be(logs[i].topics[1].b), j->context.previous))
			err = previous_read(j, &logs[i], j->previous_hash);
	if (e->err != ERR_OK || err != ERR_OK)
		failed(j, e->err != ERR_OK ? e->err : err, "NewKmsContext of the context before",
		       e);
	else
		work_fetched(j);
}

static void on_previous_anchor(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct job *j = ticket_close(ctx, NULL);
	struct block_number block;

	if (!j)
		return;
	enum err err =
		e->err != ERR_OK ? e->err : context_anchor_result(&block, &j->previous_hash, data);
	if (err != ERR_OK) {
		failed(j, err, "getKmsContextAnchor of the context before", e);
		return;
	}

	const struct hash32 topic = new_context_topic();
	const struct log_filter filter = {
		.addresses = &j->op.key.contract,
		.addresses_n = 1,
		.topic0 = &topic,
		.topic0_n = 1,
		.from = block,
		.to = block,
	};
	struct ticket *t = scope_open(&j->calls, j->worker->env.inflight, j, 0);
	err = t ? provider_logs(j->worker->ethereum.provider, &filter, on_logs, t) : ERR_NOMEM;
	if (err == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	failed(j, err, "eth_getLogs", NULL);
}

void context_prepare(struct job *j)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);
	const struct block_tag latest = {.kind = BLOCK_LATEST};
	enum err e = context_anchor_call(&data, j->context.previous);

	if (e == ERR_OK)
		e = ask(j, j->op.key.contract, latest, &data, on_previous_anchor, 0);
	if (e != ERR_OK)
		failed(j, e, "getKmsContextAnchor", NULL);
}

/* ---- what an epoch takes over ---- */

static struct block_tag material_block(const struct job *j)
{
	return (struct block_tag){.kind = BLOCK_NUMBER, .number = j->epoch.material_block};
}

static void part_done(struct job *j)
{
	if (--j->pending == 0)
		work_fetched(j);
}

static void on_key(void *ctx, const struct provider_error *e, struct bytes data)
{
	size_t i;
	struct job *j = ticket_close(ctx, &i);
	struct u256 want;

	if (!j)
		return;
	want = j->keys[i].key_id;
	enum err err = e->err != ERR_OK ? e->err : key_info_result(&j->arena, &j->keys[i], data);
	if (err == ERR_OK && !u256_eq(j->keys[i].key_id, want))
		err = ERR_MISMATCH;
	if (err != ERR_OK)
		failed(j, err, "getKeyInfo", e);
	else
		part_done(j);
}

static void on_crs(void *ctx, const struct provider_error *e, struct bytes data)
{
	size_t i;
	struct job *j = ticket_close(ctx, &i);

	if (!j)
		return;
	enum err err = e->err != ERR_OK ? e->err
					: crs_materials_result(&j->arena, &j->crss[i].digest, data);
	if (err != ERR_OK)
		failed(j, err, "getCrsMaterials", e);
	else
		part_done(j);
}

static enum err ask_keys(struct job *j, const struct u256 *ids, size_t n)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);

	j->keys = arena_alloc_array(&j->arena, n, sizeof(*j->keys));
	if (!j->keys)
		return ERR_NOMEM;
	j->keys_n = n;
	for (size_t i = 0; i < n; i++) {
		j->keys[i] = (struct key_info){.key_id = ids[i]};
		buf_clear(&data);
		TRY(key_info_call(&data, ids[i]));
		TRY(ask(j, generation(j), material_block(j), &data, on_key, i));
		j->pending++;
	}
	return ERR_OK;
}

static enum err ask_crss(struct job *j, const struct u256 *ids, size_t n)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);

	j->crss = arena_alloc_array(&j->arena, n, sizeof(*j->crss));
	if (!j->crss)
		return ERR_NOMEM;
	j->crss_n = n;
	for (size_t i = 0; i < n; i++) {
		j->crss[i] = (struct epoch_crs){.crs_id = ids[i]};
		buf_clear(&data);
		TRY(crs_materials_call(&data, ids[i]));
		TRY(ask(j, generation(j), material_block(j), &data, on_crs, i));
		j->pending++;
	}
	return ERR_OK;
}

/* index 0: keys, 1: CRSs */
static void on_ids(void *ctx, const struct provider_error *e, struct bytes data)
{
	size_t which;
	struct job *j = ticket_close(ctx, &which);
	const struct u256 *ids = NULL;
	size_t n = 0;

	if (!j)
		return;
	enum err err = e->err != ERR_OK ? e->err : completed_ids_result(&j->arena, &ids, &n, data);
	if (err == ERR_OK)
		err = which == 0 ? ask_keys(j, ids, n) : ask_crss(j, ids, n);
	if (err != ERR_OK)
		failed(j, err, which == 0 ? "getCompletedKeyIds" : "getCompletedCrsIds", e);
	else
		part_done(j);
}

static enum err ask_ids(struct job *j)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);

	TRY(completed_key_ids_call(&data));
	TRY(ask(j, generation(j), material_block(j), &data, on_ids, 0));
	buf_clear(&data);
	TRY(completed_crs_ids_call(&data));
	return ask(j, generation(j), material_block(j), &data, on_ids, 1);
}

void epoch_prepare(struct job *j)
{
	const struct connector_config *c = j->worker->env.config;
	enum err e;

	if (!c->kms_generation_given || c->kms_generation_on_gateway) {
		work_retry(j, ERR_NOT_READY,
			   "the keys of the epoch are unknown: kms_generation_contract on the "
			   "ethereum chain is not configured");
		return;
	}
	j->pending = 2;
	e = ask_ids(j);
	if (e != ERR_OK)
		failed(j, e, "what the epoch takes over", NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What is no decryption: keys, CRSs, contexts, epochs, and giving them up. Before the core is asked
 * for any of it,
 *
 *   - the event is from the contract that the configuration names, on the chain that it names
 *   - the core was given nothing else under this id: its ids are burnt by their first use. Two
 *     processes may find so at once: the move that stores the proof takes the id, for one of them
 *   - the chain has not given it up meanwhile
 *   - the chain's state agrees (confirm.c), and the context that the extra data names is valid
 *
 * Unlike a decryption it may take days, so that only its age ends it, and what nothing can change.
 */
#include "connector/worker/internal.h"

enum {
	SIBLINGS_BYTES_MAX = 1 << 16
};

/* ---- content ---- */

static enum err extra_take(struct job *j, struct bytes extra_data)
{
	j->request.extra_data = extra_data;
	return ERR_OK;
}

enum err key_decode(struct job *j)
{
	TRY(key_request_decode(&j->key, j->op.content));
	return extra_take(j, j->key.extra_data);
}

/* All that belongs to one key is with one core: that of its preprocessing. */
enum err keygen_decode(struct job *j)
{
	TRY(key_decode(j));
	j->shard = j->key.first;
	return ERR_OK;
}

enum err context_decode(struct job *j)
{
	return new_context_decode(&j->arena, &j->context, j->op.content);
}

enum err epoch_decode(struct job *j)
{
	return new_epoch_decode(&j->epoch, j->op.content);
}

enum err destroyed_decode(struct job *j)
{
	return j->op.content.n == 32 ? ERR_OK : ERR_CORRUPT;
}

/* ---- where it comes from ---- */

const struct contract_config *job_contract(const struct job *j)
{
	const struct connector_config *c = j->worker->env.config;
	const struct contract_config *const contracts[EVENT_SOURCES] = {
		[EVENTS_DECRYPTION] = &c->decryption_contract,
		[EVENTS_KMS_GENERATION] = &c->kms_generation_contract,
		[EVENTS_PROTOCOL_CONFIG] = &c->protocol_config_contract,
	};

	return contracts[j->kind->source];
}

/* A row may be older than the configuration. */
static bool is_from_configured(const struct job *j)
{
	const struct connector_config *c = j->worker->env.config;
	bool generation = j->kind->source == EVENTS_KMS_GENERATION;
	bool given = generation ? c->kms_generation_given : c->protocol_config_given;
	uint64_t chain = generation && c->kms_generation_on_gateway ? c->gateway_chain_id
								    : c->ethereum_chain_id;

	return given && j->op.key.chain.v == chain &&
	       address_eq(j->op.key.contract, job_contract(j)->address);
}

/* ---- the chain's state ---- */

static void ask_chain(struct job *j)
{
	enum err e = ERR_OK;

	j->pending = 1; /* this pass */
	if (j->kind->confirm)
		e = j->kind->confirm(j);
	if (e == ERR_OK)
		e = permission_context(j);
	if (e == ERR_OK)
		permission_part_done(j);
	else
		permission_network_failed(j, e, "state of the chain", "not sent");
}

/* ---- the same id ---- */

static void on_siblings(void *ctx, const struct store_result *r)
{
	struct job *j = ticket_close(ctx, NULL);
	enum err e;

	if (!j)
		return;
	if (r->err != ERR_OK) {
		work_retry(j, r->err, "the database: %s", r->note.text);
		return;
	}
	if (store_cell(&r->rows[0], 0, 0)->i > 0) {
		work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
			 "the core was given this id with other content before");
		return;
	}
	if (j->id_missed) {
		LOG_WARN(j->worker->env.log, "An operation was taken by somebody else",
			 log_i("id", j->op.id));
		worker_job_gone(j->worker, j, -1);
		return;
	}
	if (j->kind->given_up_by != 0 && store_cell(&r->rows[0], 0, 1)->i > 0) {
		work_end(j, OP_ABORTED, ERR_STATE_MOVED, "the chain has given it up");
		return;
	}
	e = proof_new(&j->arena, &j->proof, j->op.key.content_digest, 0);
	if (e != ERR_OK) {
		work_retry(j, e, "out of memory");
		return;
	}
	proof_note(j->proof, PROOF_ORIGIN);
	proof_note(j->proof, PROOF_SINGLE);
	ask_chain(j);
}

static enum err ask_siblings(struct job *j)
{
	struct store_batch b = store_batch_make(SIBLINGS_BYTES_MAX);
	struct ticket *t = scope_open(&j->calls, j->worker->env.inflight, j, 0);
	enum err e = t ? op_add_siblings(&b, &j->op, j->kind->given_up_by, j->shard) : ERR_NOMEM;

	if (e == ERR_OK)
		e = store_submit(j->worker->env.store, &b, on_siblings, t);
	store_batch_free(&b);
	if (e != ERR_OK && t)
		(void)ticket_close(t, NULL);
	return e;
}

void management_missed(struct job *j)
{
	j->gives_id = false;
	j->id_missed = true;
	enum err e = ask_siblings(j);
	if (e != ERR_OK)
		work_retry(j, e, "the database could not be asked");
}

void management_check(struct job *j)
{
	enum err e;

	if (!is_from_configured(j)) {
		work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
			 "its contract is not the one that the configuration names for it");
		return;
	}
	/* One of the two at a time: the other then finds what became of the first. */
	if (worker_has_rival(j->worker, j)) {
		work_retry_soon(j, ERR_BUSY, "another event of the same id is worked on");
		return;
	}
	e = ask_siblings(j);
	if (e != ERR_OK)
		work_retry(j, e, "the database could not be asked");
}

/* ---- giving up ---- */

/* What ends with it: by its own id, or by the preprocessing that its content begins with. */
static const struct given_up {
	enum op_kind by, kind;
	bool by_first;
} given_up[] = {
	{OP_KIND_ABORT_KEYGEN, OP_KIND_PREP_KEYGEN, false},
	{OP_KIND_ABORT_KEYGEN, OP_KIND_KEYGEN, true},
	{OP_KIND_ABORT_CRSGEN, OP_KIND_CRSGEN, false},
};

static void on_given_up(void *ctx, const struct store_result *r)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	if (r->err != ERR_OK) {
		work_retry(j, r->err, "the database: %s", r->note.text);
		return;
	}
	/* Those of other processes find their rows gone. */
	for (size_t i = 0; i < ARRAY_LEN(given_up); i++)
		if (given_up[i].by == j->op.key.kind)
			worker_forget(j->worker, given_up[i].kind, j->op.key.request_id,
				      given_up[i].by_first);
	work_fetched(j);
}

static enum err add_given_up(struct store_batch *b, const struct job *j)
{
	int64_t now_ms = clock_wall_ms(j->worker->env.clock);

	for (size_t i = 0; i < ARRAY_LEN(given_up); i++)
		if (given_up[i].by == j->op.key.kind)
			TRY(op_add_abort(b, &j->op, given_up[i].kind, given_up[i].by_first,
					 "the chain has given it up", now_ms));
	return ERR_OK;
}

/* Our own rows first: nothing of it reaches the core after its abort. */
void abort_prepare(struct job *j)
{
	struct store_batch b = store_batch_make(SIBLINGS_BYTES_MAX);
	struct ticket *t = scope_open(&j->calls, j->worker->env.inflight, j, 0);
	enum err e = t ? add_given_up(&b, j) : ERR_NOMEM;

	if (e == ERR_OK)
		e = store_submit(j->worker->env.store, &b, on_given_up, t);
	store_batch_free(&b);
	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	work_retry(j, e, "what is given up could not be stored");
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What a window of the chain becomes in the database: operations, quarantine, and the cursor's
 * move. */
#include <stdlib.h>

#include "base/limits.h"
#include "connector/listener/internal.h"

/* ---- cursor ---- */

static const char load_sql[] = "SELECT block, block_hash FROM cursor WHERE chain = $1";

/* From here on rows come with their handles (handle_index.h). */
static const char indexed_sql[] =
	"UPDATE operation_unindexed SET last = (SELECT coalesce(max(id), 0) FROM operation)"
	" WHERE last = 9223372036854775807";

static const char doubts_sql[] = "SELECT DISTINCT block FROM quarantine WHERE chain = $1 ORDER BY "
				 "block DESC LIMIT $2";

static const char first_sql[] =
	"INSERT INTO cursor (chain, block, block_hash, updated_ms) VALUES ($1, $2, $3, $4)"
	" ON CONFLICT (chain) DO NOTHING";

static const char move_sql[] = "UPDATE cursor SET block = $2, block_hash = $3, updated_ms = $4"
			       " WHERE chain = $1 AND block = $5 AND block_hash = $6";

enum err cursor_add_load(struct store_batch *b, struct chain_id chain)
{
	TRY(STORE_ADD(b, STORE_ANY, load_sql, store_int((int64_t)chain.v)));
	TRY(STORE_ADD(b, STORE_ANY, doubts_sql, store_int((int64_t)chain.v),
		      store_int(DOUBTS_MAX)));
	return STORE_ADD(b, STORE_ANY, indexed_sql);
}

enum err cursor_from_rows(struct cursor *ret_cursor, const struct store_rows *rows)
{
	struct cursor c = {.known = rows->rows_n > 0};

	if (c.known) {
		const struct store_value *block = store_cell(rows, 0, 0);
		const struct store_value *hash = store_cell(rows, 0, 1);

		if (block->type != STORE_INT || block->i < 0 || hash->type != STORE_BLOB ||
		    hash->b.n != sizeof(c.hash.b))
			return ERR_CORRUPT;
		c.block.v = (uint64_t)block->i;
		memcpy(c.hash.b, hash->b.p, sizeof(c.hash.b));
	}
	*ret_cursor = c;
	return ERR_OK;
}

enum err cursor_add_move(struct store_batch *b, struct chain_id chain, const struct cursor *old,
			 const struct cursor *new, int64_t now_ms)
{
	if (!new->known || new->block.v > INT64_MAX)
		return ERR_RANGE;
	if (!old->known)
		return STORE_ADD(b, STORE_ONE, first_sql, store_int((int64_t)chain.v),
				 store_int((int64_t) new->block.v),
				 store_blob(BYTES_OF(new->hash.b)), store_int(now_ms));
	return STORE_ADD(b, STORE_ONE, move_sql, store_int((int64_t)chain.v),
			 store_int((int64_t) new->block.v), store_blob(BYTES_OF(new->hash.b)),
			 store_int(now_ms), store_int((int64_t)old->block.v),
			 store_blob(BYTES_OF(old->hash.b)));
}

/* ---- harvest ---- */

enum {
	ROWS_PER_BATCH = 1000, /* below STORE_BATCH_STATEMENTS_MAX, with room for the cursor */
	BATCH_BYTES_MAX = 64 << 20,
	LOG_SCRATCH_MAX = 32 << 20,
};
_Static_assert(
	ROWS_PER_BATCH + 2 + HANDLES_PER_REQUEST_MAX / HANDLE_PAIRS_MAX + 5 <=
		STORE_BATCH_STATEMENTS_MAX,
	"a full batch but for one statement, a largest request, what is left over, the cursor");

static const char quarantine_sql[] = "INSERT INTO quarantine (chain, contract, block, block_hash, "
				     "tx_hash, log_index, topics, data, reason, created_ms)"
				     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON "
				     "CONFLICT (chain, block_hash, log_index) DO NOTHING";

static enum err quarantine_add(struct store_batch *b, struct chain_id chain,
			       const struct event_log *log, const char *reason, int64_t now_ms)
{
	struct bytes topics =
		bytes_sub(BYTES_OF(log->topics), 0, log->topics_n * sizeof(log->topics[0]));

	if (log->block.v > INT64_MAX || log->log_index > INT64_MAX)
		return ERR_RANGE;
	return STORE_ADD(b, STORE_ANY, quarantine_sql, store_int((int64_t)chain.v),
			 store_blob(BYTES_OF(log->address.b)), store_int((int64_t)log->block.v),
			 store_blob(BYTES_OF(log->block_hash.b)),
			 store_blob(BYTES_OF(log->tx_hash.b)), store_int((int64_t)log->log_index),
			 store_blob(topics.p ? topics : bytes_from("", 0)),
			 store_blob(log->data.p ? log->data : bytes_from("", 0)),
			 store_text(reason), store_int(now_ms));
}

static const char settle_sql[] = "DELETE FROM quarantine WHERE chain = $1 AND block_hash = $2 AND "
				 "log_index = $3";

/* In the batch of the operation that it has become. */
static enum err quarantine_settle(struct store_batch *b, struct chain_id chain,
				  const struct event_log *log)
{
	return STORE_ADD(b, STORE_ANY, settle_sql, store_int((int64_t)chain.v),
			 store_blob(BYTES_OF(log->block_hash.b)),
			 store_int((int64_t)log->log_index));
}

static void doubtful_add(struct harvest *h, struct block_number block)
{
	if (h->doubtful_n == DOUBTS_MAX ||
	    (h->doubtful_n > 0 && h->doubtful[h->doubtful_n - 1].v == block.v))
		return;
	h->doubtful[h->doubtful_n++] = block;
}

static enum err batch_room(struct harvest *h, bool wanted_new)
{
	if (h->batches_n > 0 && !wanted_new)
		return ERR_OK;
	TRY(harvest_end(h));
	if (h->batches_n == h->batches_cap) {
		size_t cap = h->batches_cap ? h->batches_cap * 2 : 4;
		struct store_batch *v = realloc(h->batches, cap * sizeof(*v));

		if (!v)
			return ERR_NOMEM;
		h->batches = v;
		h->batches_cap = cap;
	}
	h->batches[h->batches_n++] = store_batch_make(BATCH_BYTES_MAX);
	h->in_last = 0;
	return ERR_OK;
}

enum err harvest_end(struct harvest *h)
{
	return h->batches_n > 0 ? handle_index_flush(&h->index, &h->batches[h->batches_n - 1])
				: ERR_OK;
}

enum err harvest_last(struct harvest *h, struct store_batch **ret_batch)
{
	TRY(batch_room(h, false));
	TRY(harvest_end(h));
	*ret_batch = &h->batches[h->batches_n - 1];
	return ERR_OK;
}

/* The trace of an operation begins here, and goes with the row. */
static enum err traced_insert(struct harvest *h, const struct service_chain *chain,
			      struct store_batch *b, struct operation *op, int64_t now_ms)
{
	static const struct trace_context nobody;
	const struct trace_attribute attributes[] = {
		{"event", op_kind_name(op->key.kind)},
		{"chain", chain->name},
	};
	char text[TRACEPARENT_SIZE];
	struct trace_span span;
	enum err e;

	trace_begin(h->tracer, &span,
		    chain->metric == METRIC_CONTRACT_ETHEREUM ? "handle_ethereum_event"
							      : "handle_gateway_event",
		    &nobody);
	if (h->tracer) {
		traceparent_text(text, &span.self);
		op->traceparent = bytes_str(text);
	}
	e = op_add_insert(b, op, now_ms);
	op->traceparent = BYTES_NONE;
	trace_end(h->tracer, &span, e != ERR_OK, attributes, ARRAY_LEN(attributes));
	return e;
}

enum err harvest_add(struct harvest *h, const struct service_chain *chain,
		     const struct event_log *log, struct block_number to, int64_t now_ms,
		     struct err_note *note)
{
	struct arena arena CLEANUP(arena_free) = arena_make(LOG_SCRATCH_MAX);
	struct operation op;
	size_t statements;

	if (log->removed)
		return ERR_OK;
	TRY(batch_room(h, h->in_last >= ROWS_PER_BATCH));

	struct store_batch *b = &h->batches[h->batches_n - 1];
	size_t fresh = log->block.v >= h->fresh_from.v ? 1 : 0;
	enum err e = events_decode_log(&arena, &op, chain->id, chain->contracts, chain->contracts_n,
				       log, note);
	if (e == ERR_OK && op.key.kind != 0) {
		TRY(traced_insert(h, chain, b, &op, now_ms));
		TRY(handle_index_add(&h->index, b, &op, &statements));
		h->in_last += statements;
		h->rows++;
		h->operations[op.key.kind] += fresh;
		if (h->settle) {
			TRY(quarantine_settle(b, chain->id, log));
			h->in_last++;
		}
	} else if (e != ERR_OK) {
		/* Also when decoding passed its memory: a log must never be able to stop the chain
		 * behind it. */
		TRY(quarantine_add(b, chain->id, log,
				   note && note->text[0] ? note->text : err_name(e), now_ms));
		h->quarantined += fresh;
		doubtful_add(h, log->block);
	}
	h->in_last++;
	if (log->block.v == to.v) {
		h->has_last_hash = true;
		h->last_hash = log->block_hash;
	}
	return ERR_OK;
}

void harvest_free(struct harvest *h)
{
	for (size_t i = 0; i < h->batches_n; i++)
		store_batch_free(&h->batches[i]);
	free(h->batches);
	*h = (struct harvest){0};
}

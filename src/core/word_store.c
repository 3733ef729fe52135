/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/word_store.h"

#include "base/limits.h"
#include "core/request_store_internal.h"

/* The key of a row is the number of sessions up to it, itself included: the bound is counted
 * without a look at other rows. */
static enum err prune_add(struct store_batch *b, int64_t since_ms)
{
	TRY(STORE_ADD(b, STORE_ANY, "DELETE FROM word WHERE ended_ms <= $1", store_int(since_ms)));
	return STORE_ADD(b, STORE_ANY,
			 "DELETE FROM word WHERE seq <= (SELECT max(seq) FROM word) - $1",
			 store_int(PEER_RUNS_MAX));
}

enum err word_store_add(struct store_batch *b, const struct word_record *r, int64_t linger_ms)
{
	TRY(STORE_ADD(b, STORE_ANY,
		      "INSERT INTO word (seq, id, context_id, sessions, words, ended_ms)"
		      " SELECT coalesce(max(seq), 0) + $3, $1, $2, $3, $4, $5 FROM word WHERE true"
		      " ON CONFLICT DO NOTHING",
		      store_blob(BYTES_OF(r->id.b)), store_blob(BYTES_OF(r->context_id.b)),
		      store_int((int64_t)r->sessions_n), store_blob(r->words),
		      store_int(r->ended_ms)));
	return prune_add(b, r->ended_ms - linger_ms);
}

static enum err list_build(struct store_batch *b, int64_t since_ms)
{
	TRY(prune_add(b, since_ms));
	return STORE_ADD(b, STORE_ANY,
			 "SELECT id, context_id, sessions, words, ended_ms FROM word ORDER BY seq");
}

enum err word_store_list(struct store *s, int64_t since_ms, store_done_fn *done, void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);

	return request_store_submit(s, &b, list_build(&b, since_ms), done, ctx);
}

static const struct store_rows *rows_of(const struct store_result *result)
{
	return &result->rows[result->rows_n - 1];
}

size_t word_store_count(const struct store_result *result)
{
	return rows_of(result)->rows_n;
}

enum err word_store_record(struct word_record *ret, const struct store_result *result, size_t at)
{
	const struct store_rows *rows = rows_of(result);
	const struct store_value *sessions = store_cell(rows, at, 2),
				 *words = store_cell(rows, at, 3), *ended = store_cell(rows, at, 4);
	struct word_record r = {0};

	TRY(request_store_cell_hash(&r.id, store_cell(rows, at, 0)));
	TRY(request_store_cell_hash(&r.context_id, store_cell(rows, at, 1)));
	if (sessions->type != STORE_INT || sessions->i < 1 ||
	    sessions->i > HANDLES_PER_REQUEST_MAX || words->type != STORE_BLOB ||
	    ended->type != STORE_INT)
		return ERR_CORRUPT;
	r.sessions_n = (size_t)sessions->i;
	r.words = words->b;
	r.ended_ms = ended->i;
	*ret = r;
	return ERR_OK;
}

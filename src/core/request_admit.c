/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The table of requests: admission. */
#include "core/request_store_internal.h"

static enum err insert_add(struct store_batch *b, const struct request_offer *o)
{
	return STORE_ADD(b, STORE_ANY,
			 "INSERT INTO request (kind, id, digest, state, message, accepted_at)"
			 " VALUES ($1, $2, $3, 0, $4, $5) ON CONFLICT DO NOTHING RETURNING seq",
			 store_int(o->name.kind), request_store_id(&o->name),
			 store_blob(BYTES_OF(o->digest.b)), store_blob(o->message),
			 store_int(o->now_ms));
}

static enum err lookup_add(struct store_batch *b, const struct request_offer *o)
{
	return STORE_ADD(b, STORE_ANY,
			 "SELECT state, digest FROM request WHERE kind = $1 AND id = $2",
			 store_int(o->name.kind), request_store_id(&o->name));
}

/* All are: what to insert, what else to do with it, and the lookup; with lookup_only that alone. A
 * preprocessing, key or CRS that fails stays failed: its id is on chain. */
static enum err admit_preproc_build(struct store_batch *b, const struct request_offer *o)
{
	if (!o->lookup_only) {
		TRY(insert_add(b, o));
		TRY(STORE_ADD(b, STORE_ANY,
			      "INSERT INTO preprocessing (id, params) VALUES ($1, $2)"
			      " ON CONFLICT DO NOTHING",
			      request_store_id(&o->name), store_int(o->params)));
	}
	return lookup_add(b, o);
}

static enum err admit_crsgen_build(struct store_batch *b, const struct request_offer *o)
{
	if (!o->lookup_only)
		TRY(insert_add(b, o));
	return lookup_add(b, o);
}

static enum err admit_keygen_build(struct store_batch *b, const struct request_offer *o)
{
	struct store_value kind = store_int(o->name.kind), id = request_store_id(&o->name);
	struct store_value preproc = store_blob(BYTES_OF(o->preproc_id.b));
	struct store_value prepared = store_int(REQUEST_KEYGEN_PREPROC);

	if (!o->lookup_only) {
		TRY(STORE_ADD(b, STORE_ANY,
			      "INSERT INTO request (kind, id, digest, state, message, accepted_at)"
			      " SELECT $1, $2, $3, 0, $4, $5 WHERE EXISTS (SELECT 1"
			      " FROM preprocessing p JOIN request q ON q.kind = $7 AND q.id = p.id"
			      " WHERE p.id = $6 AND p.key_id IS NULL AND q.state = 1)"
			      " ON CONFLICT DO NOTHING RETURNING seq",
			      kind, id, store_blob(BYTES_OF(o->digest.b)), store_blob(o->message),
			      store_int(o->now_ms), preproc, prepared));
		/* Of a request that was there before, the key has its preprocessing already. */
		TRY(STORE_ADD(
			b, STORE_ANY,
			"UPDATE preprocessing SET key_id = $2 WHERE id = $3 AND key_id IS NULL"
			" AND EXISTS (SELECT 1 FROM request WHERE kind = $1 AND id = $2)"
			" AND NOT EXISTS (SELECT 1 FROM preprocessing WHERE key_id = $2)",
			kind, id, preproc));
	}
	return STORE_ADD(b, STORE_ANY,
			 "SELECT r.state, r.digest, q.state, p.key_id IS NOT NULL, p.params"
			 " FROM (SELECT 1) LEFT JOIN request r ON r.kind = $1 AND r.id = $2"
			 " LEFT JOIN preprocessing p ON p.id = $3"
			 " LEFT JOIN request q ON q.kind = $4 AND q.id = p.id",
			 kind, id, preproc, prepared);
}

/* What failed is to be computed again. */
#define RESTART                                                                                    \
	"UPDATE request SET state = 0, digest = $3, message = $4, error = NULL, cause = NULL,"     \
	" finished_at = NULL, accepted_at = $5 WHERE kind = $1 AND id = $2 AND state = 2"

static enum err admit_decryption_build(struct store_batch *b, const struct request_offer *o)
{
	struct store_value kind = store_int(o->name.kind), id = request_store_id(&o->name);

	if (!o->lookup_only) {
		TRY(insert_add(b, o));
		TRY(STORE_ADD(b, STORE_ANY, RESTART " RETURNING seq", kind, id,
			      store_blob(BYTES_OF(o->digest.b)), store_blob(o->message),
			      store_int(o->now_ms)));
	}
	return lookup_add(b, o);
}

/*
 * The same where nodes decrypt together: only if nothing else has used the sessions of this id, and
 * in the commit that says that this does. They stay its own for ever, also if it fails: then the
 * same ciphertexts may come again, and the same masks hide them.
 */
static enum err admit_session_build(struct store_batch *b, const struct request_offer *o)
{
	struct store_value kind = store_int(o->name.kind), id = request_store_id(&o->name);
	struct store_value use = store_blob(BYTES_OF(o->session_use.b));

	if (!o->lookup_only) {
		TRY(STORE_ADD(b, STORE_ANY,
			      "INSERT INTO request (kind, id, digest, state, message, accepted_at)"
			      " SELECT $1, $2, $3, 0, $4, $5 WHERE NOT EXISTS"
			      " (SELECT 1 FROM session_use u WHERE u.id = $2 AND u.digest <> $6)"
			      " ON CONFLICT DO NOTHING RETURNING seq",
			      kind, id, store_blob(BYTES_OF(o->digest.b)), store_blob(o->message),
			      store_int(o->now_ms), use));
		TRY(STORE_ADD(b, STORE_ANY,
			      RESTART " AND EXISTS (SELECT 1 FROM session_use u WHERE u.id = $2"
				      " AND u.digest = $6) RETURNING seq",
			      kind, id, store_blob(BYTES_OF(o->digest.b)), store_blob(o->message),
			      store_int(o->now_ms), use));
		TRY(STORE_ADD(b, STORE_ANY,
			      "INSERT INTO session_use (id, digest) SELECT $2, $3 WHERE EXISTS"
			      " (SELECT 1 FROM request WHERE kind = $1 AND id = $2 AND state = 0)"
			      " ON CONFLICT DO NOTHING",
			      kind, id, use));
	}
	return STORE_ADD(b, STORE_ANY,
			 "SELECT r.state, r.digest, u.digest FROM (SELECT 1)"
			 " LEFT JOIN request r ON r.kind = $1 AND r.id = $2"
			 " LEFT JOIN session_use u ON u.id = $2",
			 kind, id);
}

enum err request_store_admit(struct store *s, const struct request_offer *offer,
			     store_done_fn *done, void *ctx)
{
	/* The message stands in two statements. */
	struct store_batch b = store_batch_make(2 * offer->message.n + BATCH_EXTRA);

	switch (offer->name.kind) {
	case REQUEST_KEYGEN_PREPROC:
		return request_store_submit(s, &b, admit_preproc_build(&b, offer), done, ctx);
	case REQUEST_KEYGEN:
		return request_store_submit(s, &b, admit_keygen_build(&b, offer), done, ctx);
	case REQUEST_CRSGEN:
		return request_store_submit(s, &b, admit_crsgen_build(&b, offer), done, ctx);
	default:
		return request_store_submit(s, &b,
					    offer->sessions ? admit_session_build(&b, offer)
							    : admit_decryption_build(&b, offer),
					    done, ctx);
	}
}

/* The last three cells of a key generation's row. */
static enum err preproc_read(struct request_admission *a, const struct store_rows *now)
{
	const struct store_value *cell = store_cell(now, 0, 2);
	enum request_state state;

	if (cell->type == STORE_NULL)
		return ERR_OK;
	TRY(request_store_cell_state(&state, cell));
	TRY(request_store_cell_params(&a->preproc_params, store_cell(now, 0, 4)));
	if (state == REQUEST_PENDING)
		a->preproc = PREPROC_PENDING;
	else if (state == REQUEST_DONE && store_cell(now, 0, 3)->type == STORE_INT)
		a->preproc = store_cell(now, 0, 3)->i != 0 ? PREPROC_USED : PREPROC_READY;
	return ERR_OK;
}

enum err request_store_admitted(struct request_admission *ret, const struct store_result *result)
{
	struct request_admission a = {0};

	TRY(result->err);

	const struct store_rows *now = &result->rows[result->rows_n - 1];

	if (result->rows_n > 1)
		a.inserted = result->rows[0].rows_n > 0;
	if (result->rows_n > 2)
		a.restarted = result->rows[1].rows_n > 0;
	a.known = now->rows_n > 0 && store_cell(now, 0, 0)->type != STORE_NULL;
	if (now->rows_n > 0 && now->columns_n > 3)
		TRY(preproc_read(&a, now));
	else if (now->rows_n > 0 && now->columns_n == 3 &&
		 store_cell(now, 0, 2)->type != STORE_NULL) {
		a.session_used = true;
		TRY(request_store_cell_hash(&a.session_use, store_cell(now, 0, 2)));
	}
	if (a.known) {
		TRY(request_store_cell_state(&a.state, store_cell(now, 0, 0)));
		TRY(request_store_cell_hash(&a.digest, store_cell(now, 0, 1)));
	}
	*ret = a;
	return ERR_OK;
}

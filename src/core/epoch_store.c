/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/epoch_store.h"

#include "core/request_store_internal.h"

/* Beside the digests of requests in the same column: what no SHA-256 is known to give. */
static const struct hash32 used_by_epoch = {{0}};

static enum err put_build(struct store_batch *b, const struct epoch_record *r)
{
	struct store_value id = store_blob(BYTES_OF(r->id.b));
	struct store_value used = store_blob(BYTES_OF(used_by_epoch.b));

	TRY(STORE_ADD(b, STORE_ANY,
		      "INSERT INTO session_use (id, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING",
		      id, used));
	return STORE_ADD(b, STORE_ONE,
			 "INSERT INTO epoch (id, context_id, attempt, phase)"
			 " SELECT $1, $2, $3, $4 WHERE EXISTS"
			 " (SELECT 1 FROM session_use u WHERE u.id = $1 AND u.digest = $5)"
			 " ON CONFLICT (id) DO UPDATE SET attempt = $3, phase = $4",
			 id, store_blob(BYTES_OF(r->context_id.b)), store_int(r->attempt),
			 store_int(r->phase), used);
}

enum err epoch_store_put(struct store *s, const struct epoch_record *r, store_done_fn *done,
			 void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);

	return request_store_submit(s, &b, put_build(&b, r), done, ctx);
}

enum err epoch_store_list(struct store *s, store_done_fn *done, void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);
	enum err e = STORE_ADD(&b, STORE_ANY,
			       "SELECT id, context_id, attempt, phase FROM epoch ORDER BY rowid");

	return request_store_submit(s, &b, e, done, ctx);
}

enum err epoch_store_record(struct epoch_record *ret, const struct store_result *result, size_t at)
{
	const struct store_rows *rows = &result->rows[0];
	const struct store_value *attempt = store_cell(rows, at, 2),
				 *phase = store_cell(rows, at, 3);
	struct epoch_record r = {0};

	TRY(request_store_cell_hash(&r.id, store_cell(rows, at, 0)));
	TRY(request_store_cell_hash(&r.context_id, store_cell(rows, at, 1)));
	if (attempt->type != STORE_INT || phase->type != STORE_INT || phase->i < EPOCH_TRYING ||
	    phase->i > EPOCH_DONE)
		return ERR_CORRUPT;
	r.attempt = attempt->i;
	r.phase = (enum epoch_phase)phase->i;
	*ret = r;
	return ERR_OK;
}

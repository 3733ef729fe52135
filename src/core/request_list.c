/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/request_list.h"

#include "core/request_store_internal.h"

#define COLUMNS "r.kind, r.id, r.state, r.cause, "

/* SQLite has no arrays: the ids are one blob, cut into pieces of 32. */
static const char find_sql[] =
	"WITH RECURSIVE asked(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM asked WHERE i + 1 < $2),"
	" kinds(k) AS (SELECT $3 UNION ALL SELECT k + 1 FROM kinds WHERE k < $4)"
	" SELECT " COLUMNS "i FROM asked CROSS JOIN kinds CROSS JOIN request r"
	" WHERE r.kind = k AND r.id = substr($1, 32 * i + 1, 32)";

enum err request_list_find(struct store *s, enum request_kind kind, const struct hash32 *ids,
			   size_t n, store_done_fn *done, void *ctx)
{
	struct store_batch b = store_batch_make(n * sizeof(*ids) + BATCH_EXTRA);
	bool all = kind == 0;
	enum err e = STORE_ADD(&b, STORE_ANY, find_sql,
			       store_blob(bytes_from((const uint8_t *)ids, n * sizeof(*ids))),
			       store_int((int64_t)n),
			       store_int(all ? REQUEST_PUBLIC_DECRYPTION : (int64_t)kind),
			       store_int(all ? REQUEST_KINDS - 1 : (int64_t)kind));

	return request_store_submit(s, &b, e, done, ctx);
}

/* Each state has its own range of the index; of all together the first n are among the first n of
 * each. */
#define STATE_PAGE(state_)                                                                         \
	"SELECT seq FROM (SELECT seq FROM request WHERE kind = $1 AND state = " state_             \
	" AND seq > $2 ORDER BY seq LIMIT $3)"

static const char any_sql[] =
	"SELECT " COLUMNS
	"r.seq FROM request r WHERE r.seq IN (" STATE_PAGE("0") " UNION ALL " STATE_PAGE(
		"1") " UNION ALL " STATE_PAGE("2") " UNION ALL " STATE_PAGE("3") ")"
										 " ORDER BY r.seq"
										 " LIMIT $3";

static const char state_sql[] = "SELECT " COLUMNS "r.seq FROM request r WHERE r.kind = $1"
				" AND r.seq > $2 AND r.state = $4 ORDER BY r.seq LIMIT $3";

enum err request_list_page(struct store *s, enum request_kind kind, int state, int64_t after,
			   size_t n, store_done_fn *done, void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);
	struct store_value args[] = {store_int(kind), store_int(after), store_int((int64_t)n),
				     store_int(state)};
	enum err e = state == REQUEST_STATE_ANY
			     ? store_batch_add(&b, any_sql, args, 3, STORE_ANY)
			     : store_batch_add(&b, state_sql, args, 4, STORE_ANY);

	return request_store_submit(s, &b, e, done, ctx);
}

enum err request_list_preprocs(struct store *s, size_t n, store_done_fn *done, void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);
	enum err e = STORE_ADD(&b, STORE_ANY,
			       "SELECT " COLUMNS "r.seq FROM preprocessing p"
			       " CROSS JOIN request r ON r.kind = $1 AND r.id = p.id"
			       " WHERE p.key_id IS NULL AND r.state = 1 ORDER BY r.seq LIMIT $2",
			       store_int(REQUEST_KEYGEN_PREPROC), store_int((int64_t)n));

	return request_store_submit(s, &b, e, done, ctx);
}

enum err request_list_row(struct request_row *ret, const struct store_result *result, size_t row)
{
	const struct store_rows *rows = &result->rows[0];
	struct request_row r = {0};
	const struct store_value *at = store_cell(rows, row, 4);

	TRY(request_store_cell_kind(&r.name.kind, store_cell(rows, row, 0)));
	TRY(request_store_cell_hash(&r.name.id, store_cell(rows, row, 1)));
	TRY(request_store_cell_state(&r.state, store_cell(rows, row, 2)));
	r.cause = r.state == REQUEST_FAILED ? request_store_cell_cause(store_cell(rows, row, 3))
					    : ERR_OK;
	if (at->type != STORE_INT)
		return ERR_CORRUPT;
	r.at = at->i;
	*ret = r;
	return ERR_OK;
}

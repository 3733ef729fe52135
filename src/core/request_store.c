/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/request_store.h"

enum {
	BATCH_EXTRA = 64 << 10,
	CAUSE_NAME_MAX = 64
};

/* finished_at is set exactly in the states done and failed, in ms; the partial index is the order
 * of eviction. */
static const char *const migrations[] = {
	"CREATE TABLE request ("
	" seq INTEGER PRIMARY KEY,"
	" kind INTEGER NOT NULL,"
	" id BLOB NOT NULL CHECK (length(id) = 32),"
	" digest BLOB NOT NULL CHECK (length(digest) = 32),"
	" state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),"
	" message BLOB,"
	" answer BLOB,"
	" error TEXT,"
	" accepted_at INTEGER NOT NULL,"
	" finished_at INTEGER,"
	" UNIQUE (kind, id),"
	" CHECK ((state = 0) = (message IS NOT NULL)),"
	" CHECK ((state = 1) = (answer IS NOT NULL)),"
	" CHECK ((state IN (1, 2)) = (finished_at IS NOT NULL))"
	");"
	"CREATE INDEX request_pending ON request (kind, seq) WHERE state = 0;"
	"CREATE INDEX request_finished ON request (kind, finished_at, seq) WHERE finished_at IS "
	"NOT NULL;",
	/* Of failed requests: the name of the error. NULL for those of before. */
	"ALTER TABLE request ADD COLUMN cause TEXT;",
	/* key_id is the key generation that used it up. */
	"CREATE TABLE preprocessing ("
	" id BLOB PRIMARY KEY CHECK (length(id) = 32),"
	" params INTEGER NOT NULL,"
	" key_id BLOB UNIQUE CHECK (key_id IS NULL OR length(key_id) = 32)"
	");",
};

static enum err post(void *loop, void (*fn)(void *ctx), void *ctx)
{
	return loop_post(loop, fn, ctx);
}

enum err request_store_open(struct store **ret_store, struct loop *loop, const char *path,
			    struct err_note *note)
{
	const struct store_executor executor = {.post = post, .loop = loop};
	static const struct store_migrations steps = {
		.owner = "core", .sql = migrations, .n = ARRAY_LEN(migrations)};

	return store_sqlite_open(ret_store, &executor, path, &steps, note);
}

static struct store_value name_id(const struct request_name *n)
{
	return store_blob(BYTES_OF(n->id.b));
}

/* Takes the batch, whatever became of building it. */
static enum err submit(struct store *s, struct store_batch *batch, enum err built,
		       store_done_fn *done, void *ctx)
{
	if (built != ERR_OK) {
		store_batch_free(batch);
		return built;
	}
	return store_submit(s, batch, done, ctx);
}

/* A 32-byte cell. */
static enum err cell_hash(struct hash32 *ret_hash, const struct store_value *v)
{
	if (v->type != STORE_BLOB || v->b.n != sizeof(ret_hash->b))
		return ERR_CORRUPT;
	memcpy(ret_hash->b, v->b.p, sizeof(ret_hash->b));
	return ERR_OK;
}

static enum err cell_state(enum request_state *ret_state, const struct store_value *v)
{
	if (v->type != STORE_INT || v->i < REQUEST_PENDING || v->i > REQUEST_EVICTED)
		return ERR_CORRUPT;
	*ret_state = (enum request_state)v->i;
	return ERR_OK;
}

/* The name of an error; none, or one that this build does not know: ERR_INTERNAL. */
static enum err cell_cause(const struct store_value *v)
{
	char name[CAUSE_NAME_MAX];

	if (v->type != STORE_TEXT || v->b.n >= sizeof(name))
		return ERR_INTERNAL;
	memcpy(name, v->b.p, v->b.n);
	name[v->b.n] = '\0';
	return err_from_name(name);
}

/* ---- admission ---- */

static enum err insert_add(struct store_batch *b, const struct request_offer *o)
{
	return STORE_ADD(b, STORE_ANY,
			 "INSERT INTO request (kind, id, digest, state, message, accepted_at)"
			 " VALUES ($1, $2, $3, 0, $4, $5) ON CONFLICT DO NOTHING RETURNING seq",
			 store_int(o->name.kind), name_id(&o->name),
			 store_blob(BYTES_OF(o->digest.b)), store_blob(o->message),
			 store_int(o->now_ms));
}

static enum err lookup_add(struct store_batch *b, const struct request_offer *o)
{
	return STORE_ADD(b, STORE_ANY,
			 "SELECT state, digest FROM request WHERE kind = $1 AND id = $2",
			 store_int(o->name.kind), name_id(&o->name));
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
			      name_id(&o->name), store_int(o->params)));
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
	struct store_value kind = store_int(o->name.kind), id = name_id(&o->name);
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

static enum err admit_decryption_build(struct store_batch *b, const struct request_offer *o)
{
	struct store_value kind = store_int(o->name.kind), id = name_id(&o->name);

	if (!o->lookup_only) {
		TRY(insert_add(b, o));
		TRY(STORE_ADD(
			b, STORE_ANY,
			"UPDATE request SET state = 0, digest = $3, message = $4, error = NULL, "
			"cause = NULL, finished_at = NULL,"
			" accepted_at = $5 WHERE kind = $1 AND id = $2 AND state = 2 RETURNING seq",
			kind, id, store_blob(BYTES_OF(o->digest.b)), store_blob(o->message),
			store_int(o->now_ms)));
	}
	return lookup_add(b, o);
}

enum err request_store_admit(struct store *s, const struct request_offer *offer,
			     store_done_fn *done, void *ctx)
{
	/* The message stands in two statements. */
	struct store_batch b = store_batch_make(2 * offer->message.n + BATCH_EXTRA);

	switch (offer->name.kind) {
	case REQUEST_KEYGEN_PREPROC:
		return submit(s, &b, admit_preproc_build(&b, offer), done, ctx);
	case REQUEST_KEYGEN:
		return submit(s, &b, admit_keygen_build(&b, offer), done, ctx);
	case REQUEST_CRSGEN:
		return submit(s, &b, admit_crsgen_build(&b, offer), done, ctx);
	default:
		return submit(s, &b, admit_decryption_build(&b, offer), done, ctx);
	}
}

static enum err cell_params(uint32_t *ret_params, const struct store_value *v)
{
	if (v->type != STORE_INT || v->i < 0 || v->i > UINT32_MAX)
		return ERR_CORRUPT;
	*ret_params = (uint32_t)v->i;
	return ERR_OK;
}

/* The last three cells of a key generation's row. */
static enum err preproc_read(struct request_admission *a, const struct store_rows *now)
{
	const struct store_value *cell = store_cell(now, 0, 2);
	enum request_state state;

	if (cell->type == STORE_NULL)
		return ERR_OK;
	TRY(cell_state(&state, cell));
	TRY(cell_params(&a->preproc_params, store_cell(now, 0, 4)));
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
	if (now->rows_n > 0 && now->columns_n > 2)
		TRY(preproc_read(&a, now));
	if (a.known) {
		TRY(cell_state(&a.state, store_cell(now, 0, 0)));
		TRY(cell_hash(&a.digest, store_cell(now, 0, 1)));
	}
	*ret = a;
	return ERR_OK;
}

/* ---- asking ---- */

enum err request_store_find(struct store *s, struct request_name name, store_done_fn *done,
			    void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);
	enum err e = STORE_ADD(&b, STORE_ANY,
			       "SELECT state, message, answer, error, cause FROM request"
			       " WHERE kind = $1 AND id = $2",
			       store_int(name.kind), name_id(&name));

	return submit(s, &b, e, done, ctx);
}

enum err request_store_found(struct request_found *ret, const struct store_result *result)
{
	struct request_found f = {0};

	TRY(result->err);

	const struct store_rows *rows = &result->rows[0];

	f.known = rows->rows_n > 0;
	if (f.known) {
		TRY(cell_state(&f.state, store_cell(rows, 0, 0)));
		f.message = store_cell(rows, 0, 1)->b;
		f.answer = store_cell(rows, 0, 2)->b;
		f.error = store_cell(rows, 0, 3)->b;
		f.cause = cell_cause(store_cell(rows, 0, 4));
	}
	*ret = f;
	return ERR_OK;
}

/* ---- end of the work ---- */

enum err request_store_complete(struct store *s, struct request_name name, struct bytes answer,
				int64_t now_ms, store_done_fn *done, void *ctx)
{
	struct store_batch b = store_batch_make(answer.n + BATCH_EXTRA);
	enum err e = STORE_ADD(
		&b, STORE_ONE,
		"UPDATE request SET state = 1, answer = $3, message = NULL, finished_at = $4"
		" WHERE kind = $1 AND id = $2 AND state = 0",
		store_int(name.kind), name_id(&name), store_blob(answer), store_int(now_ms));

	return submit(s, &b, e, done, ctx);
}

enum err request_store_fail(struct store *s, struct request_name name,
			    const struct request_failure *failure, int64_t now_ms,
			    store_done_fn *done, void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);
	enum err e =
		STORE_ADD(&b, STORE_ONE,
			  "UPDATE request SET state = 2, error = $3, cause = $4, message = NULL,"
			  " finished_at = $5 WHERE kind = $1 AND id = $2 AND state = 0",
			  store_int(name.kind), name_id(&name), store_text(failure->error),
			  store_text(err_name(failure->cause)), store_int(now_ms));

	return submit(s, &b, e, done, ctx);
}

enum err request_store_evict(struct store *s, enum request_kind kind, size_t n, store_done_fn *done,
			     void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);
	enum err e = STORE_ADD(
		&b, STORE_ANY,
		"UPDATE request SET state = 3, answer = NULL, error = NULL, cause = NULL,"
		" finished_at = NULL"
		" WHERE seq IN (SELECT seq FROM request WHERE kind = $1 AND finished_at IS NOT NULL"
		" ORDER BY finished_at, seq LIMIT $2)",
		store_int(kind), store_int((int64_t)n));

	return submit(s, &b, e, done, ctx);
}

/* ---- start ---- */

static enum err survey_build(struct store_batch *b)
{
	TRY(STORE_ADD(b, STORE_ANY,
		      "SELECT kind, count(*) FROM request WHERE finished_at IS NOT NULL"
		      " GROUP BY kind"));
	return STORE_ADD(b, STORE_ANY,
			 "SELECT r.kind, r.id, length(r.message), p.id, p.params FROM request r"
			 " LEFT JOIN preprocessing p ON r.kind = $1 AND p.key_id = r.id"
			 " WHERE r.state = 0 ORDER BY r.seq",
			 store_int(REQUEST_KEYGEN));
}

enum err request_store_survey(struct store *s, store_done_fn *done, void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);

	return submit(s, &b, survey_build(&b), done, ctx);
}

static enum err cell_kind(enum request_kind *ret_kind, const struct store_value *v)
{
	if (v->type != STORE_INT || v->i < REQUEST_PUBLIC_DECRYPTION || v->i >= REQUEST_KINDS)
		return ERR_CORRUPT;
	*ret_kind = (enum request_kind)v->i;
	return ERR_OK;
}

static enum err cell_size(size_t *ret_n, const struct store_value *v)
{
	if (v->type != STORE_INT || v->i < 0)
		return ERR_CORRUPT;
	*ret_n = (size_t)v->i;
	return ERR_OK;
}

enum err request_store_surveyed(size_t ret_finished[REQUEST_KINDS],
				const struct store_result *result)
{
	size_t finished[REQUEST_KINDS] = {0};

	TRY(result->err);
	for (size_t i = 0; i < result->rows[0].rows_n; i++) {
		enum request_kind kind;

		TRY(cell_kind(&kind, store_cell(&result->rows[0], i, 0)));
		TRY(cell_size(&finished[kind], store_cell(&result->rows[0], i, 1)));
	}
	memcpy(ret_finished, finished, sizeof(finished));
	return ERR_OK;
}

enum err request_store_pending(struct request_pending *ret, const struct store_result *result,
			       size_t at)
{
	const struct store_rows *rows = &result->rows[1];
	struct request_pending p = {0};

	TRY(cell_kind(&p.name.kind, store_cell(rows, at, 0)));
	TRY(cell_hash(&p.name.id, store_cell(rows, at, 1)));
	TRY(cell_size(&p.message_n, store_cell(rows, at, 2)));
	if (p.name.kind == REQUEST_KEYGEN) {
		TRY(cell_hash(&p.preproc_id, store_cell(rows, at, 3)));
		TRY(cell_params(&p.preproc_params, store_cell(rows, at, 4)));
	}
	*ret = p;
	return ERR_OK;
}

/* ---- without the service ---- */

struct list {
	request_seen_fn *each;
	void *ctx;
	enum err err; /* the first */
};

static enum err list_row(struct list *l, const struct store_value *cells)
{
	enum request_state state;
	struct request_name name;

	TRY(cell_kind(&name.kind, &cells[0]));
	TRY(cell_hash(&name.id, &cells[1]));
	TRY(cell_state(&state, &cells[2]));
	l->each(l->ctx, name, state);
	return ERR_OK;
}

static void list_add(void *ctx, const struct store_value *cells, size_t n)
{
	struct list *l = ctx;

	(void)n;
	if (l->err == ERR_OK)
		l->err = list_row(l, cells);
}

enum err request_store_list(const char *path, request_seen_fn *each, void *ctx,
			    struct err_note *note)
{
	const struct store_value kinds[] = {store_int(REQUEST_KEYGEN), store_int(REQUEST_CRSGEN)};
	struct list l = {.each = each, .ctx = ctx};

	TRY(store_sqlite_query(path, "SELECT kind, id, state FROM request WHERE kind IN ($1, $2)",
			       kinds, ARRAY_LEN(kinds), list_add, &l, note));
	if (l.err != ERR_OK)
		return err_say(note, l.err, "the database could not be read");
	return ERR_OK;
}

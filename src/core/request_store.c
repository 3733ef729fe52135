/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/request_store_internal.h"
#include "core/word_store.h"

enum {
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
	/* For what the sessions between nodes that an id names are used: never two things. */
	"CREATE TABLE session_use ("
	" id BLOB PRIMARY KEY CHECK (length(id) = 32),"
	" digest BLOB NOT NULL CHECK (length(digest) = 32)"
	") WITHOUT ROWID;"
	/* attempt: the last that was begun, -1 for none. phase: enum epoch_phase. */
	"CREATE TABLE epoch ("
	" id BLOB PRIMARY KEY CHECK (length(id) = 32),"
	" context_id BLOB NOT NULL CHECK (length(context_id) = 32),"
	" attempt INTEGER NOT NULL,"
	" phase INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 2)"
	");",
	/* Listing: of one kind, by state. */
	"CREATE INDEX request_listed ON request (kind, state, seq);",
	/* What was said to other nodes in decryptions that are done: word_store.h. */
	"CREATE TABLE word ("
	" seq INTEGER PRIMARY KEY,"
	" id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),"
	" context_id BLOB NOT NULL CHECK (length(context_id) = 32),"
	" sessions INTEGER NOT NULL CHECK (sessions > 0),"
	" words BLOB NOT NULL,"
	" ended_ms INTEGER NOT NULL"
	");"
	"CREATE INDEX word_ended ON word (ended_ms);",
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

enum err request_store_submit(struct store *s, struct store_batch *batch, enum err built,
			      store_done_fn *done, void *ctx)
{
	if (built != ERR_OK) {
		store_batch_free(batch);
		return built;
	}
	return store_submit(s, batch, done, ctx);
}

enum err request_store_cell_hash(struct hash32 *ret_hash, const struct store_value *v)
{
	if (v->type != STORE_BLOB || v->b.n != sizeof(ret_hash->b))
		return ERR_CORRUPT;
	memcpy(ret_hash->b, v->b.p, sizeof(ret_hash->b));
	return ERR_OK;
}

enum err request_store_cell_state(enum request_state *ret_state, const struct store_value *v)
{
	if (v->type != STORE_INT || v->i < REQUEST_PENDING || v->i > REQUEST_EVICTED)
		return ERR_CORRUPT;
	*ret_state = (enum request_state)v->i;
	return ERR_OK;
}

enum err request_store_cell_params(uint32_t *ret_params, const struct store_value *v)
{
	if (v->type != STORE_INT || v->i < 0 || v->i > UINT32_MAX)
		return ERR_CORRUPT;
	*ret_params = (uint32_t)v->i;
	return ERR_OK;
}

enum err request_store_cell_cause(const struct store_value *v)
{
	char name[CAUSE_NAME_MAX];

	if (v->type != STORE_TEXT || v->b.n >= sizeof(name))
		return ERR_INTERNAL;
	memcpy(name, v->b.p, v->b.n);
	name[v->b.n] = '\0';
	return err_from_name(name);
}

/* ---- asking ---- */

enum err request_store_find(struct store *s, struct request_name name, store_done_fn *done,
			    void *ctx)
{
	struct store_batch b = store_batch_make(BATCH_EXTRA);
	enum err e = STORE_ADD(&b, STORE_ANY,
			       "SELECT state, message, answer, error, cause FROM request"
			       " WHERE kind = $1 AND id = $2",
			       store_int(name.kind), request_store_id(&name));

	return request_store_submit(s, &b, e, done, ctx);
}

enum err request_store_found(struct request_found *ret, const struct store_result *result)
{
	struct request_found f = {0};

	TRY(result->err);

	const struct store_rows *rows = &result->rows[0];

	f.known = rows->rows_n > 0;
	if (f.known) {
		TRY(request_store_cell_state(&f.state, store_cell(rows, 0, 0)));
		f.message = store_cell(rows, 0, 1)->b;
		f.answer = store_cell(rows, 0, 2)->b;
		f.error = store_cell(rows, 0, 3)->b;
		f.cause = request_store_cell_cause(store_cell(rows, 0, 4));
	}
	*ret = f;
	return ERR_OK;
}

/* ---- end of the work ---- */

static enum err complete_build(struct store_batch *b, struct request_name name,
			       const struct request_success *r, int64_t now_ms)
{
	const struct word_record words = {
		.id = name.id,
		.context_id = r->context_id,
		.sessions_n = r->sessions_n,
		.words = r->words,
		.ended_ms = now_ms,
	};

	TRY(STORE_ADD(b, STORE_ONE,
		      "UPDATE request SET state = 1, answer = $3, message = NULL, finished_at = $4"
		      " WHERE kind = $1 AND id = $2 AND state = 0",
		      store_int(name.kind), request_store_id(&name), store_blob(r->answer),
		      store_int(now_ms)));
	return r->words.n > 0 ? word_store_add(b, &words, r->linger_ms) : ERR_OK;
}

enum err request_store_complete(struct store *s, struct request_name name,
				const struct request_success *success, int64_t now_ms,
				store_done_fn *done, void *ctx)
{
	struct store_batch b = store_batch_make(success->answer.n + success->words.n + BATCH_EXTRA);

	return request_store_submit(s, &b, complete_build(&b, name, success, now_ms), done, ctx);
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
			  store_int(name.kind), request_store_id(&name), store_text(failure->error),
			  store_text(err_name(failure->cause)), store_int(now_ms));

	return request_store_submit(s, &b, e, done, ctx);
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

	return request_store_submit(s, &b, e, done, ctx);
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

	return request_store_submit(s, &b, survey_build(&b), done, ctx);
}

enum err request_store_cell_kind(enum request_kind *ret_kind, const struct store_value *v)
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

		TRY(request_store_cell_kind(&kind, store_cell(&result->rows[0], i, 0)));
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

	TRY(request_store_cell_kind(&p.name.kind, store_cell(rows, at, 0)));
	TRY(request_store_cell_hash(&p.name.id, store_cell(rows, at, 1)));
	TRY(cell_size(&p.message_n, store_cell(rows, at, 2)));
	if (p.name.kind == REQUEST_KEYGEN) {
		TRY(request_store_cell_hash(&p.preproc_id, store_cell(rows, at, 3)));
		TRY(request_store_cell_params(&p.preproc_params, store_cell(rows, at, 4)));
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

	TRY(request_store_cell_kind(&name.kind, &cells[0]));
	TRY(request_store_cell_hash(&name.id, &cells[1]));
	TRY(request_store_cell_state(&state, &cells[2]));
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

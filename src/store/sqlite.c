/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdlib.h>

#include "store/migrate.h"
#include "store/queue.h"
#include "store/sqlite_conn.h"
#include "store/sqlite_file.h"

struct sqlite_engine {
	struct store_engine engine;
	struct sqlite_conn conn; /* closed after a ROLLBACK that failed */
	struct sqlite_file file;
};

/* ---- running batches ---- */

static enum err run_plain(struct sqlite_conn *c, const char *sql, struct err_note *note)
{
	return sqlite_conn_run(c, sql, NULL, 0, NULL, NULL, NULL, note);
}

static enum err answer_add_row(void *ctx, const struct store_value *cells, size_t n)
{
	return store_answer_row(ctx, cells, n);
}

static enum err statement_run(struct sqlite_conn *c, const struct store_statement *st,
			      struct store_answer *a, struct err_note *note)
{
	int64_t changed = 0;

	store_answer_statement(a);
	TRY(sqlite_conn_run(c, st->sql, st->args, st->args_n, answer_add_row, a, &changed, note));

	store_answer_rows(a)->changed = changed;
	return store_answer_expect(a, st, note);
}

static enum err statements_run(struct sqlite_conn *c, struct store_job *job, struct err_note *note)
{
	TRY(store_answer_begin(&job->answer, job->batch.n));
	for (size_t i = 0; i < job->batch.n; i++)
		TRY(statement_run(c, &job->batch.v[i], &job->answer, note));
	return ERR_OK;
}

/* Nothing of the transaction stays, even when ROLLBACK fails (it may, without memory): closing the
 * connection rolls back as well, and the next transaction opens another. */
static void transaction_undo(struct sqlite_conn *c)
{
	if (!sqlite_conn_in_transaction(c))
		return; /* SQLite has undone everything already */
	if (run_plain(c, "ROLLBACK", NULL) != ERR_OK && sqlite_conn_in_transaction(c))
		sqlite_conn_close(c);
}

static void batch_undo(struct sqlite_conn *c)
{
	if (!sqlite_conn_in_transaction(c))
		return;
	if (run_plain(c, "ROLLBACK TO batch", NULL) != ERR_OK ||
	    run_plain(c, "RELEASE batch", NULL) != ERR_OK)
		transaction_undo(c);
}

/* One batch in its savepoint. The answer is always left in the job; the result says whether the
 * transaction around it still stands. */
static bool job_run(struct sqlite_conn *c, struct store_job *job)
{
	struct err_note note = {0};
	enum err e = run_plain(c, "SAVEPOINT batch", &note);

	if (e == ERR_OK) {
		e = statements_run(c, job, &note);
		if (e == ERR_OK)
			e = run_plain(c, "RELEASE batch", &note);
		if (e != ERR_OK)
			batch_undo(c);
	}
	if (e != ERR_OK)
		store_answer_fail(&job->answer, e, &note);
	return sqlite_conn_in_transaction(c);
}

static enum err transaction_begin(struct sqlite_engine *s, struct err_note *note)
{
	if (!s->conn.db)
		TRY(sqlite_conn_open(&s->conn, s->file.path, false, note));
	return run_plain(&s->conn, "BEGIN IMMEDIATE", note);
}

/*
 * The jobs from `first` up to `end` in one transaction. False when the whole transaction went down
 * for one of them (disk full, I/O error in a statement): then nothing is stored, and each is worth
 * a try alone.
 */
static bool transaction_run(struct sqlite_engine *s, struct store_job *first,
			    const struct store_job *end)
{
	struct sqlite_conn *c = &s->conn;
	struct err_note note = {0};
	enum err e = transaction_begin(s, &note);

	if (e != ERR_OK) {
		store_jobs_fail(first, end, e, &note);
		return true;
	}
	for (struct store_job *job = first; job != end; job = job->next)
		if (!job_run(c, job))
			return false;
	e = run_plain(c, "COMMIT", &note);
	if (e == ERR_OK)
		return true;
	bool full = sqlite_conn_is_full(c);

	transaction_undo(c);
	/* What was read may rest on what is now not stored: every answer is void. */
	store_jobs_fail(first, end, e, &note);
	return !full;
}

/* The file has no other process, so nobody else needs to hear of topics. */
static bool engine_run(struct store_engine *e, struct store_job *first, const char *const *topics,
		       size_t topics_n)
{
	struct sqlite_engine *s = CONTAINER_OF(e, struct sqlite_engine, engine);

	(void)topics;
	(void)topics_n;
	if (!first || transaction_run(s, first, NULL) || !first->next)
		return true;
	/* One batch must not take its neighbours along: each has a transaction of its own. */
	for (struct store_job *job = first; job; job = job->next)
		(void)transaction_run(s, job, job->next);
	return true;
}

static void engine_free(struct store_engine *e)
{
	struct sqlite_engine *s = CONTAINER_OF(e, struct sqlite_engine, engine);

	sqlite_conn_close(&s->conn);
	sqlite_file_release(&s->file);
	free(s);
}

static const struct store_engine_ops engine_ops = {.run = engine_run, .free = engine_free};

/* ---- opening ---- */

static enum err take_int(void *ctx, const struct store_value *cells, size_t n)
{
	if (n != 1 || cells[0].type != STORE_INT)
		return ERR_CORRUPT;
	*(int64_t *)ctx = cells[0].i;
	return ERR_OK;
}

/* Sets *(bool *)ctx if the one cell says "wal". */
static enum err take_is_wal(void *ctx, const struct store_value *cells, size_t n)
{
	*(bool *)ctx =
		n == 1 && cells[0].type == STORE_TEXT && bytes_eq_var(cells[0].b, BYTES_LIT("wal"));
	return ERR_OK;
}

/* Reads only, unless the file is new: a file that this program must refuse stays as it is. */
static enum err version_read(struct sqlite_conn *c, const char *path,
			     const struct store_migrations *m, size_t *ret_version,
			     struct err_note *note)
{
	const struct store_value owner = store_text(m->owner);
	int64_t version = 0;

	TRY(run_plain(c, STORE_VERSION_TABLE, note));
	TRY(sqlite_conn_run(c, STORE_VERSION_GET, &owner, 1, take_int, &version, NULL, note));
	return store_version_check(ret_version, version, m, path, note);
}

static enum err step_apply(struct sqlite_conn *c, const struct store_migrations *m, size_t step,
			   struct err_note *note)
{
	const struct store_value args[] = {store_text(m->owner), store_int((int64_t)step + 1)};

	TRY(run_plain(c, "BEGIN IMMEDIATE", note));
	TRY(sqlite_conn_exec(c, m->sql[step], note));
	TRY(sqlite_conn_run(c, STORE_VERSION_SET, args, ARRAY_LEN(args), NULL, NULL, NULL, note));
	return run_plain(c, "COMMIT", note);
}

static enum err engine_prepare(struct sqlite_engine *s, const char *path,
			       const struct store_migrations *m, struct err_note *note)
{
	size_t version = 0;
	bool wal = false;

	TRY(sqlite_file_take(&s->file, path, note));
	TRY(sqlite_conn_open(&s->conn, s->file.path, false, note));
	TRY(version_read(&s->conn, path, m, &version, note));
	TRY(sqlite_conn_run(&s->conn, "PRAGMA journal_mode = WAL", NULL, 0, take_is_wal, &wal, NULL,
			    note));
	if (!wal)
		return err_say(note, ERR_CONFIG_VALUE,
			       "database %s: its file system cannot hold a write-ahead log", path);
	for (size_t step = version; step < m->n; step++) {
		enum err e = step_apply(&s->conn, m, step, note);

		/* Closing the connection rolls the step back. */
		if (e != ERR_OK)
			return err_prefix(note, e, "migration %zu of %s", step + 1, m->owner);
	}
	return ERR_OK;
}

enum err store_sqlite_open(struct store **ret_store, const struct store_executor *executor,
			   const char *path, const struct store_migrations *migrations,
			   struct err_note *note)
{
	struct sqlite_engine *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NOMEM;
	s->engine.ops = &engine_ops;
	s->file.lock_fd = -1;

	enum err e = engine_prepare(s, path, migrations, note);

	if (e == ERR_OK)
		e = store_queue_start(ret_store, &s->engine, executor, note);
	if (e != ERR_OK)
		engine_free(&s->engine);
	return e;
}

/* ---- reading beside a running service ---- */

struct query {
	void (*row)(void *ctx, const struct store_value *cells, size_t n);
	void *ctx;
};

static enum err query_row(void *ctx, const struct store_value *cells, size_t n)
{
	const struct query *q = ctx;

	q->row(q->ctx, cells, n);
	return ERR_OK;
}

enum err store_sqlite_query(const char *path, const char *sql, const struct store_value *args,
			    size_t args_n,
			    void (*row)(void *ctx, const struct store_value *cells, size_t n),
			    void *ctx, struct err_note *note)
{
	struct query q = {row, ctx};
	struct sqlite_conn c = {0};
	char *real = NULL;

	TRY(sqlite_file_resolve(&real, path, note));
	enum err e = sqlite_conn_open(&c, real, true, note);
	free(real);
	if (e == ERR_OK)
		e = sqlite_conn_run(&c, sql, args, args_n, query_row, &q, NULL, note);
	sqlite_conn_close(&c);
	return e;
}

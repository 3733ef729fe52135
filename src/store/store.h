/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Seam 5 of 5: durable state, batch -> result, asynchronous.
 *
 * A batch is a list of SQL statements that happens whole or not at all. The store thread owns the
 * writing connection; it drains its queue, runs each batch in its own savepoint, and commits once
 * per drained queue: `done` of a batch is called on the loop thread only after the commit that
 * holds it is on disk. A batch whose expectation fails (a compare-and-set that changed no row) is
 * rolled back alone and ends ERR_STATE_MOVED.
 *
 * SQL is written once for both engines: numbered parameters $1, $2 …, only types INTEGER, TEXT and
 * BLOB, RETURNING where needed. What differs (claiming, notification) is asked of the store by
 * name, not written twice by callers.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/bytes.h"

enum store_type {
	STORE_NULL,
	STORE_INT,
	STORE_TEXT,
	STORE_BLOB
};

struct store_value {
	enum store_type type;
	int64_t i;
	struct bytes b; /* TEXT (UTF-8, no NUL) and BLOB */
};

static inline struct store_value store_null(void)
{
	return (struct store_value){0};
}
static inline struct store_value store_int(int64_t v)
{
	return (struct store_value){.type = STORE_INT, .i = v};
}
static inline struct store_value store_text(const char *v)
{
	return v ? (struct store_value){.type = STORE_TEXT, .b = bytes_str(v)} : store_null();
}
static inline struct store_value store_blob(struct bytes v)
{
	return (struct store_value){.type = STORE_BLOB, .b = v};
}

enum store_expect {
	STORE_ANY = 0, /* any number of rows changed or returned */
	STORE_ONE = 1, /* exactly one row changed or returned, or the batch is rolled back:
			  ERR_STATE_MOVED */
};

/*
 * Written at the end of the inner SELECT of a claim, so that workers of several processes pass each
 * other instead of waiting: "UPDATE t SET ... WHERE id IN (SELECT id ... LIMIT $1" STORE_CLAIM ")
 * RETURNING id". A comment to SQLite, whose one writer needs nothing of the kind; PostgreSQL gets
 * the words.
 */
#define STORE_CLAIM " /* FOR UPDATE SKIP LOCKED */"

/*
 * Behind a condition, with the name of a column: "... WHERE until_ms < $1"
 * STORE_OR_GONE("t.owner"): or the process is gone that opened the database with this value as
 * `owner`. PostgreSQL knows the moment that a killed process's connection ends. It says nothing of
 * a process that is paused (it is there), and may say it of one that lives and has lost its
 * connection: what follows must be fenced. A comment to SQLite, which one process can open.
 */
#define STORE_OR_GONE(column) " /* OR GONE " column " */"

struct store_statement {
	const char *sql; /* must live until `done`: literals (prepared statements are cached by
			    their text) */
	const struct store_value *args;
	size_t args_n;
	enum store_expect expect;
};

/*
 * A batch is built in an arena that it owns: statements, arguments and their bytes are copied by
 * store_batch_add, so the caller's memory is free again at once. All-zero plus an arena maximum is
 * an empty batch.
 */
struct store_batch {
	struct arena arena;
	struct store_statement *v;
	size_t n, cap;
};

static inline struct store_batch store_batch_make(size_t size_max)
{
	return (struct store_batch){.arena = arena_make(size_max)};
}
/*
 * ERR_RANGE past STORE_BATCH_STATEMENTS_MAX or for TEXT that is not UTF-8 without NUL, ERR_NOMEM
 * past the arena's maximum. The batch is then as it was, and may still be submitted or freed.
 */
enum err store_batch_add(struct store_batch *b, const char *sql, const struct store_value *args,
			 size_t args_n, enum store_expect expect) MUST_USE;
void store_batch_free(struct store_batch *b);

#define STORE_ADD(batch, expect, sql, ...)                                                         \
	store_batch_add(batch, sql, (struct store_value[]){{0}, ##__VA_ARGS__} + 1,                \
			ARRAY_LEN(((struct store_value[]){{0}, ##__VA_ARGS__})) - 1, expect)

struct store_rows {
	const struct store_value *cells; /* row-major */
	size_t rows_n, columns_n;
	int64_t changed; /* rows changed by the statement */
};

struct store_result {
	/*
	 * ERR_OK, ERR_STATE_MOVED, ERR_TRANSIENT (SQLite: locked; PostgreSQL: the commit may have
	 * happened), ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_IO (disk full …), ERR_CORRUPT;
	 * ERR_CONFLICT (a row of that unique key exists), ERR_RANGE (STORE_RESULT_BYTES_MAX),
	 * ERR_NOMEM, ERR_INTERNAL (our SQL is wrong).
	 */
	enum err err;
	struct err_note note;
	const struct store_rows *rows; /* one per statement; valid during the callback */
	size_t rows_n;
};

typedef void store_done_fn(void *ctx, const struct store_result *result);

struct store;

/* All of them are called on the loop thread. */
struct store_ops {
	/*
	 * Takes the batch in every case (it is empty afterwards). ERR_BUSY when STORE_QUEUE_MAX
	 * batches wait, run or have not been told their result. `done` may be NULL; the calls of
	 * `done` come in the order of submission.
	 */
	enum err (*submit)(struct store *s, struct store_batch *batch, store_done_fn *done,
			   void *ctx);
	/*
	 * fn(ctx) on the loop thread after any commit of anybody that named `topic`. One subscriber
	 * per topic: the last call counts, fn == NULL ends it. At most 16 topics; a name is a
	 * literal of at most 63 bytes.
	 */
	void (*on_notify)(struct store *s, const char *topic, void (*fn)(void *ctx), void *ctx);
	/*
	 * Wakes the subscriber of `topic` once everything submitted before this call is decided:
	 * after its commit and its `done` calls, at once if nothing waits, never from inside the
	 * call. Wakes of one topic may be joined, and one may come although nothing changed.
	 * PostgreSQL: subscribers of every process.
	 */
	enum err (*notify)(struct store *s, const char *topic);
	/*
	 * Commits what is queued and closes. No `done` and no subscriber is called any more: what
	 * was queued is durable, its result is not told. May be called from inside a callback. A
	 * delivery that is already posted to the loop does nothing, but must find the loop alive:
	 * free the store before the loop.
	 */
	void (*free)(struct store *s);
};

struct store {
	const struct store_ops *ops;
};

static inline MUST_USE enum err store_submit(struct store *s, struct store_batch *batch,
					     store_done_fn *done, void *ctx)
{
	return s->ops->submit(s, batch, done, ctx);
}
static inline void store_on_notify(struct store *s, const char *topic, void (*fn)(void *ctx),
				   void *ctx)
{
	s->ops->on_notify(s, topic, fn, ctx);
}
static inline MUST_USE enum err store_notify(struct store *s, const char *topic)
{
	return s->ops->notify(s, topic);
}
static inline void store_free(struct store *s)
{
	if (s)
		s->ops->free(s);
}

static inline const struct store_value *store_cell(const struct store_rows *r, size_t row,
						   size_t column)
{
	CHECK(row < r->rows_n && column < r->columns_n);
	return &r->cells[row * r->columns_n + column];
}

/* Append-only list of schema steps of one owner ("connector", "core"); the number applied is stored
 * beside them. */
struct store_migrations {
	const char *owner;
	const char *const *sql; /* each may hold several statements */
	size_t n;
};

/* How results come back to the loop: the store knows no loop, its user hands it this. */
struct store_executor {
	enum err (*post)(void *loop, void (*fn)(void *ctx), void *ctx);
	void *loop;
	/* Of letters and digits: the name under which others see that this process lives
	 * (STORE_OR_GONE), for as long as the store is open; NULL: none. */
	const char *owner;
};

/*
 * SQLite, WAL, synchronous=FULL, foreign keys on, one process at a time (an advisory lock file
 * tells a second one so: ERR_CONFIG_VALUE). Creates the file with mode 0600 and migrates. A file
 * from a newer version is refused.
 */
enum err store_sqlite_open(struct store **ret_store, const struct store_executor *executor,
			   const char *path, const struct store_migrations *migrations,
			   struct err_note *note) MUST_USE;

/*
 * PostgreSQL 13 or later, by a URL of libpq's form (postgres://, postgresql://), what it leaves out
 * from libpq's environment variables. Our tables live in `schema`, which is made if it is missing,
 * and migrated; several processes may share it. libpq is loaded now and only now.
 * ERR_CONFIG_VALUE: URL, schema name, library, server version or encoding, login, a database from a
 * newer version; ERR_UNAVAILABLE: not reached in 5 tries, a second apart.
 *
 * What differs for callers: a batch may end ERR_UNAVAILABLE or ERR_TIMEOUT (nothing is stored), or
 * ERR_TRANSIENT (the commit may have happened); and another process may change rows between two
 * batches. No note and no error ever holds the password.
 */
enum err store_postgres_open(struct store **ret_store, const struct store_executor *executor,
			     const char *url, const char *schema,
			     const struct store_migrations *migrations,
			     struct err_note *note) MUST_USE;

/*
 * The engine that `url` names: "sqlite:PATH" or "postgres://…". `schema` is PostgreSQL's; a SQLite
 * file needs none. ERR_CONFIG_VALUE also for a URL of neither form.
 */
enum err store_open(struct store **ret_store, const struct store_executor *executor,
		    const char *url, const char *schema, const struct store_migrations *migrations,
		    struct err_note *note) MUST_USE;

/* Whether several processes may have the database of `url` open: then a lease that another owner
 * holds may be alive, and only its time ends it. */
bool store_url_shared(const char *url);

enum {
	STORE_URL_SHOWN_SIZE = 256
};

/* What may be said of `url` in a log: without user, password and options. */
void store_url_show(char ret_text[static STORE_URL_SHOWN_SIZE], const char *url);

/* The same connection settings, read-only, no lock, synchronous: for `inspect` beside a running
 * service. ERR_CONFIG_FILE: there is no such database yet. */
enum err store_query(const char *url, const char *schema, const char *sql,
		     const struct store_value *args, size_t args_n,
		     void (*row)(void *ctx, const struct store_value *cells, size_t n), void *ctx,
		     struct err_note *note) MUST_USE;
enum err store_sqlite_query(const char *path, const char *sql, const struct store_value *args,
			    size_t args_n,
			    void (*row)(void *ctx, const struct store_value *cells, size_t n),
			    void *ctx, struct err_note *note) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/sqlite_conn.h"

#include <stdlib.h>

enum {
	BUSY_TIMEOUT_MS =
		2000, /* for another program's lock on the file: an operator's sqlite3, a backup */
	SQL_SHOWN_MAX = 80, /* of a failing statement in a note */
};

/* ---- errors ---- */

struct code_row {
	int code; /* primary result code */
	enum err err;
};

static const struct code_row code_rows[] = {
	{SQLITE_BUSY, ERR_TRANSIENT}, {SQLITE_LOCKED, ERR_TRANSIENT}, {SQLITE_FULL, ERR_IO},
	{SQLITE_IOERR, ERR_IO},       {SQLITE_CANTOPEN, ERR_IO},      {SQLITE_READONLY, ERR_IO},
	{SQLITE_PERM, ERR_IO},        {SQLITE_CORRUPT, ERR_CORRUPT},  {SQLITE_NOTADB, ERR_CORRUPT},
	{SQLITE_FORMAT, ERR_CORRUPT}, {SQLITE_NOMEM, ERR_NOMEM},      {SQLITE_TOOBIG, ERR_RANGE},
};

static enum err code_to_err(int extended)
{
	/* A row of that key is there already; every other constraint is a mistake in our SQL. */
	if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY)
		return ERR_CONFLICT;
	for (size_t i = 0; i < ARRAY_LEN(code_rows); i++)
		if (code_rows[i].code == (extended & 0xff))
			return code_rows[i].err;
	return ERR_INTERNAL;
}

/* Must be called before anything else touches the connection. */
static enum err conn_err(const struct sqlite_conn *c, const char *sql, struct err_note *note)
{
	return err_say(note, code_to_err(sqlite3_extended_errcode(c->db)),
		       "sqlite: %s (code %d) in: %.*s", sqlite3_errmsg(c->db),
		       sqlite3_extended_errcode(c->db), SQL_SHOWN_MAX, sql);
}

/* ---- prepared statements ---- */

/* FNV-1a, 64 bit: the keys are our own literals. */
static uint64_t sql_hash(const char *sql)
{
	uint64_t h = 0xcbf29ce484222325;

	for (const char *p = sql; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3;
	return h;
}

static void cache_clear(struct sqlite_conn *c)
{
	for (size_t i = 0; c->cache && i < SQLITE_CONN_SLOTS; i++) {
		(void)sqlite3_finalize(c->cache[i].stmt);
		c->cache[i] = (struct sqlite_prepared){0};
	}
	c->cached_n = 0;
}

/* The slot of this text: taken by it, or free. */
static struct sqlite_prepared *cache_slot(struct sqlite_conn *c, const char *sql, uint64_t hash)
{
	size_t i = hash % SQLITE_CONN_SLOTS;

	while (c->cache[i].stmt &&
	       (c->cache[i].hash != hash || strcmp(sqlite3_sql(c->cache[i].stmt), sql) != 0))
		i = (i + 1) % SQLITE_CONN_SLOTS;
	return &c->cache[i];
}

/* SQLite numbers $-parameters by first appearance, whatever digits their names have. */
static enum err params_map(struct sqlite_prepared *p)
{
	int n = sqlite3_bind_parameter_count(p->stmt);

	if (n > SQLITE_CONN_ARGS_MAX)
		return ERR_INTERNAL;
	for (int k = 1; k <= n; k++) {
		const char *name = sqlite3_bind_parameter_name(p->stmt, k);
		char *end = NULL;
		long number = name && name[0] == '$' ? strtol(&name[1], &end, 10) : 0;

		/* Names differ, so n names in 1..n are all of them. */
		if (number < 1 || number > n || !end || *end != '\0' || name[1] == '0' ||
		    name[1] == '+')
			return ERR_INTERNAL;
		p->arg_of[k - 1] = (uint8_t)(number - 1);
	}
	p->args_n = (size_t)n;
	return ERR_OK;
}

static bool only_blanks(const char *s)
{
	return s[strspn(s, " \t\n;")] == '\0';
}

static enum err conn_prepare(struct sqlite_conn *c, const char *sql, struct sqlite_prepared **ret_p,
			     struct err_note *note)
{
	uint64_t hash = sql_hash(sql);
	struct sqlite_prepared *slot = cache_slot(c, sql, hash);
	struct sqlite_prepared p = {.hash = hash};
	const char *tail = "";

	if (slot->stmt) {
		*ret_p = slot;
		return ERR_OK;
	}
	if (sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &p.stmt, &tail) !=
	    SQLITE_OK)
		return conn_err(c, sql, note);
	if (!p.stmt || !only_blanks(tail) || params_map(&p) != ERR_OK) {
		(void)sqlite3_finalize(p.stmt);
		return err_say(note, ERR_INTERNAL,
			       "not one statement with parameters $1 to $n: %.*s", SQL_SHOWN_MAX,
			       sql);
	}
	if (c->cached_n == SQLITE_CONN_STATEMENTS_MAX) {
		cache_clear(c);
		slot = cache_slot(c, sql, hash);
	}
	*slot = p;
	c->cached_n++;
	*ret_p = slot;
	return ERR_OK;
}

/* ---- values in and out ---- */

/* SQLite takes a NULL pointer for NULL, whatever the length says. */
static const void *not_null(struct bytes b)
{
	return b.n > 0 ? (const void *)b.p : "";
}

/* The bytes stay with the caller until the statement is reset. */
static int value_bind(sqlite3_stmt *stmt, int k, const struct store_value *v)
{
	switch (v->type) {
	case STORE_NULL:
		return sqlite3_bind_null(stmt, k);
	case STORE_INT:
		return sqlite3_bind_int64(stmt, k, v->i);
	case STORE_TEXT:
		return sqlite3_bind_text64(stmt, k, not_null(v->b), v->b.n, SQLITE_STATIC,
					   SQLITE_UTF8);
	case STORE_BLOB:
		return sqlite3_bind_blob64(stmt, k, not_null(v->b), v->b.n, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

static enum err args_bind(struct sqlite_conn *c, const struct sqlite_prepared *p, const char *sql,
			  const struct store_value *args, size_t args_n, struct err_note *note)
{
	if (args_n != p->args_n)
		return err_say(note, ERR_INTERNAL, "%zu arguments, %zu parameters in: %.*s", args_n,
			       p->args_n, SQL_SHOWN_MAX, sql);
	for (size_t k = 0; k < args_n; k++)
		if (value_bind(p->stmt, (int)k + 1, &args[p->arg_of[k]]) != SQLITE_OK)
			return conn_err(c, sql, note);
	return ERR_OK;
}

/* ERR_NOMEM where SQLite could not make the bytes, ERR_INTERNAL for a floating point number. */
static enum err cell_read(sqlite3_stmt *stmt, int column, struct store_value *ret_cell)
{
	int type = sqlite3_column_type(stmt, column);
	const void *p = NULL;

	switch (type) {
	case SQLITE_NULL:
		*ret_cell = store_null();
		return ERR_OK;
	case SQLITE_INTEGER:
		*ret_cell = store_int(sqlite3_column_int64(stmt, column));
		return ERR_OK;
	case SQLITE_TEXT:
		p = sqlite3_column_text(stmt, column);
		break;
	case SQLITE_BLOB:
		p = sqlite3_column_blob(stmt, column);
		break;
	default:
		return ERR_INTERNAL;
	}

	size_t n = (size_t)sqlite3_column_bytes(stmt, column);

	if (!p && n > 0)
		return ERR_NOMEM;
	*ret_cell = (struct store_value){
		.type = type == SQLITE_TEXT ? STORE_TEXT : STORE_BLOB,
		.b = bytes_from(p ? p : "", n),
	};
	return ERR_OK;
}

static enum err row_give(sqlite3_stmt *stmt, sqlite_row_fn *row, void *ctx)
{
	struct store_value cells[SQLITE_CONN_COLUMNS_MAX];
	int n = sqlite3_column_count(stmt);

	if (n > SQLITE_CONN_COLUMNS_MAX)
		return ERR_RANGE;
	for (int i = 0; i < n; i++)
		TRY(cell_read(stmt, i, &cells[i]));
	return row(ctx, cells, (size_t)n);
}

/* ---- running ---- */

static enum err rows_step(struct sqlite_conn *c, sqlite3_stmt *stmt, const char *sql,
			  sqlite_row_fn *row, void *ctx, struct err_note *note)
{
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		enum err e = row ? row_give(stmt, row, ctx) : ERR_OK;

		if (e != ERR_OK)
			return err_say(note, e, "%s: a row of: %.*s", err_name(e), SQL_SHOWN_MAX,
				       sql);
	}
	return rc == SQLITE_DONE ? ERR_OK : conn_err(c, sql, note);
}

enum err sqlite_conn_run(struct sqlite_conn *c, const char *sql, const struct store_value *args,
			 size_t args_n, sqlite_row_fn *row, void *ctx, int64_t *ret_changed,
			 struct err_note *note)
{
	struct sqlite_prepared *p = NULL;

	TRY(conn_prepare(c, sql, &p, note));
	enum err e = args_bind(c, p, sql, args, args_n, note);
	int64_t before = sqlite3_total_changes64(c->db);

	if (e == ERR_OK)
		e = rows_step(c, p->stmt, sql, row, ctx, note);
	/* Statements that change nothing leave the count of the one before. */
	if (e == ERR_OK && ret_changed)
		*ret_changed =
			sqlite3_total_changes64(c->db) == before ? 0 : sqlite3_changes64(c->db);
	(void)sqlite3_reset(p->stmt); /* repeats the error of the step */
	(void)sqlite3_clear_bindings(p->stmt);
	return e;
}

enum err sqlite_conn_exec(struct sqlite_conn *c, const char *sql, struct err_note *note)
{
	return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK
								       : conn_err(c, sql, note);
}

bool sqlite_conn_in_transaction(const struct sqlite_conn *c)
{
	return c->db && sqlite3_get_autocommit(c->db) == 0;
}

bool sqlite_conn_is_full(const struct sqlite_conn *c)
{
	return sqlite3_errcode(c->db) == SQLITE_FULL;
}

/* ---- opening ---- */

/* A modest cache: the idle service must stay small. No mmap: an I/O error must be an error, not
 * SIGBUS. */
static const char settings[] = "PRAGMA trusted_schema = OFF;"
			       "PRAGMA foreign_keys = ON;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA mmap_size = 0;"
			       "PRAGMA cell_size_check = ON;"
			       "PRAGMA cache_size = -1024;"
			       "PRAGMA journal_size_limit = 16777216;";

enum err sqlite_conn_open(struct sqlite_conn *c, const char *path, bool read_only,
			  struct err_note *note)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE |
		    (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
	struct sqlite_conn open = {0};
	int rc = sqlite3_open_v2(path, &open.db, flags, NULL);

	if (!open.db)
		return ERR_NOMEM;

	enum err e = rc == SQLITE_OK ? ERR_OK : conn_err(&open, "open", note);

	if (e == ERR_OK) {
		(void)sqlite3_busy_timeout(open.db, BUSY_TIMEOUT_MS);
		(void)sqlite3_db_config(open.db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
		/* A plan that does not look at bound values: otherwise every binding may make the
		 * statement be prepared again, which was two fifths of the connector's time. */
		(void)sqlite3_db_config(open.db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, (int *)NULL);
		open.cache = calloc(SQLITE_CONN_SLOTS, sizeof(*open.cache));
		e = open.cache ? sqlite_conn_exec(&open, settings, note) : ERR_NOMEM;
	}
	if (e != ERR_OK) {
		sqlite_conn_close(&open);
		return e;
	}
	*c = open;
	return ERR_OK;
}

void sqlite_conn_close(struct sqlite_conn *c)
{
	cache_clear(c);
	free(c->cache);
	(void)sqlite3_close_v2(c->db);
	*c = (struct sqlite_conn){0};
}

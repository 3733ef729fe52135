/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/pg_migrate.h"

#include "store/migrate.h"
#include "store/pg_dialect.h"

enum {
	SQL_SIZE_MAX = 1 << 20,
	MIGRATION_SILENCE_MS = 10 * 60 * 1000, /* an index over a large table takes its time */
};

static enum err take_int(void *ctx, const struct store_value *cells, size_t n)
{
	if (n != 1 || cells[0].type != STORE_INT)
		return ERR_CORRUPT;
	*(int64_t *)ctx = cells[0].i;
	return ERR_OK;
}

static enum err skip_row(void *ctx, const struct store_value *cells, size_t n)
{
	(void)ctx;
	(void)cells;
	(void)n;
	return ERR_OK;
}

static enum err script(struct pg_conn *c, const char *sql, struct err_note *note)
{
	CLEANUP(buf_free) struct buf out = buf_make(SQL_SIZE_MAX);
	const char *text = NULL;

	TRY(pg_dialect(&out, sql, true, NULL));
	TRY(buf_cstr(&out, &text));
	return pg_conn_script(c, text, note);
}

enum err pg_schema_exists(struct pg_conn *c, bool *ret_exists, struct err_note *note)
{
	const struct store_value name = store_text(c->target->schema);
	int64_t n = 0;

	TRY(pg_conn_query(c, "SELECT count(*) FROM pg_namespace WHERE nspname = $1", &name, 1,
			  take_int, &n, note));
	*ret_exists = n > 0;
	return ERR_OK;
}

/* CREATE … IF NOT EXISTS wants the right to create even where there is nothing to do. */
static enum err schema_make(struct pg_conn *c, struct err_note *note)
{
	CLEANUP(buf_free) struct buf sql = buf_make(256);
	const char *text = NULL;
	bool exists = false;
	int64_t table = 0;

	TRY(pg_schema_exists(c, &exists, note));
	if (!exists) {
		TRY(buf_addf(&sql, "CREATE SCHEMA \"%s\"", c->target->schema));
		TRY(buf_cstr(&sql, &text));
		TRY(pg_conn_script(c, text, note));
	}
	TRY(pg_conn_query(c, "SELECT to_regclass('schema_version') IS NOT NULL", NULL, 0, take_int,
			  &table, note));
	return table ? ERR_OK : script(c, STORE_VERSION_TABLE, note);
}

/* The lock ends with the transaction. */
static enum err lock(struct pg_conn *c, struct err_note *note)
{
	const struct store_value name = store_text(c->target->schema);

	TRY(pg_conn_script(c, "BEGIN; SET LOCAL statement_timeout = 0", note));
	return pg_conn_query(c,
			     "SELECT pg_advisory_xact_lock(hashtextextended('claviger.' || $1, 0)) "
			     "IS NULL",
			     &name, 1, skip_row, NULL, note);
}

/* One step, if one is missing. */
static enum err step(struct pg_conn *c, const struct store_migrations *m, bool *ret_more,
		     struct err_note *note)
{
	const struct store_value owner = store_text(m->owner);
	int64_t read = 0;
	size_t version = 0;

	TRY(lock(c, note));
	TRY(schema_make(c, note));
	TRY(pg_conn_query(c, STORE_VERSION_GET, &owner, 1, take_int, &read, note));
	TRY(store_version_check(&version, read, m, c->target->schema, note));
	*ret_more = version < m->n;
	if (version < m->n) {
		const struct store_value args[] = {owner, store_int(read + 1)};
		enum err e = script(c, m->sql[version], note);

		if (e != ERR_OK)
			return err_prefix(note, e, "migration %zu of %s", version + 1, m->owner);
		TRY(pg_conn_query(c, STORE_VERSION_SET, args, ARRAY_LEN(args), NULL, NULL, note));
	}
	return pg_conn_script(c, "COMMIT", note);
}

enum err pg_migrate(struct pg_conn *c, const struct store_migrations *m, struct err_note *note)
{
	enum err e = ERR_OK;
	bool more = true;
	int before = c->silence_ms;

	c->silence_ms = MIGRATION_SILENCE_MS;
	while (e == ERR_OK && more)
		e = step(c, m, &more, note);
	c->silence_ms = before;
	return e; /* a failed step ends with its connection */
}

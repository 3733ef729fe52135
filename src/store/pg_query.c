/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/pg_query.h"

#include "store/pg_dialect.h"
#include "store/pg_migrate.h"

enum {
	SQL_SIZE_MAX = 64 << 10
};

struct giving {
	void (*row)(void *ctx, const struct store_value *cells, size_t n);
	void *ctx;
};

static enum err give(void *ctx, const struct store_value *cells, size_t n)
{
	const struct giving *g = ctx;

	g->row(g->ctx, cells, n);
	return ERR_OK;
}

static enum err run(struct pg_conn *c, const char *sql, const struct store_value *args,
		    size_t args_n, struct giving *g, struct err_note *note)
{
	CLEANUP(buf_free) struct buf out = buf_make(SQL_SIZE_MAX);
	const char *text = NULL;
	size_t params_n = 0;
	bool exists = false;

	TRY(pg_schema_exists(c, &exists, note));
	if (!exists)
		return err_say(note, ERR_CONFIG_FILE, "the database has no schema %s yet",
			       c->target->schema);
	TRY(pg_dialect(&out, sql, false, &params_n));
	TRY(buf_cstr(&out, &text));
	if (params_n != args_n)
		return err_say(note, ERR_INTERNAL, "%zu arguments, %zu parameters", args_n,
			       params_n);
	TRY(pg_conn_script(c, "BEGIN READ ONLY", note));
	return pg_conn_query(c, text, args, args_n, give, g, note);
}

enum err pg_query(const char *url, const char *schema, const char *sql,
		  const struct store_value *args, size_t args_n,
		  void (*row)(void *ctx, const struct store_value *cells, size_t n), void *ctx,
		  struct err_note *note)
{
	struct giving g = {row, ctx};
	struct pg_target t = {0};
	struct pg_conn c = {0};

	TRY(pg_target_init(&t, url, schema, note));
	enum err e = pg_conn_open(&c, &t, note);

	if (e == ERR_OK)
		e = run(&c, sql, args, args_n, &g, note);
	pg_conn_close(&c);
	pg_target_free(&t);
	return e;
}

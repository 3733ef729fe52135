/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The same tests on both engines: each case stands twice in the list, and gets its engine as
 * initial state. A case has a database of its own: a file in its directory, or a schema on the
 * server that the program has started.
 */
#ifndef TESTS_UNIT_STORE_ENGINES_H
#define TESTS_UNIT_STORE_ENGINES_H

#include "pg_server.h"
#include "store_test.h"

struct test_engine {
	const char *name;
	const struct pg_server *server; /* NULL: SQLite */
	const char *big_sql;            /* one row of one value of $1 bytes */
};

struct test_database {
	char dir[TEST_PATH_SIZE], url[2 * TEST_PATH_SIZE], schema[32];
};

static inline void test_database_make(struct test_database *d, const struct test_engine *engine)
{
	static unsigned n;

	test_dir_make(d->dir);
	(void)snprintf(d->schema, sizeof(d->schema), "case_%u", n++);
	if (engine->server)
		(void)snprintf(d->url, sizeof(d->url), "%s", engine->server->url);
	else
		(void)snprintf(d->url, sizeof(d->url), "sqlite:%s/t.db", d->dir);
}

static inline enum err test_database_open(const struct test_database *d, struct store **ret_store,
					  struct test_loop *loop, const struct store_migrations *m,
					  struct err_note *note)
{
	struct store_executor executor = test_loop_executor(loop);

	return store_open(ret_store, &executor, d->url, d->schema, m, note);
}

/* `server` is started before the list runs. */
#define TEST_ENGINES(server)                                                                       \
	static const struct test_engine sqlite_engine = {.name = "sqlite",                         \
							 .big_sql = "SELECT zeroblob($1)"};        \
	static const struct test_engine postgres_engine = {                                        \
		.name = "postgres",                                                                \
		.server = &(server),                                                               \
		.big_sql = "SELECT convert_to(repeat('x', ($1)::int), 'UTF8')"}

#define TEST_BOTH(fn)                                                                              \
	{"sqlite: " #fn, fn, setup, teardown, (void *)&sqlite_engine},                             \
	{                                                                                          \
		"postgres: " #fn, fn, setup, teardown, (void *)&postgres_engine                    \
	}

#endif

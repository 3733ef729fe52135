/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the tests of PostgreSQL alone share: a fixture whose store is opened when the case wants it,
 * a look beside it, child processes, and the server of the whole program.
 */
#ifndef TESTS_UNIT_STORE_PG_FIXTURE_H
#define TESTS_UNIT_STORE_PG_FIXTURE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "engines.h"

static struct pg_server server;
static const struct test_engine postgres = {.name = "postgres", .server = &server};

static const char *const schema[] = {
	"CREATE TABLE op (id INTEGER PRIMARY KEY, state TEXT NOT NULL, owner INTEGER) STRICT;"
	"CREATE TABLE log (op INTEGER NOT NULL, owner INTEGER NOT NULL) STRICT",
};
static const struct store_migrations migrations = {"test", schema, ARRAY_LEN(schema)};

struct fixture {
	struct test_database db;
	struct test_loop loop;
	struct store *store;
	size_t done_n, woken_n, rows_n;
	enum err last;
	int64_t cell;
	char note[ERR_NOTE_SIZE];
};

static inline struct fixture *fixture_new(void)
{
	static const struct test_loop fresh = TEST_LOOP_INIT;
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->loop = fresh;
	test_database_make(&f->db, &postgres);
	return f;
}

static inline void fixture_open(struct fixture *f)
{
	struct err_note note = {0};

	if (test_database_open(&f->db, &f->store, &f->loop, &migrations, &note) != ERR_OK)
		fail_msg("%s", note.text);
}

static inline void fixture_close(struct fixture *f)
{
	store_free(f->store);
	f->store = NULL;
	test_loop_drain(&f->loop);
}

static inline int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	fixture_close(f);
	test_dir_remove(f->db.dir);
	free(f);
	return 0;
}

static inline void on_done(void *ctx, const struct store_result *r)
{
	struct fixture *f = ctx;

	f->done_n++;
	f->last = r->err;
	f->rows_n = r->rows_n > 0 ? r->rows[0].rows_n : 0;
	(void)snprintf(f->note, sizeof(f->note), "%s", r->note.text);
	if (f->rows_n > 0)
		f->cell = store_cell(&r->rows[0], 0, 0)->i;
}

#define ADD(b, expect, ...) assert_int_equal(STORE_ADD(b, expect, __VA_ARGS__), ERR_OK)

/* Run one statement to its end. */
#define RUN(f, expect, ...)                                                                        \
	do {                                                                                       \
		struct store_batch run_b_ = store_batch_make(1 << 16);                             \
		ADD(&run_b_, expect, __VA_ARGS__);                                                 \
		assert_int_equal(store_submit((f)->store, &run_b_, on_done, f), ERR_OK);           \
		assert_true(test_loop_until(&(f)->loop, &(f)->done_n, (f)->done_n + 1));           \
	} while (0)

static inline void take_int(void *ctx, const struct store_value *cells, size_t n)
{
	assert_true(n > 0);
	*(int64_t *)ctx = cells[0].i;
}

/* Beside the store, on a connection of its own. */
static inline int64_t ask(const struct fixture *f, const char *sql)
{
	struct err_note note = {0};
	int64_t v = -1;

	if (store_query(f->db.url, f->db.schema, sql, NULL, 0, take_int, &v, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return v;
}

/* Until `sql` gives `want`. */
static inline void wait_for(const struct fixture *f, const char *sql, int64_t want)
{
	for (int i = 0; i < 600; i++) {
		if (ask(f, sql) == want)
			return;
		(void)usleep(50000);
	}
	fail_msg("never %lld: %s", (long long)want, sql);
}

static inline double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- children ---- */

/* A child that runs `fn` and leaves with what it returns. Fork while there is one thread. */
static inline pid_t child_start(int (*fn)(struct fixture *f, int in, int out), struct fixture *f,
				int in, int out)
{
	pid_t pid = fork();

	assert_true(pid != -1);
	if (pid != 0)
		return pid;
	test_die_with_parent();
	_exit(fn(f, in, out));
}

static inline void child_end(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static inline bool child_open(struct fixture *f)
{
	return test_database_open(&f->db, &f->store, &f->loop, &migrations, NULL) == ERR_OK;
}

static inline void on_wake(void *ctx)
{
	((struct fixture *)ctx)->woken_n++;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The server, the list, the server's end. Of main. */
#define PG_TESTS_RUN(tests)                                                                        \
	do {                                                                                       \
		if (!pg_server_start(&server)) {                                                   \
			pg_server_remove(&server);                                                 \
			return 1;                                                                  \
		}                                                                                  \
		int failed_ = cmocka_run_group_tests(tests, NULL, NULL);                           \
		pg_server_remove(&server);                                                         \
		return failed_;                                                                    \
	} while (0)

#endif

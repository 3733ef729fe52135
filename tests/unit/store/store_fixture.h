/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the tests of the store on both engines share: a table, a fixture with an open store, a
 * statement run to its end, and the server of the whole program. A program has one list of cases.
 */
#ifndef TESTS_UNIT_STORE_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engines.h"

static struct pg_server server;
TEST_ENGINES(server);

static const char *const schema[] = {
	"CREATE TABLE op (id INTEGER PRIMARY KEY, state TEXT NOT NULL, due_ms INTEGER NOT NULL, "
	"lease TEXT, body BLOB) STRICT;"
	"CREATE INDEX op_due ON op (state, due_ms)",
};
static const struct store_migrations migrations = {"test", schema, ARRAY_LEN(schema)};

#define INSERT "INSERT INTO op (id, state, due_ms, body) VALUES ($1, $2, $3, $4)"
#define MOVE   "UPDATE op SET state = $3 WHERE id = $1 AND state = $2"
#define COUNT  "SELECT count(*) FROM op"

struct seen {
	enum err err;
	size_t order; /* 1 for the first of all */
	int64_t first_cell, changed;
	size_t rows_n, statements_n;
	char note[ERR_NOTE_SIZE];
	size_t *done_n;
};

struct fixture {
	const struct test_engine *engine;
	struct test_database db;
	struct test_loop loop;
	struct store *store;
	size_t submitted_n, done_n, woken_n, woken_after;
};

static inline int setup(void **state)
{
	static const struct test_loop fresh = TEST_LOOP_INIT;
	struct fixture *f = calloc(1, sizeof(*f));
	struct err_note note = {0};

	assert_non_null(f);
	f->loop = fresh;
	f->engine = *state;
	test_database_make(&f->db, f->engine);
	if (test_database_open(&f->db, &f->store, &f->loop, &migrations, &note) != ERR_OK)
		fail_msg("%s", note.text);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	store_free(f->store);
	test_loop_drain(&f->loop);
	test_dir_remove(f->db.dir);
	free(f);
	return 0;
}

static inline void on_done(void *ctx, const struct store_result *r)
{
	struct seen *s = ctx;

	s->err = r->err;
	s->order = ++*s->done_n;
	s->statements_n = r->rows_n;
	(void)snprintf(s->note, sizeof(s->note), "%s", r->note.text);
	if (r->rows_n == 0)
		return;

	const struct store_rows *last = &r->rows[r->rows_n - 1];

	s->rows_n = last->rows_n;
	s->changed = last->changed;
	if (last->rows_n > 0)
		s->first_cell = store_cell(last, 0, 0)->i;
}

static inline void submit(struct fixture *f, struct store_batch *b, struct seen *s)
{
	*s = (struct seen){.done_n = &f->done_n};
	assert_int_equal(store_submit(f->store, b, on_done, s), ERR_OK);
	assert_int_equal(b->n, 0);
	f->submitted_n++;
}

static inline void add_insert(struct store_batch *b, int64_t id)
{
	assert_int_equal(STORE_ADD(b, STORE_ONE, INSERT, store_int(id), store_text("ready"),
				   store_int(id), store_null()),
			 ERR_OK);
}

/* Run one statement and wait for it and all before it. */
#define RUN(f, seen_p, expect, ...)                                                                \
	do {                                                                                       \
		struct store_batch run_b_ = store_batch_make(1 << 16);                             \
		assert_int_equal(STORE_ADD(&run_b_, expect, __VA_ARGS__), ERR_OK);                 \
		submit(f, &run_b_, seen_p);                                                        \
		assert_true(test_loop_until(&(f)->loop, &(f)->done_n, (f)->submitted_n));          \
	} while (0)

static inline int64_t count_rows(struct fixture *f)
{
	struct seen s;

	RUN(f, &s, STORE_ONE, COUNT);
	assert_int_equal(s.err, ERR_OK);
	return s.first_cell;
}

/* For store_query: the one cell of the last row. */
static inline void count_line(void *ctx, const struct store_value *cells, size_t n)
{
	assert_int_equal(n, 1);
	*(int64_t *)ctx = cells[0].i;
}

static inline void on_wake(void *ctx)
{
	struct fixture *f = ctx;

	f->woken_n++;
	f->woken_after = f->done_n;
}

/* The server, the list, the server's end. Of main. */
#define STORE_TESTS_RUN(tests)                                                                     \
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

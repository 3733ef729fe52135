/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The store, on both engines: reading beside it, versions of a schema, and where the two could
 * differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_fixture.h"

/* ---- reading beside the service ---- */

#define QUERY(f, want, sql, arg_p, n_p)                                                            \
	assert_int_equal(                                                                          \
		store_query((f)->db.url, (f)->db.schema, sql, arg_p, 1, count_line, n_p, &note),   \
		want)

static void test_query_beside(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct store_value arg = store_int(5);
	struct err_note note = {0};
	struct seen s;
	int64_t n = -1;

	for (int64_t i = 0; i < 8; i++)
		add_insert(&b, i);
	submit(f, &b, &s);
	assert_true(test_loop_until(&f->loop, &f->done_n, 1));
	QUERY(f, ERR_OK, "SELECT count(*) FROM op WHERE id < $1", &arg, &n);
	assert_int_equal(n, 5);
	arg = (struct store_value){.type = STORE_BLOB}; /* empty, and not NULL */
	QUERY(f, ERR_OK, "SELECT $1 IS NOT NULL", &arg, &n);
	assert_int_equal(n, 1);
	assert_int_not_equal(store_query(f->db.url, f->db.schema, "DELETE FROM op", NULL, 0,
					 count_line, &n, &note),
			     ERR_OK);
	assert_int_equal(count_rows(f), 8);
	assert_int_equal(store_query(f->engine->server ? f->db.url : "sqlite:/nonexistent/x.db",
				     "none", COUNT, NULL, 0, count_line, &n, &note),
			 ERR_CONFIG_FILE);
}

/* ---- versions ---- */

static const char *const steps[] = {
	"CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
	"ALTER TABLE t ADD COLUMN more TEXT; CREATE TABLE u (id INTEGER PRIMARY KEY) STRICT",
	"INSERT INTO u (id) VALUES (1)",
};

static int64_t query_int(const struct fixture *f, const char *sql)
{
	struct err_note note = {0};
	int64_t n = -1;

	if (store_query(f->db.url, f->db.schema, sql, NULL, 0, count_line, &n, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return n;
}

/* The fixture's store holds a SQLite file's lock. */
static void reopen(struct fixture *f)
{
	store_free(f->store);
	f->store = NULL;
	test_loop_drain(&f->loop);
}

static enum err open_with(struct fixture *f, const char *const *sql, size_t n,
			  struct err_note *note)
{
	struct store_migrations m = {"more", sql, n};

	return test_database_open(&f->db, &f->store, &f->loop, &m, note);
}

static void test_migrations_go_on_where_they_stopped(void **state)
{
	struct fixture *f = *state;
	struct err_note note = {0};

	for (size_t n = 1; n <= ARRAY_LEN(steps); n++)
		for (int again = 0; again < 2; again++) {
			reopen(f);
			assert_int_equal(open_with(f, steps, n, &note), ERR_OK);
			assert_int_equal(
				query_int(
					f,
					"SELECT version FROM schema_version WHERE owner = 'more'"),
				n);
		}
	assert_int_equal(query_int(f, "SELECT count(*) FROM u"), 1);
}

static void test_failed_step_leaves_the_one_before(void **state)
{
	static const char *const broken[] = {
		"CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT",
		"CREATE TABLE b (id INTEGER PRIMARY KEY) STRICT; CREATE TABLE a (id INTEGER) "
		"STRICT",
	};
	struct fixture *f = *state;
	struct err_note note = {0};
	int64_t n = 0;

	reopen(f);
	assert_int_equal(open_with(f, broken, 2, &note), ERR_INTERNAL);
	assert_null(f->store);
	assert_non_null(strstr(note.text, "migration 2 of more"));
	assert_int_equal(query_int(f, "SELECT version FROM schema_version WHERE owner = 'more'"),
			 1);
	assert_int_equal(store_query(f->db.url, f->db.schema, "SELECT count(*) FROM b", NULL, 0,
				     count_line, &n, &note),
			 ERR_INTERNAL);
	assert_int_equal(open_with(f, broken, 1, &note), ERR_OK);
}

static void test_newer_database_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err_note note = {0};

	reopen(f);
	assert_int_equal(open_with(f, steps, 3, &note), ERR_OK);
	reopen(f);
	assert_int_equal(open_with(f, steps, 2, &note), ERR_CONFIG_VALUE);
	assert_null(f->store);
	assert_non_null(strstr(note.text, "version 3"));
}

/* ---- where the two could differ ---- */

static void test_same_answers(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen s;

	for (int64_t i = 1; i <= 4; i++)
		add_insert(&b, i);
	submit(f, &b, &s);
	/* A sum of 64-bit integers, and of nothing. */
	RUN(f, &s, STORE_ONE, "SELECT sum(due_ms) FROM op");
	assert_int_equal(s.first_cell, 10);
	RUN(f, &s, STORE_ONE, "SELECT sum(due_ms * $1) FROM op", store_int(-1000000007));
	assert_int_equal(s.first_cell, -10000000070);
	RUN(f, &s, STORE_ONE, "SELECT coalesce(sum(due_ms), 0) FROM op WHERE id > 9");
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.first_cell, 0);
	/* A parameter has 64 bits wherever it stands. */
	RUN(f, &s, STORE_ONE,
	    "UPDATE op SET due_ms = CASE WHEN $1 < 0 THEN due_ms ELSE $1 END WHERE id = 1",
	    store_int(1754000000000));
	RUN(f, &s, STORE_ONE, "SELECT due_ms FROM op WHERE id = 1");
	assert_int_equal(s.first_cell, 1754000000000);
	/* Empty blobs and literals. */
	RUN(f, &s, STORE_ONE, "UPDATE op SET body = x'00ff', lease = 'x''y' WHERE id = 2");
	assert_int_equal(s.err, ERR_OK);
	RUN(f, &s, STORE_ONE, "SELECT length(body) FROM op WHERE body = x'00FF'");
	assert_int_equal(s.first_cell, 2);
	RUN(f, &s, STORE_ONE, "SELECT count(*) FROM op WHERE lease = $1", store_text("x'y"));
	assert_int_equal(s.first_cell, 1);
	RUN(f, &s, STORE_ONE, "UPDATE op SET body = x'' WHERE id = 2");
	RUN(f, &s, STORE_ONE, "SELECT length(body) FROM op WHERE id = 2");
	assert_int_equal(s.first_cell, 0);
	/* NULL where a value was before and the other way round. */
	RUN(f, &s, STORE_ONE, "UPDATE op SET lease = coalesce($1, lease) WHERE id = 2",
	    store_null());
	assert_int_equal(s.err, ERR_OK);
	RUN(f, &s, STORE_ONE, "UPDATE op SET lease = coalesce($1, lease) WHERE id = 2",
	    store_text("z"));
	RUN(f, &s, STORE_ONE, "SELECT count(*) FROM op WHERE lease = 'z'");
	assert_int_equal(s.first_cell, 1);
	RUN(f, &s, STORE_ONE, "SELECT EXISTS (SELECT 1 FROM op WHERE id = 2)");
	assert_int_equal(s.first_cell, 1);
	/* Text in the order of its bytes: Z before a. */
	RUN(f, &s, STORE_ONE, "UPDATE op SET state = 'Z' WHERE id = 3");
	RUN(f, &s, STORE_ONE, "UPDATE op SET state = 'a' WHERE id <> 3");
	RUN(f, &s, STORE_ANY, "SELECT id FROM op ORDER BY state");
	assert_int_equal(s.first_cell, 3);
}

static void test_ids_are_given(void **state)
{
	static const char *const sql[] = {
		"CREATE TABLE q (id INTEGER PRIMARY KEY, v INTEGER NOT NULL) STRICT"};
	struct fixture *f = *state;
	struct err_note note = {0};
	struct seen s;

	reopen(f);
	assert_int_equal(open_with(f, sql, 1, &note), ERR_OK);
	for (int64_t i = 1; i <= 3; i++) {
		RUN(f, &s, STORE_ONE, "INSERT INTO q (v) VALUES ($1) RETURNING id", store_int(7));
		assert_int_equal(s.err, ERR_OK);
		assert_int_equal(s.first_cell, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_BOTH(test_query_beside),
		TEST_BOTH(test_migrations_go_on_where_they_stopped),
		TEST_BOTH(test_failed_step_leaves_the_one_before),
		TEST_BOTH(test_newer_database_is_refused),
		TEST_BOTH(test_same_answers),
		TEST_BOTH(test_ids_are_given),
	};

	STORE_TESTS_RUN(tests);
}

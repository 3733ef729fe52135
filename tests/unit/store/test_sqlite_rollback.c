/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* SQLite refuses to roll back, as it may without memory: nothing half done is stored, and the store
 * goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store_test.h"

static const char *const schema[] = {
	"CREATE TABLE p (id INTEGER PRIMARY KEY) STRICT;"
	"CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p (id) "
	"DEFERRABLE INITIALLY DEFERRED) STRICT",
};

/* So often still SQLite says no. It asks without a context: these cannot be of a test. */
static atomic_int deny_rollback, deny_rollback_to, deny_open;

static bool takes_one(atomic_int *n)
{
	return atomic_load(n) > 0 && atomic_fetch_sub(n, 1) > 0;
}

static int authorize(void *ctx, int action, const char *what, const char *name, const char *db,
		     const char *trigger)
{
	(void)ctx;
	(void)name;
	(void)db;
	(void)trigger;
	if (action == SQLITE_TRANSACTION && strcmp(what, "ROLLBACK") == 0 &&
	    takes_one(&deny_rollback))
		return SQLITE_DENY;
	if (action == SQLITE_SAVEPOINT && strcmp(what, "ROLLBACK") == 0 &&
	    takes_one(&deny_rollback_to))
		return SQLITE_DENY;
	return SQLITE_OK;
}

/* Called for each connection that opens; sqlite3_auto_extension wants it under another type. */
static int on_open(sqlite3 *db, char **ret_error, const void *api)
{
	(void)ret_error;
	(void)api;
	if (takes_one(&deny_open))
		return SQLITE_NOMEM;
	return sqlite3_set_authorizer(db, authorize, NULL);
}

struct fixture {
	char dir[TEST_PATH_SIZE], path[TEST_PATH_SIZE + 8];
	struct test_loop loop;
	struct store *store;
	struct err_note note;
	size_t done_n;
	enum err last;
	enum err ends[4];
	int64_t cell;
};

static int setup(void **state)
{
	static const struct test_loop fresh = TEST_LOOP_INIT;
	struct fixture *f = calloc(1, sizeof(*f));
	struct store_migrations m = {"test", schema, ARRAY_LEN(schema)};

	assert_non_null(f);
	atomic_store(&deny_rollback, 0);
	atomic_store(&deny_rollback_to, 0);
	atomic_store(&deny_open, 0);
	f->loop = fresh;
	test_dir_make(f->dir);
	(void)snprintf(f->path, sizeof(f->path), "%s/t.db", f->dir);
	struct store_executor executor = test_loop_executor(&f->loop);
	if (store_sqlite_open(&f->store, &executor, f->path, &m, &f->note) != ERR_OK)
		fail_msg("%s", f->note.text);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_free(f->store);
	test_loop_drain(&f->loop);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void on_done(void *ctx, const struct store_result *r)
{
	struct fixture *f = ctx;

	f->last = r->err;
	f->note = r->note;
	f->ends[f->done_n++ % ARRAY_LEN(f->ends)] = r->err;
	if (r->rows_n > 0 && r->rows[0].rows_n > 0)
		f->cell = store_cell(&r->rows[0], 0, 0)->i;
}

static void submit(struct fixture *f, const char *first, const char *second)
{
	struct store_batch b = store_batch_make(1 << 16);

	assert_int_equal(STORE_ADD(&b, STORE_ANY, first), ERR_OK);
	if (second)
		assert_int_equal(STORE_ADD(&b, STORE_ONE, second), ERR_OK);
	assert_int_equal(store_submit(f->store, &b, on_done, f), ERR_OK);
}

static enum err run(struct fixture *f, const char *first, const char *second)
{
	submit(f, first, second);
	assert_true(test_loop_until(&f->loop, &f->done_n, f->done_n + 1));
	return f->last;
}

static int64_t count(struct fixture *f, const char *sql)
{
	f->cell = -1;
	assert_int_equal(run(f, sql, NULL), ERR_OK);
	return f->cell;
}

static void test_after_a_failed_commit(void **state)
{
	struct fixture *f = *state;

	atomic_store(&deny_rollback, 1);
	assert_int_equal(run(f, "INSERT INTO c (id, p) VALUES (1, 99)", NULL), ERR_INTERNAL);
	assert_int_equal(atomic_load(&deny_rollback), 0);
	assert_int_equal(run(f, "INSERT INTO p (id) VALUES (99)", NULL), ERR_OK);
	assert_int_equal(count(f, "SELECT count(*) FROM c"), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM p"), 1);
	/* The connection that follows has the same settings. */
	assert_int_equal(count(f, "PRAGMA foreign_keys"), 1);
	assert_int_equal(count(f, "PRAGMA synchronous"), 2);
}

static void test_when_the_file_does_not_open_again_at_once(void **state)
{
	struct fixture *f = *state;

	atomic_store(&deny_rollback, 1);
	assert_int_equal(run(f, "INSERT INTO c (id, p) VALUES (1, 99)", NULL), ERR_INTERNAL);
	atomic_store(&deny_open, 1);
	assert_int_not_equal(run(f, "INSERT INTO p (id) VALUES (98)", NULL), ERR_OK);
	assert_int_equal(atomic_load(&deny_open), 0);
	assert_int_equal(run(f, "INSERT INTO p (id) VALUES (99)", NULL), ERR_OK);
	assert_int_equal(count(f, "SELECT count(*) FROM p"), 1);
}

/* Half of a batch must not be stored together with its neighbours. */
static void test_half_a_batch(void **state)
{
	struct fixture *f = *state;

	atomic_store(&deny_rollback_to, 1);
	atomic_store(&deny_rollback, 1);
	assert_int_equal(run(f, "INSERT INTO p (id) VALUES (1)", "DELETE FROM p WHERE id = 7"),
			 ERR_STATE_MOVED);
	assert_int_equal(atomic_load(&deny_rollback_to), 0);
	assert_int_equal(atomic_load(&deny_rollback), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM p"), 0);
}

/* Holds the store thread until the next batches wait behind this one. */
#define SLOW                                                                                       \
	"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) "      \
	"SELECT count(*) FROM n"

static void test_neighbours_of_half_a_batch(void **state)
{
	static const enum err wanted[] = {ERR_OK, ERR_OK, ERR_STATE_MOVED, ERR_OK};
	struct fixture *f = *state;

	atomic_store(&deny_rollback_to, 1);
	atomic_store(&deny_rollback, 1);
	submit(f, SLOW, NULL);
	submit(f, "INSERT INTO p (id) VALUES (1)", NULL);
	submit(f, "INSERT INTO p (id) VALUES (2)", "DELETE FROM p WHERE id = 7");
	submit(f, "INSERT INTO p (id) VALUES (3)", NULL);
	assert_true(test_loop_until(&f->loop, &f->done_n, 4));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_int_equal(f->ends[i], wanted[i]);
	assert_int_equal(count(f, "SELECT sum(id) FROM p"), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_after_a_failed_commit),
		TEST(test_when_the_file_does_not_open_again_at_once),
		TEST(test_half_a_batch),
		TEST(test_neighbours_of_half_a_batch),
	};

	if (sqlite3_auto_extension((void (*)(void))on_open) != SQLITE_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The database file: creation, lock, versions, and a disk that is full, locked or damaged. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store_test.h"

static const char *const schema[] = {
	"CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
	"ALTER TABLE t ADD COLUMN more TEXT; CREATE TABLE u (id INTEGER PRIMARY KEY) STRICT",
	"INSERT INTO u (id) VALUES (1)",
};

struct fixture {
	char dir[TEST_PATH_SIZE], path[TEST_PATH_SIZE + 8];
	struct test_loop loop;
	struct err_note note;
	size_t done_n;
	enum err last;
	int64_t cell;
};

static int setup(void **state)
{
	static const struct test_loop fresh = TEST_LOOP_INIT;
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->loop = fresh;
	test_dir_make(f->dir);
	(void)snprintf(f->path, sizeof(f->path), "%s/t.db", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	test_loop_drain(&f->loop);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static enum err open_with(struct fixture *f, struct store **ret_store, const char *path,
			  size_t steps_n)
{
	struct store_executor executor = test_loop_executor(&f->loop);
	struct store_migrations m = {"test", schema, steps_n};

	f->note = (struct err_note){0};
	return store_sqlite_open(ret_store, &executor, path, &m, &f->note);
}

static void on_done(void *ctx, const struct store_result *r)
{
	struct fixture *f = ctx;

	f->done_n++;
	f->last = r->err;
	f->note = r->note;
	if (r->rows_n > 0 && r->rows[0].rows_n > 0)
		f->cell = store_cell(&r->rows[0], 0, 0)->i;
}

static enum err run(struct fixture *f, struct store *s, const char *sql,
		    const struct store_value *args, size_t args_n)
{
	struct store_batch b = store_batch_make(1 << 20);

	assert_int_equal(store_batch_add(&b, sql, args, args_n, STORE_ANY), ERR_OK);
	assert_int_equal(store_submit(s, &b, on_done, f), ERR_OK);
	assert_true(test_loop_until(&f->loop, &f->done_n, f->done_n + 1));
	return f->last;
}

static void take_cell(void *ctx, const struct store_value *cells, size_t n)
{
	assert_true(n > 0);
	*(int64_t *)ctx = cells[0].i;
}

static int64_t query_int(struct fixture *f, const char *sql)
{
	int64_t v = -1;

	assert_int_equal(store_sqlite_query(f->path, sql, NULL, 0, take_cell, &v, &f->note),
			 ERR_OK);
	return v;
}

static void write_file(const char *path, const void *p, size_t n, off_t at)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd != -1);
	assert_int_equal(pwrite(fd, p, n, at), n);
	close(fd);
}

/* ---- creation ---- */

static void assert_mode(const char *dir, const char *name)
{
	char path[TEST_PATH_SIZE * 2];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_files_are_private_whatever_the_umask(void **state)
{
	static const mode_t masks[] = {0, 022, 0277};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		struct store *s = NULL;
		mode_t before = umask(masks[i]);

		assert_int_equal(open_with(f, &s, f->path, 2), ERR_OK);
		assert_int_equal(run(f, s, "INSERT INTO u (id) VALUES (7)", NULL, 0), ERR_OK);
		(void)umask(before);
		assert_mode(f->dir, "t.db");
		assert_mode(f->dir, "t.db-wal");
		assert_mode(f->dir, "t.db.lock");
		store_free(s);
		test_loop_drain(&f->loop);
		test_dir_remove(f->dir);
		assert_int_equal(mkdir(f->dir, 0700), 0);
	}
}

static void test_unusable_paths(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	char path[TEST_PATH_SIZE * 2];

	assert_int_equal(open_with(f, &s, "", 1), ERR_CONFIG_VALUE);
	(void)snprintf(path, sizeof(path), "%s/none/t.db", f->dir);
	assert_int_equal(open_with(f, &s, path, 1), ERR_CONFIG_VALUE);
	assert_non_null(strstr(f->note.text, "No such file"));
	assert_int_equal(open_with(f, &s, f->dir, 1), ERR_CONFIG_VALUE);
	assert_non_null(strstr(f->note.text, "not a regular file"));
	(void)snprintf(path, sizeof(path), "%s.lock", f->dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/link", f->dir);
	assert_int_equal(symlink("/nonexistent/elsewhere", path), 0);
	assert_int_equal(open_with(f, &s, path, 1), ERR_CONFIG_VALUE);
	assert_null(s);
}

/* ":memory:" and "file:" names are names of files to us. */
static void test_names_are_not_interpreted(void **state)
{
	static const char *const names[] = {":memory:", "file:x?mode=memory"};
	struct fixture *f = *state;
	char here[TEST_PATH_SIZE];

	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(f->dir), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct store *s = NULL;
		struct stat st;

		assert_int_equal(open_with(f, &s, names[i], 1), ERR_OK);
		store_free(s);
		assert_int_equal(stat(names[i], &st), 0);
		assert_true(st.st_size > 0);
	}
	assert_int_equal(chdir(here), 0);
}

/* Neither the library of the other engine nor what it brings along. */
static void test_libpq_is_not_mapped(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	char line[TEST_PATH_SIZE];
	bool sqlite = false;

	assert_int_equal(open_with(f, &s, f->path, 1), ERR_OK);
	FILE *maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		sqlite = sqlite || strstr(line, "sqlite");
		assert_null(strstr(line, "libpq"));
	}
	assert_true(sqlite);
	(void)fclose(maps);
	store_free(s);
}

/* ---- versions ---- */

static void test_migrations_go_on_where_they_stopped(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;

	for (size_t n = 1; n <= ARRAY_LEN(schema); n++)
		for (int again = 0; again < 2; again++) {
			assert_int_equal(open_with(f, &s, f->path, n), ERR_OK);
			store_free(s);
			assert_int_equal(
				query_int(
					f,
					"SELECT version FROM schema_version WHERE owner = 'test'"),
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
	struct store_executor executor = test_loop_executor(&f->loop);
	struct store_migrations m = {"test", broken, 2};
	struct store *s = NULL;

	assert_int_equal(store_sqlite_open(&s, &executor, f->path, &m, &f->note), ERR_INTERNAL);
	assert_null(s);
	assert_non_null(strstr(f->note.text, "migration 2 of test"));
	assert_int_equal(query_int(f, "SELECT version FROM schema_version"), 1);
	assert_int_equal(query_int(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), 0);
	m.n = 1; /* and the lock is free again */
	assert_int_equal(store_sqlite_open(&s, &executor, f->path, &m, &f->note), ERR_OK);
	store_free(s);
}

static void test_newer_file_is_refused_untouched(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct stat before, after;

	assert_int_equal(open_with(f, &s, f->path, 3), ERR_OK);
	store_free(s);
	s = NULL;
	assert_int_equal(stat(f->path, &before), 0);
	assert_int_equal(open_with(f, &s, f->path, 2), ERR_CONFIG_VALUE);
	assert_null(s);
	assert_non_null(strstr(f->note.text, "version 3"));
	assert_int_equal(stat(f->path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

/* ---- the lock ---- */

static void hold_store(struct fixture *f, int ready_fd)
{
	struct store *s = NULL;

	test_die_with_parent();
	if (open_with(f, &s, f->path, 1) != ERR_OK || write(ready_fd, "r", 1) != 1)
		_exit(1);
	for (;;)
		(void)pause();
}

static void test_second_process_is_told(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	int fds[2];
	char c = 0, said[64], link[TEST_PATH_SIZE * 2];

	assert_int_equal(pipe(fds), 0);
	pid_t child = fork();
	assert_true(child != -1);
	if (child == 0)
		hold_store(f, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	(void)snprintf(said, sizeof(said), "in use by process %ld", (long)child);
	assert_int_equal(open_with(f, &s, f->path, 1), ERR_CONFIG_VALUE);
	assert_non_null(strstr(f->note.text, said));
	(void)snprintf(link, sizeof(link), "%s/other-name", f->dir);
	assert_int_equal(symlink(f->path, link), 0);
	assert_int_equal(open_with(f, &s, link, 1), ERR_CONFIG_VALUE);
	assert_null(s);
	assert_int_equal(query_int(f, "SELECT count(*) FROM t"), 0); /* reading is free */
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(fds[0]);
	assert_int_equal(open_with(f, &s, f->path, 1), ERR_OK);
	/* Twice in one process is no better. */
	struct store *twice = NULL;
	assert_int_equal(open_with(f, &twice, f->path, 1), ERR_CONFIG_VALUE);
	store_free(s);
}

/* ---- when the disk misbehaves ---- */

static void test_full_disk_and_recovery(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(4 << 20);
	static const uint8_t big[500000], small[10];
	const struct store_value big_arg[] = {store_int(1), store_blob(BYTES_OF(big))};
	const struct store_value small_arg[] = {store_int(2), store_blob(BYTES_OF(small))};
	const char *insert = "INSERT INTO t (id, body) VALUES ($1, $2)";
	struct store *s = NULL;

	assert_int_equal(open_with(f, &s, f->path, 1), ERR_OK);
	assert_int_equal(run(f, s, "PRAGMA max_page_count = 20", NULL, 0), ERR_OK);
	assert_int_equal(run(f, s, insert, big_arg, 2), ERR_IO);
	assert_non_null(strstr(f->note.text, "full"));

	/* Neighbours of the batch that does not fit are stored. */
	enum err seen[3] = {0};
	struct fixture tell[3] = {{.done_n = 0}};
	for (size_t i = 0; i < 3; i++) {
		struct store_value id = store_int(10 + (int64_t)i);

		assert_int_equal(
			STORE_ADD(&b, STORE_ONE, insert, id, i == 1 ? big_arg[1] : small_arg[1]),
			ERR_OK);
		assert_int_equal(store_submit(s, &b, on_done, &tell[i]), ERR_OK);
	}
	assert_true(test_loop_until(&f->loop, &tell[2].done_n, 1));
	for (size_t i = 0; i < 3; i++)
		seen[i] = tell[i].last;
	assert_int_equal(seen[0], ERR_OK);
	assert_int_equal(seen[1], ERR_IO);
	assert_int_equal(seen[2], ERR_OK);

	assert_int_equal(run(f, s, "SELECT count(*) FROM t", NULL, 0), ERR_OK);
	assert_int_equal(f->cell, 2);
	assert_int_equal(run(f, s, "PRAGMA max_page_count = 100000", NULL, 0), ERR_OK);
	assert_int_equal(run(f, s, insert, big_arg, 2), ERR_OK);
	assert_int_equal(run(f, s, insert, small_arg, 2), ERR_OK);
	store_free(s);
	assert_int_equal(query_int(f, "SELECT count(*) FROM t"), 4);
}

static void test_foreign_lock_is_transient(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	sqlite3 *other = NULL;

	assert_int_equal(open_with(f, &s, f->path, 2), ERR_OK);
	assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(run(f, s, "INSERT INTO u (id) VALUES (5)", NULL, 0), ERR_TRANSIENT);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(run(f, s, "INSERT INTO u (id) VALUES (5)", NULL, 0), ERR_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	store_free(s);
}

/* A constraint that is checked at COMMIT fails everything that was drained with it; nothing of it
 * stays. */
static void test_failed_commit_voids_the_drain(void **state)
{
	static const char *const deferred[] = {
		"CREATE TABLE p (id INTEGER PRIMARY KEY) STRICT;"
		"CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p (id) "
		"DEFERRABLE "
		"INITIALLY DEFERRED) STRICT",
	};
	struct fixture *f = *state;
	struct store_executor executor = test_loop_executor(&f->loop);
	struct store_migrations m = {"test", deferred, 1};
	struct store *s = NULL;

	assert_int_equal(store_sqlite_open(&s, &executor, f->path, &m, &f->note), ERR_OK);
	assert_int_equal(run(f, s, "INSERT INTO c (id, p) VALUES (1, 99)", NULL, 0), ERR_INTERNAL);
	assert_int_equal(run(f, s, "INSERT INTO p (id) VALUES (99)", NULL, 0), ERR_OK);
	assert_int_equal(run(f, s, "SELECT count(*) FROM c", NULL, 0), ERR_OK);
	assert_int_equal(f->cell, 0);
	store_free(s);
}

static void test_not_a_database(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	char text[8192];

	memset(text, 'x', sizeof(text));
	write_file(f->path, text, sizeof(text), 0);
	assert_int_equal(open_with(f, &s, f->path, 1), ERR_CORRUPT);
	assert_null(s);
}

static void test_damaged_page(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	uint8_t garbage[4096];
	static const uint8_t body[100000];
	const struct store_value args[] = {store_int(1), store_blob(BYTES_OF(body))};

	assert_int_equal(open_with(f, &s, f->path, 1), ERR_OK);
	assert_int_equal(run(f, s, "INSERT INTO t (id, body) VALUES ($1, $2)", args, 2), ERR_OK);
	store_free(s);
	test_loop_drain(&f->loop);
	memset(garbage, 0xee, sizeof(garbage));
	int64_t root = query_int(f, "SELECT rootpage FROM sqlite_schema WHERE name = 't'");
	write_file(f->path, garbage, sizeof(garbage), (off_t)(root - 1) * 4096);
	assert_int_equal(open_with(f, &s, f->path, 1), ERR_OK);
	assert_int_equal(run(f, s, "SELECT id FROM t", NULL, 0), ERR_CORRUPT);
	store_free(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files_are_private_whatever_the_umask),
		TEST(test_unusable_paths),
		TEST(test_names_are_not_interpreted),
		TEST(test_libpq_is_not_mapped),
		TEST(test_migrations_go_on_where_they_stopped),
		TEST(test_failed_step_leaves_the_one_before),
		TEST(test_newer_file_is_refused_untouched),
		TEST(test_second_process_is_told),
		TEST(test_full_disk_and_recovery),
		TEST(test_foreign_lock_is_transient),
		TEST(test_failed_commit_voids_the_drain),
		TEST(test_not_a_database),
		TEST(test_damaged_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * SQLite on a file system of 4 MiB that is really full. It is mounted where only this process sees
 * it; who may not mount (no root, no user namespaces) cannot run this test, which then fails.
 */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "store_test.h"

enum {
	ROW_SIZE = 50000,
	FILLER_SIZE = 1 << 20,
	ROWS_MAX = 100, /* more than 4 MiB hold */
};

static const char *const schema[] = {
	"CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT"};
static const struct store_migrations migrations = {"full", schema, 1};

static char dir[TEST_PATH_SIZE];

/* ---- the file system ---- */

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd != -1)
		close(fd);
	return good;
}

/* In a chroot "/" is no mount, and then it cannot be made private: the file system is seen outside
 * until main ends. */
static bool mount_here(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 && errno != EINVAL)
		return false;
	return mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0700") == 0;
}

/* As root in a mount namespace; else as the root of a user namespace of our own. */
static bool small_disk_mount(void)
{
	char map[64];
	long uid = (long)getuid(), gid = (long)getgid();

	if (unshare(CLONE_NEWNS) == 0 && mount_here())
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	(void)snprintf(map, sizeof(map), "0 %ld 1\n", uid);
	if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map))
		return false;
	(void)snprintf(map, sizeof(map), "0 %ld 1\n", gid);
	return write_text("/proc/self/gid_map", map) && mount_here();
}

static void path_of(char path[static TEST_PATH_SIZE * 2], const char *name)
{
	(void)snprintf(path, TEST_PATH_SIZE * 2, "%s/%s", dir, name);
}

/* Writes until nothing more fits, or `size` bytes. */
static void fill(const char *name, size_t size)
{
	static const uint8_t zeros[4096];
	char path[TEST_PATH_SIZE * 2];

	path_of(path, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd != -1);
	for (size_t n = 0; n < size; n += sizeof(zeros))
		if (write(fd, zeros, sizeof(zeros)) != sizeof(zeros)) {
			assert_int_equal(errno, ENOSPC);
			break;
		}
	close(fd);
}

static void drop(const char *name)
{
	char path[TEST_PATH_SIZE * 2];

	path_of(path, name);
	assert_int_equal(unlink(path), 0);
}

/* ---- the store on it ---- */

struct fixture {
	char path[TEST_PATH_SIZE * 2];
	struct test_loop loop;
	struct store *store;
	struct err_note note;
	size_t done_n, stored_n;
	enum err last;
	int64_t cell;
};

static int setup(void **state)
{
	static const struct test_loop fresh = TEST_LOOP_INIT;
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->loop = fresh;
	path_of(f->path, "t.db");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	DIR *d = opendir(dir);

	store_free(f->store);
	test_loop_drain(&f->loop);
	for (const struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			drop(e->d_name);
	closedir(d);
	free(f);
	return 0;
}

static enum err open_store(struct fixture *f)
{
	struct store_executor executor = test_loop_executor(&f->loop);

	return store_sqlite_open(&f->store, &executor, f->path, &migrations, &f->note);
}

static void on_done(void *ctx, const struct store_result *r)
{
	struct fixture *f = ctx;

	f->done_n++;
	f->last = r->err;
	f->note = r->note;
	if (r->err == ERR_OK && r->rows_n > 0 && r->rows[0].rows_n > 0)
		f->cell = store_cell(&r->rows[0], 0, 0)->i;
}

static enum err run(struct fixture *f, struct store_batch *b)
{
	assert_int_equal(store_submit(f->store, b, on_done, f), ERR_OK);
	assert_true(test_loop_until(&f->loop, &f->done_n, f->done_n + 1));
	return f->last;
}

static enum err insert(struct fixture *f, int64_t id)
{
	static const uint8_t body[ROW_SIZE];
	struct store_batch b = store_batch_make(1 << 20);

	assert_int_equal(STORE_ADD(&b, STORE_ONE, "INSERT INTO t (id, body) VALUES ($1, $2)",
				   store_int(id), store_blob(BYTES_OF(body))),
			 ERR_OK);

	enum err e = run(f, &b);

	f->stored_n += e == ERR_OK;
	return e;
}

static int64_t count(struct fixture *f)
{
	struct store_batch b = store_batch_make(1 << 12);

	assert_int_equal(STORE_ADD(&b, STORE_ONE, "SELECT count(*) FROM t"), ERR_OK);
	assert_int_equal(run(f, &b), ERR_OK);
	return f->cell;
}

static void take_ok(void *ctx, const struct store_value *cells, size_t n)
{
	*(bool *)ctx = n == 1 && bytes_eq_var(cells[0].b, BYTES_LIT("ok"));
}

static void assert_sound(struct fixture *f)
{
	bool good = false;

	assert_int_equal(store_sqlite_query(f->path, "PRAGMA integrity_check", NULL, 0, take_ok,
					    &good, &f->note),
			 ERR_OK);
	assert_true(good);
}

/* Inserts until the disk is full. Returns the first id that did not fit. */
static int64_t insert_until_full(struct fixture *f)
{
	int64_t id = 1;

	while (id <= ROWS_MAX && insert(f, id) == ERR_OK)
		id++;
	assert_in_range(id, 2, ROWS_MAX);
	assert_int_equal(f->last, ERR_IO);
	assert_non_null(strstr(f->note.text, "full"));
	return id;
}

static void test_full_in_operation(void **state)
{
	struct fixture *f = *state;

	fill("filler", FILLER_SIZE);
	assert_int_equal(open_store(f), ERR_OK);

	int64_t id = insert_until_full(f);

	/* It says so as long as it lasts; what is stored can be read; nothing is lost. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(insert(f, id), ERR_IO);
	assert_int_equal(count(f), id - 1);
	/* Space comes back: so does the store, without a restart. */
	drop("filler");
	for (int64_t i = 0; i < 5; i++)
		assert_int_equal(insert(f, id + i), ERR_OK);
	assert_int_equal(count(f), f->stored_n);
	store_free(f->store);
	f->store = NULL;
	test_loop_drain(&f->loop);
	assert_sound(f);
	assert_int_equal(open_store(f), ERR_OK);
	assert_int_equal(count(f), id + 4);
}

/* A process that dies on a full disk finds everything when it comes back, to the full disk as well:
 * at least it says what is wrong. */
static void test_restart_on_a_full_disk(void **state)
{
	struct fixture *f = *state;

	fill("filler", FILLER_SIZE);
	assert_int_equal(open_store(f), ERR_OK);

	int64_t id = insert_until_full(f);

	store_free(f->store);
	f->store = NULL;
	test_loop_drain(&f->loop);
	fill("rest", SIZE_MAX);

	enum err e = open_store(f);

	if (e == ERR_OK)
		assert_int_equal(count(f), id - 1);
	else
		assert_int_equal(e, ERR_IO);
	store_free(f->store);
	f->store = NULL;
	test_loop_drain(&f->loop);
	drop("rest");
	drop("filler");
	assert_int_equal(open_store(f), ERR_OK);
	assert_int_equal(count(f), id - 1);
	assert_int_equal(insert(f, id), ERR_OK);
	assert_sound(f);
}

static void test_no_room_for_a_database(void **state)
{
	struct fixture *f = *state;

	fill("filler", SIZE_MAX);
	assert_int_equal(open_store(f), ERR_IO);
	assert_null(f->store);
	assert_true(f->note.text[0] != '\0');
	drop("filler");
	assert_int_equal(open_store(f), ERR_OK);
	assert_int_equal(insert(f, 1), ERR_OK);
}

/* Of several batches under way at once, those that fit are stored. */
static void test_small_ones_pass_a_large_one(void **state)
{
	static const uint8_t large[3 << 20];
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(8 << 20);
	struct fixture tell[3] = {0};

	fill("filler", FILLER_SIZE);
	assert_int_equal(open_store(f), ERR_OK);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
			STORE_ADD(&b, STORE_ONE, "INSERT INTO t (id, body) VALUES ($1, $2)",
				  store_int((int64_t)i),
				  store_blob(bytes_from(large, i == 1 ? sizeof(large) : 10))),
			ERR_OK);
		assert_int_equal(store_submit(f->store, &b, on_done, &tell[i]), ERR_OK);
	}
	assert_true(test_loop_until(&f->loop, &tell[2].done_n, 1));
	assert_int_equal(tell[0].last, ERR_OK);
	assert_int_equal(tell[1].last, ERR_IO);
	assert_int_equal(tell[2].last, ERR_OK);
	assert_int_equal(count(f), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full_in_operation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart_on_a_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room_for_a_database, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_ones_pass_a_large_one, setup, teardown),
	};

	test_dir_make(dir);
	if (!small_disk_mount()) {
		(void)fprintf(stderr,
			      "# no file system of 4 MiB can be mounted (%s): this test needs root "
			      "or user namespaces\n",
			      strerror(errno));
		(void)rmdir(dir);
		return 1;
	}

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	(void)umount(dir);
	(void)rmdir(dir);
	return failed;
}

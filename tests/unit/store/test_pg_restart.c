/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * "pg_ctl restart -m immediate" in the middle of load, several times. A client keeps one batch of
 * each of its slots under way: a compare-and-set of the slot's number and a row of a log without
 * any key. What ends with a transient error it submits again. Afterwards the log holds every
 * number of every slot exactly once: nothing acknowledged was lost, nothing was done twice.
 *
 * A result that the client did not expect would be dishonest: ERR_STATE_MOVED may only come after
 * an ERR_TRANSIENT, which says that the commit may have happened.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "engines.h"

enum {
	SLOTS = 64,
	RESTARTS = 4,
	LOAD_US = 700000, /* between restarts */
};

static struct pg_server server;
static const struct test_engine postgres = {.name = "postgres", .server = &server};

static const char *const schema[] = {
	"CREATE TABLE slot (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;"
	"CREATE TABLE log (slot INTEGER NOT NULL, n INTEGER NOT NULL) STRICT",
};
static const struct store_migrations migrations = {"restart", schema, ARRAY_LEN(schema)};

struct report {
	int64_t n[SLOTS]; /* acknowledged */
	int64_t unsure, unavailable, found_done;
};

struct slot {
	struct client *client;
	int64_t id, n; /* n is acknowledged */
	bool unsure;
};

struct client {
	struct test_loop loop;
	struct store *store;
	struct slot slots[SLOTS];
	struct report report;
	size_t idle_n;
};

static volatile sig_atomic_t stop_asked;

static void on_term(int signal)
{
	(void)signal;
	stop_asked = 1;
}

static void submit(struct slot *s);

static void on_done(void *ctx, const struct store_result *r)
{
	struct slot *s = ctx;
	struct report *to = &s->client->report;

	if (r->err == ERR_STATE_MOVED && s->unsure)
		to->found_done++;
	else if (err_class(r->err) == ERR_CLASS_TRANSIENT) {
		s->unsure = s->unsure || r->err == ERR_TRANSIENT;
		to->unsure += r->err == ERR_TRANSIENT;
		to->unavailable += r->err != ERR_TRANSIENT;
		submit(s);
		return;
	} else if (r->err != ERR_OK) {
		(void)fprintf(stderr, "# slot %lld at %lld: %s: %s\n", (long long)s->id,
			      (long long)s->n, err_name(r->err), r->note.text);
		_exit(5);
	}
	s->unsure = false;
	s->n++;
	if (stop_asked)
		s->client->idle_n++;
	else
		submit(s);
}

static void submit(struct slot *s)
{
	struct store_batch b = store_batch_make(1 << 14);

	CHECK(STORE_ADD(&b, STORE_ONE, "UPDATE slot SET n = n + 1 WHERE id = $1 AND n = $2",
			store_int(s->id), store_int(s->n)) == ERR_OK);
	CHECK(STORE_ADD(&b, STORE_ONE, "INSERT INTO log (slot, n) VALUES ($1, $2)",
			store_int(s->id), store_int(s->n + 1)) == ERR_OK);
	CHECK(store_submit(s->client->store, &b, on_done, s) == ERR_OK);
}

static void client_main(const struct test_database *db, int out)
{
	static struct client c = {.loop = TEST_LOOP_INIT};
	struct err_note note = {0};

	if (test_database_open(db, &c.store, &c.loop, &migrations, &note) != ERR_OK)
		_exit(2);
	for (size_t i = 0; i < SLOTS; i++) {
		c.slots[i] = (struct slot){.client = &c, .id = (int64_t)i};
		submit(&c.slots[i]);
	}
	if (!test_loop_until(&c.loop, &c.idle_n, SLOTS))
		_exit(3);
	for (size_t i = 0; i < SLOTS; i++)
		c.report.n[i] = c.slots[i].n;
	store_free(c.store);
	_exit(write(out, &c.report, sizeof(c.report)) == sizeof(c.report) ? 0 : 4);
}

static void take_cell(void *ctx, const struct store_value *cells, size_t n)
{
	assert_true(n == 1);
	*(int64_t *)ctx = cells[0].i;
}

static int64_t ask(const struct test_database *db, const char *sql)
{
	struct err_note note = {0};
	int64_t v = -1;

	if (store_query(db->url, db->schema, sql, NULL, 0, take_cell, &v, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return v;
}

static void make_slots(const struct test_database *db)
{
	static const char *const fill[] = {
		"INSERT INTO slot (id, n) SELECT i, 0 FROM generate_series(0, 63) AS i"};
	static const struct store_migrations more = {"fill", fill, 1};
	struct test_loop loop = TEST_LOOP_INIT;
	struct store *s = NULL;

	assert_int_equal(test_database_open(db, &s, &loop, &migrations, NULL), ERR_OK);
	store_free(s);
	assert_int_equal(test_database_open(db, &s, &loop, &more, NULL), ERR_OK);
	store_free(s);
}

static void test_restarts_in_mid_load(void **state)
{
	struct test_database db;
	struct report report;
	int64_t sum = 0;
	int fds[2], status = 0;

	(void)state;
	test_database_make(&db, &postgres);
	make_slots(&db);
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		test_die_with_parent();
		(void)signal(SIGTERM, on_term);
		client_main(&db, fds[1]);
	}
	for (int i = 0; i < RESTARTS; i++) {
		(void)usleep(LOAD_US);
		pg_server_kill(&server);
		assert_true(pg_server_run(&server));
	}
	(void)usleep(LOAD_US);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(read(fds[0], &report, sizeof(report)), sizeof(report));

	for (size_t i = 0; i < SLOTS; i++)
		sum += report.n[i];
	print_message("# %d restarts: %lld batches acknowledged; %lld times an uncertain commit, "
		      "%lld of them had happened; %lld times nothing stored\n",
		      RESTARTS, (long long)sum, (long long)report.unsure,
		      (long long)report.found_done, (long long)report.unavailable);
	assert_true(sum > SLOTS);
	assert_int_equal(ask(&db, "SELECT count(*) FROM log"), sum);
	assert_int_equal(ask(&db, "SELECT count(*) FROM (SELECT DISTINCT slot, n FROM log) AS l"),
			 sum);
	assert_int_equal(ask(&db, "SELECT sum(n) FROM slot"), sum);
	close(fds[0]);
	close(fds[1]);
	test_dir_remove(db.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_restarts_in_mid_load)};

	if (!pg_server_start(&server)) {
		pg_server_remove(&server);
		return 1;
	}

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	pg_server_remove(&server);
	return failed;
}

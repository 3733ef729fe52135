/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What only PostgreSQL has: refusals of a server, several processes, wakes between them. */
#include "pg_fixture.h"

/* ---- opening ---- */

static int open_only(struct fixture *f, int in, int out)
{
	char c;

	(void)out;
	if (read(in, &c, 1) != 0) /* closed: all start now */
		return 2;
	if (!child_open(f))
		return 1;
	store_free(f->store);
	return 0;
}

static void test_many_processes_migrate_at_once(void **state)
{
	enum {
		N = 8
	};
	struct fixture *f = *state;
	pid_t pids[N];
	int start[2];

	assert_int_equal(pipe(start), 0);
	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		assert_true(pids[i] != -1);
		if (pids[i] == 0) {
			test_die_with_parent();
			close(start[1]);
			_exit(open_only(f, start[0], -1));
		}
	}
	close(start[0]);
	close(start[1]);
	for (int i = 0; i < N; i++)
		child_end(pids[i]);
	assert_int_equal(ask(f, "SELECT version FROM schema_version WHERE owner = 'test'"), 1);
	assert_int_equal(ask(f, "SELECT count(*) FROM op"), 0);
}

static void assert_refused(const char *url, const char *name, enum err want, const char *says)
{
	static const struct test_loop fresh = TEST_LOOP_INIT;
	struct test_loop loop = fresh;
	struct store_executor executor = test_loop_executor(&loop);
	struct err_note note = {0};
	struct store *s = NULL;

	if (store_open(&s, &executor, url, name, &migrations, &note) != want)
		fail_msg("another error: %s", note.text);
	assert_null(s);
	assert_null(strstr(note.text, "canary"));
	assert_null(strstr(note.text, "c0ffee"));
	if (!strstr(note.text, says))
		fail_msg("\"%s\" does not say \"%s\"", note.text, says);
}

static void test_refusals_do_not_tell_the_password(void **state)
{
	const struct fixture *f = *state;
	char url[1024];

	(void)snprintf(url, sizeof(url), "postgres://tester:canary-wrong@/postgres?host=%s",
		       server.dir);
	assert_refused(url, "s", ERR_CONFIG_VALUE, "authentication failed");
	(void)snprintf(url, sizeof(url), "postgres://canary:canary@/postgres?host=%s", server.dir);
	assert_refused(url, "s", ERR_CONFIG_VALUE, "\"*\""); /* the user's name is the password */
	(void)snprintf(url, sizeof(url), "postgres://tester:%s@/none?host=%s",
		       PG_SERVER_PASSWORD_URL, server.dir);
	assert_refused(url, "s", ERR_CONFIG_VALUE, "does not exist");
	assert_refused("postgres://u:" PG_SERVER_PASSWORD "@h/d", "s", ERR_CONFIG_VALUE,
		       "expected postgres://");
	assert_refused("postgres://u:canary%zz@h/d", "s", ERR_CONFIG_VALUE, "expected postgres://");
	assert_refused("postgres://u:canary@h/d?canary=1", "s", ERR_CONFIG_VALUE,
		       "expected postgres://");
	assert_refused(f->db.url, "Not a name", ERR_CONFIG_VALUE, "schema");
	assert_refused(f->db.url, "", ERR_CONFIG_VALUE, "schema");
	assert_refused(f->db.url, "x; DROP TABLE op", ERR_CONFIG_VALUE, "schema");
	assert_refused(f->db.url, "pg_own", ERR_CONFIG_VALUE, "schema");
	assert_refused("postgres://u:canary@/d?host=/nonexistent", "s", ERR_UNAVAILABLE,
		       "No such file");
}

/* A word of the language is a name like any other. */
static void test_schema_name_is_quoted(void **state)
{
	struct fixture *f = *state;

	(void)snprintf(f->db.schema, sizeof(f->db.schema), "select");
	fixture_open(f);
	RUN(f, STORE_ONE, "INSERT INTO op (id, state) VALUES (1, 'x')");
	assert_int_equal(f->last, ERR_OK);
	assert_int_equal(ask(f, "SELECT count(*) FROM pg_tables WHERE schemaname = 'select' AND "
				"tablename = 'op'"),
			 1);
}

/* ---- several processes ---- */

enum {
	CLAIM_ROWS = 600,
	CLAIM_N = 7
};

struct claimer {
	struct fixture *f;
	int64_t owner;
	int64_t ids[CLAIM_N];
	size_t n;
};

static void on_claimed(void *ctx, const struct store_result *r)
{
	struct claimer *c = ctx;

	c->f->done_n++;
	c->f->last = r->err;
	c->n = r->err == ERR_OK ? r->rows[0].rows_n : 0;
	for (size_t i = 0; i < c->n; i++)
		c->ids[i] = store_cell(&r->rows[0], i, 0)->i;
}

/* Claims until nothing is left; what it got goes into the log, which refuses nothing. */
static int claim_all(struct fixture *f, int in, int out)
{
	struct claimer c = {.f = f, .owner = getpid()};
	char start;

	(void)out;
	if (!child_open(f) || read(in, &start, 1) != 1)
		return 1;
	do {
		struct store_batch b = store_batch_make(1 << 16);

		CHECK(STORE_ADD(&b, STORE_ANY,
				"UPDATE op SET state = 'taken', owner = $1 WHERE id IN (SELECT id "
				"FROM op WHERE state = 'ready' ORDER BY id LIMIT $2" STORE_CLAIM
				") RETURNING id",
				store_int(c.owner), store_int(CLAIM_N)) == ERR_OK);
		CHECK(store_submit(f->store, &b, on_claimed, &c) == ERR_OK);
		if (!test_loop_until(&f->loop, &f->done_n, f->done_n + 1) || f->last != ERR_OK ||
		    c.n > CLAIM_N)
			return 2;
		for (size_t i = 0; i < c.n; i++)
			CHECK(STORE_ADD(&b, STORE_ONE,
					"INSERT INTO log (op, owner) VALUES ($1, $2)",
					store_int(c.ids[i]), store_int(c.owner)) == ERR_OK);
		CHECK(store_submit(f->store, &b, on_done, f) == ERR_OK);
		if (!test_loop_until(&f->loop, &f->done_n, f->done_n + 1) || f->last != ERR_OK)
			return 3;
	} while (c.n > 0);
	store_free(f->store);
	return 0;
}

static void test_claimers_never_get_the_same_row(void **state)
{
	enum {
		N = 3
	};
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 20);
	pid_t pids[N];
	int start[2];

	assert_int_equal(pipe(start), 0);
	for (int i = 0; i < N; i++)
		pids[i] = child_start(claim_all, f, start[0], -1);
	fixture_open(f);
	for (int64_t i = 0; i < CLAIM_ROWS; i++)
		ADD(&b, STORE_ONE, "INSERT INTO op (id, state) VALUES ($1, 'ready')", store_int(i));
	assert_int_equal(store_submit(f->store, &b, on_done, f), ERR_OK);
	assert_true(test_loop_until(&f->loop, &f->done_n, 1));
	assert_int_equal(f->last, ERR_OK);
	assert_int_equal(write(start[1], "xxx", N), N);
	for (int i = 0; i < N; i++)
		child_end(pids[i]);
	close(start[0]);
	close(start[1]);
	assert_int_equal(ask(f, "SELECT count(*) FROM log"), CLAIM_ROWS);
	assert_int_equal(ask(f, "SELECT count(DISTINCT op) FROM log"), CLAIM_ROWS);
	assert_in_range(ask(f, "SELECT count(DISTINCT owner) FROM log"), 2, N);
}

/* A row that another transaction holds is passed by, not waited for. */
static void test_claim_passes_a_held_row(void **state)
{
	struct fixture *f = *state;
	double begun;

	fixture_open(f);
	RUN(f, STORE_ANY, "INSERT INTO op (id, state) VALUES (1, 'ready'), (2, 'ready')");
	/* A connection that holds row 1, made from the outside with the server's own means. */
	pid_t holder = fork();
	assert_true(holder != -1);
	if (holder == 0) {
		char sql[256], path[PG_SERVER_PATH_SIZE + 8];

		test_die_with_parent();
		(void)snprintf(path, sizeof(path), "%s/psql", server.bin);
		(void)snprintf(sql, sizeof(sql),
			       "BEGIN; SELECT 1 FROM %s.op WHERE id = 1 FOR UPDATE; SELECT "
			       "pg_sleep(60)",
			       f->db.schema);
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		(void)execl(path, "psql", "-qX", "-d", f->db.url, "-c", sql, (char *)NULL);
		_exit(127);
	}
	wait_for(f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1);
	begun = now_s();
	RUN(f, STORE_ANY,
	    "UPDATE op SET state = 'taken' WHERE id IN (SELECT id FROM op WHERE state = 'ready' "
	    "ORDER BY id LIMIT 10" STORE_CLAIM ") RETURNING id");
	assert_int_equal(f->last, ERR_OK);
	assert_int_equal(f->rows_n, 1);
	assert_int_equal(f->cell, 2);
	assert_true(now_s() - begun < 10); /* and did not wait for the row */
	/* Whoever insists on the row waits, and is told when that lasts too long. */
	RUN(f, STORE_ONE, "UPDATE op SET state = 'taken' WHERE id = 1 AND state = 'ready'");
	assert_int_equal(f->last, ERR_TIMEOUT);
	RUN(f, STORE_ONE, "SELECT count(*) FROM op WHERE state = 'taken'");
	assert_int_equal(f->cell, 1);
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
}

static int lock_in_order(struct fixture *f, int in, int out)
{
	int64_t first = in >= 0 ? 1 : 2, second = 3 - first;

	(void)out;
	if (!child_open(f))
		return 1;
	for (int i = 0; i < 200; i++) {
		struct store_batch b = store_batch_make(1 << 14);

		CHECK(STORE_ADD(&b, STORE_ONE, "UPDATE op SET owner = owner + 1 WHERE id = $1",
				store_int(first)) == ERR_OK);
		CHECK(STORE_ADD(&b, STORE_ONE, "UPDATE op SET owner = owner + 1 WHERE id = $1",
				store_int(second)) == ERR_OK);
		CHECK(store_submit(f->store, &b, on_done, f) == ERR_OK);
	}
	if (!test_loop_until(&f->loop, &f->done_n, 200))
		return 2;
	store_free(f->store);
	return f->last == ERR_OK ? 0 : 3;
}

/* Whoever gives way runs again: nobody's batch is lost or counted twice. */
static void test_deadlocks_are_run_again(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	RUN(f, STORE_ANY, "INSERT INTO op (id, state, owner) VALUES (1, 'x', 0), (2, 'x', 0)");
	fixture_close(f);

	pid_t a = child_start(lock_in_order, f, 0, -1), b = child_start(lock_in_order, f, -1, -1);

	child_end(a);
	child_end(b);
	assert_int_equal(ask(f, "SELECT sum(owner) FROM op"), 2 * 2 * 200);
}

/* ---- wakes ---- */

/* Says when it listens; answers each wake with what it then sees. */
static int listen_for(struct fixture *f, int in, int out)
{
	(void)in;
	if (!child_open(f))
		return 1;
	store_on_notify(f->store, "ready", on_wake, f);
	if (write(out, "l", 1) != 1)
		return 2;
	for (int64_t seen = 0; seen < 3;) {
		size_t woken = f->woken_n;

		if (!test_loop_until(&f->loop, &f->woken_n, woken + 1))
			return 3;
		struct store_batch b = store_batch_make(1 << 14);
		CHECK(STORE_ADD(&b, STORE_ONE, "SELECT count(*) FROM op") == ERR_OK);
		CHECK(store_submit(f->store, &b, on_done, f) == ERR_OK);
		if (!test_loop_until(&f->loop, &f->done_n, f->done_n + 1) || f->cell <= seen)
			return 4;
		seen = f->cell;
		if (write(out, "w", 1) != 1)
			return 5;
	}
	store_free(f->store);
	return 0;
}

static void test_notify_reaches_other_processes(void **state)
{
	struct fixture *f = *state;
	int said[2];
	char c = 0;

	assert_int_equal(pipe(said), 0);
	pid_t child = child_start(listen_for, f, -1, said[1]);
	fixture_open(f);
	store_on_notify(f->store, "other", on_wake, f);
	assert_int_equal(read(said[0], &c, 1), 1);
	for (int64_t i = 0; i < 3; i++) {
		struct store_batch b = store_batch_make(1 << 14);

		ADD(&b, STORE_ONE, "INSERT INTO op (id, state) VALUES ($1, 'x')", store_int(i));
		assert_int_equal(store_submit(f->store, &b, on_done, f), ERR_OK);
		/* Nobody listens to it in this process. */
		assert_int_equal(store_notify(f->store, "ready"), ERR_OK);
		assert_int_equal(read(said[0], &c, 1), 1);
		assert_int_equal(c, 'w');
	}
	child_end(child);
	test_loop_drain(&f->loop);
	assert_int_equal(f->woken_n, 0); /* another topic */
	close(said[0]);
	close(said[1]);
}

/* What was said meanwhile is not repeated, so everybody looks once. */
static void test_lost_listener_comes_back_and_wakes_all(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	store_on_notify(f->store, "ready", on_wake, f);
	RUN(f, STORE_ONE, "SELECT count(*) FROM op");
	assert_int_equal(f->woken_n, 0);
	assert_int_equal(ask(f, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
				"WHERE query LIKE 'LISTEN %' AND datname IS NOT NULL"),
			 1);
	assert_true(test_loop_until(&f->loop, &f->woken_n, 1));
	assert_int_equal(f->woken_n, 1);
	wait_for(f, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'", 1);
}

/* ---- who is gone ---- */

static int live_on(struct fixture *f, int in, int out)
{
	struct store_executor executor = test_loop_executor(&f->loop);

	(void)in;
	executor.owner = "0a1b";
	if (store_open(&f->store, &executor, f->db.url, f->db.schema, &migrations, NULL) !=
		    ERR_OK ||
	    write(out, "x", 1) != 1)
		return 1;
	for (;;)
		(void)pause();
}

static int64_t gone_n(struct fixture *f)
{
	RUN(f, STORE_ANY,
	    "SELECT count(*) FROM op WHERE (id = 0" STORE_OR_GONE("op.state") ") AND id < $1",
	    store_int(10));
	assert_int_equal(f->last, ERR_OK);
	return f->cell;
}

/* One that is paused is there; one that was killed is gone at once, and who never came, too. */
static void test_who_is_gone(void **state)
{
	struct fixture *f = *state;
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = child_start(live_on, f, -1, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	fixture_open(f);
	RUN(f, STORE_ONE, "INSERT INTO op (id, state) VALUES (1, '0a1b')");
	assert_int_equal(gone_n(f), 0);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(gone_n(f), 0);
	RUN(f, STORE_ONE, "INSERT INTO op (id, state) VALUES (2, '0a1c')");
	assert_int_equal(gone_n(f), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 500 && gone_n(f) != 2; i++)
		(void)usleep(10000);
	assert_int_equal(gone_n(f), 2);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_many_processes_migrate_at_once),
		TEST(test_refusals_do_not_tell_the_password),
		TEST(test_schema_name_is_quoted),
		TEST(test_claimers_never_get_the_same_row),
		TEST(test_claim_passes_a_held_row),
		TEST(test_deadlocks_are_run_again),
		TEST(test_notify_reaches_other_processes),
		TEST(test_lost_listener_comes_back_and_wakes_all),
		TEST(test_who_is_gone),
	};

	PG_TESTS_RUN(tests);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Backends that die, commits that nobody can judge, a server that is away or hangs. */
#include "pg_fixture.h"

/* ---- a server that goes away ---- */

/* The statements around it are stored once; the one that kills its backend never is. */
static void test_lost_backend_is_survived(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct fixture tell[3] = {0};

	fixture_open(f);
	for (size_t i = 0; i < ARRAY_LEN(tell); i++) {
		ADD(&b, STORE_ONE, "INSERT INTO op (id, state) VALUES ($1, 'x')",
		    store_int((int64_t)i));
		if (i == 1)
			ADD(&b, STORE_ANY, "SELECT pg_terminate_backend(pg_backend_pid())");
		assert_int_equal(store_submit(f->store, &b, on_done, &tell[i]), ERR_OK);
	}
	assert_true(test_loop_until(&f->loop, &tell[2].done_n, 1));
	assert_int_equal(tell[0].last, ERR_OK);
	assert_int_equal(tell[1].last, ERR_UNAVAILABLE);
	assert_int_equal(tell[2].last, ERR_OK);
	RUN(f, STORE_ONE, "SELECT sum(id) FROM op");
	assert_int_equal(f->cell, 2);
}

/* A trigger that fires at COMMIT and ends the session there. */
#define DIE_AT_COMMIT                                                                              \
	"CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "                \
	"pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END';"          \
	"CREATE CONSTRAINT TRIGGER t AFTER INSERT ON op DEFERRABLE INITIALLY DEFERRED FOR EACH "   \
	"ROW EXECUTE FUNCTION die()"

static void test_uncertain_commit_that_did_not_happen(void **state)
{
	static const char *const dying[] = {DIE_AT_COMMIT};
	static const struct store_migrations m = {"dying", dying, 1};
	struct fixture *f = *state;
	struct err_note note = {0};

	fixture_open(f);
	fixture_close(f);
	assert_int_equal(test_database_open(&f->db, &f->store, &f->loop, &m, &note), ERR_OK);
	RUN(f, STORE_ONE, "INSERT INTO op (id, state) VALUES (1, 'x')");
	assert_int_equal(f->last, ERR_TRANSIENT);
	assert_non_null(strstr(f->note, "may have happened"));
	RUN(f, STORE_ONE, "SELECT count(*) FROM op");
	assert_int_equal(f->last, ERR_OK);
	assert_int_equal(f->cell, 0);
}

/* A line of its own at the end of the configuration; the server reads it again. */
static void configure(const char *line)
{
	char path[TEST_PATH_SIZE];

	(void)snprintf(path, sizeof(path), "%s/data/postgresql.conf", server.dir);
	FILE *file = fopen(path, "ae");
	assert_non_null(file);
	assert_true(fprintf(file, "%s\n", line) > 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(kill(server.pid, SIGHUP), 0);
}

/* The commit is on this server's disk, and the session ends while it waits for another server. */
static void test_uncertain_commit_that_did_happen(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 14);

	fixture_open(f);
	RUN(f, STORE_ONE, "INSERT INTO op (id, state) VALUES (1, 'ready')");
	configure("synchronous_standby_names = 'nobody'");
	wait_for(f,
		 "SELECT count(*) FROM pg_settings WHERE name = 'synchronous_standby_names' AND "
		 "setting = 'nobody'",
		 1);
	ADD(&b, STORE_ONE, "UPDATE op SET state = 'taken' WHERE id = 1 AND state = 'ready'");
	assert_int_equal(store_submit(f->store, &b, on_done, f), ERR_OK);
	wait_for(f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", 1);
	assert_int_equal(ask(f, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
				"WHERE wait_event = 'SyncRep'"),
			 1);
	assert_true(test_loop_until(&f->loop, &f->done_n, 2));
	configure("synchronous_standby_names = ''");
	assert_int_equal(f->last, ERR_TRANSIENT);
	assert_non_null(strstr(f->note, "may have happened"));
	/* The same compare-and-set again finds its own deed. */
	RUN(f, STORE_ONE, "UPDATE op SET state = 'taken' WHERE id = 1 AND state = 'ready'");
	assert_int_equal(f->last, ERR_STATE_MOVED);
}

static void test_server_away_for_long(void **state)
{
	struct fixture *f = *state;
	double begun;

	fixture_open(f);
	store_on_notify(f->store, "ready", on_wake, f);
	pg_server_kill(&server);
	begun = now_s();
	RUN(f, STORE_ONE, "INSERT INTO op (id, state) VALUES (1, 'x')");
	assert_int_equal(f->last, ERR_UNAVAILABLE);
	assert_true(now_s() - begun < 60);
	assert_int_equal(store_notify(f->store, "ready"), ERR_OK);
	assert_true(pg_server_run(&server));
	RUN(f, STORE_ONE, "INSERT INTO op (id, state) VALUES (1, 'x')");
	assert_int_equal(f->last, ERR_OK);
	assert_true(test_loop_until(&f->loop, &f->woken_n, 1));
}

static void test_free_while_the_server_is_away(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 14);
	double begun = now_s();

	fixture_open(f);
	pg_server_kill(&server);
	for (int i = 0; i < 100; i++) {
		ADD(&b, STORE_ONE, "INSERT INTO op (id, state) VALUES ($1, 'x')", store_int(i));
		assert_int_equal(store_submit(f->store, &b, on_done, f), ERR_OK);
	}
	fixture_close(f);
	assert_true(now_s() - begun < 90);
	assert_int_equal(f->done_n, 0);
	assert_true(pg_server_run(&server));
}

static void count_turn(void *ctx)
{
	++*(size_t *)ctx;
}

/* While the store waits, the loop runs whatever else there is. */
static void test_hung_backend(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 14);
	size_t turns = 0;
	double begun;

	fixture_open(f);
	RUN(f, STORE_ONE, "SELECT pg_backend_pid()");
	pid_t backend = (pid_t)f->cell;
	assert_int_equal(kill(backend, SIGSTOP), 0);
	ADD(&b, STORE_ONE, "INSERT INTO op (id, state) VALUES (1, 'x')");
	begun = now_s();
	assert_int_equal(store_submit(f->store, &b, on_done, f), ERR_OK);
	while (f->done_n == 1) {
		double turn = now_s();

		assert_int_equal(test_loop_post(&f->loop, count_turn, &turns), ERR_OK);
		assert_true(test_loop_step(&f->loop));
		assert_true(now_s() - turn < 5); /* a store that blocks it does so for 12 s */
		(void)usleep(10000);
		assert_true(now_s() - begun < 90);
	}
	/* A connection is found to be dead after 12 s; nothing was stored, so it was run again. */
	assert_int_equal(f->last, ERR_OK);
	assert_true(turns > 100);
	assert_int_equal(kill(backend, SIGCONT), 0);
	RUN(f, STORE_ONE, "SELECT count(*) FROM op");
	assert_int_equal(f->cell, 1);
}

static void test_hung_server(void **state)
{
	struct fixture *f = *state;
	double begun;

	fixture_open(f);
	RUN(f, STORE_ONE, "SELECT 1");
	pg_server_signal_all(&server, SIGSTOP);
	begun = now_s();
	RUN(f, STORE_ONE, "INSERT INTO op (id, state) VALUES (1, 'x')");
	pg_server_signal_all(&server, SIGCONT);
	assert_int_equal(err_class(f->last), ERR_CLASS_TRANSIENT);
	assert_int_not_equal(f->last, ERR_TRANSIENT); /* COMMIT was never sent */
	assert_true(now_s() - begun < 120);
	RUN(f, STORE_ONE, "INSERT INTO op (id, state) VALUES (1, 'x')");
	assert_int_equal(f->last, ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lost_backend_is_survived),
		TEST(test_uncertain_commit_that_did_not_happen),
		TEST(test_uncertain_commit_that_did_happen),
		TEST(test_server_away_for_long),
		TEST(test_free_while_the_server_is_away),
		TEST(test_hung_backend),
		TEST(test_hung_server),
	};

	PG_TESTS_RUN(tests);
}

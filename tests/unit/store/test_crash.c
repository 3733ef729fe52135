/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Kill the process at seeded random moments. Every batch whose `done` was seen must be in the file,
 * whole and once; every other batch is there whole or not at all; and what is there is a prefix of
 * what was submitted.
 *
 * SIGKILL shows what the process owes to the kernel or to the server, not what these owe to the
 * disk.
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
	KILLS = 20,
	PARTS = 3,        /* rows of one batch */
	OUTSTANDING = 64, /* batches that the child keeps under way */
	DELAY_US_MAX = 40000,
	SEED = 20250701,
};

static struct pg_server server;
TEST_ENGINES(server);

/* No unique key: a batch stored twice must be seen, not refused. */
static const char *const schema[] = {
	"CREATE TABLE log (batch INTEGER NOT NULL, part INTEGER NOT NULL) STRICT"};
static const struct store_migrations migrations = {"crash", schema, 1};

struct child {
	struct test_loop loop;
	struct store *store;
	int ack_fd;
	int64_t next;
};

struct submitted {
	struct child *child;
	int64_t number;
};

static void submit_next(struct child *c);

static void on_done(void *ctx, const struct store_result *r)
{
	struct submitted *s = ctx;

	/* The number goes to the parent only now: the store said that it is durable. */
	if (r->err != ERR_OK ||
	    write(s->child->ack_fd, &s->number, sizeof(s->number)) != sizeof(s->number))
		_exit(1);
	submit_next(s->child);
	free(s);
}

static void submit_next(struct child *c)
{
	struct store_batch b = store_batch_make(1 << 14);
	struct submitted *s = calloc(1, sizeof(*s));

	CHECK(s);
	*s = (struct submitted){c, c->next++};
	for (int64_t part = 0; part < PARTS; part++)
		CHECK(STORE_ADD(&b, STORE_ONE, "INSERT INTO log (batch, part) VALUES ($1, $2)",
				store_int(s->number), store_int(part)) == ERR_OK);
	CHECK(store_submit(c->store, &b, on_done, s) == ERR_OK);
}

static void child_main(const struct test_database *db, int ack_fd, int64_t first)
{
	struct child c = {.loop = TEST_LOOP_INIT, .ack_fd = ack_fd, .next = first};

	if (test_database_open(db, &c.store, &c.loop, &migrations, NULL) != ERR_OK)
		_exit(2);
	for (int i = 0; i < OUTSTANDING; i++)
		submit_next(&c);
	while (test_loop_step(&c.loop))
		;
	_exit(3);
}

/* The next number of a fixed sequence (xorshift, 64 bit). */
static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* The highest batch that the child acknowledged before it died, or `before`. Acks must come in
 * order. */
static int64_t kill_one(const struct test_database *db, int64_t before, int round, uint64_t *seed)
{
	int64_t number, highest = before;
	int fds[2], status = 0;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		test_die_with_parent();
		close(fds[0]);
		child_main(db, fds[1], before + 1);
	}
	close(fds[1]);
	/* Every fourth child dies at a moment counted from its birth, possibly while it opens and
	 * recovers; the others while they store. */
	if (round % 4 != 0 && read(fds[0], &number, sizeof(number)) == sizeof(number)) {
		assert_int_equal(number, highest + 1);
		highest = number;
	}
	(void)usleep((useconds_t)(random_next(seed) % DELAY_US_MAX));
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (read(fds[0], &number, sizeof(number)) == sizeof(number)) {
		assert_int_equal(number, highest + 1);
		highest = number;
	}
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return highest;
}

static void take_cells(void *ctx, const struct store_value *cells, size_t n)
{
	int64_t *out = ctx;

	for (size_t i = 0; i < n; i++)
		out[i] = cells[i].i;
}

static void query(const struct test_database *db, const char *sql, int64_t *cells)
{
	struct err_note note = {0};

	if (store_query(db->url, db->schema, sql, NULL, 0, take_cells, cells, &note) != ERR_OK)
		fail_msg("%s", note.text);
}

/* The server learns of its client's death when it next speaks to it; until then it may still
 * commit what was sent. */
static void wait_for_the_end(const struct test_database *db)
{
	int64_t n = 1;

	while (n > 0) {
		query(db,
		      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'claviger' "
		      "AND pid <> pg_backend_pid()",
		      &n);
		(void)usleep(1000);
	}
}

/* The highest batch in the database after recovery, which finds every batch up to it whole and
 * once. */
static int64_t check_database(const struct test_database *db, bool server_keeps_on)
{
	struct test_loop loop = TEST_LOOP_INIT;
	struct err_note note = {0};
	struct store *s = NULL;
	int64_t cells[3] = {-1, -1, -1}, bad = -1;

	assert_int_equal(test_database_open(db, &s, &loop, &migrations, &note), ERR_OK);
	store_free(s);
	if (server_keeps_on)
		wait_for_the_end(db);
	query(db, "SELECT count(*), count(DISTINCT batch), coalesce(max(batch), 0) FROM log",
	      cells);
	assert_int_equal(cells[1], cells[2]); /* a prefix */
	assert_int_equal(cells[0], PARTS * cells[2]);
	query(db,
	      "SELECT count(*) FROM (SELECT batch FROM log GROUP BY batch HAVING count(*) <> 3 OR "
	      "count(DISTINCT part) <> 3) AS bad",
	      &bad);
	assert_int_equal(bad, 0);
	return cells[2];
}

static void test_kill_at_random_moments(void **state)
{
	const struct test_engine *engine = *state;
	struct test_database db;
	uint64_t seed = SEED;
	int64_t stored = 0, acked_total = 0, unacked_total = 0;
	int busy_kills = 0;

	test_database_make(&db, engine);
	for (int round = 0; round < KILLS; round++) {
		int64_t acked = kill_one(&db, stored, round, &seed);
		int64_t now = check_database(&db, engine->server != NULL);

		assert_true(now >= acked);
		assert_true(now <= acked + 2 * OUTSTANDING);
		acked_total += acked - stored;
		unacked_total += now - acked;
		busy_kills += acked > stored;
		stored = now;
	}
	print_message("# seed %d: %d kills, %d of them while storing; %lld batches acknowledged, "
		      "%lld stored but "
		      "not yet acknowledged\n",
		      SEED, KILLS, busy_kills, (long long)acked_total, (long long)unacked_total);
	assert_true(busy_kills >= KILLS / 2);
	test_dir_remove(db.dir);
}

#define setup    NULL
#define teardown NULL

int main(void)
{
	const struct CMUnitTest tests[] = {TEST_BOTH(test_kill_at_random_moments)};

	if (!pg_server_start(&server)) {
		pg_server_remove(&server);
		return 1;
	}

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	pg_server_remove(&server);
	return failed;
}

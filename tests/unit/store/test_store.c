/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The store, on both engines: what a batch means, order, wakes, versions, and the end of a store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
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

static int setup(void **state)
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

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_free(f->store);
	test_loop_drain(&f->loop);
	test_dir_remove(f->db.dir);
	free(f);
	return 0;
}

static void on_done(void *ctx, const struct store_result *r)
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

static void submit(struct fixture *f, struct store_batch *b, struct seen *s)
{
	*s = (struct seen){.done_n = &f->done_n};
	assert_int_equal(store_submit(f->store, b, on_done, s), ERR_OK);
	assert_int_equal(b->n, 0);
	f->submitted_n++;
}

static void add_insert(struct store_batch *b, int64_t id)
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

static int64_t count_rows(struct fixture *f)
{
	struct seen s;

	RUN(f, &s, STORE_ONE, COUNT);
	assert_int_equal(s.err, ERR_OK);
	return s.first_cell;
}

/* ---- values ---- */

static void check_values(void *ctx, const struct store_result *r)
{
	size_t *done_n = ctx;

	assert_int_equal(r->err, ERR_OK);
	assert_int_equal(r->rows_n, 1);
	assert_int_equal(r->rows[0].rows_n, 2);
	assert_int_equal(r->rows[0].columns_n, 4);
	assert_int_equal(r->rows[0].changed, 0);
	assert_int_equal(store_cell(&r->rows[0], 0, 0)->i, INT64_MIN);
	assert_int_equal(store_cell(&r->rows[0], 0, 1)->type, STORE_TEXT);
	assert_int_equal(store_cell(&r->rows[0], 0, 1)->b.n, 0);
	assert_int_equal(store_cell(&r->rows[0], 0, 2)->type, STORE_NULL);
	assert_int_equal(store_cell(&r->rows[0], 0, 3)->type, STORE_BLOB);
	assert_int_equal(store_cell(&r->rows[0], 0, 3)->b.n, 0);
	assert_int_equal(store_cell(&r->rows[0], 1, 0)->i, INT64_MAX);
	assert_true(bytes_eq_var(store_cell(&r->rows[0], 1, 1)->b, BYTES_LIT("gr\xc3\xbcn")));
	assert_int_equal(store_cell(&r->rows[0], 1, 3)->type, STORE_BLOB);
	assert_int_equal(store_cell(&r->rows[0], 1, 3)->b.n, 4096);
	assert_int_equal(store_cell(&r->rows[0], 1, 3)->b.p[4095], 0xa5);
	++*done_n;
}

static void test_values_round_trip(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	uint8_t blob[4096];
	struct store_value empty_blob = {.type = STORE_BLOB};
	struct store_value empty_text = {.type = STORE_TEXT};

	memset(blob, 0xa5, sizeof(blob));
	assert_int_equal(STORE_ADD(&b, STORE_ONE, INSERT, store_int(INT64_MIN), empty_text,
				   store_int(0), empty_blob),
			 ERR_OK);
	assert_int_equal(STORE_ADD(&b, STORE_ONE, INSERT, store_int(INT64_MAX),
				   store_text("gr\xc3\xbcn"), store_int(0),
				   store_blob(BYTES_OF(blob))),
			 ERR_OK);
	assert_int_equal(store_submit(f->store, &b, NULL, NULL), ERR_OK);
	assert_int_equal(
		STORE_ADD(&b, STORE_ANY, "SELECT id, state, lease, body FROM op ORDER BY id"),
		ERR_OK);
	assert_int_equal(store_submit(f->store, &b, check_values, &f->done_n), ERR_OK);
	assert_true(test_loop_until(&f->loop, &f->done_n, 1));
}

/* SQLite would number these parameters 3, 1, 2 by first appearance. */
static void test_parameters_go_by_number(void **state)
{
	struct fixture *f = *state;
	struct seen s;

	RUN(f, &s, STORE_ONE, "SELECT $3 * 100 + $1 * 10 + $2 + 0 * $3", store_int(1), store_int(2),
	    store_int(3));
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.first_cell, 312);
	RUN(f, &s, STORE_ONE, "SELECT $3 * 100 + $1 * 10 + $2 + 0 * $3", store_int(4), store_int(5),
	    store_int(6));
	assert_int_equal(s.first_cell, 645);
}

static void test_wrong_sql_fails_alone(void **state)
{
	struct fixture *f = *state;
	struct seen s;

	RUN(f, &s, STORE_ANY, "SELECT $1", store_int(1), store_int(2));
	assert_int_equal(s.err, ERR_INTERNAL);
	RUN(f, &s, STORE_ANY, "SELECT $1, $3", store_int(1), store_int(2), store_int(3));
	assert_int_equal(s.err, ERR_INTERNAL);
	RUN(f, &s, STORE_ANY, "SELECT ?1", store_int(1));
	assert_int_equal(s.err, ERR_INTERNAL);
	RUN(f, &s, STORE_ANY, "SELECT 1; SELECT 2");
	assert_int_equal(s.err, ERR_INTERNAL);
	RUN(f, &s, STORE_ANY, "");
	assert_int_equal(s.err, ERR_INTERNAL);
	RUN(f, &s, STORE_ANY, "SELECT nothing FROM nowhere");
	assert_int_equal(s.err, ERR_INTERNAL);
	assert_non_null(strstr(s.note, "nowhere"));
	RUN(f, &s, STORE_ANY, "SELECT 1.5");
	assert_int_equal(s.err, ERR_INTERNAL);
	RUN(f, &s, STORE_ANY, INSERT, store_int(1), store_null(), store_int(1), store_null());
	assert_int_equal(s.err, ERR_INTERNAL); /* NOT NULL */
	RUN(f, &s, STORE_ONE, "SELECT 7 ;\n");
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.first_cell, 7);
	assert_int_equal(count_rows(f), 0);
}

/* ---- what a batch means ---- */

static void test_batch_is_atomic(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen s;

	add_insert(&b, 1);
	add_insert(&b, 2);
	add_insert(&b, 1); /* the same key again */
	submit(f, &b, &s);
	assert_true(test_loop_until(&f->loop, &f->done_n, 1));
	assert_int_equal(s.err, ERR_CONFLICT);
	assert_int_equal(s.statements_n, 0);
	assert_int_equal(count_rows(f), 0);
}

static void test_changed_and_expectation(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen s;

	for (int64_t i = 1; i <= 3; i++)
		add_insert(&b, i);
	submit(f, &b, &s);
	RUN(f, &s, STORE_ANY, "UPDATE op SET due_ms = due_ms + 1");
	assert_int_equal(s.changed, 3);
	RUN(f, &s, STORE_ANY, "UPDATE op SET due_ms = 0 WHERE id > 9");
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.changed, 0);
	RUN(f, &s, STORE_ANY, COUNT);
	assert_int_equal(s.changed, 0);
	RUN(f, &s, STORE_ONE, "UPDATE op SET due_ms = 0 WHERE id > 9");
	assert_int_equal(s.err, ERR_STATE_MOVED);
	RUN(f, &s, STORE_ONE, "UPDATE op SET due_ms = 0");
	assert_int_equal(s.err, ERR_STATE_MOVED);
	RUN(f, &s, STORE_ONE, "UPDATE op SET due_ms = 0 RETURNING id");
	assert_int_equal(s.err, ERR_STATE_MOVED);
	RUN(f, &s, STORE_ONE, "SELECT id FROM op");
	assert_int_equal(s.err, ERR_STATE_MOVED);
	RUN(f, &s, STORE_ONE, "SELECT id FROM op WHERE id = $1", store_int(2));
	assert_int_equal(s.err, ERR_OK);
	RUN(f, &s, STORE_ONE, "UPDATE op SET due_ms = 0 WHERE id = 2 RETURNING id");
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.changed, 1);
	RUN(f, &s, STORE_ONE,
	    "SELECT sum(due_ms) FROM op"); /* 2 + 4: nothing of the failed ones stayed */
	assert_int_equal(s.first_cell, 6);
	RUN(f, &s, STORE_ANY,
	    "INSERT INTO op (id, state, due_ms) VALUES (1, 'x', 1) ON CONFLICT (id) DO NOTHING");
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.changed, 0);
}

/* Twenty workers want the same row in one drain: the first has it, each other batch is undone
 * alone. */
static void test_state_moved_is_alone(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen first, s[20], last;

	add_insert(&b, 1);
	submit(f, &b, &first);
	for (int64_t i = 0; i < 20; i++) {
		add_insert(&b, 100 + i);
		assert_int_equal(STORE_ADD(&b, STORE_ONE, MOVE, store_int(1), store_text("ready"),
					   store_text("computing")),
				 ERR_OK);
		add_insert(&b, 200 + i);
		submit(f, &b, &s[i]);
	}
	assert_int_equal(STORE_ADD(&b, STORE_ONE, COUNT), ERR_OK);
	submit(f, &b, &last);
	assert_true(test_loop_until(&f->loop, &f->done_n, 22));
	assert_int_equal(s[0].err, ERR_OK);
	for (size_t i = 1; i < 20; i++)
		assert_int_equal(s[i].err, ERR_STATE_MOVED);
	assert_non_null(strstr(s[1].note, "0 rows changed"));
	assert_int_equal(last.first_cell, 3);
}

static void test_order_and_own_writes(void **state)
{
	enum {
		N = 1000
	};
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen *s = calloc(N, sizeof(*s));

	assert_non_null(s);
	for (size_t i = 0; i < N; i++) {
		if (i % 2 == 0)
			add_insert(&b, (int64_t)i);
		else
			assert_int_equal(STORE_ADD(&b, STORE_ONE, COUNT),
					 ERR_OK); /* a batch that only reads */
		submit(f, &b, &s[i]);
	}
	assert_true(test_loop_until(&f->loop, &f->done_n, N));
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(s[i].err, ERR_OK);
		assert_int_equal(s[i].order, i + 1);
		if (i % 2 == 1)
			assert_int_equal(s[i].first_cell, (i + 1) / 2);
	}
	/* One commit, one post, for many batches. */
	assert_in_range(f->loop.runs_n, 1, N / 2);
	free(s);
}

static void test_empty_batch(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen s;

	submit(f, &b, &s);
	assert_true(test_loop_until(&f->loop, &f->done_n, 1));
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.statements_n, 0);
}

/* More different texts than are kept prepared. */
static void test_statement_cache_overflow(void **state)
{
	enum {
		N = 300
	};
	static char sql[N][64];
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen s;

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < N; i++) {
			(void)snprintf(sql[i], sizeof(sql[i]), "SELECT %d + $1", i);
			assert_int_equal(STORE_ADD(&b, STORE_ONE, sql[i], store_int(1000)), ERR_OK);
			submit(f, &b, &s);
			assert_true(test_loop_until(&f->loop, &s.order, 1));
			assert_int_equal(s.first_cell, 1000 + i);
		}
}

static void test_claim(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 20);
	struct seen s;

	for (int64_t i = 0; i < 50; i++)
		add_insert(&b, i);
	submit(f, &b, &s);
	for (int round = 0; round < 6; round++) {
		RUN(f, &s, STORE_ANY,
		    "UPDATE op SET state = $1, lease = $2 WHERE id IN (SELECT id FROM op WHERE "
		    "state = $3 AND "
		    "due_ms <= $4 ORDER BY due_ms LIMIT $5" STORE_CLAIM ") RETURNING id, body",
		    store_text("computing"), store_text("worker-1"), store_text("ready"),
		    store_int(39), store_int(10));
		assert_int_equal(s.err, ERR_OK);
		assert_int_equal(s.rows_n, round < 4 ? 10 : 0);
		assert_int_equal(s.changed, s.rows_n);
	}
}

static void test_rows_by_thousands(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(32 << 20);
	uint8_t body[3000] = {0};
	struct seen s;

	for (int64_t i = 0; i < STORE_BATCH_STATEMENTS_MAX; i++)
		assert_int_equal(STORE_ADD(&b, STORE_ONE, INSERT, store_int(i), store_text("ready"),
					   store_int(i), store_blob(BYTES_OF(body))),
				 ERR_OK);
	submit(f, &b, &s);
	assert_true(test_loop_until(&f->loop, &f->done_n, 1));
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(s.statements_n, STORE_BATCH_STATEMENTS_MAX);
	RUN(f, &s, STORE_ANY, "SELECT id, body FROM op ORDER BY id DESC");
	assert_int_equal(s.rows_n, STORE_BATCH_STATEMENTS_MAX);
	assert_int_equal(s.first_cell, STORE_BATCH_STATEMENTS_MAX - 1);
}

static void test_result_limit(void **state)
{
	struct fixture *f = *state;
	struct seen s;

	char two[256];

	/* Half of the limit in one cell fits, two of them do not. */
	(void)snprintf(two, sizeof(two), "%s UNION ALL %s", f->engine->big_sql, f->engine->big_sql);
	RUN(f, &s, STORE_ANY, two, store_int(STORE_RESULT_BYTES_MAX / 2));
	assert_int_equal(s.err, ERR_RANGE);
	RUN(f, &s, STORE_ANY, f->engine->big_sql, store_int(STORE_RESULT_BYTES_MAX / 2));
	assert_int_equal(s.err, ERR_OK);
	assert_int_equal(count_rows(f), 0);
}

static void test_queue_limit(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen s = {.done_n = &f->done_n};

	for (size_t i = 0; i < STORE_QUEUE_MAX; i++)
		assert_int_equal(store_submit(f->store, &b, on_done, &s), ERR_OK);
	add_insert(&b, 1);
	assert_int_equal(store_submit(f->store, &b, on_done, &s), ERR_BUSY);
	assert_int_equal(b.n, 0); /* taken all the same */
	assert_true(test_loop_until(&f->loop, &f->done_n, STORE_QUEUE_MAX));
	assert_int_equal(count_rows(f), 0);
}

/* ---- wakes ---- */

static void on_wake(void *ctx)
{
	struct fixture *f = ctx;

	f->woken_n++;
	f->woken_after = f->done_n;
}

static void test_notify_wakes_after_the_commit(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen s[3];

	store_on_notify(f->store, "ready", on_wake, f);
	for (int64_t i = 0; i < 3; i++) {
		add_insert(&b, i);
		submit(f, &b, &s[i]);
		assert_int_equal(store_notify(f->store, "ready"), ERR_OK);
	}
	assert_int_equal(store_notify(f->store, "nobody"), ERR_OK);
	assert_true(test_loop_until(&f->loop, &f->woken_after, 3));
	assert_in_range(f->woken_n, 1, 3);
}

static void test_notify_with_nothing_queued(void **state)
{
	struct fixture *f = *state;

	store_on_notify(f->store, "ready", on_wake, f);
	for (int i = 0; i < 100; i++)
		assert_int_equal(store_notify(f->store, "ready"), ERR_OK);
	assert_int_equal(f->woken_n, 0); /* never from inside the call */
	assert_true(test_loop_until(&f->loop, &f->woken_n, 1));
	(void)count_rows(f);
	assert_in_range(f->woken_n, 1, 100);
}

static void test_subscriber_is_replaced(void **state)
{
	struct fixture *f = *state;

	store_on_notify(f->store, "ready", on_wake, NULL);
	store_on_notify(f->store, "ready", on_wake, f);
	assert_int_equal(store_notify(f->store, "ready"), ERR_OK);
	assert_true(test_loop_until(&f->loop, &f->woken_n, 1));
	store_on_notify(f->store, "ready", NULL, NULL);
	assert_int_equal(store_notify(f->store, "ready"), ERR_OK);
	(void)count_rows(f);
	assert_int_equal(f->woken_n, 1);
}

/* ---- the way back, and the end ---- */

static void test_loop_without_memory_is_asked_again(void **state)
{
	struct fixture *f = *state;

	pthread_mutex_lock(&f->loop.mutex);
	f->loop.refuse_n = 3;
	pthread_mutex_unlock(&f->loop.mutex);
	assert_int_equal(count_rows(f), 0);
	pthread_mutex_lock(&f->loop.mutex);
	assert_int_equal(f->loop.refuse_n, 0);
	pthread_mutex_unlock(&f->loop.mutex);
}

static void count_line(void *ctx, const struct store_value *cells, size_t n)
{
	assert_int_equal(n, 1);
	*(int64_t *)ctx = cells[0].i;
}

static void test_free_finishes_silently(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct err_note note = {0};
	struct seen s;
	int64_t n = 0;

	for (int64_t i = 0; i < 200; i++) {
		add_insert(&b, i);
		submit(f, &b, &s);
	}
	store_free(f->store);
	f->store = NULL;
	test_loop_drain(&f->loop);
	assert_int_equal(f->done_n, 0);
	assert_int_equal(
		store_query(f->db.url, f->db.schema, COUNT, NULL, 0, count_line, &n, &note),
		ERR_OK);
	assert_int_equal(n, 200);
}

static void free_inside(void *ctx, const struct store_result *r)
{
	struct fixture *f = ctx;

	(void)r;
	f->done_n++;
	store_free(f->store);
	f->store = NULL;
}

static void test_free_inside_a_callback(void **state)
{
	struct fixture *f = *state;
	struct store_batch b = store_batch_make(1 << 16);
	struct seen s;

	store_on_notify(f->store, "ready", on_wake, f);
	assert_int_equal(store_notify(f->store, "ready"), ERR_OK);
	assert_int_equal(store_submit(f->store, &b, free_inside, f), ERR_OK);
	for (int64_t i = 0; i < 50; i++) {
		add_insert(&b, i);
		submit(f, &b, &s);
	}
	assert_true(test_loop_until(&f->loop, &f->done_n, 1));
	test_loop_drain(&f->loop);
	assert_int_equal(f->done_n, 1);
	assert_null(f->store);
}

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
		TEST_BOTH(test_values_round_trip),
		TEST_BOTH(test_parameters_go_by_number),
		TEST_BOTH(test_wrong_sql_fails_alone),
		TEST_BOTH(test_batch_is_atomic),
		TEST_BOTH(test_changed_and_expectation),
		TEST_BOTH(test_state_moved_is_alone),
		TEST_BOTH(test_order_and_own_writes),
		TEST_BOTH(test_empty_batch),
		TEST_BOTH(test_statement_cache_overflow),
		TEST_BOTH(test_claim),
		TEST_BOTH(test_rows_by_thousands),
		TEST_BOTH(test_result_limit),
		TEST_BOTH(test_queue_limit),
		TEST_BOTH(test_notify_wakes_after_the_commit),
		TEST_BOTH(test_notify_with_nothing_queued),
		TEST_BOTH(test_subscriber_is_replaced),
		TEST_BOTH(test_loop_without_memory_is_asked_again),
		TEST_BOTH(test_free_finishes_silently),
		TEST_BOTH(test_free_inside_a_callback),
		TEST_BOTH(test_query_beside),
		TEST_BOTH(test_migrations_go_on_where_they_stopped),
		TEST_BOTH(test_failed_step_leaves_the_one_before),
		TEST_BOTH(test_newer_database_is_refused),
		TEST_BOTH(test_same_answers),
		TEST_BOTH(test_ids_are_given),
	};

	if (!pg_server_start(&server)) {
		pg_server_remove(&server);
		return 1;
	}

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	pg_server_remove(&server);
	return failed;
}

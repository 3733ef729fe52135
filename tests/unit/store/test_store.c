/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The store, on both engines: values, what a batch means, order, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "store_fixture.h"

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
	};

	STORE_TESTS_RUN(tests);
}

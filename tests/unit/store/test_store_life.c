/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The store, on both engines: wakes, the way back to the loop, and the end of a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_fixture.h"

/* ---- wakes ---- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_BOTH(test_notify_wakes_after_the_commit),
		TEST_BOTH(test_notify_with_nothing_queued),
		TEST_BOTH(test_subscriber_is_replaced),
		TEST_BOTH(test_loop_without_memory_is_asked_again),
		TEST_BOTH(test_free_finishes_silently),
		TEST_BOTH(test_free_inside_a_callback),
	};

	STORE_TESTS_RUN(tests);
}

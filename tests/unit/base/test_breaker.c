/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The circuit breaker: every arrow of its picture, and none that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/breaker.h"

static const struct breaker_policy policy = {
	.failures_max = 3, .open_first_ms = 100, .open_max_ms = 350, .trial_ms = 50};

static struct breaker opened_at(int64_t now_ms)
{
	struct breaker b = {.policy = &policy};

	assert_false(breaker_failed(&b, now_ms));
	assert_false(breaker_failed(&b, now_ms));
	assert_true(breaker_failed(&b, now_ms));
	assert_int_equal(b.state, BREAKER_OPEN);
	return b;
}

static void test_opens_after_failures_in_a_row(void **state)
{
	struct breaker b = {.policy = &policy};
	(void)state;

	for (int i = 0; i < 10; i++) {
		assert_false(breaker_failed(&b, i));
		assert_false(breaker_failed(&b, i));
		assert_true(breaker_admits(&b, i));
		breaker_succeeded(&b);
	}
	assert_int_equal(b.opened, 0);
	b = opened_at(1000);
	assert_int_equal(b.opened, 1);
	assert_false(breaker_admits(&b, 1099));
	assert_false(breaker_would_admit(&b, 1099));
}

static void test_one_tries_when_its_time_is_over(void **state)
{
	struct breaker b = opened_at(1000);
	(void)state;

	assert_true(breaker_would_admit(&b, 1100));
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_true(breaker_admits(&b, 1100));
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	assert_false(breaker_admits(&b, 1100));
	assert_false(breaker_admits(&b, 1149));
	/* The one who tried is never heard of again. */
	assert_true(breaker_admits(&b, 1150));
	breaker_succeeded(&b);
	assert_int_equal(b.state, BREAKER_CLOSED);
	assert_true(breaker_admits(&b, 1150));
	assert_true(breaker_admits(&b, 1150));
	/* It begins anew. */
	assert_false(breaker_failed(&b, 1150));
	assert_false(breaker_failed(&b, 1150));
	assert_true(breaker_failed(&b, 1150));
	assert_int_equal(b.due_ms, 1250);
}

static void test_a_failed_trial_doubles_the_time_up_to_its_end(void **state)
{
	static const int64_t lasts_ms[] = {200, 350, 350};
	struct breaker b = opened_at(0);
	int64_t now_ms = 100;
	(void)state;

	for (unsigned i = 0; i < 3; i++) {
		assert_true(breaker_admits(&b, now_ms));
		assert_true(breaker_failed(&b, now_ms));
		assert_int_equal(b.due_ms, now_ms + lasts_ms[i]);
		now_ms = b.due_ms;
	}
	assert_int_equal(b.opened, 4);
}

static void test_latecomers_say_nothing(void **state)
{
	struct breaker b = opened_at(0);
	(void)state;

	for (int i = 0; i < 20; i++)
		assert_false(breaker_failed(&b, 50));
	assert_int_equal(b.due_ms, 100);
	assert_string_equal(breaker_state_name(b.state), "open");
	assert_string_equal(breaker_state_name(BREAKER_CLOSED), "closed");
	assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half-open");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens_after_failures_in_a_row),
		cmocka_unit_test(test_one_tries_when_its_time_is_over),
		cmocka_unit_test(test_a_failed_trial_doubles_the_time_up_to_its_end),
		cmocka_unit_test(test_latecomers_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

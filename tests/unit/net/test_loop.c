/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "testing.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "net/timers.h"

static int setup(void **state)
{
	return loop_new((struct loop **)state) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	loop_free(*state);
	return 0;
}

struct trace {
	struct loop *loop;
	int order[32];
	size_t n;
	size_t stop_at;
};

struct mark {
	struct timer timer;
	struct trace *trace;
	struct timer *cancel; /* cancelled when this one fires */
	int value;
};

static void on_mark(void *ctx)
{
	struct mark *m = ctx;

	m->trace->order[m->trace->n++] = m->value;
	if (m->cancel)
		clock_timer_cancel(loop_clock(m->trace->loop), m->cancel);
	if (m->trace->n == m->trace->stop_at)
		loop_stop(m->trace->loop);
}

static void timers_fire_in_order(void **state)
{
	struct trace trace = {.loop = *state, .stop_at = 6};
	struct clock *c = loop_clock(*state);
	const int delays[6] = {30, 10, 20, 0, 0, 0};
	const int expected[6] = {3, 4, 5, 1, 2, 0};
	struct mark marks[6] = {0};
	int64_t start_ms = clock_mono_ms(c);

	for (int i = 0; i < 6; i++) {
		marks[i].trace = &trace;
		marks[i].value = i;
		clock_timer_set(c, &marks[i].timer, delays[i], on_mark, &marks[i]);
	}
	run_guarded(*state, 5000);
	assert_memory_equal(trace.order, expected, sizeof(expected));
	assert_true(clock_mono_ms(c) - start_ms >= 30);
	for (int i = 0; i < 6; i++)
		assert_false(marks[i].timer.armed);
}

static void a_timer_cancels_another_and_its_memory_may_go(void **state)
{
	struct trace trace = {.loop = *state, .stop_at = 2};
	struct clock *c = loop_clock(*state);
	struct mark *victim = calloc(1, sizeof(*victim));
	struct mark first = {.trace = &trace, .cancel = &victim->timer, .value = 1};
	struct mark last = {.trace = &trace, .value = 3};

	*victim = (struct mark){.trace = &trace, .value = 2};
	clock_timer_set(c, &first.timer, 0, on_mark, &first);
	clock_timer_set(c, &victim->timer, 0, on_mark, victim);
	clock_timer_set(c, &last.timer, 5, on_mark, &last);
	run_guarded(*state, 5000);
	free(victim);
	assert_int_equal(trace.n, 2);
	assert_int_equal(trace.order[0], 1);
	assert_int_equal(trace.order[1], 3);
	clock_timer_cancel(c, &last.timer); /* idle: nothing happens */
}

struct repeat {
	struct timer timer;
	struct loop *loop;
	int n;
};

static void on_repeat(void *ctx)
{
	struct repeat *r = ctx;

	r->n++;
	clock_timer_set(loop_clock(r->loop), &r->timer, 0, on_repeat, r);
}

static void a_timer_that_rearms_itself_starves_nobody(void **state)
{
	struct repeat r = {.loop = *state};

	clock_timer_set(loop_clock(*state), &r.timer, 0, on_repeat, &r);
	run_for(*state, 20);
	assert_true(r.n > 1);
	clock_timer_cancel(loop_clock(*state), &r.timer);
}

static void heap_keeps_order_under_random_use(void **state)
{
	enum {
		N = 300
	};
	struct timers h = {0};
	struct timer timers[N] = {0};
	int64_t deadlines[N];
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 20240607);
	size_t armed = 0;
	int64_t last_ms = 0;
	struct timer *t, *before = NULL;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		size_t i = rng_below(rng, N);

		if (timers[i].armed) {
			timers_cancel(&h, &timers[i]);
			armed--;
		} else {
			deadlines[i] = (int64_t)rng_below(rng, 40);
			timers_add(&h, &timers[i], deadlines[i]);
			armed++;
		}
	}
	assert_int_equal(h.n, armed);
	assert_null(timers_pop(&h, -1, timers_round(&h)));
	while ((t = timers_pop(&h, 40, timers_round(&h)))) {
		assert_true(deadlines[t - timers] >= last_ms);
		last_ms = deadlines[t - timers];
		assert_ptr_not_equal(t, before);
		before = t;
		armed--;
	}
	assert_int_equal(armed, 0);
	assert_true(timers_next_ms(&h) == INT64_MAX);
	timers_free(&h);
}

struct posts {
	struct loop *loop;
	int got;
	int last;
	int per_thread;
};

static void on_post(void *ctx)
{
	struct posts *p = ctx;

	if (++p->got == 4 * p->per_thread)
		loop_stop(p->loop);
}

static void *poster(void *ctx)
{
	struct posts *p = ctx;

	for (int i = 0; i < p->per_thread; i++)
		if (loop_post(p->loop, on_post, p) != ERR_OK)
			abort();
	return NULL;
}

static void posts_arrive_from_many_threads(void **state)
{
	struct posts p = {.loop = *state, .per_thread = 5000};
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, poster, &p), 0);
	run_guarded(*state, 20000);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(p.got, 4 * 5000);
}

static void on_repost(void *ctx)
{
	struct repeat *r = ctx;

	r->n++;
	assert_int_equal(loop_post(r->loop, on_repost, r), ERR_OK);
}

static void a_post_that_posts_itself_starves_nobody(void **state)
{
	struct repeat r = {.loop = *state};

	assert_int_equal(loop_post(*state, on_repost, &r), ERR_OK);
	run_for(*state, 20);
	assert_true(r.n > 1);
	/* One is always left over: loop_free drops it. */
}

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void stop_before_run_and_twice(void **state)
{
	loop_stop(*state);
	loop_stop(*state);
	run_guarded(*state, 1000);
	assert_int_equal(loop_post(*state, on_stop, *state), ERR_OK);
	run_guarded(*state, 1000);
}

static void sleep_40_ms(void *ctx)
{
	const struct timespec ms_40 = {.tv_nsec = 40 * 1000000};

	(void)ctx;
	nanosleep(&ms_40, NULL);
}

static void compute_40_ms(void *ctx)
{
	struct timespec t;
	int64_t until = 0, now;

	/* In nanoseconds: a start rounded down to a millisecond would make the forty up to one too
	 * few. */
	do {
		assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
		now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
		if (until == 0)
			until = now + 40000000;
	} while (now < until);
	loop_stop(ctx);
}

static void stop_it(void *ctx)
{
	loop_stop(ctx);
}

static struct loop_stall stall_of(struct loop *l, loop_fn *first, loop_fn *second)
{
	struct timer a = {0}, b = {0};

	(void)loop_stall_take(l);
	clock_timer_set(loop_clock(l), &a, 0, first, l);
	clock_timer_set(loop_clock(l), &b, 0, second, l);
	run_guarded(l, 5000);
	return loop_stall_take(l);
}

/* All that one wait brings is one round: who comes in it has waited for the first as well. */
static void stalls_are_measured(void **state)
{
	struct loop_stall s = stall_of(*state, sleep_40_ms, stop_it);

	assert_in_range(s.wall_us, 40000, 5000000);
	assert_in_range(s.cpu_us, 0, 30000);
	s = stall_of(*state, sleep_40_ms, compute_40_ms);
	assert_in_range(s.wall_us, 80000, 5000000);
	assert_in_range(s.cpu_us, 39000, s.wall_us);
	assert_int_equal(loop_stall_take(*state).wall_us, 0);
}

static void on_long_timer(void *ctx)
{
	loop_stop(ctx);
}

/* The time that the loop waits for something to do is in no round. */
static void waiting_is_no_stall(void **state)
{
	struct timer t = {0};

	(void)loop_stall_take(*state);
	clock_timer_set(loop_clock(*state), &t, 200, on_long_timer, *state);
	run_guarded(*state, 5000);
	assert_in_range(loop_stall_take(*state).wall_us, 0, 150000);
}

static void rounds_are_counted(void **state)
{
	struct loop_rounds before = loop_rounds(*state), r;
	CLEANUP(buf_free) struct buf out = buf_make(4096);
	uint64_t in_buckets = 0;

	(void)stall_of(*state, sleep_40_ms, stop_it);
	r = loop_rounds(*state);
	assert_in_range(r.n - before.n, 1, 10);
	assert_in_range(r.wall_us - before.wall_us, 40000, 5000000);
	for (size_t i = 0; i < LOOP_ROUND_BUCKETS; i++)
		in_buckets += r.buckets[i];
	assert_int_equal(in_buckets, r.n);
	assert_int_equal(loop_metrics_print(&out, *state, "x"), ERR_OK);
	assert_int_equal(buf_add_u8(&out, 0), ERR_OK);
	assert_non_null(strstr((const char *)out.p, "x_loop_round_seconds_bucket{le=\"0.02\"} "));
	assert_non_null(strstr((const char *)out.p, "x_loop_round_seconds_bucket{le=\"+Inf\"} "));
	assert_non_null(strstr((const char *)out.p, "\nx_loop_stall_seconds 0.000000\n"));
}

static void write_byte(void *ctx)
{
	assert_int_equal(write(*(int *)ctx, "s", 1), 1);
}

/* In a child: the first signal calls back, the second ends it even though the loop thread hangs. */
static void second_stop_signal_ends_at_once(void **state)
{
	const struct timespec ms_50 = {.tv_nsec = 50 * 1000000};
	int pipe_fd[2], status = 0;
	char got;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pipe_fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct loop *l;

		if (loop_new(&l) != ERR_OK ||
		    loop_on_stop_signal(l, write_byte, &pipe_fd[1]) != ERR_OK ||
		    write(pipe_fd[1], "r", 1) != 1 || loop_run(l) != ERR_OK)
			_exit(1);
		_exit(2);
	}
	assert_int_equal(read(pipe_fd[0], &got, 1), 1);
	nanosleep(&ms_50, NULL);
	kill(pid, SIGTERM);
	assert_int_equal(read(pipe_fd[0], &got, 1), 1);
	assert_int_equal(got, 's');
	kill(pid, SIGINT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 130);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

static void on_reload(void *ctx)
{
	int *n = ctx;

	if (++*n < 2)
		assert_int_equal(raise(SIGHUP), 0);
}

static void every_reload_signal_calls_back(void **state)
{
	int n = 0;

	assert_int_equal(loop_on_reload_signal(*state, on_reload, &n), ERR_OK);
	assert_int_equal(raise(SIGHUP), 0);
	run_for(*state, 50);
	assert_int_equal(n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timers_fire_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(a_timer_cancels_another_and_its_memory_may_go,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_timer_that_rearms_itself_starves_nobody, setup,
						teardown),
		cmocka_unit_test(heap_keeps_order_under_random_use),
		cmocka_unit_test_setup_teardown(posts_arrive_from_many_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(a_post_that_posts_itself_starves_nobody, setup,
						teardown),
		cmocka_unit_test_setup_teardown(stop_before_run_and_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(stalls_are_measured, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_is_no_stall, setup, teardown),
		cmocka_unit_test_setup_teardown(rounds_are_counted, setup, teardown),
		cmocka_unit_test(second_stop_signal_ends_at_once),
		cmocka_unit_test_setup_teardown(every_reload_signal_calls_back, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}

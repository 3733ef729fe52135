/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/limits.h"
#include "net/pool.h"

static int setup(void **state)
{
	return loop_new((struct loop **)state) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	loop_free(*state);
	return 0;
}

enum {
	JOBS = 1000
};

struct batch {
	struct loop *loop;
	pthread_t loop_thread;
	int done;
	int wrong_thread;
};

struct job {
	struct batch *batch;
	uint64_t in;
	uint64_t out;
	bool on_loop_thread;
};

static void job_work(void *ctx)
{
	struct job *j = ctx;

	j->out = j->in;
	for (int i = 0; i < 1000; i++)
		j->out = j->out * 6364136223846793005u + 1442695040888963407u;
	j->on_loop_thread = pthread_equal(pthread_self(), j->batch->loop_thread) != 0;
}

static void job_done(void *ctx)
{
	struct job *j = ctx;

	if (j->on_loop_thread || !pthread_equal(pthread_self(), j->batch->loop_thread))
		j->batch->wrong_thread++;
	if (++j->batch->done == JOBS)
		loop_stop(j->batch->loop);
}

static void jobs_come_back_with_their_results(void **state)
{
	struct batch batch = {.loop = *state, .loop_thread = pthread_self()};
	struct job *jobs = calloc(JOBS, sizeof(*jobs));
	struct pool *pool;

	assert_int_equal(pool_new(&pool, *state, 3), ERR_OK);
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){.batch = &batch, .in = (uint64_t)i};
		assert_int_equal(pool_submit(pool, job_work, job_done, &jobs[i]), ERR_OK);
	}
	run_guarded(*state, 30000);
	assert_int_equal(batch.wrong_thread, 0);
	for (int i = 0; i < JOBS; i++) {
		struct job again = {.batch = &batch, .in = (uint64_t)i};

		job_work(&again);
		assert_true(again.out == jobs[i].out);
	}
	pool_free(pool);
	free(jobs);
}

struct gate {
	atomic_int started;
	atomic_bool open;
	atomic_int finished;
	int done;
};

static void gate_work(void *ctx)
{
	const struct timespec ms_1 = {.tv_nsec = 1000000};
	struct gate *g = ctx;

	atomic_fetch_add(&g->started, 1);
	while (!atomic_load(&g->open))
		nanosleep(&ms_1, NULL);
	atomic_fetch_add(&g->finished, 1);
}

static void gate_done(void *ctx)
{
	((struct gate *)ctx)->done++;
}

static void *gate_open_later(void *ctx)
{
	const struct timespec ms_20 = {.tv_nsec = 20000000};

	nanosleep(&ms_20, NULL);
	atomic_store(&((struct gate *)ctx)->open, true);
	return NULL;
}

static void queue_is_bounded_and_free_drops_what_waits(void **state)
{
	const struct timespec ms_1 = {.tv_nsec = 1000000};
	struct gate g = {0};
	struct pool *pool;
	pthread_t opener;

	assert_int_equal(pool_new(&pool, *state, 1), ERR_OK);
	assert_int_equal(pool_submit(pool, gate_work, gate_done, &g), ERR_OK);
	while (atomic_load(&g.started) == 0)
		nanosleep(&ms_1, NULL);
	for (int i = 0; i < POOL_QUEUE_MAX; i++)
		assert_int_equal(pool_submit(pool, gate_work, gate_done, &g), ERR_OK);
	assert_int_equal(pool_submit(pool, gate_work, gate_done, &g), ERR_BUSY);
	assert_int_equal(pthread_create(&opener, NULL, gate_open_later, &g), 0);
	pool_free(pool);
	pthread_join(opener, NULL);
	/* The running one was finished; after the pool nobody is called. */
	assert_true(atomic_load(&g.finished) >= 1);
	assert_true(atomic_load(&g.finished) < POOL_QUEUE_MAX);
	run_for(*state, 5);
	assert_int_equal(g.done, 0);
}

static void as_many_threads_as_cpus(void **state)
{
	struct pool *pool;

	assert_int_equal(pool_new(&pool, *state, 0), ERR_OK);
	pool_free(pool);
	pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(jobs_come_back_with_their_results, setup, teardown),
		cmocka_unit_test_setup_teardown(queue_is_bounded_and_free_drops_what_waits, setup,
						teardown),
		cmocka_unit_test_setup_teardown(as_many_threads_as_cpus, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the store's tests and its benchmark share: a directory of their own, and a loop reduced to
 * its one duty towards the store, running posts on the thread that waits.
 */
#ifndef TESTS_UNIT_STORE_STORE_TEST_H
#define TESTS_UNIT_STORE_STORE_TEST_H

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

enum {
	TEST_POSTS_MAX = 64,
	TEST_WAIT_S = 60,
	TEST_PATH_SIZE = 512
};

struct test_loop {
	pthread_mutex_t mutex;
	pthread_cond_t posted;
	struct {
		void (*fn)(void *ctx);
		void *ctx;
	} posts[TEST_POSTS_MAX];
	size_t n;
	int refuse_n; /* so many posts still fail with ERR_NOMEM */
	size_t runs_n;
};

#define TEST_LOOP_INIT                                                                             \
	{                                                                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER, .posted = PTHREAD_COND_INITIALIZER             \
	}

static inline enum err test_loop_post(void *loop, void (*fn)(void *ctx), void *ctx)
{
	struct test_loop *l = loop;
	enum err e = ERR_OK;

	pthread_mutex_lock(&l->mutex);
	if (l->refuse_n > 0 || l->n == TEST_POSTS_MAX) {
		l->refuse_n--;
		e = ERR_NOMEM;
	} else {
		l->posts[l->n].fn = fn;
		l->posts[l->n++].ctx = ctx;
		pthread_cond_signal(&l->posted);
	}
	pthread_mutex_unlock(&l->mutex);
	return e;
}

static inline struct store_executor test_loop_executor(struct test_loop *l)
{
	return (struct store_executor){.post = test_loop_post, .loop = l};
}

/* Run one post; wait for it at most until TEST_WAIT_S from now. False on timeout. */
static inline bool test_loop_step(struct test_loop *l)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TEST_WAIT_S;
	pthread_mutex_lock(&l->mutex);
	while (l->n == 0)
		if (pthread_cond_timedwait(&l->posted, &l->mutex, &until) == ETIMEDOUT)
			break;
	if (l->n == 0) {
		pthread_mutex_unlock(&l->mutex);
		return false;
	}

	void (*fn)(void *ctx) = l->posts[0].fn;
	void *ctx = l->posts[0].ctx;

	l->n--;
	l->runs_n++;
	memmove(&l->posts[0], &l->posts[1], l->n * sizeof(l->posts[0]));
	pthread_mutex_unlock(&l->mutex);
	fn(ctx);
	return true;
}

/* Run posts until *done_n reaches `want`. */
static inline bool test_loop_until(struct test_loop *l, const size_t *done_n, size_t want)
{
	while (*done_n < want)
		if (!test_loop_step(l))
			return false;
	return true;
}

/* Run what is posted by now; do not wait. */
static inline void test_loop_drain(struct test_loop *l)
{
	for (;;) {
		pthread_mutex_lock(&l->mutex);
		bool more = l->n > 0;
		pthread_mutex_unlock(&l->mutex);
		if (!more || !test_loop_step(l))
			return;
	}
}

/* A forked child must not outlive a test that failed. */
static inline void test_die_with_parent(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* A new empty directory in the temporary files of the machine. */
static inline void test_dir_make(char ret_dir[static TEST_PATH_SIZE])
{
	const char *tmp = getenv("TMPDIR");

	CHECK(snprintf(ret_dir, TEST_PATH_SIZE, "%s/store-test-XXXXXX", tmp ? tmp : "/tmp") <
	      TEST_PATH_SIZE);
	CHECK(mkdtemp(ret_dir));
}

static inline void test_dir_remove(const char *dir)
{
	char path[TEST_PATH_SIZE * 2];
	DIR *d = opendir(dir);

	CHECK(d);
	for (const struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		(void)unlink(path);
	}
	closedir(d);
	(void)rmdir(dir);
}

#endif

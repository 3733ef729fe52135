/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/limits.h"
#include "net/loop_internal.h"

enum {
	POOL_THREADS_MAX = 256
};

struct pool_job {
	struct loop_post post; /* brings the job back to the loop; made with the job, so that coming
				  back cannot fail */
	struct pool_job *next; /* waiting, or finished and on its way back */
	struct pool_job *prev;
	struct pool *pool;
	pool_fn *work;
	pool_fn *done;
	void *job;
};

struct job_list {
	struct pool_job *first;
	struct pool_job *last;
};

struct pool {
	struct loop *loop;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_list waiting;  /* under lock */
	struct job_list finished; /* under lock: posted, not yet called */
	size_t waiting_n;
	bool stop;
	unsigned threads_n;
	pthread_t threads[];
};

static void list_add(struct job_list *list, struct pool_job *j)
{
	j->next = NULL;
	j->prev = list->last;
	if (list->last)
		list->last->next = j;
	else
		list->first = j;
	list->last = j;
}

static void list_remove(struct job_list *list, struct pool_job *j)
{
	if (j->prev)
		j->prev->next = j->next;
	else
		list->first = j->next;
	if (j->next)
		j->next->prev = j->prev;
	else
		list->last = j->prev;
}

static void job_back(void *ctx)
{
	struct pool_job *j = ctx;
	struct pool *p = j->pool;
	pool_fn *done = j->done;
	void *job = j->job;

	pthread_mutex_lock(&p->lock);
	list_remove(&p->finished, j);
	pthread_mutex_unlock(&p->lock);
	free(j);
	done(job);
}

static void *pool_thread(void *ctx)
{
	struct pool *p = ctx;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct pool_job *j = p->waiting.first;

		if (p->stop)
			break;
		if (!j) {
			pthread_cond_wait(&p->wake, &p->lock);
			continue;
		}
		list_remove(&p->waiting, j);
		p->waiting_n--;
		pthread_mutex_unlock(&p->lock);
		j->work(j->job);
		pthread_mutex_lock(&p->lock);
		list_add(&p->finished, j);
		loop_post_node(p->loop, &j->post);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static unsigned cpu_count(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 1)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

enum err pool_new(struct pool **ret_pool, struct loop *loop, unsigned threads)
{
	struct pool *p;
	sigset_t all, before;
	int failed = 0;

	if (threads == 0)
		threads = cpu_count();
	if (threads > POOL_THREADS_MAX)
		threads = POOL_THREADS_MAX;
	p = calloc(1, sizeof(*p) + threads * sizeof(p->threads[0]));
	if (!p)
		return ERR_NOMEM;
	p->loop = loop;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	/* Signals are the loop thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (p->threads_n < threads && !failed) {
		failed = pthread_create(&p->threads[p->threads_n], NULL, pool_thread, p);
		if (!failed)
			p->threads_n++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) {
		pool_free(p);
		return ERR_NOMEM;
	}
	*ret_pool = p;
	return ERR_OK;
}

void pool_free(struct pool *p)
{
	struct pool_job *j;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads_n; i++)
		pthread_join(p->threads[i], NULL);
	while ((j = p->waiting.first)) {
		list_remove(&p->waiting, j);
		free(j);
	}
	while ((j = p->finished.first)) {
		list_remove(&p->finished, j);
		loop_withdraw(p->loop, &j->post);
		free(j);
	}
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

enum err pool_submit(struct pool *p, pool_fn *work, pool_fn *done, void *job)
{
	struct pool_job *j = calloc(1, sizeof(*j));
	bool full;

	if (!j)
		return ERR_NOMEM;
	*j = (struct pool_job){.pool = p, .work = work, .done = done, .job = job};
	j->post = (struct loop_post){.fn = job_back, .ctx = j};
	pthread_mutex_lock(&p->lock);
	full = p->waiting_n >= POOL_QUEUE_MAX;
	if (!full) {
		list_add(&p->waiting, j);
		p->waiting_n++;
		pthread_cond_signal(&p->wake);
	}
	pthread_mutex_unlock(&p->lock);
	if (full) {
		free(j);
		return ERR_BUSY;
	}
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/queue.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/limits.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_ignore_object(p) ((void)(p))
#endif

enum {
	TOPICS_MAX = 16,
	TOPIC_SIZE_MAX = 63, /* PostgreSQL's limit of a channel name */
	TRIM_AFTER_BYTES = 4 << 20,
	POST_RETRY_MS = 50,   /* after the loop had no memory for a post */
	TELL_RETRY_MS = 2000, /* after other processes could not be told */
	MS_PER_S = 1000,
	NS_PER_MS = 1000 * 1000,
	NS_PER_S = 1000 * NS_PER_MS,
};

struct topic {
	char name[TOPIC_SIZE_MAX + 1];
	void (*fn)(void *ctx);
	void *ctx;
};

struct job_list {
	struct store_job *first, *last;
};

struct store_queue {
	struct store store;
	struct store_executor executor;
	pthread_t thread;

	/* The store thread's while it lives. */
	struct store_engine *engine;
	size_t spent;    /* argument bytes freed since unused heap was last given back */
	unsigned untold; /* bit i: other processes have not heard of topics[i] yet */

	/* Loop thread only; but names are read by all, and are added under the mutex. */
	struct topic topics[TOPICS_MAX];
	size_t topics_n;
	bool delivering, closed;

	pthread_mutex_t mutex;
	pthread_cond_t work;
	/* Under the mutex. */
	struct job_list waiting, finished;
	size_t held_n;  /* jobs waiting, running or finished and not yet delivered */
	unsigned asked; /* bit i: topics[i] must wake after what waits now is committed */
	unsigned heard; /* bit i: another process named topics[i] */
	unsigned due;   /* bit i: topics[i] must wake now */
	bool posted;    /* deliver() is in the loop's hands */
	bool post_owed; /* the loop had no memory for the post */
	bool stopping;
};

static void list_append(struct job_list *to, struct job_list from)
{
	if (!from.first)
		return;
	if (to->last)
		to->last->next = from.first;
	else
		to->first = from.first;
	to->last = from.last;
}

static struct job_list list_take(struct job_list *from)
{
	struct job_list taken = *from;

	*from = (struct job_list){0};
	return taken;
}

static void queue_lock(struct store_queue *q)
{
	CHECK(pthread_mutex_lock(&q->mutex) == 0);
}

static void queue_unlock(struct store_queue *q)
{
	CHECK(pthread_mutex_unlock(&q->mutex) == 0);
}

static void queue_dispose(struct store_queue *q)
{
	(void)pthread_cond_destroy(&q->work);
	(void)pthread_mutex_destroy(&q->mutex);
	free(q);
}

/* ---- loop thread: results and wakes come back ---- */

static void job_tell(const struct store_job *job)
{
	const struct store_answer *a = &job->answer;
	const struct store_result result = {
		.err = a->err,
		.note = a->note,
		.rows = a->rows,
		.rows_n = a->rows_n,
	};

	if (job->done)
		job->done(job->ctx, &result);
}

static void deliver(void *ctx)
{
	struct store_queue *q = ctx;

	queue_lock(q);
	struct job_list list = list_take(&q->finished);
	unsigned due = q->due;
	q->due = 0;
	q->posted = false;
	for (const struct store_job *job = list.first; job; job = job->next)
		q->held_n--;
	queue_unlock(q);

	/* Any callback may free the store: its memory then waits for the end of this function. */
	q->delivering = true;
	while (list.first && !q->closed) {
		struct store_job *job = list.first;

		list.first = job->next;
		job->next = NULL;
		job_tell(job);
		store_jobs_free(job);
	}
	store_jobs_free(list.first);
	for (size_t i = 0; i < q->topics_n && !q->closed; i++)
		if ((due >> i & 1) && q->topics[i].fn)
			q->topics[i].fn(q->topics[i].ctx);
	q->delivering = false;
	if (q->closed && !q->posted)
		queue_dispose(q);
}

/* ---- store thread ---- */

static void wait_a_little_locked(struct store_queue *q, int ms)
{
	struct timespec until;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	until.tv_sec += ms / MS_PER_S;
	until.tv_nsec += (long)(ms % MS_PER_S) * NS_PER_MS;
	if (until.tv_nsec >= NS_PER_S) {
		until.tv_nsec -= NS_PER_S;
		until.tv_sec++;
	}
	(void)pthread_cond_timedwait(&q->work, &q->mutex, &until);
}

/* Ask the loop to deliver, once per outstanding delivery. */
static void queue_post(struct store_queue *q)
{
	queue_lock(q);
	bool needed = !q->posted && !q->stopping && (q->finished.first || q->due);
	q->posted = q->posted || needed;
	q->post_owed = false;
	queue_unlock(q);
	if (!needed || q->executor.post(q->executor.loop, deliver, q) == ERR_OK)
		return;
	queue_lock(q);
	q->posted = false;
	q->post_owed = true;
	queue_unlock(q);
}

/* What the store thread does in one round. */
struct round {
	struct job_list jobs;
	unsigned asked, heard;
};

static bool idle_locked(const struct store_queue *q)
{
	return !q->waiting.first && !q->asked && !q->heard && !q->stopping;
}

/* False when the store is being freed and nothing waits any more. */
static bool queue_next(struct store_queue *q, struct round *ret_round)
{
	queue_lock(q);
	while (idle_locked(q) && !q->post_owed && !q->untold)
		CHECK(pthread_cond_wait(&q->work, &q->mutex) == 0);
	if (idle_locked(q))
		wait_a_little_locked(q, q->post_owed ? POST_RETRY_MS : TELL_RETRY_MS);
	bool more = q->waiting.first || q->asked || !q->stopping;
	*ret_round = (struct round){list_take(&q->waiting), q->asked, q->heard};
	q->asked = 0;
	q->heard = 0;
	queue_unlock(q);
	return more;
}

/* The arguments of finished jobs are spent: give their memory back before the loop finds time. A
 * burst of large batches must not set the size of the idle service. */
static void jobs_strip(struct store_queue *q, struct store_job *first)
{
	for (struct store_job *job = first; job; job = job->next) {
		q->spent += job->batch.arena.used;
		store_batch_free(&job->batch);
	}
	if (q->spent >= TRIM_AFTER_BYTES) {
		(void)malloc_trim(0);
		q->spent = 0;
	}
}

static void engine_run(struct store_queue *q, const struct round *r)
{
	const char *names[TOPICS_MAX];
	size_t n = 0;

	q->untold |= r->asked;
	for (size_t i = 0; i < TOPICS_MAX; i++)
		if (q->untold >> i & 1)
			names[n++] = q->topics[i].name;
	if (r->jobs.first || n > 0)
		if (q->engine->ops->run(q->engine, r->jobs.first, names, n))
			q->untold = 0;
}

static void *queue_main(void *ctx)
{
	struct store_queue *q = ctx;
	struct round r;

	while (queue_next(q, &r)) {
		engine_run(q, &r);
		jobs_strip(q, r.jobs.first);
		queue_lock(q);
		list_append(&q->finished, r.jobs);
		q->due |= r.asked | r.heard;
		queue_unlock(q);
		queue_post(q);
	}
	return NULL;
}

/* ---- any thread: other processes ---- */

static struct store_queue *queue_of(struct store *s)
{
	return CONTAINER_OF(s, struct store_queue, store);
}

void store_queue_wake(struct store *s, const char *topic)
{
	struct store_queue *q = queue_of(s);

	queue_lock(q);
	for (size_t i = 0; i < q->topics_n; i++)
		if (!topic || strcmp(q->topics[i].name, topic) == 0)
			q->heard |= 1u << i;
	CHECK(pthread_cond_signal(&q->work) == 0);
	queue_unlock(q);
}

/* ---- loop thread: the interface ---- */

static enum err queue_submit(struct store *s, struct store_batch *batch, store_done_fn *done,
			     void *ctx)
{
	struct store_queue *q = queue_of(s);
	struct store_job *job = store_job_new(batch, done, ctx);

	if (!job)
		return ERR_NOMEM;
	queue_lock(q);
	bool room = q->held_n < STORE_QUEUE_MAX;
	if (room) {
		list_append(&q->waiting, (struct job_list){job, job});
		q->held_n++;
		CHECK(pthread_cond_signal(&q->work) == 0);
	}
	queue_unlock(q);
	if (room)
		return ERR_OK;
	store_jobs_free(job);
	return ERR_BUSY;
}

/* Its place in the table, where it is from now on; TOPICS_MAX when that is full. */
static size_t topic_place(struct store_queue *q, const char *name)
{
	size_t i = 0;

	while (i < q->topics_n && strcmp(q->topics[i].name, name) != 0)
		i++;
	if (i < q->topics_n || i == TOPICS_MAX)
		return i;
	queue_lock(q);
	memcpy(q->topics[i].name, name, strlen(name) + 1);
	q->topics_n++;
	queue_unlock(q);
	return i;
}

static void queue_on_notify(struct store *s, const char *topic, void (*fn)(void *ctx), void *ctx)
{
	struct store_queue *q = queue_of(s);

	CHECK(strlen(topic) <= TOPIC_SIZE_MAX);

	size_t i = topic_place(q, topic);

	CHECK(i < TOPICS_MAX);
	q->topics[i].fn = fn;
	q->topics[i].ctx = ctx;
}

/* The bit is taken together with all that waits at that moment, so what the caller submitted before
 * is committed when the subscriber wakes. With nothing waiting the thread takes the bit alone.
 * Nobody here may listen: other processes may. */
static enum err queue_notify(struct store *s, const char *topic)
{
	struct store_queue *q = queue_of(s);

	if (strlen(topic) > TOPIC_SIZE_MAX)
		return ERR_RANGE;

	size_t i = topic_place(q, topic);

	if (i == TOPICS_MAX)
		return ERR_RANGE;
	queue_lock(q);
	q->asked |= 1u << i;
	CHECK(pthread_cond_signal(&q->work) == 0);
	queue_unlock(q);
	return ERR_OK;
}

static void queue_free(struct store *s)
{
	struct store_queue *q = queue_of(s);

	CHECK(!q->closed);
	queue_lock(q);
	q->stopping = true;
	CHECK(pthread_cond_signal(&q->work) == 0);
	queue_unlock(q);
	CHECK(pthread_join(q->thread, NULL) == 0);
	q->engine->ops->free(q->engine);
	store_jobs_free(q->finished.first);
	q->finished = (struct job_list){0};
	q->held_n = 0;
	q->due = 0;
	q->closed = true;
	/* The loop may hold a post with our address: then that call of deliver() disposes. A loop
	 * that is freed instead of run drops the post, and this one object stays until the process
	 * ends. */
	if (q->posted)
		__lsan_ignore_object(q);
	else if (!q->delivering)
		queue_dispose(q);
}

static const struct store_ops queue_ops = {
	.submit = queue_submit,
	.on_notify = queue_on_notify,
	.notify = queue_notify,
	.free = queue_free,
};

static enum err queue_sync_init(struct store_queue *q)
{
	pthread_condattr_t attr;

	if (pthread_mutex_init(&q->mutex, NULL) != 0)
		return ERR_NOMEM;
	if (pthread_condattr_init(&attr) != 0) {
		(void)pthread_mutex_destroy(&q->mutex);
		return ERR_NOMEM;
	}
	int rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(&q->work, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (rc != 0)
		(void)pthread_mutex_destroy(&q->mutex);
	return rc == 0 ? ERR_OK : ERR_NOMEM;
}

/* Signals belong to the loop thread. */
static int thread_start_deaf(struct store_queue *q)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	int rc = pthread_create(&q->thread, NULL, queue_main, q);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (rc == 0)
		(void)pthread_setname_np(q->thread, "store");
	return rc;
}

enum err store_queue_start(struct store **ret_store, struct store_engine *engine,
			   const struct store_executor *executor, struct err_note *note)
{
	struct store_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return ERR_NOMEM;
	q->store.ops = &queue_ops;
	q->executor = *executor;
	q->engine = engine;
	if (queue_sync_init(q) != ERR_OK) {
		free(q);
		return ERR_NOMEM;
	}
	int rc = thread_start_deaf(q);
	if (rc != 0) {
		queue_dispose(q);
		return err_say(note, ERR_INTERNAL, "store thread: %s", strerror(rc));
	}
	*ret_store = &q->store;
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store_seams.h"

#include <stdlib.h>

#include "base/limits.h"
#include "store/queue.h"
#include "store/sqlite_file.h"

enum {
	TOPICS_MAX = 16
};

struct sim_queue {
	struct store store;
	struct sim_queue *next; /* of the same database */
	struct sim_queue_home *home;
	struct store_engine *engine;
	struct store_job *waiting, *waiting_last, *finished, *finished_last;
	size_t held_n;
	struct {
		char name[64];
		void (*fn)(void *ctx);
		void *ctx;
		bool asked, due;
	} topics[TOPICS_MAX];
	size_t topics_n;
	struct sim_event run, tell;
	bool run_set, tell_set;
	bool delivering, closed;
};

static struct sim_queue *queue_of(struct store *s)
{
	return CONTAINER_OF(s, struct sim_queue, store);
}

/* ---- results come back ---- */

static void tell_set(struct sim_queue *q);

static void tell(void *ctx)
{
	struct sim_queue *q = ctx;
	struct store_job *list = q->finished;

	q->tell_set = false;
	q->finished = q->finished_last = NULL;
	for (const struct store_job *j = list; j; j = j->next)
		q->held_n--;
	q->delivering = true;
	while (list && !q->closed) {
		struct store_job *j = list;
		const struct store_result r = {.err = j->answer.err,
					       .note = j->answer.note,
					       .rows = j->answer.rows,
					       .rows_n = j->answer.rows_n};

		list = j->next;
		j->next = NULL;
		if (j->done)
			j->done(j->ctx, &r);
		store_jobs_free(j);
	}
	store_jobs_free(list);
	for (size_t i = 0; i < q->topics_n && !q->closed; i++)
		if (q->topics[i].due) {
			q->topics[i].due = false;
			if (q->topics[i].fn)
				q->topics[i].fn(q->topics[i].ctx);
		}
	q->delivering = false;
	if (q->closed)
		free(q);
}

static void tell_set(struct sim_queue *q)
{
	if (!q->tell_set)
		q->tell = loop_after(q->home->loop, q->home->host, 0, tell, q);
	q->tell_set = true;
}

/* ---- what is a thread elsewhere ---- */

static void wake(struct sim_queue *q, const char *name)
{
	for (size_t i = 0; i < q->topics_n; i++)
		if (strcmp(q->topics[i].name, name) == 0) {
			q->topics[i].due = true;
			tell_set(q);
		}
}

static void wake_all(struct sim_queue *q)
{
	for (size_t i = 0; i < q->topics_n; i++) {
		if (!q->topics[i].asked)
			continue;
		q->topics[i].asked = false;
		for (struct sim_queue *to = q->home->queues->first; to; to = to->next)
			wake(to, q->topics[i].name);
	}
}

static void results_spoil(struct sim_queue *q, struct store_job *first)
{
	enum err e = q->home->result ? q->home->result(q->home->ctx) : ERR_OK;
	const struct err_note note = {"the connection to the database is lost"};

	if (e != ERR_OK)
		store_jobs_fail(first, NULL, e, &note);
}

static void run(void *ctx)
{
	struct sim_queue *q = ctx;
	struct sim_queue_home *home = q->home;
	struct store_job *jobs = q->waiting, *last = q->waiting_last;

	q->run_set = false;
	q->waiting = q->waiting_last = NULL;
	home->disk->user = home->disk_user;
	if (jobs)
		(void)q->engine->ops->run(q->engine, jobs, NULL, 0);
	if (q->finished_last)
		q->finished_last->next = jobs;
	else
		q->finished = jobs;
	if (jobs)
		q->finished_last = last;
	if (home->disk_user->gone) {
		home->died(home->ctx); /* frees the queue */
		return;
	}
	results_spoil(q, jobs);
	wake_all(q);
	if (q->finished)
		tell_set(q);
}

static void run_set(struct sim_queue *q)
{
	if (!q->run_set)
		q->run = loop_after(q->home->loop, q->home->host, q->home->delay_ms(q->home->ctx),
				    run, q);
	q->run_set = true;
}

/* ---- the interface ---- */

static enum err queue_submit(struct store *s, struct store_batch *batch, store_done_fn *done,
			     void *ctx)
{
	struct sim_queue *q = queue_of(s);
	struct store_job *job = store_job_new(batch, done, ctx);

	CHECK(job != NULL);
	if (q->held_n >= STORE_QUEUE_MAX) {
		store_jobs_free(job);
		return ERR_BUSY;
	}
	q->held_n++;
	if (q->waiting_last)
		q->waiting_last->next = job;
	else
		q->waiting = job;
	q->waiting_last = job;
	run_set(q);
	return ERR_OK;
}

static size_t topic_place(struct sim_queue *q, const char *name)
{
	size_t i = 0;

	while (i < q->topics_n && strcmp(q->topics[i].name, name) != 0)
		i++;
	CHECK(i < TOPICS_MAX && strlen(name) < sizeof(q->topics[i].name));
	if (i == q->topics_n)
		memcpy(q->topics[q->topics_n++].name, name, strlen(name) + 1);
	return i;
}

static void queue_on_notify(struct store *s, const char *topic, void (*fn)(void *ctx), void *ctx)
{
	struct sim_queue *q = queue_of(s);
	size_t i = topic_place(q, topic);

	q->topics[i].fn = fn;
	q->topics[i].ctx = ctx;
}

static enum err queue_notify(struct store *s, const char *topic)
{
	struct sim_queue *q = queue_of(s);

	q->topics[topic_place(q, topic)].asked = true;
	run_set(q);
	return ERR_OK;
}

static void queue_leave(struct sim_queue *q)
{
	struct sim_queue **at = &q->home->queues->first;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
}

static void queue_free(struct store *s)
{
	struct sim_queue *q = queue_of(s);
	struct sim_queue_home *home = q->home;

	home->disk->user = home->disk_user;
	if (q->waiting && !home->disk_user->gone)
		(void)q->engine->ops->run(q->engine, q->waiting, NULL, 0);
	q->engine->ops->free(q->engine);
	loop_cancel(home->loop, &q->run);
	loop_cancel(home->loop, &q->tell);
	store_jobs_free(q->waiting);
	store_jobs_free(q->finished);
	queue_leave(q);
	q->closed = true;
	if (!q->delivering)
		free(q);
}

static const struct store_ops ops = {
	.submit = queue_submit,
	.on_notify = queue_on_notify,
	.notify = queue_notify,
	.free = queue_free,
};

/* ---- instead of store/queue.c ---- */

enum err store_queue_start(struct store **ret_store, struct store_engine *engine,
			   const struct store_executor *executor, struct err_note *note)
{
	struct sim_queue *q = calloc(1, sizeof(*q));
	struct sim_queue_home *home = executor->loop;

	(void)note;
	CHECK(q != NULL);
	*q = (struct sim_queue){
		.store = {&ops}, .home = home, .engine = engine, .next = home->queues->first};
	home->queues->first = q;
	*ret_store = &q->store;
	return ERR_OK;
}

void store_queue_wake(struct store *s, const char *topic)
{
	wake(queue_of(s), topic);
}

/* ---- instead of store/sqlite_file.c ---- */

static struct disk *the_disk(void)
{
	return sqlite3_vfs_find(NULL)->pAppData;
}

enum err sqlite_file_resolve(char **ret_path, const char *path, struct err_note *note)
{
	(void)note;
	*ret_path = strdup(path);
	return *ret_path ? ERR_OK : ERR_NOMEM;
}

enum err sqlite_file_take(struct sqlite_file *ret_file, const char *path, struct err_note *note)
{
	struct disk *d = the_disk();
	struct sqlite_file f = {.lock_fd = 1};
	sqlite3_file *h;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

	if (d->locks_n > 0 && !d->many)
		return err_say(note, ERR_CONFIG_VALUE, "database %s is in use", path);
	h = calloc(1, (size_t)d->vfs.szOsFile);
	CHECK(h != NULL);
	if (d->vfs.xOpen(&d->vfs, path, h, flags, NULL) == SQLITE_OK)
		(void)h->pMethods->xClose(h);
	free(h);
	TRY(sqlite_file_resolve(&f.path, path, note));
	d->locks_n++;
	*ret_file = f;
	return ERR_OK;
}

void sqlite_file_release(struct sqlite_file *f)
{
	if (f->lock_fd == 1)
		the_disk()->locks_n--;
	free(f->path);
	*f = (struct sqlite_file){.lock_fd = -1};
}

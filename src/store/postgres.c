/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The PostgreSQL engine. What is known about a transaction whose connection breaks:
 *
 *   before COMMIT was sent   nothing of it is stored, and the server will undo it: it is run again
 *   after that               it may be stored or not; running it again could do it twice. Its
 *                            batches end ERR_TRANSIENT, and the note says so. Whoever submitted
 *                            them looks, or submits a compare-and-set again, which finds its own
 *                            deed and ends ERR_STATE_MOVED.
 */
#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/pg_dialect.h"
#include "store/pg_listen.h"
#include "store/pg_migrate.h"
#include "store/pg_session.h"
#include "store/queue.h"

enum {
	WINDOW_JOBS = 32,  /* batches of one round trip: as deep do their savepoints nest */
	BARE_JOBS = 256,   /* the same, without savepoints */
	GUARDED_RUNS = 16, /* after a failure */
	WINDOW_BYTES = 1 << 20,
	RUN_MS = 30000,       /* what has not begun by then is given up */
	RECONNECT_MS = 10000, /* of them at most for finding the server again */
	BACKOFF_FIRST_MS = 50,
	BACKOFF_MAX_MS = 1000,
	TRIES = 3, /* of one batch in a transaction of its own */
	OPEN_TRIES = 5,
	OPEN_PAUSE_MS = 1000,
	BURST_MAX = 8 << 20, /* libpq keeps its buffers: a larger one goes with its connection */
	SAVEPOINT_SIZE = 32,
	MS_PER_S = 1000,
	NS_PER_MS = 1000 * 1000,
};

struct pg_engine {
	struct store_engine engine;
	struct pg_target target;
	struct pg_session session;
	struct pg_listener *listener;
	char owner[PG_OWNER_SIZE];
	atomic_int own_pid; /* of the session's backend */
	unsigned guarded_n; /* so many runs more are begun with savepoints */
	int64_t run_until, reconnect_until;
};

enum outcome {
	DONE,       /* every job has its answer, and what they say is on disk */
	LOST,       /* nothing is stored: the connection broke */
	BEATEN,     /* nothing is stored: another transaction went first */
	SPOILED,    /* nothing is stored: a job failed that had no savepoint, beside others */
	UNSURE,     /* the connection broke while committing */
	UNREACHABLE /* nothing is stored: the server is not found again */
};

/* The jobs from `first` up to `end` in one transaction. */
struct work {
	struct store_job *first;
	const struct store_job *end;
	const char *const *topics;
	size_t topics_n;
	struct err_note note; /* of an outcome that is not DONE */
	enum err err;
};

static int64_t now_ms(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (int64_t)t.tv_sec * MS_PER_S + t.tv_nsec / NS_PER_MS;
}

static void sleep_ms(int ms)
{
	const struct timespec t = {ms / MS_PER_S, (long)(ms % MS_PER_S) * NS_PER_MS};

	(void)nanosleep(&t, NULL);
}

/* ---- the connection ---- */

static void session_opened(struct pg_engine *p)
{
	atomic_store(&p->own_pid, p->session.conn.lib->backendPID(p->session.conn.pq));
}

/* The first loss of a run starts the time in which the server must be found again. */
static enum err session_ready(struct pg_engine *p, struct err_note *note)
{
	int backoff_ms = BACKOFF_FIRST_MS;

	if (pg_session_usable(&p->session))
		return ERR_OK;
	pg_session_close(&p->session);
	if (p->reconnect_until == 0)
		p->reconnect_until = now_ms() + RECONNECT_MS;
	else if (now_ms() > p->reconnect_until)
		return err_say(note, ERR_UNAVAILABLE, "postgres: no connection for %d s",
			       RECONNECT_MS / MS_PER_S);
	for (;;) {
		enum err e = pg_session_open(&p->session, &p->target, note);

		if (e == ERR_OK) {
			session_opened(p);
			return ERR_OK;
		}
		if (now_ms() + backoff_ms > p->reconnect_until)
			return e;
		sleep_ms(backoff_ms);
		backoff_ms = backoff_ms < BACKOFF_MAX_MS / 2 ? 2 * backoff_ms : BACKOFF_MAX_MS;
	}
}

/* ---- one transaction ---- */

static const char *savepoint(char ret_sql[static SAVEPOINT_SIZE], const char *verb, size_t at)
{
	(void)snprintf(ret_sql, SAVEPOINT_SIZE, "%s b%zu", verb, at);
	return ret_sql;
}

/* Adds the jobs of the next window, where guarded each in a savepoint inside the one before it.
 * Returns the job after them. */
static struct store_job *window_fill(struct pg_session *s, struct store_job *job,
				     const struct store_job *end, bool savepoints)
{
	const size_t jobs_max = savepoints ? WINDOW_JOBS : BARE_JOBS;
	char sql[SAVEPOINT_SIZE];
	size_t bytes = 0;

	for (size_t at = 0; job != end && at < jobs_max && s->steps_n < PG_STEPS_SOFT; at++) {
		if (at > 0 && bytes + job->batch.arena.used > WINDOW_BYTES)
			break;
		if (savepoints)
			pg_session_control(s, PG_STEP_CONTROL, savepoint(sql, "SAVEPOINT", at));
		pg_session_batch(s, job);
		bytes += job->batch.arena.used;
		job = job->next;
	}
	if (bytes > s->burst)
		s->burst = bytes;
	return job;
}

static size_t distance(const struct store_job *from, const struct store_job *to)
{
	size_t n = 0;

	for (; from != to; from = from->next)
		n++;
	return n;
}

static enum outcome broke(struct work *w, enum err e, const struct pg_fault *f)
{
	w->err = e;
	w->note = f->note;
	return LOST;
}

/* ERR_TRANSIENT from the server: this transaction was chosen to give way. */
static enum outcome gives_way(struct pg_session *s, struct work *w, const struct pg_fault *f)
{
	struct pg_fault ignored;

	w->err = f->err;
	w->note = f->note;
	pg_session_control(s, PG_STEP_CONTROL, "ROLLBACK");
	if (pg_session_sync(s, &ignored) != ERR_OK)
		s->conn.broken = true; /* and what was done is undone as well */
	return BEATEN;
}

/* All is undone, to be run again with savepoints. */
static enum outcome spoiled(struct pg_session *s)
{
	struct pg_fault ignored;

	pg_session_control(s, PG_STEP_CONTROL, "ROLLBACK");
	if (pg_session_sync(s, &ignored) != ERR_OK)
		s->conn.broken = true;
	return SPOILED;
}

/*
 * All windows. With DONE each job has an answer or an error, and a transaction waits for its
 * COMMIT. *ret_undone: the only job failed, which had no savepoint, so all must be undone.
 */
static enum outcome windows_run(struct pg_engine *p, struct work *w, bool savepoints,
				bool *ret_undone)
{
	struct pg_session *s = &p->session;
	bool several = w->first->next != w->end;
	char sql[SAVEPOINT_SIZE];
	struct pg_fault f;

	pg_session_begin(s);
	for (struct store_job *job = w->first, *next; job != w->end; job = next) {
		if (now_ms() > p->run_until) {
			(void)err_say(&w->note, ERR_TIMEOUT,
				      "postgres: not tried: its turn did "
				      "not come in time");
			store_jobs_fail(job, w->end, ERR_TIMEOUT, &w->note);
			return DONE;
		}
		next = window_fill(s, job, w->end, savepoints);

		enum err e = pg_session_sync(s, &f);

		if (e != ERR_OK)
			return broke(w, e, &f);
		if (f.err == ERR_TRANSIENT || (f.err != ERR_OK && !f.job))
			return gives_way(s, w, &f);
		if (f.err != ERR_OK && several && !savepoints)
			return spoiled(s);
		if (f.err != ERR_OK) {
			store_answer_fail(&f.job->answer, f.err, &f.note);
			next = f.job->next;
			*ret_undone = !savepoints;
			if (savepoints)
				pg_session_control(
					s, PG_STEP_CONTROL,
					savepoint(sql, "ROLLBACK TO", distance(job, f.job)));
		}
		if (savepoints)
			pg_session_control(s, PG_STEP_CONTROL, "RELEASE b0");
	}
	return DONE;
}

static enum outcome commit(struct pg_session *s, struct work *w, bool undone)
{
	struct pg_fault f;

	/* Outside of a transaction, what was undone needs no COMMIT for its topics. */
	if (undone)
		pg_session_control(s, PG_STEP_CONTROL, "ROLLBACK");
	for (size_t i = 0; i < w->topics_n; i++)
		pg_session_notify(s, w->topics[i]);
	if (!undone)
		pg_session_control(s, PG_STEP_COMMIT, "COMMIT");

	bool wrote = s->wrote && !undone;
	enum err e = pg_session_sync(s, &f);

	if (s->committed || (undone && e == ERR_OK))
		return DONE;
	if (e != ERR_OK) {
		(void)broke(w, e, &f);
		return wrote ? UNSURE : LOST;
	}
	if (f.err == ERR_TRANSIENT || f.err == ERR_TIMEOUT)
		return gives_way(s, w, &f);
	/* What was read may rest on what is now not stored: every answer is void. */
	store_jobs_fail(w->first, w->end, f.err != ERR_OK ? f.err : ERR_INTERNAL, &f.note);
	return DONE;
}

/*
 * A batch seldom fails, and a savepoint costs the server as much as a statement: several are run
 * without, and only where one failed again from the beginning, with them.
 */
static enum outcome transaction_run(struct pg_engine *p, struct work *w)
{
	bool several = w->first->next != w->end, undone = false;
	bool savepoints = several && p->guarded_n > 0;
	enum outcome o = SPOILED;

	if (savepoints)
		p->guarded_n--;
	while (o == SPOILED) {
		w->err = session_ready(p, &w->note);
		if (w->err != ERR_OK)
			return LOST;
		o = windows_run(p, w, savepoints, &undone);
		if (o == SPOILED)
			p->guarded_n = GUARDED_RUNS;
		savepoints = several;
	}
	return o == DONE ? commit(&p->session, w, undone) : o;
}

/* ---- a run ---- */

static void unsure_say(struct work *w)
{
	struct err_note note;

	(void)err_say(&note, ERR_TRANSIENT,
		      "the connection broke while committing, the commit may have happened: %s",
		      w->note.text);
	store_jobs_fail(w->first, w->end, ERR_TRANSIENT, &note);
}

/* The end of a transaction that will not be tried again. */
static void give_up(struct work *w, enum outcome o)
{
	if (o == UNSURE)
		unsure_say(w);
	else if (o != DONE) /* ERR_TRANSIENT is kept for what nobody knows */
		store_jobs_fail(w->first, w->end, w->err == ERR_TRANSIENT ? ERR_TIMEOUT : w->err,
				&w->note);
}

/* One batch must not take its neighbours along. */
static void job_alone(struct pg_engine *p, struct store_job *job)
{
	struct work w = {.first = job, .end = job->next};
	enum outcome o = transaction_run(p, &w);

	for (int i = 1; i < TRIES && (o == LOST || o == BEATEN); i++) {
		if (o == BEATEN)
			sleep_ms(BACKOFF_FIRST_MS * i);
		o = transaction_run(p, &w);
	}
	give_up(&w, o);
}

static bool topics_tell(struct pg_engine *p, const char *const *topics, size_t topics_n)
{
	struct pg_session *s = &p->session;
	struct pg_fault f;

	if (topics_n == 0)
		return true;
	if (session_ready(p, NULL) != ERR_OK)
		return false;
	for (size_t i = 0; i < topics_n; i++)
		pg_session_notify(s, topics[i]);
	return pg_session_sync(s, &f) == ERR_OK && f.err == ERR_OK;
}

static bool jobs_run(struct pg_engine *p, struct store_job *first, const char *const *topics,
		     size_t topics_n)
{
	struct work w = {.first = first, .topics = topics, .topics_n = topics_n};
	enum outcome o = transaction_run(p, &w);

	if (o == LOST && session_ready(p, NULL) == ERR_OK)
		o = transaction_run(p, &w);
	if (o == LOST && session_ready(p, NULL) != ERR_OK)
		o = UNREACHABLE;
	if (o == DONE || o == UNSURE || o == UNREACHABLE) {
		give_up(&w, o);
		return o == DONE;
	}
	for (struct store_job *job = first; job; job = job->next)
		job_alone(p, job);
	return topics_tell(p, topics, topics_n);
}

static bool engine_run(struct store_engine *e, struct store_job *first, const char *const *topics,
		       size_t topics_n)
{
	struct pg_engine *p = CONTAINER_OF(e, struct pg_engine, engine);
	bool told = false;

	p->run_until = now_ms() + RUN_MS;
	p->reconnect_until = 0;
	told = first ? jobs_run(p, first, topics, topics_n) : topics_tell(p, topics, topics_n);
	if (p->session.burst > BURST_MAX)
		pg_session_close(&p->session);
	return told;
}

static void engine_free(struct store_engine *e)
{
	struct pg_engine *p = CONTAINER_OF(e, struct pg_engine, engine);

	pg_listener_stop(p->listener);
	pg_session_close(&p->session);
	pg_target_free(&p->target);
	free(p);
}

static const struct store_engine_ops engine_ops = {.run = engine_run, .free = engine_free};

/* ---- opening ---- */

static enum err connect_first(struct pg_conn *c, struct pg_target *t, struct err_note *note)
{
	for (int i = 1;; i++) {
		enum err e = pg_conn_open(c, t, note);

		if (e != ERR_UNAVAILABLE || i == OPEN_TRIES)
			return e;
		sleep_ms(OPEN_PAUSE_MS);
	}
}

/* At the start a refusal is the operator's to mend. */
static enum err engine_prepare(struct pg_engine *p, const char *url, const char *schema,
			       const struct store_migrations *m, struct err_note *note)
{
	struct pg_conn conn = {0};

	TRY(pg_target_init(&p->target, url, schema, note));
	TRY(connect_first(&conn, &p->target, note));

	enum err e = pg_migrate(&conn, m, note);

	if (e != ERR_OK) {
		pg_conn_close(&conn);
		return e;
	}
	TRY(pg_session_adopt(&p->session, &conn, note));
	session_opened(p);
	return ERR_OK;
}

static enum err owner_set(struct pg_engine *p, const char *owner)
{
	if (!owner)
		return ERR_OK;
	for (size_t i = 0; owner[i]; i++)
		if (!isalnum((unsigned char)owner[i]) || i + 1 >= sizeof(p->owner))
			return ERR_RANGE;
	(void)snprintf(p->owner, sizeof(p->owner), "%s", owner);
	return ERR_OK;
}

enum err store_postgres_open(struct store **ret_store, const struct store_executor *executor,
			     const char *url, const char *schema,
			     const struct store_migrations *migrations, struct err_note *note)
{
	struct pg_engine *p = calloc(1, sizeof(*p));
	struct store *s = NULL;

	if (!p)
		return ERR_NOMEM;
	p->engine.ops = &engine_ops;

	enum err e = owner_set(p, executor->owner);

	if (e == ERR_OK)
		e = engine_prepare(p, url, schema, migrations, note);

	if (e == ERR_OK)
		e = store_queue_start(&s, &p->engine, executor, note);
	if (e != ERR_OK) {
		engine_free(&p->engine);
		return e;
	}
	e = pg_listener_start(&p->listener, &p->target, s, p->owner[0] ? p->owner : NULL,
			      &p->own_pid, note);
	if (e != ERR_OK) {
		store_free(s);
		return e;
	}
	*ret_store = s;
	return ERR_OK;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"

/* ---- clock ---- */

/* The clock's own part of a timer. */
struct armed {
	struct timer *next;
	int64_t at_ms;
};

static struct sim *sim_of(struct clock *c)
{
	return CONTAINER_OF(c, struct sim, clock);
}

static int64_t mono_ms(struct clock *c)
{
	return sim_of(c)->now_ms;
}

static int64_t wall_ms(struct clock *c)
{
	return sim_of(c)->now_ms + SIM_WALL_OFFSET_MS;
}

static struct armed *armed_of(struct timer *t)
{
	return t->impl;
}

static void timer_cancel(struct clock *c, struct timer *t)
{
	struct sim *s = sim_of(c);

	if (!t->armed)
		return;
	for (struct timer **at = &s->timers; *at; at = &armed_of(*at)->next)
		if (*at == t) {
			*at = armed_of(t)->next;
			break;
		}
	free(t->impl);
	t->impl = NULL;
	t->armed = false;
}

static void timer_set(struct clock *c, struct timer *t, int64_t delay_ms, timer_fn *fn, void *ctx)
{
	struct sim *s = sim_of(c);
	struct timer **at = &s->timers;

	timer_cancel(c, t);
	struct armed *a = calloc(1, sizeof(*a));
	assert_non_null(a);
	a->at_ms = s->now_ms + (delay_ms > 0 ? delay_ms : 0);
	*t = (struct timer){.fn = fn, .ctx = ctx, .armed = true, .impl = a};
	while (*at && armed_of(*at)->at_ms <= a->at_ms)
		at = &armed_of(*at)->next;
	a->next = *at;
	*at = t;
}

static const struct clock_ops clock_ops = {
	.mono_ms = mono_ms,
	.wall_ms = wall_ms,
	.timer_set = timer_set,
	.timer_cancel = timer_cancel,
};

struct sim_event {
	struct timer timer;
	struct sim *sim;
	void (*fn)(void *ctx);
	void *ctx;
};

static void event_fire(void *ctx)
{
	struct sim_event *e = ctx;
	void (*fn)(void *) = e->fn;
	void *fn_ctx = e->ctx;

	free(e);
	fn(fn_ctx);
}

struct sim_event *sim_after(struct sim *s, int64_t delay_ms, void (*fn)(void *ctx), void *ctx)
{
	struct sim_event *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	*e = (struct sim_event){.sim = s, .fn = fn, .ctx = ctx};
	clock_timer_set(&s->clock, &e->timer, delay_ms, event_fire, e);
	return e;
}

void sim_cancel(struct sim_event *e)
{
	clock_timer_cancel(&e->sim->clock, &e->timer);
	free(e);
}

/* ---- posts ---- */

static enum err post(void *loop, void (*fn)(void *ctx), void *ctx)
{
	struct sim *s = loop;
	struct sim_post *p = calloc(1, sizeof(*p));

	if (!p)
		return ERR_NOMEM;
	p->fn = fn;
	p->ctx = ctx;
	pthread_mutex_lock(&s->lock);
	if (s->last)
		s->last->next = p;
	else
		s->first = p;
	s->last = p;
	pthread_cond_signal(&s->arrived);
	pthread_mutex_unlock(&s->lock);
	return ERR_OK;
}

/* One post, waiting for it if the store owes one. False when there is none and none is owed. */
static bool run_post(struct sim *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->first && s->store.outstanding > 0)
		pthread_cond_wait(&s->arrived, &s->lock);
	struct sim_post *p = s->first;
	if (p) {
		s->first = p->next;
		if (!s->first)
			s->last = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (!p)
		return false;
	p->fn(p->ctx);
	free(p);
	return true;
}

/* ---- store ---- */

struct sim_job {
	struct sim_store *store;
	store_done_fn *done;
	void *ctx;
	size_t topic;
	enum err failed;
};

static struct sim_store *store_of(struct store *s)
{
	return CONTAINER_OF(s, struct sim_store, base);
}

static void on_done(void *ctx, const struct store_result *r)
{
	struct sim_job job = *(struct sim_job *)ctx;

	free(ctx);
	job.store->outstanding--;
	if (job.done && job.failed != ERR_OK)
		job.done(job.ctx, &(const struct store_result){.err = job.failed});
	else if (job.done)
		job.done(job.ctx, r);
}

static void on_failed(void *ctx)
{
	struct sim_job job = *(struct sim_job *)ctx;
	const struct store_result r = {.err = job.failed};

	free(ctx);
	if (job.done)
		job.done(job.ctx, &r);
}

static enum err store_submit_(struct store *base, struct store_batch *batch, store_done_fn *done,
			      void *ctx)
{
	struct sim_store *s = store_of(base);
	struct sim_job *job = calloc(1, sizeof(*job));

	assert_non_null(job);
	*job = (struct sim_job){.store = s, .done = done, .ctx = ctx};
	s->submits++;
	if (s->fail_next != ERR_OK) {
		job->failed = s->fail_next;
		s->fail_next = ERR_OK;
		store_batch_free(batch);
		(void)sim_after(s->sim, 1, on_failed, job);
		return ERR_OK;
	}
	if (s->unsure_in > 0 && --s->unsure_in == 0)
		job->failed = ERR_TRANSIENT;
	s->outstanding++;
	enum err e = store_submit(s->real, batch, on_done, job);
	if (e != ERR_OK) {
		s->outstanding--;
		free(job);
	}
	return e;
}

static void store_on_notify_(struct store *base, const char *topic, void (*fn)(void *ctx),
			     void *ctx)
{
	struct sim_store *s = store_of(base);

	for (size_t i = 0; i < ARRAY_LEN(s->topics); i++)
		if (s->topics[i].name[0] == '\0' || strcmp(s->topics[i].name, topic) == 0) {
			(void)snprintf(s->topics[i].name, sizeof(s->topics[i].name), "%s", topic);
			s->topics[i].fn = fn;
			s->topics[i].ctx = ctx;
			return;
		}
	fail_msg("too many topics");
}

static void on_notified(void *ctx, const struct store_result *r)
{
	struct sim_topic *t = ctx;

	assert_int_equal(r->err, ERR_OK);
	if (t->fn)
		t->fn(t->ctx);
}

/* By a batch of its own, behind all that waits: the clock then waits for the wake as for any batch.
 */
static enum err store_notify_(struct store *base, const char *topic)
{
	struct sim_store *s = store_of(base);
	struct store_batch b = store_batch_make(1 << 12);

	for (size_t i = 0; i < ARRAY_LEN(s->topics); i++)
		if (strcmp(s->topics[i].name, topic) == 0) {
			assert_int_equal(STORE_ADD(&b, STORE_ANY, "SELECT 1"), ERR_OK);
			return store_submit_(base, &b, on_notified, &s->topics[i]);
		}
	return ERR_OK;
}

static const struct store_ops store_ops = {
	.submit = store_submit_,
	.on_notify = store_on_notify_,
	.notify = store_notify_,
};

#define SIM_SCHEMA "sim"

static void open_database(struct sim *s)
{
	const struct store_executor executor = {.post = post, .loop = s};
	struct err_note note = {0};
	enum err e = s->url ? store_open(&s->store.real, &executor, s->url, SIM_SCHEMA,
					 &connector_migrations, &note)
			    : store_sqlite_open(&s->store.real, &executor, s->path,
						&connector_migrations, &note);

	if (e != ERR_OK)
		fail_msg("database: %s: %s", err_name(e), note.text);
}

void sim_store_reopen(struct sim *s)
{
	while (run_post(s))
		;
	store_free(s->store.real);
	while (run_post(s))
		;
	open_database(s);
}

static void take_cell(void *ctx, const struct store_value *cells, size_t n)
{
	struct store_value *out = ctx;

	if (n == 0 || out->type != STORE_NULL)
		return;
	*out = cells[0];
	if (cells[0].type == STORE_TEXT || cells[0].type == STORE_BLOB) {
		static char text[4096];
		size_t len = cells[0].b.n < sizeof(text) - 1 ? cells[0].b.n : sizeof(text) - 1;

		if (len > 0)
			memcpy(text, cells[0].b.p, len);
		text[len] = '\0';
		out->b = bytes_from(text, len);
	}
}

static struct store_value query(struct sim *s, const char *sql)
{
	struct store_value cell = store_null();
	struct err_note note = {0};

	/* What was submitted before is there when this is read. */
	while (s->store.outstanding > 0)
		(void)run_post(s);
	enum err e = s->url ? store_query(s->url, SIM_SCHEMA, sql, NULL, 0, take_cell, &cell, &note)
			    : store_sqlite_query(s->path, sql, NULL, 0, take_cell, &cell, &note);
	if (e != ERR_OK)
		fail_msg("%s: %s", sql, note.text);
	return cell;
}

int64_t sim_sql_int(struct sim *s, const char *sql)
{
	struct store_value v = query(s, sql);

	return v.type == STORE_INT ? v.i : 0;
}

const char *sim_sql_text(struct sim *s, const char *sql)
{
	struct store_value v = query(s, sql);

	return v.type == STORE_TEXT || v.type == STORE_BLOB ? (const char *)v.b.p : "";
}

/* ---- running ---- */

static bool step(struct sim *s, int64_t until_ms)
{
	if (run_post(s))
		return true;
	struct timer *t = s->timers;
	if (!t || armed_of(t)->at_ms > until_ms)
		return false;
	if (armed_of(t)->at_ms > s->now_ms)
		s->now_ms = armed_of(t)->at_ms;
	timer_cancel(&s->clock, t);
	t->fn(t->ctx);
	return true;
}

bool sim_run_until(struct sim *s, bool (*cond)(void *ctx), void *ctx, int64_t ms)
{
	int64_t until_ms = s->now_ms + ms;

	for (uint64_t n = 0; !(cond && cond(ctx)); n++) {
		if (n > 10000000)
			fail_msg("the world does not come to rest");
		if (!step(s, until_ms)) {
			s->now_ms = until_ms;
			return cond && cond(ctx);
		}
	}
	return true;
}

void sim_run(struct sim *s, int64_t ms)
{
	(void)sim_run_until(s, NULL, NULL, ms);
}

void sim_init(struct sim *s, uint64_t seed)
{
	*s = (struct sim){.clock = {&clock_ops}, .now_ms = SIM_START_MS};
	(void)rng_seeded_init(&s->rng, seed);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->arrived, NULL);
	s->store.base.ops = &store_ops;
	s->store.sim = s;

	/* In memory where there is such a place: these tests commit tens of thousands of times, and
	 * a busy disk would decide how long they take. What a disk may lose is tests/sim's subject.
	 */
	char in_memory[] = "/dev/shm/connector-sim-XXXXXX", on_disk[] = "/tmp/connector-sim-XXXXXX";
	const char *dir = mkdtemp(in_memory);

	if (!dir)
		dir = mkdtemp(on_disk);
	assert_non_null(dir);
	(void)snprintf(s->path, sizeof(s->path), "%s/db", dir);
	open_database(s);
}

static void remove_files(struct sim *s)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock", "-lock"};
	char path[96];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", s->path, suffixes[i]);
		(void)unlink(path);
	}
	*strrchr(s->path, '/') = '\0';
	(void)rmdir(s->path);
}

void sim_free(struct sim *s)
{
	while (run_post(s))
		;
	store_free(s->store.real);
	while (run_post(s))
		;
	while (s->timers) {
		struct timer *t = s->timers;

		/* Services have stopped: what is left are this world's own events. */
		assert_ptr_equal(t->fn, event_fire);
		sim_cancel(t->ctx);
	}
	remove_files(s);
	pthread_cond_destroy(&s->arrived);
	pthread_mutex_destroy(&s->lock);
}

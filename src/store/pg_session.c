/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/pg_session.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/pg_dialect.h"
#include "store/pg_value.h"

enum {
	NAME_SIZE = 16,
	SQL_SIZE_MAX = 64 << 10,
	SQL_SHOWN_MAX = 80, /* of a failing statement in a note */
};

/* ---- prepared statements ---- */

/* FNV-1a, 64 bit: the keys are our own literals. */
static uint64_t statement_hash(const struct store_statement *st)
{
	uint64_t h = 0xcbf29ce484222325;

	for (const char *p = st->sql; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3;
	for (size_t i = 0; i < st->args_n; i++)
		h = (h ^ (uint64_t)st->args[i].type) * 0x100000001b3;
	return h;
}

static bool is_of(const struct pg_prepared *p, const struct store_statement *st, uint64_t hash)
{
	if (p->hash != hash || p->args_n != st->args_n || strcmp(p->sql, st->sql) != 0)
		return false;
	for (size_t i = 0; i < st->args_n; i++)
		if (p->types[i] != st->args[i].type)
			return false;
	return true;
}

static void cache_clear(struct pg_session *s)
{
	for (size_t i = 0; s->cache && i < PG_PREPARED_SLOTS; i++) {
		free(s->cache[i].sql);
		s->cache[i] = (struct pg_prepared){0};
	}
	s->cached_n = 0;
}

/* NULL when it is not there and there is no room or memory for it. */
static struct pg_prepared *cache_get(struct pg_session *s, const struct store_statement *st)
{
	uint64_t hash = statement_hash(st);
	size_t i = hash % PG_PREPARED_SLOTS;

	while (s->cache[i].sql && !is_of(&s->cache[i], st, hash))
		i = (i + 1) % PG_PREPARED_SLOTS;

	struct pg_prepared *p = &s->cache[i];

	if (p->sql)
		return p;
	if (s->cached_n == PG_PREPARED_MAX)
		return NULL;
	p->sql = strdup(st->sql);
	if (!p->sql)
		return NULL;
	p->hash = hash;
	p->args_n = st->args_n;
	for (size_t k = 0; k < st->args_n; k++)
		p->types[k] = (uint8_t)st->args[k].type;
	p->number = s->prepared_n++;
	p->state = PG_UNPREPARED;
	s->cached_n++;
	return p;
}

static void slot_name(char ret_name[static NAME_SIZE], const struct pg_prepared *slot)
{
	ret_name[0] = '\0';
	if (slot)
		(void)snprintf(ret_name, NAME_SIZE, "s%u", slot->number);
}

/* ---- sending ---- */

static void step_add(struct pg_session *s, struct pg_step step)
{
	CHECK(s->steps_n < PG_STEPS_MAX);
	s->steps[s->steps_n++] = step;
}

/* What libpq could not take never comes back: the connection is given up. */
static void sent(struct pg_session *s, int ok, struct pg_step step)
{
	if (ok)
		step_add(s, step);
	else
		s->conn.broken = true;
}

void pg_session_control(struct pg_session *s, enum pg_step_kind kind, const char *sql)
{
	sent(s, s->conn.lib->sendQueryParams(s->conn.pq, sql, 0, NULL, NULL, NULL, NULL, 1),
	     (struct pg_step){.kind = kind});
}

void pg_session_begin(struct pg_session *s)
{
	/* Room for other statements: all are prepared anew. */
	if (s->cached_n == PG_PREPARED_MAX) {
		cache_clear(s);
		pg_session_control(s, PG_STEP_CONTROL, "DEALLOCATE ALL");
	}
	s->wrote = false;
	pg_session_control(s, PG_STEP_CONTROL, "BEGIN");
}

void pg_session_notify(struct pg_session *s, const char *topic)
{
	const char *const values[] = {s->conn.target->schema, topic};

	sent(s,
	     s->conn.lib->sendQueryParams(s->conn.pq, "SELECT pg_notify($1, $2)", ARRAY_LEN(values),
					  NULL, values, NULL, NULL, 1),
	     (struct pg_step){.kind = PG_STEP_CONTROL});
}

static enum err prepare(struct pg_session *s, struct store_job *job,
			const struct store_statement *st, struct pg_prepared *slot)
{
	CLEANUP(buf_free) struct buf sql = buf_make(SQL_SIZE_MAX);
	char name[NAME_SIZE];
	Oid types[PG_ARGS_MAX];
	const char *text = NULL;
	size_t params_n = 0;

	TRY(pg_dialect(&sql, st->sql, false, &params_n));
	TRY(buf_cstr(&sql, &text));
	if (params_n != st->args_n)
		return ERR_INTERNAL;
	for (size_t i = 0; i < st->args_n; i++)
		types[i] = pg_value_type(&st->args[i]);
	slot_name(name, slot);
	sent(s, s->conn.lib->sendPrepare(s->conn.pq, name, text, (int)st->args_n, types),
	     (struct pg_step){.kind = PG_STEP_PREPARE, .slot = slot, .job = job});
	if (slot)
		slot->state = PG_PREPARING;
	return ERR_OK;
}

static enum err statement_send(struct pg_session *s, struct store_job *job, size_t at)
{
	const struct store_statement *st = &job->batch.v[at];
	char name[NAME_SIZE];
	struct pg_args a;

	TRY(pg_args_fill(&a, st->args, st->args_n));

	struct pg_prepared *slot = cache_get(s, st);

	if (!slot || slot->state == PG_UNPREPARED)
		TRY(prepare(s, job, st, slot));
	slot_name(name, slot);
	sent(s,
	     s->conn.lib->sendQueryPrepared(s->conn.pq, name, (int)st->args_n, a.values, a.lengths,
					    a.formats, 1),
	     (struct pg_step){.kind = PG_STEP_STATEMENT, .statement = at, .job = job});
	return ERR_OK;
}

void pg_session_batch(struct pg_session *s, struct store_job *job)
{
	enum err e = store_answer_begin(&job->answer, job->batch.n);
	size_t at = 0;

	while (e == ERR_OK && at < job->batch.n && !s->conn.broken)
		e = statement_send(s, job, at++);
	if (e != ERR_OK)
		step_add(s, (struct pg_step){.kind = PG_STEP_REFUSED,
					     .err = e,
					     .statement = at > 0 ? at - 1 : 0,
					     .job = job});
}

/* ---- receiving ---- */

static const char *step_sql(const struct pg_step *step)
{
	if (step->kind == PG_STEP_STATEMENT || step->kind == PG_STEP_REFUSED)
		return step->statement < step->job->batch.n
			       ? step->job->batch.v[step->statement].sql
			       : "";
	return step->kind == PG_STEP_PREPARE && step->slot ? step->slot->sql : "a transaction";
}

/* Only the first fault counts. */
static struct err_note *fault_set(struct pg_fault *f, enum err e, const struct pg_step *step)
{
	f->err = e;
	f->job = step->job;
	return &f->note;
}

static void rows_take(struct pg_session *s, const struct pg_step *step, const PGresult *r,
		      struct pg_fault *f)
{
	const struct pg_lib *lib = s->conn.lib;
	struct store_value cells[PG_COLUMNS_MAX];
	size_t n = 0, bytes = 0;

	for (int i = 0; i < lib->ntuples(r) && f->err == ERR_OK; i++) {
		enum err e = pg_row_read(lib, r, i, cells, &n);

		if (e == ERR_OK)
			e = store_answer_row(&step->job->answer, cells, n);
		if (e != ERR_OK)
			(void)err_say(fault_set(f, e, step), e, "%s: a row of: %.*s", err_name(e),
				      SQL_SHOWN_MAX, step_sql(step));
	}
	for (int i = 0; i < lib->nfields(r) && lib->ntuples(r) > 0; i++)
		bytes += (size_t)lib->getlength(r, 0, i);
	if (bytes > s->burst)
		s->burst = bytes;
}

/* The command is complete: "SELECT 5", "UPDATE 1", "INSERT 0 1", "COMMIT". */
static void tag_take(struct pg_session *s, const struct pg_step *step, PGresult *r)
{
	const char *tag = s->conn.lib->cmdStatus(r), *sql = step_sql(step);
	bool reads = strncmp(tag, "SELECT", 6) == 0;

	if (step->kind == PG_STEP_COMMIT)
		s->committed = strcmp(tag, "COMMIT") == 0;
	if (step->kind != PG_STEP_STATEMENT)
		return;
	s->wrote = s->wrote || !reads || strncmp(sql, "SELECT", 6) != 0;
	if (!reads)
		store_answer_rows(&step->job->answer)->changed =
			strtoll(s->conn.lib->cmdTuples(r), NULL, 10);
}

static void result_take(struct pg_session *s, const struct pg_step *step, PGresult *r,
			struct pg_fault *f)
{
	switch (s->conn.lib->resultStatus(r)) {
	case PGRES_SINGLE_TUPLE:
	case PGRES_TUPLES_OK:
		if (step->kind == PG_STEP_STATEMENT && f->err == ERR_OK)
			rows_take(s, step, r, f);
		if (s->conn.lib->resultStatus(r) == PGRES_SINGLE_TUPLE)
			break;
		/* fall through */
	case PGRES_COMMAND_OK:
		if (step->kind == PG_STEP_PREPARE && step->slot)
			step->slot->state = PG_READY;
		if (f->err == ERR_OK)
			tag_take(s, step, r);
		break;
	case PGRES_PIPELINE_ABORTED:
		break;
	case PGRES_FATAL_ERROR: {
		struct err_note note = {0};
		enum err e = pg_conn_error(&s->conn, r, step_sql(step), &note);

		if (f->err == ERR_OK)
			*fault_set(f, e, step) = note;
		break;
	}
	case PGRES_EMPTY_QUERY:
		if (f->err == ERR_OK)
			(void)err_say(fault_set(f, ERR_INTERNAL, step), ERR_INTERNAL,
				      "an empty statement");
		break;
	default: /* COPY and the like have no place in a pipeline */
		s->conn.broken = true;
		break;
	}
}

static enum err step_take(struct pg_session *s, const struct pg_step *step, struct pg_fault *f)
{
	PGresult *r = NULL;

	if (step->kind == PG_STEP_REFUSED) {
		if (f->err == ERR_OK)
			(void)err_say(fault_set(f, step->err, step), step->err, "%s: %.*s",
				      step->err == ERR_INTERNAL
					      ? "not one statement with parameters $1 to $n and "
						"as many arguments"
					      : err_name(step->err),
				      SQL_SHOWN_MAX, step_sql(step));
		return ERR_OK;
	}
	if (step->kind == PG_STEP_STATEMENT) {
		(void)s->conn.lib->setSingleRowMode(s->conn.pq);
		if (f->err == ERR_OK)
			store_answer_statement(&step->job->answer);
	}
	for (;;) {
		TRY(pg_conn_result(&s->conn, &r, f->err == ERR_OK ? &f->note : NULL));
		if (!r)
			break;
		result_take(s, step, r, f);
		s->conn.lib->clear(r);
		if (s->conn.broken)
			return ERR_UNAVAILABLE;
	}
	if (step->kind == PG_STEP_PREPARE && step->slot && step->slot->state == PG_PREPARING)
		step->slot->state = PG_UNPREPARED;
	if (step->kind != PG_STEP_STATEMENT || f->err != ERR_OK)
		return ERR_OK;

	enum err e = store_answer_expect(&step->job->answer, &step->job->batch.v[step->statement],
					 &f->note);

	if (e != ERR_OK)
		(void)fault_set(f, e, step);
	return ERR_OK;
}

/* The sync's own result is the last one. */
static enum err sync_take(struct pg_session *s, struct err_note *note)
{
	PGresult *r = NULL;

	TRY(pg_conn_result(&s->conn, &r, note));

	bool good = r && s->conn.lib->resultStatus(r) == PGRES_PIPELINE_SYNC;

	s->conn.lib->clear(r);
	if (good)
		return ERR_OK;
	s->conn.broken = true;
	return err_say(note, ERR_INTERNAL, "postgres: the connection is out of step");
}

enum err pg_session_sync(struct pg_session *s, struct pg_fault *ret_fault)
{
	struct pg_fault f = {0};
	size_t n = s->steps_n;
	enum err e = ERR_OK;

	s->steps_n = 0;
	s->committed = false;
	if (s->conn.broken || !s->conn.lib->pipelineSync(s->conn.pq)) {
		s->conn.broken = true;
		e = pg_say(s->conn.target, &f.note, ERR_UNAVAILABLE,
			   s->conn.lib->errorMessage(s->conn.pq));
	}
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		e = step_take(s, &s->steps[i], &f);
	if (e == ERR_OK)
		e = sync_take(s, &f.note);
	*ret_fault = f;
	return e;
}

/* ---- opening ---- */

enum err pg_session_adopt(struct pg_session *s, struct pg_conn *conn, struct err_note *note)
{
	struct pg_session made = {
		.conn = *conn,
		.cache = calloc(PG_PREPARED_SLOTS, sizeof(*made.cache)),
		.steps = calloc(PG_STEPS_MAX, sizeof(*made.steps)),
	};
	enum err e = made.cache && made.steps ? ERR_OK : ERR_NOMEM;

	*conn = (struct pg_conn){0};
	if (e == ERR_OK && !made.conn.lib->enterPipelineMode(made.conn.pq))
		e = err_say(note, ERR_INTERNAL, "postgres: no pipeline mode");
	if (e != ERR_OK) {
		pg_session_close(&made);
		return e;
	}
	*s = made;
	return ERR_OK;
}

enum err pg_session_open(struct pg_session *s, struct pg_target *t, struct err_note *note)
{
	struct pg_conn conn = {0};

	TRY(pg_conn_open(&conn, t, note));
	return pg_session_adopt(s, &conn, note);
}

void pg_session_close(struct pg_session *s)
{
	cache_clear(s);
	free(s->cache);
	free(s->steps);
	pg_conn_close(&s->conn);
	*s = (struct pg_session){0};
}

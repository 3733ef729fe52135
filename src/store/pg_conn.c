/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/pg_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "store/pg_forget.h"
#include "store/pg_value.h"

enum {
	SAID_SIZE = 400,
	SQL_SHOWN_MAX = 80, /* of a failing statement in a note */
	SQLSTATE_N = 5,
};

/* ---- where to connect ---- */

static bool schema_name_is_sound(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < PG_SCHEMA_SIZE && strncmp(name, "pg_", 3) != 0 &&
	       !strchr("0123456789", name[0]) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* A password with an '@', '/' or ':' that is not written as %XX reaches into what follows it, and
 * from there into libpq's errors. */
static bool option_is_sound(const PQconninfoOption *o)
{
	if (strcmp(o->keyword, "port") == 0)
		return o->val[strspn(o->val, "0123456789,")] == '\0';
	if (strcmp(o->keyword, "host") == 0 || strcmp(o->keyword, "hostaddr") == 0 ||
	    strcmp(o->keyword, "dbname") == 0)
		return !strchr(o->val, '@');
	return true;
}

/* Only what the URL itself says: libpq has not looked at its environment yet. */
static enum err url_check(struct pg_target *t)
{
	PQconninfoOption *options = t->lib.conninfoParse((const char *)t->url.p, NULL);
	enum err e = ERR_OK;

	/* Its text may hold the password, so nobody sees it. */
	if (!options)
		return ERR_CONFIG_VALUE;
	for (const PQconninfoOption *o = options; o->keyword && e == ERR_OK; o++) {
		if (o->val && !option_is_sound(o))
			e = ERR_CONFIG_VALUE;
		else if (o->val && o->val[0] != '\0' && strcmp(o->keyword, "password") == 0)
			e = secret_copy(&t->password, bytes_str(o->val));
	}
	for (const PQconninfoOption *o = options; o->keyword; o++)
		if (o->val)
			secret_wipe(o->val, strlen(o->val));
	t->lib.conninfoFree(options);
	return e;
}

enum err pg_target_init(struct pg_target *ret_target, const char *url, const char *schema,
			struct err_note *note)
{
	struct pg_target t = {.scrub = PG_SCRUB_INIT};

	if (!schema_name_is_sound(schema))
		return err_say(note, ERR_CONFIG_VALUE,
			       "a schema's name is made of a-z, 0-9 and _, and begins neither with "
			       "a digit nor with pg_");
	TRY(pg_lib_load(&t.lib, note));
	memcpy(t.schema, schema, strlen(schema) + 1);
	TRY(secret_copy(&t.url, bytes_from(url, strlen(url) + 1)));

	pg_scrub_begin(&t.scrub);

	enum err e = url_check(&t);

	pg_scrub_end(&t.scrub, t.url.n);

	if (e != ERR_OK) {
		pg_target_free(&t);
		return err_say(note, e,
			       "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE (characters "
			       "other than letters and digits in a password as %%XX)");
	}
	*ret_target = t;
	return ERR_OK;
}

void pg_target_free(struct pg_target *t)
{
	secret_free(&t->url);
	secret_free(&t->password);
	*t = (struct pg_target){0};
}

/* ---- errors ---- */

enum err pg_say(const struct pg_target *t, struct err_note *note, enum err e, const char *said)
{
	struct bytes secret = secret_view(&t->password), left = bytes_str(said);
	CLEANUP(buf_free) struct buf out = buf_make(SAID_SIZE);
	const char *text = "";

	while (left.n > 0 && out.n + 1 < SAID_SIZE) {
		bool hit = secret.n > 0 && bytes_eq_var(bytes_sub(left, 0, secret.n), secret);
		size_t step = hit ? secret.n : 1;
		uint8_t c = hit ? '*' : left.p[0];

		if (buf_add_u8(&out, c == '\n' || c == '\t' ? ' ' : c) != ERR_OK)
			break;
		left = bytes_sub(left, step, left.n - step);
	}
	while (out.n > 0 && out.p[out.n - 1] == ' ')
		out.n--;
	if (buf_cstr(&out, &text) != ERR_OK)
		text = "";
	return err_say(note, e, "postgres: %s", text);
}

struct state_row {
	const char *prefix; /* of the SQLSTATE; the first row that fits counts */
	enum err err;
	bool ends; /* the session is of no more use */
};

/* Appendix A of PostgreSQL's documentation. */
static const struct state_row state_rows[] = {
	{"23505", ERR_CONFLICT, false},   /* unique_violation */
	{"40", ERR_TRANSIENT, false},     /* serialization failure, deadlock */
	{"55P03", ERR_TIMEOUT, false},    /* lock_not_available */
	{"57014", ERR_TIMEOUT, false},    /* query_canceled: statement_timeout */
	{"53100", ERR_IO, false},         /* disk_full */
	{"53200", ERR_UNAVAILABLE, true}, /* out_of_memory: of the server */
	{"53", ERR_UNAVAILABLE, true},    /* too_many_connections and the like */
	{"57", ERR_UNAVAILABLE, true},    /* shut down, crashed, starting up */
	{"08", ERR_UNAVAILABLE, true},    /* connection exception */
	{"25006", ERR_UNAVAILABLE, true}, /* read-only: no longer the primary */
	{"25P03", ERR_UNAVAILABLE, true}, /* idle_in_transaction_session_timeout */
	{"58", ERR_IO, false},            /* system error: I/O */
	{"XX001", ERR_CORRUPT, false},
	{"XX002", ERR_CORRUPT, false},
	{"54", ERR_RANGE, false}, /* program limit exceeded */
};

enum err pg_conn_error(struct pg_conn *c, const PGresult *r, const char *sql, struct err_note *note)
{
	const char *state = c->lib->resultErrorField(r, PG_DIAG_SQLSTATE);
	const char *severity = c->lib->resultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *said = c->lib->resultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	enum err e = ERR_INTERNAL;
	bool ends = !state || (severity && strcmp(severity, "ERROR") != 0);

	for (size_t i = 0; state && i < ARRAY_LEN(state_rows); i++)
		if (strncmp(state, state_rows[i].prefix, strlen(state_rows[i].prefix)) == 0) {
			e = state_rows[i].err;
			ends = ends || state_rows[i].ends;
			break;
		}
	if (ends && e == ERR_INTERNAL)
		e = ERR_UNAVAILABLE;
	if (ends || c->lib->status(c->pq) != CONNECTION_OK)
		c->broken = true;
	(void)pg_say(c->target, note, e, said ? said : c->lib->errorMessage(c->pq));
	if (note) {
		struct err_note what = *note;

		(void)err_say(note, e, "%s (%.*s) in: %.*s", what.text, SQLSTATE_N,
			      state ? state : "-----", SQL_SHOWN_MAX, sql);
	}
	return e;
}

static enum err conn_lost(struct pg_conn *c, struct err_note *note)
{
	c->broken = true;
	return pg_say(c->target, note, ERR_UNAVAILABLE, c->lib->errorMessage(c->pq));
}

/* ---- waiting ---- */

/* Until libpq can give a result without waiting. Any progress starts the time of silence anew. */
static enum err conn_wait(struct pg_conn *c, struct err_note *note)
{
	for (;;) {
		int flushed = c->lib->flush(c->pq);
		struct pollfd p = {.fd = c->lib->socket(c->pq), .events = POLLIN};

		if (flushed < 0 || p.fd < 0)
			return conn_lost(c, note);
		if (!c->lib->isBusy(c->pq))
			return ERR_OK;
		if (flushed > 0)
			p.events |= POLLOUT;

		int rc = poll(&p, 1, c->silence_ms);

		if (rc == 0) {
			c->broken = true;
			return err_say(note, ERR_TIMEOUT, "postgres: no answer for %d s",
				       c->silence_ms / 1000);
		}
		if (rc < 0 && errno != EINTR)
			return conn_lost(c, note);
		if (rc > 0 && (p.revents & ~POLLOUT) && !c->lib->consumeInput(c->pq))
			return conn_lost(c, note);
	}
}

enum err pg_conn_result(struct pg_conn *c, PGresult **ret_result, struct err_note *note)
{
	if (c->broken)
		return err_say(note, ERR_UNAVAILABLE, "postgres: the connection is closed");
	TRY(conn_wait(c, note));
	*ret_result = c->lib->getResult(c->pq);
	return ERR_OK;
}

/* ---- statements outside of batches ---- */

struct giving {
	pg_row_fn *row;
	void *ctx;
	const char *sql;
	enum err err; /* the first */
	struct err_note *note;
};

static void rows_give(struct pg_conn *c, const PGresult *r, struct giving *g)
{
	struct store_value cells[PG_COLUMNS_MAX];
	size_t n = 0;

	for (int i = 0; g->row && g->err == ERR_OK && i < c->lib->ntuples(r); i++) {
		g->err = pg_row_read(c->lib, r, i, cells, &n);
		if (g->err == ERR_OK)
			g->err = g->row(g->ctx, cells, n);
		if (g->err != ERR_OK)
			(void)err_say(g->note, g->err, "%s: a row of: %.*s", err_name(g->err),
				      SQL_SHOWN_MAX, g->sql);
	}
}

/* All results of what was sent. */
static enum err results_take(struct pg_conn *c, struct giving *g)
{
	for (PGresult *r = NULL;;) {
		TRY(pg_conn_result(c, &r, g->note));
		if (!r)
			return g->err;
		switch (c->lib->resultStatus(r)) {
		case PGRES_COMMAND_OK:
			break;
		case PGRES_SINGLE_TUPLE:
		case PGRES_TUPLES_OK:
			rows_give(c, r, g);
			break;
		case PGRES_FATAL_ERROR:
			if (g->err == ERR_OK)
				g->err = pg_conn_error(c, r, g->sql, g->note);
			break;
		default: /* COPY and the like, which would never end */
			c->broken = true;
			g->err = err_say(g->note, ERR_INTERNAL, "postgres: not a statement: %.*s",
					 SQL_SHOWN_MAX, g->sql);
			break;
		}
		c->lib->clear(r);
		if (c->broken)
			return g->err;
	}
}

enum err pg_conn_script(struct pg_conn *c, const char *sql, struct err_note *note)
{
	struct giving g = {.sql = sql, .note = note};

	if (!c->lib->sendQuery(c->pq, sql))
		return conn_lost(c, note);
	return results_take(c, &g);
}

enum err pg_conn_query(struct pg_conn *c, const char *sql, const struct store_value *args,
		       size_t args_n, pg_row_fn *row, void *ctx, struct err_note *note)
{
	struct giving g = {.row = row, .ctx = ctx, .sql = sql, .note = note};
	struct pg_args a;

	TRY(pg_args_fill(&a, args, args_n));
	if (!c->lib->sendQueryParams(c->pq, sql, (int)args_n, a.types, a.values, a.lengths,
				     a.formats, 1))
		return conn_lost(c, note);
	(void)c->lib->setSingleRowMode(c->pq);
	return results_take(c, &g);
}

/* ---- opening ---- */

/* A notice is for a person at a terminal; libpq would print it. */
static void notice_drop(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/*
 * READ COMMITTED: a compare-and-set waits for a row that another transaction holds and is then
 * judged by what that one left. A process of ours that stopped inside a transaction must not hold
 * its rows for ever.
 */
static enum err settings_make(struct pg_conn *c, struct err_note *note)
{
	CLEANUP(buf_free) struct buf sql = buf_make(2048);
	const char *text = NULL;

	TRY(buf_addf(&sql,
		     "SET search_path = \"%s\", pg_temp;"
		     "SET client_min_messages = error;"
		     "SET standard_conforming_strings = on;"
		     "SET default_transaction_isolation = 'read committed';"
		     "SET statement_timeout = %d;"
		     "SET idle_in_transaction_session_timeout = 30000;"
		     "SELECT set_config('idle_session_timeout', '0', false) WHERE "
		     "current_setting('idle_session_timeout', true) IS NOT NULL;"
		     "SELECT set_config('synchronous_commit', 'on', false) WHERE "
		     "current_setting('synchronous_commit') = 'off'",
		     c->target->schema, PG_STATEMENT_TIMEOUT_MS));
	TRY(buf_cstr(&sql, &text));
	return pg_conn_script(c, text, note);
}

/* Before the server speaks to us in SQLSTATEs there is only its text, which is English unless the
 * operator chose another language: then the refusal is taken for an outage and tried again. */
static enum err connect_say(const struct pg_conn *c, struct err_note *note)
{
	static const char *const refusals[] = {
		"authentication failed",          "does not exist",
		"no pg_hba.conf entry",           "no password supplied",
		"permission denied for database", "certificate",
	};
	const char *said = c->lib->errorMessage(c->pq);
	enum err e = ERR_UNAVAILABLE;

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (strstr(said, refusals[i]))
			e = ERR_CONFIG_VALUE;
	return pg_say(c->target, note, e, said);
}

static enum err conn_start(struct pg_conn *c, struct err_note *note)
{
	/* What stands before the URL can be changed by it; what stands behind cannot. */
	const char *const keys[] = {
		"connect_timeout",
		"keepalives_idle",
		"keepalives_interval",
		"keepalives_count",
		"tcp_user_timeout",
		"target_session_attrs",
		"gssencmode",
		"fallback_application_name",
		"dbname",
		"client_encoding",
		NULL,
	};
	const char *const values[] = {
		"5",       "10",       "5",
		"3",       "15000",    "read-write",
		"disable", "claviger", (const char *)c->target->url.p,
		"UTF8",    NULL,
	};

	pg_scrub_begin(&c->target->scrub);
	c->pq = c->lib->connectdbParams(keys, values, 1);
	pg_scrub_end(&c->target->scrub, c->target->url.n);
	if (!c->pq)
		return ERR_NOMEM;
	if (c->lib->status(c->pq) != CONNECTION_OK)
		return connect_say(c, note);
	pg_forget(c->pq, &c->target->password);
	(void)c->lib->setNoticeProcessor(c->pq, notice_drop, NULL);
	if (c->lib->setnonblocking(c->pq, 1) != 0)
		return conn_lost(c, note);
	if (c->lib->serverVersion(c->pq) < PG_VERSION_MIN)
		return err_say(note, ERR_CONFIG_VALUE,
			       "postgres: the server has version %d, 13 or later is needed",
			       c->lib->serverVersion(c->pq) / 10000);

	const char *encoding = c->lib->parameterStatus(c->pq, "server_encoding");

	if (!encoding || strcmp(encoding, "UTF8") != 0)
		return err_say(note, ERR_CONFIG_VALUE,
			       "postgres: the database has the encoding %.32s, UTF8 is needed",
			       encoding ? encoding : "?");
	return settings_make(c, note);
}

enum err pg_conn_open(struct pg_conn *c, struct pg_target *t, struct err_note *note)
{
	struct pg_conn open = {.target = t, .lib = &t->lib, .silence_ms = PG_SILENCE_MS};
	enum err e = conn_start(&open, note);

	if (e != ERR_OK) {
		pg_conn_close(&open);
		return e;
	}
	*c = open;
	return ERR_OK;
}

void pg_conn_close(struct pg_conn *c)
{
	if (c->pq) {
		pg_scrub_begin(&c->target->scrub);
		c->lib->finish(c->pq);
		pg_scrub_end(&c->target->scrub, c->target->url.n);
	}
	*c = (struct pg_conn){0};
}

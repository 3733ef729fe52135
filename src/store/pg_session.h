/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: a connection in pipeline mode with its prepared statements. Commands are added
 * one after the other; pg_session_sync sends them, and takes all their results in one round trip.
 * From the first that fails up to the sync, the server runs none.
 */
#ifndef STORE_PG_SESSION_H
#define STORE_PG_SESSION_H

#include "base/limits.h"
#include "store/job.h"
#include "store/pg_conn.h"

enum {
	PG_PREPARED_MAX = 128, /* kept; what comes on top is prepared for one use */
	PG_PREPARED_SLOTS = 2 * PG_PREPARED_MAX,
	PG_STEPS_SOFT = 1024, /* a window ends here … */
	/* … but one batch is never cut: each statement and its preparation, and what frames it. */
	PG_STEPS_MAX = PG_STEPS_SOFT + 2 * STORE_BATCH_STATEMENTS_MAX + 64,
};

struct pg_prepared {
	char *sql; /* ours; NULL: a free slot */
	uint64_t hash;
	size_t args_n;
	uint8_t types[PG_ARGS_MAX]; /* enum store_type: they are a part of the key */
	unsigned number;            /* its name */
	enum {
		PG_UNPREPARED,
		PG_PREPARING, /* sent in this window */
		PG_READY
	} state;
};

enum pg_step_kind {
	PG_STEP_CONTROL,
	PG_STEP_COMMIT,
	PG_STEP_PREPARE,
	PG_STEP_STATEMENT,
	PG_STEP_REFUSED /* a statement that could not be sent: our SQL is wrong */
};

struct pg_step {
	enum pg_step_kind kind;
	enum err err; /* PG_STEP_REFUSED */
	union {
		struct pg_prepared *slot; /* PG_STEP_PREPARE; NULL for one use */
		size_t statement;         /* PG_STEP_STATEMENT, PG_STEP_REFUSED */
	};
	struct store_job *job; /* NULL: PG_STEP_CONTROL, PG_STEP_COMMIT */
};

/* The first thing that went wrong in a window. All-zero: nothing did. */
struct pg_fault {
	enum err err;
	struct err_note note;
	struct store_job *job; /* NULL: what frames the batches failed */
};

/* All-zero is a valid closed session. */
struct pg_session {
	struct pg_conn conn;
	struct pg_prepared *cache; /* PG_PREPARED_SLOTS, open addressing */
	size_t cached_n;
	unsigned prepared_n;
	struct pg_step *steps; /* PG_STEPS_MAX; untouched pages cost nothing */
	size_t steps_n;
	bool wrote;     /* since pg_session_begin something else than SELECT ran */
	bool committed; /* the server has said COMMIT */
	size_t burst;   /* the most bytes that libpq had to hold at once: it keeps its buffers */
};

/* As pg_conn_open; the connection is in pipeline mode. */
enum err pg_session_open(struct pg_session *s, struct pg_target *t, struct err_note *note) MUST_USE;
void pg_session_close(struct pg_session *s);

/* A connection whose work was done without a pipeline becomes a session's. Takes it in every case.
 */
enum err pg_session_adopt(struct pg_session *s, struct pg_conn *conn,
			  struct err_note *note) MUST_USE;

static inline bool pg_session_usable(const struct pg_session *s)
{
	return s->conn.pq && !s->conn.broken;
}

/*
 * Add a command to the window. A connection that is lost shows in pg_session_sync. `sql` of
 * pg_session_control has no arguments.
 */
void pg_session_control(struct pg_session *s, enum pg_step_kind kind, const char *sql);
void pg_session_begin(struct pg_session *s);
void pg_session_notify(struct pg_session *s, const char *topic);
void pg_session_batch(struct pg_session *s, struct store_job *job);

/*
 * Run the window. Rows and counts are in the jobs' answers, expectations are judged; the first
 * failure, by the server's or by our judgement, is in ret_fault. An error (ERR_UNAVAILABLE,
 * ERR_TIMEOUT, ERR_INTERNAL) says that the connection broke: what the server did is then not known.
 */
enum err pg_session_sync(struct pg_session *s, struct pg_fault *ret_fault) MUST_USE;

#endif

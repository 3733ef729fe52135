/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: one connection to PostgreSQL. One thread at a time.
 *
 * Nothing here waits for ever: connecting ends by libpq's connect_timeout, a statement by the
 * server's statement_timeout, and a server that says nothing at all for PG_SILENCE_MS is given up.
 * libpq writes passwords into some of its errors; every text passes pg_say, which strikes them out.
 */
#ifndef STORE_PG_CONN_H
#define STORE_PG_CONN_H

#include "base/secret.h"
#include "store/pg_lib.h"
#include "store/pg_scrub.h"
#include "store/store.h"

enum {
	PG_COLUMNS_MAX = 64,
	PG_ARGS_MAX = 64,
	PG_SCHEMA_SIZE = 64, /* PostgreSQL's limit of a name, and its NUL */
	PG_STATEMENT_TIMEOUT_MS = 10000,
	PG_SILENCE_MS = 12000, /* longer than any statement may take */
	PG_VERSION_MIN = 130000,
};

/* Where to connect. All-zero is valid and empty. */
struct pg_target {
	struct pg_lib lib;
	struct secret url;      /* NUL-terminated */
	struct secret password; /* as it stands in the URL, decoded; without NUL */
	char schema[PG_SCHEMA_SIZE];
	struct pg_scrub scrub;
};

/* ERR_CONFIG_VALUE: no PostgreSQL URL, or no name for a schema; the note repeats nothing of it. */
enum err pg_target_init(struct pg_target *ret_target, const char *url, const char *schema,
			struct err_note *note) MUST_USE;
void pg_target_free(struct pg_target *t);

/* What libpq or the server said, without line ends and without the password. Returns `e`. */
enum err pg_say(const struct pg_target *t, struct err_note *note, enum err e, const char *said);

/* All-zero is a valid closed connection. */
struct pg_conn {
	struct pg_target *target;
	const struct pg_lib *lib;
	PGconn *pq;
	bool broken; /* to be closed: lost, silent, or in a state that nobody knows */
	int silence_ms;
};

/* Connects and makes the settings that hold for every connection of ours. ERR_CONFIG_VALUE: name,
 * password or database are refused; ERR_UNAVAILABLE. */
enum err pg_conn_open(struct pg_conn *c, struct pg_target *t, struct err_note *note) MUST_USE;
void pg_conn_close(struct pg_conn *c);

/*
 * The next result in order; NULL ends a command. The caller clears it. ERR_UNAVAILABLE (connection
 * lost) and ERR_TIMEOUT (silence) leave the connection broken.
 */
enum err pg_conn_result(struct pg_conn *c, PGresult **ret_result, struct err_note *note) MUST_USE;

/*
 * The error that a result of the status PGRES_FATAL_ERROR stands for. A session that the server has
 * ended leaves the connection broken: ERR_UNAVAILABLE. ERR_TRANSIENT says that the transaction lost
 * against another one and may be run again.
 */
enum err pg_conn_error(struct pg_conn *c, const PGresult *r, const char *sql,
		       struct err_note *note) MUST_USE;

/* Several statements without arguments or rows, not in pipeline mode. */
enum err pg_conn_script(struct pg_conn *c, const char *sql, struct err_note *note) MUST_USE;

/* Cells are valid during the call; an error ends the giving of rows. */
typedef enum err pg_row_fn(void *ctx, const struct store_value *cells, size_t n);

/* One statement, in PostgreSQL's dialect, not in pipeline mode. `row` may be NULL. */
enum err pg_conn_query(struct pg_conn *c, const char *sql, const struct store_value *args,
		       size_t args_n, pg_row_fn *row, void *ctx, struct err_note *note) MUST_USE;

#endif

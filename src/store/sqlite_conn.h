/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: one SQLite connection with its prepared statements. One thread at a time.
 */
#ifndef STORE_SQLITE_CONN_H
#define STORE_SQLITE_CONN_H

#include <sqlite3.h>

#include "store/store.h"

enum {
	SQLITE_CONN_COLUMNS_MAX = 64,
	SQLITE_CONN_STATEMENTS_MAX = 128, /* kept prepared; one more empties the cache */
	SQLITE_CONN_SLOTS = 2 * SQLITE_CONN_STATEMENTS_MAX,
	SQLITE_CONN_ARGS_MAX = 64,
};

struct sqlite_prepared {
	sqlite3_stmt *stmt;
	uint64_t hash;
	size_t args_n;
	uint8_t arg_of[SQLITE_CONN_ARGS_MAX]; /* SQLite's parameter k+1 is our argument arg_of[k] */
};

/* All-zero is a valid closed connection. */
struct sqlite_conn {
	sqlite3 *db;
	struct sqlite_prepared *cache; /* SQLITE_CONN_SLOTS, open addressing */
	size_t cached_n;
};

/* `path` is absolute. Settings that hold for every connection of ours are made here. */
enum err sqlite_conn_open(struct sqlite_conn *c, const char *path, bool read_only,
			  struct err_note *note) MUST_USE;
void sqlite_conn_close(struct sqlite_conn *c);

/* Whether a transaction is open: SQLite ends one by itself after some failures. None on a closed
 * connection. */
bool sqlite_conn_in_transaction(const struct sqlite_conn *c);

/* Whether the last call failed because the disk is full. Then nothing of the transaction is stored;
 * an I/O error leaves that open. */
bool sqlite_conn_is_full(const struct sqlite_conn *c);

/* Several statements without arguments or rows. */
enum err sqlite_conn_exec(struct sqlite_conn *c, const char *sql, struct err_note *note) MUST_USE;

/* Cells are valid during the call; an error stops the statement. */
typedef enum err sqlite_row_fn(void *ctx, const struct store_value *cells, size_t n);

/*
 * Run one statement to its end. `row` may be NULL: rows are then skipped. Parameters are $1 to
 * $args_n, each used at least once. ret_changed (may be NULL) gets the rows that the statement
 * itself changed.
 */
enum err sqlite_conn_run(struct sqlite_conn *c, const char *sql, const struct store_value *args,
			 size_t args_n, sqlite_row_fn *row, void *ctx, int64_t *ret_changed,
			 struct err_note *note) MUST_USE;

#endif

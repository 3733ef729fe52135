/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: our schema in a PostgreSQL database. Several processes may start at once; an
 * advisory lock of the database lets them migrate one after the other.
 */
#ifndef STORE_PG_MIGRATE_H
#define STORE_PG_MIGRATE_H

#include "store/pg_conn.h"

/*
 * Make the schema if there is none, and apply the steps that it lacks, each in a transaction with
 * its number. Nothing is written, and no right to create is needed, if nothing is missing. Errors
 * as of store_sqlite_open.
 */
enum err pg_migrate(struct pg_conn *c, const struct store_migrations *m,
		    struct err_note *note) MUST_USE;

/* Whether the schema is there. */
enum err pg_schema_exists(struct pg_conn *c, bool *ret_exists, struct err_note *note) MUST_USE;

#endif

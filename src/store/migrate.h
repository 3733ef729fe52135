/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: how many steps of an owner's migrations a database has, in our SQL, the same
 * for every engine.
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "store/store.h"

#define STORE_VERSION_TABLE                                                                        \
	"CREATE TABLE IF NOT EXISTS schema_version (owner TEXT PRIMARY KEY NOT NULL, "             \
	"version INTEGER NOT NULL) STRICT"

#define STORE_VERSION_GET "SELECT version FROM schema_version WHERE owner = $1"

#define STORE_VERSION_SET                                                                          \
	"INSERT INTO schema_version (owner, version) VALUES ($1, $2) "                             \
	"ON CONFLICT (owner) DO UPDATE SET version = excluded.version"

/*
 * What was read (0 if nothing) as a number of steps. ERR_CORRUPT, ERR_CONFIG_VALUE: the database
 * was written by a newer program.
 */
enum err store_version_check(size_t *ret_version, int64_t version, const struct store_migrations *m,
			     const char *database, struct err_note *note) MUST_USE;

#endif

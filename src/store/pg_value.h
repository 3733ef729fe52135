/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: values as PostgreSQL's protocol carries them in binary form, both ways.
 */
#ifndef STORE_PG_VALUE_H
#define STORE_PG_VALUE_H

#include "store/pg_conn.h"

/*
 * Arguments as libpq takes them. The types are said, never left to the server to guess: it would
 * take the parameter of "$1 < 0" for 32 bits. Only NULL has none.
 */
struct pg_args {
	Oid types[PG_ARGS_MAX];
	const char *values[PG_ARGS_MAX];
	int lengths[PG_ARGS_MAX];
	int formats[PG_ARGS_MAX];
	uint8_t ints[PG_ARGS_MAX][8];
};

Oid pg_value_type(const struct store_value *v);

/* The bytes stay with the caller. ERR_RANGE for more than PG_ARGS_MAX or past 2^30 bytes. */
enum err pg_args_fill(struct pg_args *ret_args, const struct store_value *args,
		      size_t args_n) MUST_USE;

/*
 * Row `at` of a result in binary form; cells point into it. Integers of every width and numbers
 * without a fraction become INTEGER, as do booleans; character types TEXT; bytea BLOB. ERR_RANGE
 * for too many columns, ERR_INTERNAL for any other type and for numbers past 64 bits.
 */
enum err pg_row_read(const struct pg_lib *lib, const PGresult *r, int at,
		     struct store_value cells[static PG_COLUMNS_MAX], size_t *ret_n) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside the store: store_query on PostgreSQL. */
#ifndef STORE_PG_QUERY_H
#define STORE_PG_QUERY_H

#include "store/store.h"

enum err pg_query(const char *url, const char *schema, const char *sql,
		  const struct store_value *args, size_t args_n,
		  void (*row)(void *ctx, const struct store_value *cells, size_t n), void *ctx,
		  struct err_note *note) MUST_USE;

#endif

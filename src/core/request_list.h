/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Looking through the table of requests, for who looks after a node: one statement each, which
 * reads no more rows than it returns. Each call submits one batch; request_list_row reads the
 * result's rows in the callback. Errors as in request_store.h.
 */
#ifndef CORE_REQUEST_LIST_H
#define CORE_REQUEST_LIST_H

#include "core/request_store.h"

enum {
	REQUEST_STATE_ANY = -1
};

/* These ids, of one kind or of all (kind 0); n in 1..CORE_STATUS_IDS_MAX. In their order, with the
 * place of each in `at`. */
enum err request_list_find(struct store *s, enum request_kind kind, const struct hash32 *ids,
			   size_t n, store_done_fn *done, void *ctx) MUST_USE;

/* The first n of a kind in the order of their acceptance whose `at` is above `after`, in one state
 * or REQUEST_STATE_ANY. */
enum err request_list_page(struct store *s, enum request_kind kind, int state, int64_t after,
			   size_t n, store_done_fn *done, void *ctx) MUST_USE;

/* Preprocessings that are done and that no key has used up; the first n. */
enum err request_list_preprocs(struct store *s, size_t n, store_done_fn *done, void *ctx) MUST_USE;

struct request_row {
	struct request_name name;
	enum request_state state;
	enum err cause; /* failed */
	int64_t at;
};

enum err request_list_row(struct request_row *ret, const struct store_result *result,
			  size_t row) MUST_USE;

#endif

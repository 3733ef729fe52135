/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Which requests ask for a handle: the table operation_handle, so that a handle is found without
 * reading every row. Written with the rows, many pairs to a statement; removed with them.
 */
#ifndef CONNECTOR_HANDLE_INDEX_H
#define CONNECTOR_HANDLE_INDEX_H

#include "connector/operation.h"

enum {
	HANDLE_PAIRS_MAX = 32 /* in one statement: two of 64 parameters each */
};

/* Pairs that no statement has yet. All-zero is empty. */
struct handle_index {
	struct handle_pair {
		uint8_t request_id[32], handle[32];
	} pairs[HANDLE_PAIRS_MAX];
	size_t n;
};

/*
 * The handles of a decryption, into `b` whenever a statement is full; nothing for other kinds.
 * ret_statements: how many that were. What is left over goes with handle_index_flush, into the same
 * batch. ERR_MALFORMED: content that no adapter made.
 */
enum err handle_index_add(struct handle_index *h, struct store_batch *b, const struct operation *op,
			  size_t *ret_statements) MUST_USE;
enum err handle_index_flush(struct handle_index *h, struct store_batch *b) MUST_USE;

/* Of the operation with this row id, unless another one has the same request id: before it goes. */
#define HANDLE_INDEX_FORGET                                                                        \
	"DELETE FROM operation_handle WHERE request_id ="                                          \
	" (SELECT request_id FROM operation WHERE id = $1) AND NOT EXISTS (SELECT 1 FROM"          \
	" operation o WHERE o.request_id = operation_handle.request_id AND o.id <> $1)"

/*
 * Rows that may hold handle $1, newest first: id, kind, content. Those that are older than the
 * index are read one and all; housekeeping removes them with time.
 */
extern const char handle_index_find_sql[];

#endif

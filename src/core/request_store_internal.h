/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the files that read and write the core's database share. */
#ifndef CORE_REQUEST_STORE_INTERNAL_H
#define CORE_REQUEST_STORE_INTERNAL_H

#include "core/request_store.h"

enum {
	BATCH_EXTRA = 64 << 10
};

/* Takes the batch, whatever became of building it. */
enum err request_store_submit(struct store *s, struct store_batch *batch, enum err built,
			      store_done_fn *done, void *ctx) MUST_USE;

static inline struct store_value request_store_id(const struct request_name *n)
{
	return store_blob(BYTES_OF(n->id.b));
}

/* Cells: 32 bytes, a state, parameters. ERR_CORRUPT. */
enum err request_store_cell_hash(struct hash32 *ret_hash, const struct store_value *v) MUST_USE;
enum err request_store_cell_state(enum request_state *ret_state,
				  const struct store_value *v) MUST_USE;
enum err request_store_cell_params(uint32_t *ret_params, const struct store_value *v) MUST_USE;

enum err request_store_cell_kind(enum request_kind *ret_kind, const struct store_value *v) MUST_USE;
/* The error that a name stands for; none, or one that this build does not know: ERR_INTERNAL. */
enum err request_store_cell_cause(const struct store_value *v);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * How far the set-up of each epoch is, in the core's database: which attempt was begun last, and
 * what became of it. Stored before the first message of the attempt leaves. The epoch's id is burnt
 * with it: no request has it.
 */
#ifndef CORE_EPOCH_STORE_H
#define CORE_EPOCH_STORE_H

#include "core/request_store.h"

/* Stored numbers: append only. */
enum epoch_phase {
	EPOCH_TRYING = 0,   /* asked for; attempts up to `attempt` were begun and are dead */
	EPOCH_PREPARED = 1, /* `attempt` was whole here, and its keys lie in the vault as a draft */
	EPOCH_DONE = 2,     /* `attempt` was whole everywhere */
};

struct epoch_record {
	struct hash32 id, context_id;
	int64_t attempt; /* -1: none */
	enum epoch_phase phase;
};

/* Adds it, or replaces attempt and phase. Its result is ERR_STATE_MOVED if something else has used
 * the id. */
enum err epoch_store_put(struct store *s, const struct epoch_record *r, store_done_fn *done,
			 void *ctx) MUST_USE;

/* All of them: rows[0], read one by one. */
enum err epoch_store_list(struct store *s, store_done_fn *done, void *ctx) MUST_USE;
enum err epoch_store_record(struct epoch_record *ret, const struct store_result *result,
			    size_t at) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside listener/ only. */
#ifndef CONNECTOR_LISTENER_INTERNAL_H
#define CONNECTOR_LISTENER_INTERNAL_H

#include "connector/adapters/decryption.h"
#include "connector/service.h"

/* ---- window: how many blocks the next eth_getLogs asks for ---- */

struct window {
	uint64_t max;  /* get_logs_batch_size */
	uint64_t size; /* 1 .. max */
	unsigned good; /* successes in a row */
};

struct window window_make(uint64_t max);
void window_good(struct window *w);

/* After an error that a smaller window may avoid (window_is_too_wide): half, at least 1. */
void window_halve(struct window *w);
bool window_is_too_wide(const struct provider_error *e);

/* ---- cursor: the last block whose logs are stored ---- */

struct cursor {
	bool known; /* false: nothing is stored yet */
	struct block_number block;
	struct hash32 hash;
};

enum err cursor_add_load(struct store_batch *b, struct chain_id chain) MUST_USE;
enum err cursor_from_rows(struct cursor *ret_cursor, const struct store_rows *rows) MUST_USE;

/* Moves it from `old` to `new`, either way; ERR_STATE_MOVED for the batch if it was not at `old`.
 */
enum err cursor_add_move(struct store_batch *b, struct chain_id chain, const struct cursor *old,
			 const struct cursor *new, int64_t now_ms) MUST_USE;

/* ---- harvest: a window's logs as batches of rows ---- */

struct harvest {
	struct store_batch *batches;
	size_t batches_n, batches_cap, next;
	unsigned in_last;               /* statements in the last batch */
	size_t rows;                    /* operations, new or not */
	struct block_number fresh_from; /* set by the caller: older blocks were counted before */
	size_t operations, quarantined; /* in fresh blocks */
	bool has_last_hash;             /* a log of block `to` names its hash */
	struct hash32 last_hash;
};

/* A log that does not decode becomes a quarantine row, a removed one becomes nothing. */
enum err harvest_add(struct harvest *h, struct chain_id chain, const struct event_log *log,
		     struct block_number to, int64_t now_ms, struct err_note *note) MUST_USE;
/* The batch that the cursor's move belongs to: the last one. */
enum err harvest_last(struct harvest *h, struct store_batch **ret_batch) MUST_USE;
void harvest_free(struct harvest *h);

#endif

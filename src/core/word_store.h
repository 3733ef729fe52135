/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a node of a committee said to the others in public decryptions that are done, in its
 * database: a node that was away needs these words, also when those who finished have been killed
 * since. Written in the commit that completes the request: of one that is pending the words are
 * computed again. Masked shares, which all nodes were sent, of values that are public by then.
 *
 * Kept for linger_ms after the end, and of the last PEER_RUNS_MAX sessions (more by what one
 * request has): as long as a process keeps its own in memory. What is over that goes with the next
 * one that is written, and at start. A centralised node has none.
 */
#ifndef CORE_WORD_STORE_H
#define CORE_WORD_STORE_H

#include "core/request_store.h"

/* Of all sessions of one request. */
struct word_record {
	struct hash32 id, context_id;
	size_t sessions_n;
	struct bytes words; /* as opening.h packs them; when read: valid in the callback */
	int64_t ended_ms;   /* wall clock */
};

/* To the batch that completes the request. */
enum err word_store_add(struct store_batch *b, const struct word_record *r,
			int64_t linger_ms) MUST_USE;

/* Those that ended after since_ms, oldest first; all others are removed. Read one by one: how many
 * there are says word_store_count. */
enum err word_store_list(struct store *s, int64_t since_ms, store_done_fn *done,
			 void *ctx) MUST_USE;
size_t word_store_count(const struct store_result *result); /* without an error */
enum err word_store_record(struct word_record *ret, const struct store_result *result,
			   size_t at) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Circuit breaker: what keeps failing is left alone for a while, then tried by one.
 *
 *   closed --(failures_max in a row)--> open --(its time is over, one may try)--> half-open
 *     ^                                  ^                                          |
 *     +---------- success ---------------+----------- failure: twice as long -------+
 *
 * Pure: the caller says what time it is (clock_mono_ms) and what happened. The one type of breaker
 * for RPC endpoints, cores, key services and buckets. One thread.
 */
#ifndef BASE_BREAKER_H
#define BASE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

struct breaker_policy {
	unsigned failures_max; /* in a row, until it opens; at least 1 */
	int64_t open_first_ms; /* how long the first time ... */
	int64_t open_max_ms;   /* ... and at most: it doubles */
	int64_t trial_ms;      /* a trial that says nothing for so long gives way to another */
};

enum breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN,
	BREAKER_HALF_OPEN /* one is trying */
};

/* Give it a policy that outlives it; the rest all-zero is closed. */
struct breaker {
	const struct breaker_policy *policy;
	enum breaker_state state;
	unsigned failures; /* in a row */
	int64_t open_ms;   /* how long it is open this time */
	int64_t due_ms;    /* when one may try */
	uint64_t opened;   /* how often, ever: for metrics */
};

/* Whether a request may be made now. Where that is the trial, only the first caller is told so. */
bool breaker_admits(struct breaker *b, int64_t now_ms);
/* The same, and nothing changes: true also when a trial would be admitted. */
bool breaker_would_admit(const struct breaker *b, int64_t now_ms);

void breaker_succeeded(struct breaker *b);
/* True: it opened by this failure. */
bool breaker_failed(struct breaker *b, int64_t now_ms);

const char *breaker_state_name(enum breaker_state s); /* "closed", "open", "half-open" */

#endif

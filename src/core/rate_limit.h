/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * How much a node works on at once, in tokens of one bucket: each operation takes its number of
 * them when it starts and gives them back when its work has ended. Nothing flows in with time: what
 * is bounded is what runs, not how often something is asked. Loop thread.
 */
#ifndef CORE_RATE_LIMIT_H
#define CORE_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/request_kind.h"

/* [rate_limiter_conf]. An operation that costs more than the bucket holds is switched off. */
struct rate_limit_config {
	uint64_t bucket_size;
	uint64_t pub_decrypt, user_decrypt, crsgen, preproc, keygen, new_epoch;
};
extern const struct rate_limit_config rate_limit_defaults;

/* What costs tokens: a request_kind, or this. */
enum {
	RATE_NEW_EPOCH = REQUEST_KINDS,
	RATE_OPERATIONS,
};

struct rate_limit {
	struct rate_limit_config config;
	uint64_t used;
};

/* Are there enough? Then *ret_tokens is what rate_limit_give wants back; otherwise 0. */
bool rate_limit_take(struct rate_limit *r, unsigned operation, uint64_t *ret_tokens);

/* In any case: for what was accepted before and must be done. More than the bucket may be used
 * then, and nothing new starts until it is not. */
uint64_t rate_limit_claim(struct rate_limit *r, unsigned operation);

/* *tokens is 0 after, so that nobody gives twice. */
void rate_limit_give(struct rate_limit *r, uint64_t *tokens);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Retry: one mechanism for all, keyed by error class. `attempts` have been made so far, all of them
 * failed; the delay is the one before the next, exponential with full jitter (1 ms .. min(cap,
 * first * 2^(attempts - 1))). False when the class is terminal or `attempts_max` is reached. Errors
 * of this machine (ERR_CLASS_INTERNAL) wait at the cap.
 */
#ifndef BASE_RETRY_H
#define BASE_RETRY_H

#include "base/rng.h"

struct retry_policy {
	int64_t first_ms, cap_ms;
	int64_t attempts_max; /* 0 = no end by count */
};
bool retry_after(const struct retry_policy *p, enum err e, int64_t attempts, struct rng *rng,
		 int64_t *ret_delay_ms);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/retry.h"

/* What each class of error is worth. The only place that decides this. */
static const struct {
	bool again;
	bool slow; /* start at the cap: this machine is in trouble, haste would make it worse */
} classes[] = {
	[ERR_CLASS_NONE] = {false, false},    [ERR_CLASS_TRANSIENT] = {true, false},
	[ERR_CLASS_SOURCE] = {true, false},   [ERR_CLASS_REFUSED] = {false, false},
	[ERR_CLASS_EXPIRED] = {false, false}, [ERR_CLASS_CONFLICT] = {false, false},
	[ERR_CLASS_CONFIG] = {false, false},  [ERR_CLASS_INTERNAL] = {true, true},
};

/* min(cap, first * 2^(attempts - 1)) without overflow. */
static int64_t ceiling_ms(const struct retry_policy *p, int64_t attempts)
{
	int64_t ms = p->first_ms;

	while (--attempts > 0 && ms < p->cap_ms)
		ms = ms > p->cap_ms / 2 ? p->cap_ms : ms * 2;
	return ms < p->cap_ms ? ms : p->cap_ms;
}

bool retry_after(const struct retry_policy *p, enum err e, int64_t attempts, struct rng *rng,
		 int64_t *ret_delay_ms)
{
	size_t c = (size_t)err_class(e);

	CHECK(p->first_ms > 0 && p->cap_ms >= p->first_ms && attempts >= 0);
	if (c >= ARRAY_LEN(classes) || !classes[c].again)
		return false;
	if (p->attempts_max > 0 && attempts >= p->attempts_max)
		return false;

	int64_t ceiling = classes[c].slow ? p->cap_ms : ceiling_ms(p, attempts);

	*ret_delay_ms = 1 + (int64_t)rng_below(rng, (uint64_t)ceiling);
	return true;
}

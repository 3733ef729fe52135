/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/breaker.h"

bool breaker_would_admit(const struct breaker *b, int64_t now_ms)
{
	return b->state == BREAKER_CLOSED || now_ms >= b->due_ms;
}

bool breaker_admits(struct breaker *b, int64_t now_ms)
{
	if (!breaker_would_admit(b, now_ms))
		return false;
	if (b->state != BREAKER_CLOSED) {
		b->state = BREAKER_HALF_OPEN;
		b->due_ms = now_ms + b->policy->trial_ms;
	}
	return true;
}

void breaker_succeeded(struct breaker *b)
{
	b->state = BREAKER_CLOSED;
	b->failures = 0;
	b->open_ms = 0;
}

bool breaker_failed(struct breaker *b, int64_t now_ms)
{
	const struct breaker_policy *p = b->policy;

	/* What was under way when it opened says nothing new. */
	if (b->state == BREAKER_OPEN)
		return false;
	if (b->failures < p->failures_max)
		b->failures++;
	if (b->state == BREAKER_CLOSED && b->failures < p->failures_max)
		return false;
	b->open_ms = b->open_ms == 0 ? p->open_first_ms : 2 * b->open_ms;
	if (b->open_ms > p->open_max_ms)
		b->open_ms = p->open_max_ms;
	b->state = BREAKER_OPEN;
	b->due_ms = now_ms + b->open_ms;
	b->opened++;
	return true;
}

const char *breaker_state_name(enum breaker_state s)
{
	static const char *const names[] = {
		[BREAKER_CLOSED] = "closed",
		[BREAKER_OPEN] = "open",
		[BREAKER_HALF_OPEN] = "half-open",
	};

	return names[s];
}

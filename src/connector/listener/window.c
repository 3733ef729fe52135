/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/listener/internal.h"

enum {
	GOOD_BEFORE_GROWTH = 8
};

struct window window_make(uint64_t max)
{
	return (struct window){.max = max, .size = max};
}

void window_good(struct window *w)
{
	if (w->size == w->max || ++w->good < GOOD_BEFORE_GROWTH)
		return;
	w->size = w->size > w->max / 2 ? w->max : w->size * 2;
	w->good = 0;
}

void window_halve(struct window *w)
{
	w->size = w->size > 1 ? w->size / 2 : 1;
	w->good = 0;
}

/*
 * Nodes word "too many results" and "range too large" in a hundred ways, so any answer of the
 * node's own counts: a smaller window costs little when that was not the reason.
 */
bool window_is_too_wide(const struct provider_error *e)
{
	return e->err == ERR_TOO_BIG || e->err == ERR_TIMEOUT || e->err == ERR_REMOTE;
}

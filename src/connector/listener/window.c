/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/listener/internal.h"

enum {
	GOOD_BEFORE_GROWTH = 8,
	GOOD_BEFORE_DOUBT = 64, /* then what failed once may work by now */
};

struct window window_make(uint64_t max)
{
	return (struct window){.max = max, .size = max};
}

/* Below the size that failed last it closes in on it, and does not run into it again and again. */
static uint64_t grown(const struct window *w)
{
	if (w->failed > w->size)
		return w->size + (w->failed - w->size) / 2;
	return w->size > w->max / 2 ? w->max : w->size * 2;
}

void window_good(struct window *w, uint64_t blocks)
{
	if (w->size == w->max || blocks < w->size || ++w->good < GOOD_BEFORE_GROWTH)
		return;

	uint64_t next = grown(w);

	w->fits = w->size;
	if (next == w->size && w->good >= GOOD_BEFORE_DOUBT)
		w->failed = 0;
	if (next == w->size)
		return;
	w->size = next;
	w->good = 0;
}

void window_halve(struct window *w)
{
	w->failed = w->size;
	if (w->fits < w->size && w->fits > w->size / 2)
		w->size = w->fits;
	else
		w->size = w->size > 1 ? w->size / 2 : 1;
	w->fits = 0;
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

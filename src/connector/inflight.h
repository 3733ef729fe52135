/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Callbacks that may come after the one who waits for them is gone.
 *
 * A provider or a store calls `done` exactly once and knows no cancelling. Whoever starts such a
 * call gives a ticket as its ctx; the ticket names the owner until the owner's scope is cancelled.
 * The callback closes the ticket and learns whether anybody still cares.
 *
 *   struct ticket *t = scope_open(&job->calls, env->inflight, job, index);
 *   enum err e = provider_call(p, &msg, at, on_call, t);
 *   if (e != ERR_OK)
 *           (void)ticket_close(t, NULL);
 *
 *   static void on_call(void *ctx, ...)
 *   {
 *           struct job *job = ticket_close(ctx, &index);
 *           if (!job)
 *                   return;
 *
 * Tickets belong to the table: inflight_free also frees those that no callback will ever come for,
 * so it is freed last, after the stores and providers that hold them. One thread.
 */
#ifndef CONNECTOR_INFLIGHT_H
#define CONNECTOR_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>

struct ticket;

/* All-zero is empty. */
struct inflight {
	struct ticket *first;
};

/* The calls that one owner waits for; embedded in it; all-zero is empty. */
struct scope {
	struct ticket *first;
};

/* NULL when memory is out. */
struct ticket *scope_open(struct scope *s, struct inflight *table, void *owner, size_t index);

/* Nothing opened in this scope reaches its owner any more. */
void scope_cancel(struct scope *s);

/* Frees the ticket. The owner, or NULL when the scope was cancelled. `ret_index` may be NULL. */
void *ticket_close(struct ticket *t, size_t *ret_index);

void inflight_free(struct inflight *table);

#endif

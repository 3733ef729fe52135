/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * HTTP requests to object stores, a bounded number at once, the rest in order of arrival. Also the
 * memory budget of what they bring.
 *
 * A task is embedded in its user's struct; all-zero is idle. It must be cancelled before its memory
 * goes away.
 */
#ifndef CONNECTOR_WORKER_HTTP_QUEUE_H
#define CONNECTOR_WORKER_HTTP_QUEUE_H

#include "base/clock.h"
#include "net/transport.h"

struct http_queue;

typedef void http_task_fn(void *ctx, const struct http_reply *reply);

struct http_task {
	struct http_queue *queue;
	struct http_task *prev, *next;
	enum {
		TASK_IDLE,
		TASK_WAITING,
		TASK_RUNNING,
		TASK_FAILED
	} state;
	struct http_ticket ticket;
	struct http_request request; /* its texts must live until the reply */
	http_piece_fn *piece;
	enum err failed;
	http_task_fn *done;
	void *ctx;
};

struct http_queue {
	struct transport *transport;
	struct clock *clock;
	size_t running, running_max;
	struct http_task *first, *last;               /* waiting */
	struct http_task *failed_first, *failed_last; /* to be told so */
	struct timer timer;
};

void http_queue_init(struct http_queue *q, struct transport *t, struct clock *c,
		     size_t running_max);

/* `done` exactly once, later, unless cancelled; before it the request's `piece`, with the same ctx.
 */
void http_queue_add(struct http_queue *q, struct http_task *t, const struct http_request *req,
		    http_task_fn *done, void *ctx);
void http_task_cancel(struct http_task *t); /* idle ones allowed */
void http_queue_stop(struct http_queue *q); /* after every task was cancelled */

/* ---- memory budget ---- */

struct budget;

struct budget_claim {
	struct budget *budget;
	struct budget_claim *prev, *next;
	enum {
		CLAIM_IDLE,
		CLAIM_WAITING,
		CLAIM_HELD
	} state;
	size_t n;
	bool small;
	void (*granted)(void *ctx);
	void *ctx;
};

struct budget {
	struct clock *clock;
	size_t used, max;
	size_t small_used, small_max;      /* of small claims together; 0: none is small */
	struct budget_claim *first, *last; /* waiting, served in order */
	struct timer timer;
};

void budget_init(struct budget *b, struct clock *c, size_t max);

/* `granted` later, once n more bytes fit. A claim larger than the whole budget is granted when it
 * is alone. */
void budget_claim_start(struct budget *b, struct budget_claim *c, size_t n,
			void (*granted)(void *ctx), void *ctx);

/* A held claim that turns out too small: grows at once, even beyond the budget. */
void budget_claim_grow(struct budget_claim *c, size_t n);
void budget_claim_end(struct budget_claim *c); /* waiting, held or idle */
void budget_stop(struct budget *b);

/* For what lies in it without a claim: never beyond the budget, nor in the way of who waits. */
bool budget_take(struct budget *b, size_t n);
void budget_give(struct budget *b, size_t n);
size_t budget_left(const struct budget *b);

#endif

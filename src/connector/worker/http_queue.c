/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/http_queue.h"

enum {
	BUSY_RETRY_MS = 20,
	SMALL_PART = 8, /* a claim of no more than this part of budget.small_max is small */
};

/* ---- the two lists ---- */

static void list_push(struct http_task **first, struct http_task **last, struct http_task *t)
{
	t->prev = *last;
	t->next = NULL;
	if (*last)
		(*last)->next = t;
	else
		*first = t;
	*last = t;
}

static void list_remove(struct http_task **first, struct http_task **last, struct http_task *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		*first = t->next;
	if (t->next)
		t->next->prev = t->prev;
	else
		*last = t->prev;
	t->prev = t->next = NULL;
}

/* ---- running ---- */

static void pump(struct http_queue *q);

static void on_reply(void *ctx, const struct http_reply *reply)
{
	struct http_task *t = ctx;

	t->state = TASK_IDLE;
	t->queue->running--;
	pump(t->queue);
	t->done(t->ctx, reply);
}

static void on_piece(void *ctx, struct bytes piece)
{
	struct http_task *t = ctx;

	t->piece(t->ctx, piece);
}

static void on_timer(void *ctx)
{
	struct http_queue *q = ctx;
	struct http_task *t = q->failed_first;

	if (!t) {
		pump(q);
		return;
	}
	list_remove(&q->failed_first, &q->failed_last, t);
	t->state = TASK_IDLE;
	clock_timer_set(q->clock, &q->timer, 0, on_timer, q);

	const struct http_reply reply = {.err = t->failed};
	t->done(t->ctx, &reply);
}

static void pump(struct http_queue *q)
{
	while (q->first && q->running < q->running_max) {
		struct http_task *t = q->first;
		enum err e = transport_send(q->transport, &t->ticket, &t->request, on_reply, t);

		if (e == ERR_BUSY) {
			/* Others use the transport too: a little later there may be room. */
			if (!q->timer.armed)
				clock_timer_set(q->clock, &q->timer, BUSY_RETRY_MS, on_timer, q);
			return;
		}
		list_remove(&q->first, &q->last, t);
		if (e == ERR_OK) {
			t->state = TASK_RUNNING;
			q->running++;
			continue;
		}
		t->state = TASK_FAILED;
		t->failed = e;
		list_push(&q->failed_first, &q->failed_last, t);
		clock_timer_set(q->clock, &q->timer, 0, on_timer, q);
	}
}

void http_queue_init(struct http_queue *q, struct transport *t, struct clock *c, size_t running_max)
{
	*q = (struct http_queue){.transport = t, .clock = c, .running_max = running_max};
}

void http_queue_add(struct http_queue *q, struct http_task *t, const struct http_request *req,
		    http_task_fn *done, void *ctx)
{
	CHECK(t->state == TASK_IDLE);
	*t = (struct http_task){
		.queue = q, .state = TASK_WAITING, .request = *req, .done = done, .ctx = ctx};
	t->piece = req->piece;
	if (req->piece)
		t->request.piece = on_piece;
	list_push(&q->first, &q->last, t);
	pump(q);
}

void http_task_cancel(struct http_task *t)
{
	struct http_queue *q = t->queue;

	switch (t->state) {
	case TASK_IDLE:
		return;
	case TASK_WAITING:
		list_remove(&q->first, &q->last, t);
		break;
	case TASK_FAILED:
		list_remove(&q->failed_first, &q->failed_last, t);
		break;
	case TASK_RUNNING:
		transport_cancel(q->transport, t->ticket);
		q->running--;
		break;
	}
	t->state = TASK_IDLE;
	/* Not pump(): whoever cancels one often cancels its neighbours next. */
	if (q->first && !q->timer.armed)
		clock_timer_set(q->clock, &q->timer, 0, on_timer, q);
}

void http_queue_stop(struct http_queue *q)
{
	CHECK(!q->first && !q->failed_first && q->running == 0);
	if (q->clock)
		clock_timer_cancel(q->clock, &q->timer);
}

/* ---- budget ---- */

static void claim_unlink(struct budget *b, struct budget_claim *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		b->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		b->last = c->prev;
	c->prev = c->next = NULL;
}

/* Does it fit? Of the whole budget small claims have a part, however many they are. */
static bool claim_fits(const struct budget *b, const struct budget_claim *c)
{
	if (b->used > 0 && c->n > budget_left(b))
		return false;
	return !c->small || b->small_used == 0 ||
	       (b->small_used < b->small_max && c->n <= b->small_max - b->small_used);
}

static void claim_count(struct budget_claim *c, size_t n, bool back)
{
	struct budget *b = c->budget;

	b->used = back ? b->used - n : b->used + n;
	if (c->small)
		b->small_used = back ? b->small_used - n : b->small_used + n;
}

/* One per tick: `granted` may end any claim. */
static void budget_serve(void *ctx)
{
	struct budget *b = ctx;
	struct budget_claim *c = b->first;

	if (!c || !claim_fits(b, c))
		return;
	claim_unlink(b, c);
	c->state = CLAIM_HELD;
	claim_count(c, c->n, false);
	if (b->first)
		clock_timer_set(b->clock, &b->timer, 0, budget_serve, b);
	c->granted(c->ctx);
}

static void budget_wake(struct budget *b)
{
	if (b->first && !b->timer.armed)
		clock_timer_set(b->clock, &b->timer, 0, budget_serve, b);
}

void budget_init(struct budget *b, struct clock *c, size_t max)
{
	*b = (struct budget){.clock = c, .max = max};
}

void budget_claim_start(struct budget *b, struct budget_claim *c, size_t n,
			void (*granted)(void *ctx), void *ctx)
{
	CHECK(c->state == CLAIM_IDLE);
	*c = (struct budget_claim){.budget = b,
				   .prev = b->last,
				   .state = CLAIM_WAITING,
				   .n = n,
				   .small = n <= b->small_max / SMALL_PART,
				   .granted = granted,
				   .ctx = ctx};
	if (b->last)
		b->last->next = c;
	else
		b->first = c;
	b->last = c;
	budget_wake(b);
}

void budget_claim_grow(struct budget_claim *c, size_t n)
{
	CHECK(c->state == CLAIM_HELD);
	c->n += n;
	claim_count(c, n, false);
}

void budget_claim_end(struct budget_claim *c)
{
	if (c->state == CLAIM_WAITING)
		claim_unlink(c->budget, c);
	else if (c->state == CLAIM_HELD)
		claim_count(c, c->n, true);
	if (c->state != CLAIM_IDLE)
		budget_wake(c->budget);
	c->state = CLAIM_IDLE;
}

void budget_stop(struct budget *b)
{
	CHECK(!b->first && b->used == 0);
	if (b->clock)
		clock_timer_cancel(b->clock, &b->timer);
}

bool budget_take(struct budget *b, size_t n)
{
	if (b->first || n > budget_left(b))
		return false;
	b->used += n;
	return true;
}

void budget_give(struct budget *b, size_t n)
{
	b->used -= n;
	budget_wake(b);
}

size_t budget_left(const struct budget *b)
{
	return b->used < b->max ? b->max - b->used : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Requests on their way. A request travels, is served when it arrives, and its reply travels back;
 * either may be lost. When the process that asked is gone the request arrives all the same.
 */
#include <stddef.h>
#include <stdlib.h>

#include "base/limits.h"
#include "sim.h"

enum {
	LATENCY_MAX_MS = 40,
	SLOW_MAX_MS = 15000
};

enum server_kind {
	SERVER_NONE,
	SERVER_CHAIN,
	SERVER_BUCKET,
	SERVER_KMS,
	SERVER_CORE
};

struct exchange {
	struct exchange *next, *prev;
	struct sim *sim;
	struct process *home, *asked; /* asked is NULL: gone, or it gave up */
	uint64_t id;
	enum server_kind kind;
	struct endpoint *endpoint;
	size_t bucket;
	char method[8];
	struct buf body;
	size_t body_max;
	struct sim_event arrival, reply, deadline;
	bool arrived_set, reply_lost, garbage;
	int64_t back_ms;

	enum err err; /* what the transport says */
	struct http_answer answer;
	http_done_fn *http_done;

	enum grpc_status status;
	struct buf message;
	rpc_done_fn *rpc_done;
	void *ctx;
	char url[URL_SIZE_MAX]; /* last: all before it begins as zero */
};

/* ---- life ---- */

static struct exchange *exchange_new(struct process *p)
{
	struct sim *s = p->sim;
	struct exchange *x = s->exchanges_spare;

	if (x)
		s->exchanges_spare = x->next;
	else
		x = malloc(sizeof(*x));
	CHECK(x != NULL);
	memset(x, 0, offsetof(struct exchange, url));
	x->url[0] = '\0';
	x->sim = s;
	x->home = x->asked = p;
	x->id = ++s->exchange_id;
	x->next = s->exchanges;
	if (x->next)
		x->next->prev = x;
	s->exchanges = x;
	x->body = buf_make(GRPC_MESSAGE_MAX);
	x->answer.body = buf_make(GRPC_MESSAGE_MAX);
	x->message = buf_make(GRPC_MESSAGE_MAX);
	return x;
}

static void exchange_free(struct exchange *x)
{
	struct sim *s = x->sim;

	loop_cancel(&s->loop, &x->arrival);
	loop_cancel(&s->loop, &x->reply);
	loop_cancel(&s->loop, &x->deadline);
	if (x->prev)
		x->prev->next = x->next;
	else
		s->exchanges = x->next;
	if (x->next)
		x->next->prev = x->prev;
	buf_free(&x->body);
	buf_free(&x->answer.body);
	buf_free(&x->message);
	x->next = s->exchanges_spare;
	s->exchanges_spare = x;
}

/* Nobody waits for it any more; what has not arrived still does. */
static void exchange_abandon(struct exchange *x)
{
	loop_cancel(&x->sim->loop, &x->reply);
	loop_cancel(&x->sim->loop, &x->deadline);
	x->asked = NULL;
	if (!x->arrived_set)
		exchange_free(x);
}

void net_abandon(struct process *p)
{
	for (struct exchange *x = p->sim->exchanges, *next; x; x = next) {
		next = x->next;
		if (x->asked == p)
			exchange_abandon(x);
	}
}

void net_free(struct sim *s)
{
	while (s->exchanges)
		exchange_free(s->exchanges);
	while (s->exchanges_spare) {
		struct exchange *x = s->exchanges_spare;

		s->exchanges_spare = x->next;
		free(x);
	}
}

/* ---- replies ---- */

static void deliver(struct exchange *x)
{
	struct process *p = x->asked;

	x->asked = NULL;
	if (x->kind == SERVER_CORE) {
		const struct rpc_reply r = {.status = x->status,
					    .text = x->status == GRPC_OK ? "" : "as the seed wants",
					    .message = buf_view(&x->message)};

		x->rpc_done(x->ctx, &r);
	} else {
		struct http_reply r = {.err = x->err,
				       .status = x->answer.status,
				       .body = buf_view(&x->answer.body),
				       .owner = &x->answer.body,
				       .headers = x->answer.headers,
				       .headers_n = x->answer.headers_n};

		if (r.err == ERR_OK && r.body.n > x->body_max)
			r.err = ERR_TOO_BIG;
		if (r.err != ERR_OK)
			r = (struct http_reply){.err = r.err};
		x->http_done(x->ctx, &r);
	}
	(void)p;
	if (!x->arrived_set)
		exchange_free(x);
}

static void on_reply(void *ctx)
{
	struct exchange *x = ctx;

	loop_cancel(&x->sim->loop, &x->deadline);
	deliver(x);
}

static void on_deadline(void *ctx)
{
	struct exchange *x = ctx;

	loop_cancel(&x->sim->loop, &x->reply);
	x->err = ERR_TIMEOUT;
	x->status = GRPC_DEADLINE_EXCEEDED;
	buf_clear(&x->message);
	deliver(x);
}

static void spoil(struct exchange *x)
{
	struct buf *b = &x->answer.body;

	if (b->n > 2 && sim_chance(x->sim, 50))
		b->n /= 2;
	else {
		buf_clear(b);
		CHECK(buf_add_str(b, "<html>gateway</html>") == ERR_OK);
	}
}

static void on_arrival(void *ctx)
{
	struct exchange *x = ctx;
	struct sim *s = x->sim;
	const struct http_question q = {x->method, x->url, buf_view(&x->body), x->body_max};

	x->arrived_set = false;
	if (x->kind == SERVER_CORE)
		x->status = core_serve(s, x->url, q.body, &x->message);
	else if (x->kind == SERVER_CHAIN)
		chain_serve(x->endpoint, &q, &x->answer);
	else if (x->kind == SERVER_KMS)
		kms_serve(x->home, &q, &x->answer);
	else
		bucket_serve(s, x->bucket, &q, &x->answer);
	if (x->garbage)
		spoil(x);
	if (!x->asked)
		exchange_free(x);
	else if (!x->reply_lost)
		x->reply = loop_after(&s->loop, &x->asked->host, x->back_ms, on_reply, x);
}

static void answer_at_once(struct exchange *x, enum err e, int status)
{
	x->err = e;
	x->answer.status = status;
	x->reply = loop_after(&x->sim->loop, &x->asked->host, x->back_ms, on_reply, x);
}

/* ---- what happens on the way ---- */

static int64_t latency(struct sim *s)
{
	return sim_between(s, 1, LATENCY_MAX_MS);
}

static void travel(struct exchange *x, int64_t timeout_ms)
{
	struct sim *s = x->sim;

	x->deadline = loop_after(&s->loop, &x->asked->host, timeout_ms, on_deadline, x);
	x->arrived_set = true;
	x->arrival = loop_after(&s->loop, NULL, latency(s), on_arrival, x);
}

static void to_chain(struct exchange *x, int64_t timeout_ms)
{
	struct sim *s = x->sim;

	x->back_ms = latency(s);
	if (x->endpoint->down_until_ms > s->loop.now_ms || fault(s, FAULT_RPC_REFUSED)) {
		answer_at_once(x, ERR_UNAVAILABLE, 0);
	} else if (fault(s, FAULT_RPC_TIMEOUT)) {
		x->deadline = loop_after(&s->loop, &x->asked->host, timeout_ms, on_deadline, x);
	} else if (fault(s, FAULT_RPC_500)) {
		answer_at_once(x, ERR_OK, sim_chance(s, 50) ? 500 : 503);
	} else if (fault(s, FAULT_RPC_429)) {
		answer_at_once(x, ERR_OK, 429);
	} else {
		if (fault(s, FAULT_RPC_SLOW))
			x->back_ms = sim_between(s, SECOND, SLOW_MAX_MS);
		x->reply_lost = fault(s, FAULT_RPC_REPLY_LOST);
		x->garbage = fault(s, FAULT_RPC_GARBAGE);
		travel(x, timeout_ms);
	}
}

static void to_bucket(struct exchange *x, int64_t timeout_ms)
{
	struct sim *s = x->sim;

	x->back_ms = latency(s);
	if (fault(s, FAULT_BUCKET_FAILS)) {
		uint64_t how = sim_below(s, 3);

		answer_at_once(x, how == 0 ? ERR_UNAVAILABLE : ERR_OK, how == 1 ? 500 : 503);
		return;
	}
	if (fault(s, FAULT_BUCKET_SLOW))
		x->back_ms = sim_between(s, SECOND, 2 * SLOW_MAX_MS);
	travel(x, timeout_ms);
}

static void to_kms(struct exchange *x, int64_t timeout_ms)
{
	struct sim *s = x->sim;
	bool down = x->home->signer_down_until_ms > s->loop.now_ms;

	x->back_ms = more_between(s, 1, LATENCY_MAX_MS);
	if (down && more_chance(s, 50)) {
		answer_at_once(x, ERR_UNAVAILABLE, 0);
		return;
	}
	if (fault(s, FAULT_SIGNER_SLOW))
		x->back_ms = more_between(s, SECOND, SLOW_MAX_MS);
	x->reply_lost = down; /* it never says anything */
	travel(x, timeout_ms);
}

/* ---- the transport seam ---- */

static void text_set(char *out, size_t size, const char *text)
{
	size_t n = strlen(text) + 1;

	CHECK(n <= size);
	memcpy(out, text, n);
}

static struct process *process_of(struct transport *t)
{
	return CONTAINER_OF(t, struct process, transport);
}

static void find_server(struct exchange *x)
{
	struct sim *s = x->sim;
	struct chain *chains[] = {&s->gateway, &s->host};

	for (size_t c = 0; c < ARRAY_LEN(chains); c++)
		for (size_t i = 0; i < chains[c]->endpoints_n; i++) {
			struct endpoint *e = &chains[c]->endpoints[i];

			if (strncmp(x->url, e->url, strlen(e->url)) == 0) {
				x->kind = SERVER_CHAIN;
				x->endpoint = e;
			}
		}
	for (size_t i = 0; i < COPROCESSORS; i++)
		if (strncmp(x->url, s->bucket_urls[i], strlen(s->bucket_urls[i])) == 0) {
			x->kind = SERVER_BUCKET;
			x->bucket = i;
		}
	if (strncmp(x->url, KMS_URL, strlen(KMS_URL)) == 0)
		x->kind = SERVER_KMS;
	CHECK(x->kind != SERVER_NONE);
}

static enum err http_send(struct transport *t, struct http_ticket *ret_ticket,
			  const struct http_request *req, http_done_fn *done, void *ctx)
{
	struct process *p = process_of(t);
	struct exchange *x;

	ret_ticket->id = 0;
	if (!p->alive)
		return ERR_BUSY;
	x = exchange_new(p);
	text_set(x->method, sizeof(x->method), req->method);
	text_set(x->url, sizeof(x->url), req->url);
	CHECK(buf_add(&x->body, req->body) == ERR_OK);
	x->body_max = req->body_max;
	x->http_done = done;
	x->ctx = ctx;
	ret_ticket->id = x->id;
	find_server(x);
	if (x->kind == SERVER_CHAIN)
		to_chain(x, req->timeout_ms);
	else if (x->kind == SERVER_KMS)
		to_kms(x, req->timeout_ms);
	else
		to_bucket(x, req->timeout_ms);
	return ERR_OK;
}

static void cancel(struct sim *s, uint64_t id)
{
	for (struct exchange *x = s->exchanges; x && id > 0; x = x->next)
		if (x->id == id) {
			if (x->asked)
				exchange_abandon(x);
			return;
		}
}

static void http_cancel(struct transport *t, struct http_ticket ticket)
{
	cancel(process_of(t)->sim, ticket.id);
}

static const struct transport_ops transport_ops = {.send = http_send, .cancel = http_cancel};

/* ---- the channel seam ---- */

static enum err core_call(struct channel *c, struct rpc_ticket *ret_ticket,
			  const struct rpc_call *call, rpc_done_fn *done, void *ctx)
{
	struct process *p = CONTAINER_OF(c, struct process, channel);
	struct sim *s = p->sim;
	struct exchange *x;

	ret_ticket->id = 0;
	if (!p->alive)
		return ERR_BUSY;
	x = exchange_new(p);
	x->kind = SERVER_CORE;
	text_set(x->url, sizeof(x->url), call->path);
	CHECK(buf_add(&x->body, call->message) == ERR_OK);
	x->rpc_done = done;
	x->ctx = ctx;
	x->back_ms = latency(s);
	ret_ticket->id = x->id;
	if (s->core.down_until_ms > s->loop.now_ms) {
		x->status = GRPC_UNAVAILABLE;
		x->reply = loop_after(&s->loop, &p->host, x->back_ms, on_reply, x);
	} else {
		travel(x, call->timeout_ms);
	}
	return ERR_OK;
}

static void core_cancel_call(struct channel *c, struct rpc_ticket ticket)
{
	cancel(CONTAINER_OF(c, struct process, channel)->sim, ticket.id);
}

static const struct channel_ops channel_ops = {.call = core_call, .cancel = core_cancel_call};

void net_init(struct process *p)
{
	p->transport = (struct transport){&transport_ops};
	p->channel = (struct channel){&channel_ops};
}

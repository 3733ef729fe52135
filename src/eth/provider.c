/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The provider's queue: what runs, what waits for a slot, what failed before it was sent. */
#include "eth/provider.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "eth/provider_call.h"
#include "eth/rpc.h"

enum {
	IN_FLIGHT_DEFAULT = 64,
	REQUEST_KEEP_MAX = 256 << 10, /* a larger request buffer is given back after use */
};

/* ---- lists ---- */

static void list_push(struct call_list *l, struct call *c)
{
	c->prev = l->last;
	c->next = NULL;
	if (l->last)
		l->last->next = c;
	else
		l->first = c;
	l->last = c;
	l->n++;
}

static void list_remove(struct call_list *l, struct call *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		l->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		l->last = c->prev;
	c->prev = c->next = NULL;
	l->n--;
}

static void call_free(struct call *c)
{
	buf_free(&c->body);
	arena_free(&c->arena);
	free(c);
}

void call_drop(struct call **call)
{
	if (!*call)
		return;
	(*call)->provider->request_open = false;
	call_free(*call);
	*call = NULL;
}

/* ---- life ---- */

static void on_endpoints_changed(void *ctx);

static enum err options_check(const struct provider_options *o, struct err_note *note)
{
	if (o->timeout_ms <= 0)
		return err_say(note, ERR_CONFIG_VALUE, "the RPC time limit must be positive");
	if (o->quorum > 1 + o->more_urls_n)
		return err_say(note, ERR_CONFIG_VALUE,
			       "a quorum of %u endpoints, and there are only %zu", o->quorum,
			       1 + o->more_urls_n);
	return ERR_OK;
}

enum err provider_new(struct provider **ret_provider, struct transport *transport,
		      struct clock *clock, const struct provider_options *opts,
		      struct err_note *note)
{
	TRY(options_check(opts, note));

	struct provider *p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	enum err e = rpc_endpoints_new(&p->endpoints, transport, clock, opts, on_endpoints_changed,
				       p, note);
	if (e != ERR_OK) {
		free(p);
		return e;
	}
	p->transport = transport;
	p->clock = clock;
	p->managed = opts->verify_chain || opts->more_urls_n > 0;
	p->quorum = opts->quorum > 1 ? opts->quorum : 1;
	p->event = opts->event;
	p->event_ctx = opts->event_ctx;
	p->chain_id = opts->chain_id;
	p->timeout_ms = opts->timeout_ms;
	p->in_flight_max = opts->in_flight_max ? opts->in_flight_max : IN_FLIGHT_DEFAULT;
	p->next_id = 1;
	p->request = buf_make(JSON_RPC_REQUEST_MAX);
	*ret_provider = p;
	return ERR_OK;
}

static void list_free(struct call_list *l)
{
	while (l->first) {
		struct call *c = l->first;

		list_remove(l, c);
		call_free(c);
	}
}

void provider_free(struct provider *p)
{
	if (!p)
		return;
	for (struct call *c = p->running.first; c; c = c->next)
		call_cancel(c);
	clock_timer_cancel(p->clock, &p->timer);
	clock_timer_cancel(p->clock, &p->expiry);
	list_free(&p->running);
	list_free(&p->waiting);
	list_free(&p->failed);
	buf_free(&p->request);
	rpc_endpoints_free(p->endpoints);
	free(p);
}

struct chain_id provider_chain_id(const struct provider *p)
{
	return p->chain_id;
}

bool provider_verifies_chain(const struct provider *p)
{
	return p->managed;
}

const char *provider_host(const struct provider *p)
{
	return rpc_endpoints_host(p->endpoints, 0);
}

unsigned provider_endpoints_n(const struct provider *p)
{
	return rpc_endpoints_n(p->endpoints);
}

void provider_endpoint_status(const struct provider *p, unsigned i,
			      struct provider_endpoint *ret_status)
{
	rpc_endpoints_status(p->endpoints, i, ret_status);
}

/* ---- running ---- */

static void start_waiting(struct provider *p);

/* The reply to a call. The caller's function may free the provider, so it is called with nothing
 * left to do for it. */
static void on_reply(void *ctx, const struct http_reply *http)
{
	struct attempt *a = ctx;
	struct call *c = a->call;
	struct provider *p = c->provider;
	unsigned endpoint = (unsigned)(a - c->attempts);
	struct provider_error e;
	struct rpc_reply r;

	a->open = false;
	c->open_n--;
	if (!p->managed) { /* as soon as can be: reading it takes a while */
		list_remove(&p->running, c);
		start_waiting(p);
	}
	rpc_reply_read(&r, &e, http, c->method, c->id, c->reply_max);
	e.endpoint = endpoint;
	if (p->managed) {
		bool lost = http->err == ERR_UNAVAILABLE || http->err == ERR_TIMEOUT;

		if (e.err != ERR_OK)
			rpc_endpoints_answered(p->endpoints, endpoint, e.err, lost);
		if (!call_settled(c, endpoint, &e, r.result, on_reply)) {
			rpc_reply_free(&r);
			return;
		}
		call_cancel(c);
		list_remove(&p->running, c);
		start_waiting(p);
	}
	c->finish(c, &e, r.result);
	rpc_reply_free(&r);
	call_free(c);
}

/* One per tick, and the next tick is ordered first: the caller's function may free the provider. */
static void deliver_failed(void *ctx)
{
	struct provider *p = ctx;
	struct call *c = p->failed.first;
	struct provider_error e = {.rpc_message = ""};

	list_remove(&p->failed, c);
	if (p->failed.n > 0)
		clock_timer_set(p->clock, &p->timer, 0, deliver_failed, p);
	e.err = err_say(&e.note, c->failed, "%s: not sent: %s", c->method,
			c->failed_note.text[0] ? c->failed_note.text : err_name(c->failed));
	c->finish(c, &e, NULL);
	call_free(c);
}

static void fail_later(struct provider *p, struct call *c, enum err err)
{
	c->failed = err;
	list_push(&p->failed, c);
	if (p->failed.n == 1)
		clock_timer_set(p->clock, &p->timer, 0, deliver_failed, p);
}

static void end_waiting(struct provider *p, struct call *c)
{
	list_remove(&p->waiting, c);
	p->waiting_bytes -= c->body.n;
	if (!p->managed) /* else it may be put to another endpoint */
		buf_free(&c->body);
	if (p->waiting.n == 0)
		clock_timer_cancel(p->clock, &p->expiry);
}

/* All wait equally long, so the first is the first to be late. It may be gone when the timer fires:
 * then another is watched. */
static void expire_waiting(void *ctx)
{
	struct provider *p = ctx;
	int64_t now_ms = clock_mono_ms(p->clock);

	while (p->waiting.n > 0 && p->waiting.first->deadline_ms <= now_ms) {
		struct call *c = p->waiting.first;

		end_waiting(p, c);
		fail_later(p, c, c->failed == ERR_OK ? ERR_TIMEOUT : c->failed);
	}
	if (p->waiting.n > 0)
		clock_timer_set(p->clock, &p->expiry, p->waiting.first->deadline_ms - now_ms,
				expire_waiting, p);
}

static void start_waiting(struct provider *p)
{
	struct call *next;

	for (struct call *c = p->waiting.first; c && p->running.n < p->in_flight_max; c = next) {
		enum err err = call_start(c, buf_view(&c->body), on_reply);

		next = c->next;
		/* The transport serves others too; one of ours that ends will try again. */
		if (err == ERR_BUSY && p->running.n > 0)
			return;
		if (p->managed && err == ERR_NOT_READY)
			continue;
		end_waiting(p, c);
		if (err == ERR_OK)
			list_push(&p->running, c);
		else
			fail_later(p, c, err);
	}
}

/* Those that wait for an endpoint when there is none, and none is being asked how it is. */
static void fail_hopeless(struct provider *p)
{
	struct provider_error e = {0};

	if (p->waiting.n == 0 || p->running.n >= p->in_flight_max ||
	    !rpc_endpoints_hopeless(p->endpoints, &e))
		return;
	while (p->waiting.n > 0) {
		struct call *c = p->waiting.first;

		end_waiting(p, c);
		c->failed_note = e.note;
		fail_later(p, c, e.err);
	}
}

static void on_endpoints_changed(void *ctx)
{
	struct provider *p = ctx;

	start_waiting(p);
	fail_hopeless(p);
}

static enum err wait_for_slot(struct provider *p, struct call *c, struct bytes body)
{
	if (p->waiting.n >= PROVIDER_WAITING_MAX ||
	    body.n > PROVIDER_WAITING_BYTES_MAX - p->waiting_bytes)
		return ERR_BUSY;
	if (!p->managed) {
		c->body = buf_make(body.n);
		TRY(buf_add(&c->body, body));
	}
	p->waiting_bytes += body.n;
	list_push(&p->waiting, c);
	if (p->waiting.n == 1)
		clock_timer_set(p->clock, &p->expiry, c->deadline_ms - clock_mono_ms(p->clock),
				expire_waiting, p);
	return ERR_OK;
}

static enum err send_or_wait(struct provider *p, struct call *c)
{
	struct bytes body = buf_view(&p->request);

	if (p->managed) {
		c->body = buf_make(body.n);
		TRY(buf_add(&c->body, body));
		body = buf_view(&c->body);
		rpc_endpoints_wake(p->endpoints, false);
	}
	if (p->running.n >= p->in_flight_max)
		return wait_for_slot(p, c, body);
	/* Behind those that a busy transport made wait; perhaps it has room by now. */
	if (p->waiting.n > 0) {
		TRY(wait_for_slot(p, c, body));
		start_waiting(p);
	} else {
		enum err err = call_start(c, body, on_reply);
		bool wait = (err == ERR_BUSY && p->running.n > 0) ||
			    (err == ERR_NOT_READY && p->managed);

		if (err == ERR_OK)
			list_push(&p->running, c);
		if (!wait)
			return err;
		TRY(wait_for_slot(p, c, body));
	}
	if (p->managed) {
		rpc_endpoints_wake(p->endpoints, true);
		fail_hopeless(p);
	}
	return ERR_OK;
}

/* ---- one call ---- */

static bool method_is_plain(const char *method)
{
	size_t n = strspn(method, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789_");

	return n > 0 && n < METHOD_SIZE && method[n] == '\0';
}

enum err provider_begin(struct provider *p, struct call **ret_call, const char *method)
{
	CHECK(!p->request_open);
	if (!method_is_plain(method))
		return ERR_RANGE;

	struct call *c = calloc(1, sizeof(*c));
	if (!c)
		return ERR_NOMEM;
	c->provider = p;
	for (size_t i = 0; i < ARRAY_LEN(c->attempts); i++)
		c->attempts[i].call = c;
	c->id = p->next_id++;
	c->deadline_ms = clock_mono_ms(p->clock) + p->timeout_ms;
	c->arena = arena_make(JSON_RPC_BODY_MAX);
	memcpy(c->method, method, strlen(method) + 1);
	c->request = &p->request;
	buf_clear(c->request);
	enum err err = buf_addf(
		c->request,
		"{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"%s\",\"params\":", c->id,
		method);
	if (err != ERR_OK) {
		call_free(c);
		return err;
	}
	p->request_open = true;
	*ret_call = c;
	return ERR_OK;
}

enum err provider_submit(struct provider *p, struct call **call, size_t reply_max)
{
	struct call *c = *call;

	TRY(buf_add_u8(c->request, '}'));
	c->reply_max = reply_max == 0 || reply_max > JSON_RPC_BODY_MAX ? (size_t)JSON_RPC_BODY_MAX
								       : reply_max;
	TRY(send_or_wait(p, c));
	if (p->request.cap > REQUEST_KEEP_MAX)
		buf_free(&p->request);
	p->request_open = false;
	*call = NULL;
	return ERR_OK;
}

void call_fail(struct call *c, struct provider_error *e, enum err err, const char *what)
{
	if (e->err == ERR_OK && err != ERR_OK)
		e->err = err_say(&e->note, err, "%s: %s", c->method, what);
}

enum err call_add_quantity(struct call *c, uint64_t v)
{
	return buf_addf(c->request, "\"0x%" PRIx64 "\"", v);
}

enum err call_add_hex(struct call *c, struct bytes v)
{
	TRY(buf_add_u8(c->request, '"'));
	TRY(hex_add(c->request, v, true));
	return buf_add_u8(c->request, '"');
}

enum err call_add_tag(struct call *c, struct block_tag tag)
{
	static const char *const names[] = {
		[BLOCK_LATEST] = "latest",
		[BLOCK_SAFE] = "safe",
		[BLOCK_FINALIZED] = "finalized",
		[BLOCK_PENDING] = "pending",
	};

	if (tag.kind == BLOCK_NUMBER) {
		c->has_block = true;
		c->block = tag.number.v;
		return call_add_quantity(c, tag.number.v);
	}
	/* Two endpoints have two "latest" blocks; as many blanks as a number needs. */
	if (tag.kind == BLOCK_LATEST && c->votes && c->provider->quorum > 1) {
		c->pin_at = c->request->n;
		return buf_addf(c->request, "%-*s", PIN_SIZE, "\"latest\"");
	}
	return buf_addf(c->request, "\"%s\"", names[tag.kind]);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "aws_fake.h"

#include <stdlib.h>

static struct fake *of_clock(struct clock *c)
{
	return CONTAINER_OF(c, struct fake, clock);
}

static int64_t mono(struct clock *c)
{
	return of_clock(c)->now_ms;
}

static int64_t wall(struct clock *c)
{
	return of_clock(c)->wall_ms + of_clock(c)->now_ms;
}

static void timer_cancel(struct clock *c, struct timer *t)
{
	for (size_t i = 0; i < FAKE_TIMERS_MAX; i++)
		if (of_clock(c)->armed[i] == t)
			of_clock(c)->armed[i] = NULL;
	t->armed = false;
}

static void timer_set(struct clock *c, struct timer *t, int64_t delay_ms, timer_fn *fn, void *ctx)
{
	struct fake *f = of_clock(c);
	size_t i = 0;

	assert_true(delay_ms >= 0);
	timer_cancel(c, t);
	while (i < FAKE_TIMERS_MAX && f->armed[i])
		i++;
	assert_true(i < FAKE_TIMERS_MAX);
	*t = (struct timer){.fn = fn, .ctx = ctx, .armed = true};
	f->armed[i] = t;
	f->due_ms[i] = f->now_ms + delay_ms;
}

/* FAKE_TIMERS_MAX: none is due until then. */
static size_t next_due(const struct fake *f, int64_t until_ms)
{
	size_t next = FAKE_TIMERS_MAX;

	for (size_t i = 0; i < FAKE_TIMERS_MAX; i++)
		if (f->armed[i] && f->due_ms[i] <= until_ms &&
		    (next == FAKE_TIMERS_MAX || f->due_ms[i] < f->due_ms[next]))
			next = i;
	return next;
}

static bool fire(struct fake *f, int64_t until_ms)
{
	size_t next = next_due(f, until_ms);

	if (next == FAKE_TIMERS_MAX)
		return false;

	struct timer *t = f->armed[next];

	if (f->due_ms[next] > f->now_ms)
		f->now_ms = f->due_ms[next];
	f->armed[next] = NULL;
	t->armed = false;
	t->fn(t->ctx);
	return true;
}

bool fake_fire(struct fake *f)
{
	return fire(f, INT64_MAX);
}

void fake_run(struct fake *f, int64_t ms)
{
	int64_t until = f->now_ms + ms;
	unsigned rounds = 0;

	while (fire(f, until))
		assert_true(++rounds < 10000);
	f->now_ms = until;
}

static enum err fake_send(struct transport *base, struct http_ticket *ret_ticket,
			  const struct http_request *req, http_done_fn *done, void *ctx)
{
	struct fake *f = CONTAINER_OF(base, struct fake, transport);
	struct fake_request *r = &f->requests[f->requests_n];

	assert_true(f->requests_n < FAKE_REQUESTS_MAX);
	assert_true(req->timeout_ms > 0 && req->body_max > 0);
	if (f->busy > 0) {
		f->busy--;
		return ERR_BUSY;
	}
	*r = (struct fake_request){
		.id = ++f->requests_n,
		.head = buf_make(64 << 10),
		.body = buf_make(64 << 10),
		.direct = req->direct,
		.secret = req->secret,
		.timeout_ms = req->timeout_ms,
		.connect_timeout_ms = req->connect_timeout_ms,
		.body_max = req->body_max,
		.piece = req->piece,
		.done = done,
		.ctx = ctx,
	};
	assert_int_equal(buf_addf(&r->head, "%s %s\n", req->method, req->url), ERR_OK);
	for (size_t i = 0; i < req->headers_n; i++)
		assert_int_equal(
			buf_addf(&r->head, "%s: %s\n", req->headers[i].name, req->headers[i].value),
			ERR_OK);
	assert_int_equal(buf_add_u8(&r->head, 0), ERR_OK);
	assert_int_equal(buf_add(&r->body, req->body), ERR_OK);
	assert_int_equal(buf_add_u8(&r->body, 0), ERR_OK);
	ret_ticket->id = r->id;
	return ERR_OK;
}

static void fake_cancel(struct transport *base, struct http_ticket ticket)
{
	struct fake *f = CONTAINER_OF(base, struct fake, transport);

	for (size_t i = 0; ticket.id != 0 && i < f->requests_n; i++)
		if (f->requests[i].id == ticket.id) {
			f->requests[i].id = 0;
			f->cancelled_n++;
		}
}

struct fake *fake_new(void)
{
	static const struct clock_ops clock_ops = {
		.mono_ms = mono,
		.wall_ms = wall,
		.timer_set = timer_set,
		.timer_cancel = timer_cancel,
	};
	static const struct transport_ops transport_ops = {.send = fake_send,
							   .cancel = fake_cancel};
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->clock.ops = &clock_ops;
	f->transport.ops = &transport_ops;
	f->wall_ms = FAKE_WALL_MS;
	return f;
}

/* Whoever used it has let go of everything. */
void fake_free(struct fake *f)
{
	for (size_t i = 0; i < FAKE_TIMERS_MAX; i++)
		assert_null(f->armed[i]);
	for (size_t i = 0; i < f->requests_n; i++) {
		assert_int_equal(f->requests[i].id, 0);
		buf_free(&f->requests[i].head);
		buf_free(&f->requests[i].body);
	}
	free(f);
}

static void deliver(struct fake *f, size_t i, struct http_reply *reply)
{
	struct fake_request *r = &f->requests[i];

	assert_true(i < f->requests_n && r->id != 0);
	r->id = 0;
	r->done(r->ctx, reply);
}

void fake_reply(struct fake *f, size_t i, int status, const struct http_header *headers,
		size_t headers_n, const char *body)
{
	const struct fake_request *r = &f->requests[i];
	struct buf copy = buf_make(64 << 10);
	struct http_reply reply = {
		.status = status, .owner = &copy, .headers = headers, .headers_n = headers_n};

	assert_int_equal(buf_add_str(&copy, body), ERR_OK);
	reply.body = buf_view(&copy);
	if (r->piece && copy.n > 0) {
		r->piece(r->ctx, bytes_sub(reply.body, 0, copy.n / 2));
		r->piece(r->ctx, bytes_sub(reply.body, copy.n / 2, copy.n - copy.n / 2));
	}
	deliver(f, i, &reply);
	buf_free(&copy);
}

void fake_answer(struct fake *f, size_t i, int status, const char *date, const char *body)
{
	const struct http_header h = {"date", date};

	fake_reply(f, i, status, &h, date ? 1 : 0, body);
}

void fake_fail(struct fake *f, size_t i, enum err e)
{
	struct http_reply reply = {.err = e, .note.text = "as the test wants it"};

	deliver(f, i, &reply);
}

const char *fake_head(const struct fake *f, size_t i)
{
	assert_true(i < f->requests_n);
	return (const char *)f->requests[i].head.p;
}

const char *fake_body(const struct fake *f, size_t i)
{
	assert_true(i < f->requests_n);
	return (const char *)f->requests[i].body.p;
}

void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" in: %s", part, text);
}

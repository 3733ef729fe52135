/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"

/* ---- vectors ---- */

json_t *vectors_load(const char *name)
{
	char path[4096];
	json_error_t why;

	snprintf(path, sizeof(path), "%s/eth/%s", getenv("VECTORS"), name);
	json_t *v = json_load_file(path, 0, &why);
	if (!v)
		fail_msg("%s: %s", path, why.text);
	return v;
}

const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s)
		fail_msg("no text \"%s\" in the vector", key);
	return s;
}

struct bytes hex_bytes(struct arena *a, const char *text)
{
	size_t n = strlen(text) / 2 - 1;
	uint8_t *p = arena_alloc(a, n);

	assert_non_null(p);
	assert_ok(hex_decode_fixed(p, n, bytes_str(text)));
	return bytes_from(p, n);
}

struct hash32 hex_hash(const char *text)
{
	struct hash32 h;

	assert_ok(hex_decode_fixed(h.b, sizeof(h.b), bytes_str(text)));
	return h;
}

struct address hex_address(const char *text)
{
	struct address a;

	assert_ok(hex_decode_fixed(a.b, sizeof(a.b), bytes_str(text)));
	return a;
}

void assert_bytes_equal(struct bytes got, struct bytes want)
{
	assert_int_equal(got.n, want.n);
	if (want.n > 0)
		assert_memory_equal(got.p, want.p, want.n);
}

static struct u256 number_from_text(const char *text)
{
	bool minus = text[0] == '-';
	struct u256 v;

	assert_ok(u256_parse(&v, bytes_str(&text[minus ? 1 : 0])));
	if (minus)
		(void)u256_sub(&v, U256_ZERO, v);
	return v;
}

struct abi_value value_from_json(struct arena *a, const struct abi_type *type, const json_t *v)
{
	switch (type->kind) {
	case ABI_UINT:
	case ABI_INT:
		assert_true(json_is_string(v));
		return abi_uint(number_from_text(json_string_value(v)));
	case ABI_ADDRESS:
		return abi_address(hex_address(json_string_value(v)));
	case ABI_BOOL:
		assert_true(json_is_boolean(v));
		return abi_bool(json_is_true(v));
	case ABI_FIXED_BYTES:
	case ABI_BYTES:
		return abi_bytes(hex_bytes(a, json_string_value(v)));
	case ABI_STRING:
		return abi_bytes(bytes_from(json_string_value(v), json_string_length(v)));
	case ABI_ARRAY:
	case ABI_TUPLE:
		break;
	}

	assert_true(json_is_array(v));
	size_t n = json_array_size(v);
	struct abi_value *items = arena_alloc_array(a, n, sizeof(*items));
	assert_non_null(items);
	for (size_t i = 0; i < n; i++)
		items[i] = value_from_json(a, &type->of[type->kind == ABI_TUPLE ? i : 0],
					   json_array_get(v, i));
	return abi_items(items, n);
}

void assert_value_equal(const struct abi_type *type, const struct abi_value *got,
			const struct abi_value *want)
{
	assert_true(u256_eq(got->word, want->word));
	assert_bytes_equal(got->bytes, want->bytes);
	assert_int_equal(got->items_n, want->items_n);
	for (size_t i = 0; i < want->items_n; i++)
		assert_value_equal(&type->of[type->kind == ABI_TUPLE ? i : 0], &got->items[i],
				   &want->items[i]);
}

/* ---- clock ---- */

static int64_t fake_now(struct clock *c)
{
	return CONTAINER_OF(c, struct fake_clock, base)->now_ms;
}

static void fake_timer_cancel(struct clock *base, struct timer *t)
{
	struct fake_clock *c = CONTAINER_OF(base, struct fake_clock, base);

	for (size_t i = 0; i < FAKE_TIMERS_MAX; i++)
		if (c->armed[i] == t)
			c->armed[i] = NULL;
	t->armed = false;
}

static void fake_timer_set(struct clock *base, struct timer *t, int64_t delay_ms, timer_fn *fn,
			   void *ctx)
{
	struct fake_clock *c = CONTAINER_OF(base, struct fake_clock, base);
	size_t i = 0;

	fake_timer_cancel(base, t);
	while (i < FAKE_TIMERS_MAX && c->armed[i])
		i++;
	assert_true(i < FAKE_TIMERS_MAX);
	*t = (struct timer){.fn = fn, .ctx = ctx, .armed = true};
	c->armed[i] = t;
	c->due_ms[i] = c->now_ms + delay_ms;
}

struct clock *fake_clock_init(struct fake_clock *c)
{
	static const struct clock_ops ops = {
		.mono_ms = fake_now,
		.wall_ms = fake_now,
		.timer_set = fake_timer_set,
		.timer_cancel = fake_timer_cancel,
	};

	*c = (struct fake_clock){.base.ops = &ops, .now_ms = 1000};
	return &c->base;
}

bool fake_clock_fire(struct fake_clock *c)
{
	size_t next = FAKE_TIMERS_MAX;

	for (size_t i = 0; i < FAKE_TIMERS_MAX; i++)
		if (c->armed[i] && (next == FAKE_TIMERS_MAX || c->due_ms[i] < c->due_ms[next]))
			next = i;
	if (next == FAKE_TIMERS_MAX)
		return false;
	struct timer *t = c->armed[next];
	if (c->due_ms[next] > c->now_ms)
		c->now_ms = c->due_ms[next];
	c->armed[next] = NULL;
	t->armed = false;
	t->fn(t->ctx);
	return true;
}

/* ---- transport ---- */

static enum err fake_send(struct transport *base, struct http_ticket *ret_ticket,
			  const struct http_request *req, http_done_fn *done, void *ctx)
{
	struct fake_transport *t = CONTAINER_OF(base, struct fake_transport, base);

	TRY(t->send_err);
	assert_true(t->requests_n < FAKE_REQUESTS_MAX);
	assert_string_equal(req->method, "POST");
	assert_true(req->timeout_ms > 0);

	struct fake_request *r = &t->requests[t->requests_n++];
	*r = (struct fake_request){
		.ticket.id = t->requests_n,
		.body = buf_make(64 << 20),
		.timeout_ms = req->timeout_ms,
		.body_max = req->body_max,
		.done = done,
		.ctx = ctx,
	};
	assert_ok(buf_add(&r->body, req->body));
	*ret_ticket = r->ticket;
	return ERR_OK;
}

static void fake_cancel(struct transport *base, struct http_ticket ticket)
{
	struct fake_transport *t = CONTAINER_OF(base, struct fake_transport, base);

	for (size_t i = 0; i < t->requests_n; i++)
		if (t->requests[i].ticket.id == ticket.id) {
			t->requests[i].ticket.id = 0;
			t->cancelled_n++;
		}
}

struct transport *fake_transport_init(struct fake_transport *t)
{
	static const struct transport_ops ops = {.send = fake_send, .cancel = fake_cancel};

	memset(t, 0, sizeof(*t));
	t->base.ops = &ops;
	return &t->base;
}

void fake_transport_clear(struct fake_transport *t)
{
	for (size_t i = 0; i < t->requests_n; i++)
		buf_free(&t->requests[i].body);
	t->requests_n = 0;
}

static json_t *parsed(const struct fake_request *r)
{
	json_t *v;

	assert_ok(json_parse(&v, buf_view(&r->body), r->body.n, NULL));
	return v;
}

static void deliver(struct fake_transport *t, size_t i, struct http_reply *reply)
{
	struct fake_request *r = &t->requests[i];

	assert_true(i < t->requests_n && r->ticket.id != 0);
	r->ticket.id = 0;
	r->done(r->ctx, reply);
}

void fake_answer(struct fake_transport *t, size_t i, int status, const char *text)
{
	struct buf body = buf_make(64 << 20);
	struct http_reply reply = {.status = status, .owner = &body};
	const char *at = strchr(text, '@');

	assert_true(i < t->requests_n);
	if (at) {
		json_t *v = parsed(&t->requests[i]);

		assert_ok(buf_addf(&body, "%.*s%lld", (int)(at - text), text,
				   (long long)json_integer_value(json_object_get(v, "id"))));
		assert_ok(buf_add_str(&body, &at[1]));
		json_decref(v);
	} else {
		assert_ok(buf_add_str(&body, text));
	}
	reply.body = buf_view(&body);
	deliver(t, i, &reply);
	buf_free(&body);
}

void fake_fail(struct fake_transport *t, size_t i, enum err err)
{
	struct http_reply reply = {.err = err, .note.text = "as the test wants it"};

	deliver(t, i, &reply);
}

void assert_request(struct fake_transport *t, size_t i, const char *method, const char *params)
{
	struct buf text = buf_make(64 << 20);
	const char *got;

	assert_true(i < t->requests_n);
	json_t *v = parsed(&t->requests[i]);
	assert_string_equal(text_at(v, "jsonrpc"), "2.0");
	assert_string_equal(text_at(v, "method"), method);
	assert_ok(json_print(&text, json_object_get(v, "params")));
	assert_ok(buf_cstr(&text, &got));
	assert_string_equal(got, params);
	buf_free(&text);
	json_decref(v);
}

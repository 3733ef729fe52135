/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Spans, their contexts, and a collector that takes them, is away, is slow or refuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "net/trace.h"
#include "testing.h"

/* A clock of one timer, and a transport that keeps what it is given. */
struct world {
	struct clock clock;
	struct transport transport;
	struct rng_seeded seeded;
	struct rng *rng;
	struct tracer *tracer;
	int64_t now_ms, due_ms;
	struct timer *timer;

	unsigned sent, cancelled;
	bool busy;
	char url[200], headers[400];
	json_t *body;
	http_done_fn *done;
	void *ctx;
};

static int64_t time_now(struct clock *c)
{
	return ((struct world *)c)->now_ms;
}

static void timer_set(struct clock *c, struct timer *t, int64_t delay_ms, timer_fn *fn, void *ctx)
{
	struct world *w = (struct world *)c;

	*t = (struct timer){.fn = fn, .ctx = ctx, .armed = true};
	w->timer = t;
	w->due_ms = w->now_ms + delay_ms;
}

static void timer_cancel(struct clock *c, struct timer *t)
{
	(void)c;
	t->armed = false;
}

static enum err http_send(struct transport *t, struct http_ticket *ret,
			  const struct http_request *q, http_done_fn *done, void *ctx)
{
	struct world *w = CONTAINER_OF(t, struct world, transport);

	if (w->busy)
		return ERR_BUSY;
	assert_null(w->done); /* one at a time */
	w->sent++;
	ret->id = w->sent;
	(void)snprintf(w->url, sizeof(w->url), "%s %s", q->method, q->url);
	w->headers[0] = '\0';
	for (size_t i = 0; i < q->headers_n; i++)
		(void)snprintf(&w->headers[strlen(w->headers)],
			       sizeof(w->headers) - strlen(w->headers), "%s: %s\n",
			       q->headers[i].name, q->headers[i].value);
	json_decref(w->body);
	assert_int_equal(json_parse(&w->body, q->body, 1 << 20, NULL), ERR_OK);
	w->done = done;
	w->ctx = ctx;
	return ERR_OK;
}

static void http_cancel(struct transport *t, struct http_ticket ticket)
{
	struct world *w = CONTAINER_OF(t, struct world, transport);

	assert_int_equal(ticket.id, w->sent);
	w->cancelled++;
}

static const struct clock_ops clock_ops = {time_now, time_now, timer_set, timer_cancel};
static const struct transport_ops transport_ops = {http_send, http_cancel, NULL};

static struct world *begin(const char *headers)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct tracer_options o = {.url = "http://collector/v1/traces",
					 .headers = headers,
					 .service = "a \"service\"",
					 .version = "1",
					 .instance = "7"};

	assert_non_null(w);
	w->clock.ops = &clock_ops;
	w->transport.ops = &transport_ops;
	w->rng = rng_seeded_init(&w->seeded, 5);
	w->now_ms = 1700000000000;
	assert_int_equal(tracer_new(&w->tracer, &w->transport, &w->clock, w->rng, &o, NULL),
			 ERR_OK);
	return w;
}

static void end(struct world *w)
{
	tracer_free(w->tracer);
	json_decref(w->body);
	free(w);
}

static void pass(struct world *w, int64_t ms)
{
	w->now_ms += ms;
	if (w->timer && w->timer->armed && w->due_ms <= w->now_ms) {
		w->timer->armed = false;
		w->timer->fn(w->timer->ctx);
	}
}

static void answer(struct world *w, enum err e, int status)
{
	const struct http_reply r = {.err = e, .status = status};
	http_done_fn *done = w->done;

	assert_non_null(done);
	w->done = NULL;
	done(w->ctx, &r);
}

static struct trace_context one(struct world *w, const struct trace_context *parent)
{
	static const struct trace_context nobody;
	const struct trace_attribute a[] = {{"key", "value"}};
	struct trace_context self;
	struct trace_span s;

	trace_begin(w->tracer, &s, "work", parent ? parent : &nobody);
	self = s.self;
	w->now_ms += 5;
	trace_end(w->tracer, &s, false, a, 1);
	assert_null(s.name);
	return self;
}

static const json_t *spans(const struct world *w)
{
	const json_t *r = json_array_get(json_object_get(w->body, "resourceSpans"), 0);

	return json_object_get(json_array_get(json_object_get(r, "scopeSpans"), 0), "spans");
}

static const char *member(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void test_context(void **state)
{
	static const char text[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	static const char *const odd[] = {
		"",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01",
		"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	};
	struct trace_context c = traceparent_read(bytes_str(text));
	char again[TRACEPARENT_SIZE];

	(void)state;
	assert_true(trace_context_known(&c));
	traceparent_text(again, &c);
	assert_string_equal(again, text);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		c = traceparent_read(bytes_str(odd[i]));
		assert_false(trace_context_known(&c));
	}
}

static void test_export(void **state)
{
	struct world *w = begin("api-key=a%20b%3D, other=x");
	struct trace_context root = one(w, NULL), child = one(w, &root);
	char text[TRACEPARENT_SIZE];

	(void)state;
	assert_memory_equal(root.trace_id, child.trace_id, 16);
	assert_memory_not_equal(root.span_id, child.span_id, 8);
	assert_int_equal(w->sent, 0);
	pass(w, 2000);
	assert_int_equal(w->sent, 1);
	assert_string_equal(w->url, "POST http://collector/v1/traces");
	assert_string_equal(w->headers,
			    "Content-Type: application/json\napi-key: a b=\nother: x\n");
	assert_int_equal(json_array_size(spans(w)), 2);

	const json_t *first = json_array_get(spans(w), 0), *second = json_array_get(spans(w), 1);

	traceparent_text(text, &root);
	assert_memory_equal(member(first, "traceId"), &text[3], 32);
	assert_memory_equal(member(first, "spanId"), &text[36], 16);
	assert_string_equal(member(first, "parentSpanId"), "");
	assert_string_equal(member(second, "parentSpanId"), member(first, "spanId"));
	assert_string_equal(member(first, "name"), "work");
	assert_string_equal(member(first, "startTimeUnixNano"), "1700000000000000000");
	assert_string_equal(member(first, "endTimeUnixNano"), "1700000000005000000");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(first, "status"), "code")), 1);
	answer(w, ERR_OK, 200);
	assert_int_equal(tracer_counts(w->tracer).exported, 2);
	assert_true(tracer_idle(w->tracer));
	end(w);
}

/* The same spans again, later and later; nothing is lost before the queue is full. */
static void test_away(void **state)
{
	struct world *w = begin(NULL);
	int64_t wait_ms = 1000;
	unsigned sent = 1;

	(void)state;
	(void)one(w, NULL);
	pass(w, 2000);
	for (unsigned i = 0; i < 8; i++) {
		if (i % 2)
			answer(w, ERR_OK, 503);
		else
			answer(w, ERR_UNAVAILABLE, 0);
		pass(w, wait_ms - 1);
		assert_int_equal(w->sent, sent);
		pass(w, 1);
		assert_int_equal(w->sent, ++sent);
		wait_ms = wait_ms * 2 > 60000 ? 60000 : wait_ms * 2;
	}
	for (size_t i = 0; i < TRACE_QUEUE_MAX + 100; i++)
		(void)one(w, NULL);
	assert_int_equal(w->sent, sent);
	assert_int_equal(tracer_counts(w->tracer).dropped, 101);
	assert_int_equal(json_array_size(spans(w)), 1);
	answer(w, ERR_OK, 200);
	assert_int_equal(tracer_counts(w->tracer).exported, 1);
	for (unsigned i = 0; i < 8; i++) {
		pass(w, 2000);
		if (!w->done)
			break;
		assert_in_range(json_array_size(spans(w)), 1, TRACE_BATCH_MAX);
		answer(w, ERR_OK, 200);
	}
	assert_int_equal(tracer_counts(w->tracer).exported, TRACE_QUEUE_MAX);
	end(w);
}

/* A refusal that no patience helps: those spans are given up, the next are not. */
static void test_refused(void **state)
{
	struct world *w = begin(NULL);

	(void)state;
	(void)one(w, NULL);
	pass(w, 2000);
	answer(w, ERR_OK, 400);
	assert_int_equal(tracer_counts(w->tracer).dropped, 1);
	(void)one(w, NULL);
	pass(w, 2000);
	assert_int_equal(w->sent, 2);
	answer(w, ERR_OK, 200);
	assert_int_equal(tracer_counts(w->tracer).exported, 1);

	/* No room for a request: again later. Freed while one is on its way: cancelled. */
	w->busy = true;
	(void)one(w, NULL);
	pass(w, 2000);
	assert_int_equal(w->sent, 2);
	w->busy = false;
	pass(w, 1000);
	assert_int_equal(w->sent, 3);
	tracer_free(w->tracer);
	w->tracer = NULL;
	assert_int_equal(w->cancelled, 1);
	end(w);
}

static void test_a_full_batch_does_not_wait(void **state)
{
	struct world *w = begin(NULL);

	(void)state;
	for (size_t i = 0; i < TRACE_BATCH_MAX; i++)
		(void)one(w, NULL);
	assert_int_equal(w->sent, 1);
	assert_int_equal(json_array_size(spans(w)), TRACE_BATCH_MAX);
	end(w);
}

static void test_headers(void **state)
{
	struct world *w = begin(NULL);
	struct tracer_options o = {.url = "http://c", .service = "", .version = "", .instance = ""};
	struct tracer *t;
	struct trace_span s;
	struct err_note note = {0};

	(void)state;
	o.headers = "nonsense";
	assert_int_equal(tracer_new(&t, &w->transport, &w->clock, w->rng, &o, &note),
			 ERR_CONFIG_VALUE);
	o.headers = "=x";
	assert_int_equal(tracer_new(&t, &w->transport, &w->clock, w->rng, &o, &note),
			 ERR_CONFIG_VALUE);
	/* Without a tracer nothing happens. */
	trace_begin(NULL, &s, "x", &(struct trace_context){{1}, {1}});
	assert_false(trace_context_known(&s.self));
	trace_end(NULL, &s, false, NULL, 0);
	tracer_flush(NULL);
	assert_true(tracer_idle(NULL));
	end(w);
}

/* So many of 1000 traces that begin here, and of 1000 whose parent is (not) sampled, are exported.
 */
static void sampled(struct trace_sampler sampler, size_t here[2], size_t of_sampled[2],
		    size_t of_unsampled[2])
{
	size_t *const ranges[] = {here, of_sampled, of_unsampled};
	struct world *w = begin(NULL);
	const struct tracer_options o = {.url = "http://c",
					 .service = "",
					 .version = "",
					 .instance = "",
					 .sampler = sampler};

	tracer_free(w->tracer);
	assert_int_equal(tracer_new(&w->tracer, &w->transport, &w->clock, w->rng, &o, NULL),
			 ERR_OK);
	for (size_t kind = 0; kind < ARRAY_LEN(ranges); kind++) {
		size_t n = 0;

		for (size_t i = 0; i < 1000; i++) {
			struct trace_context parent = {.unsampled = kind == 2};

			if (kind > 0) {
				rng_fill(w->rng, parent.trace_id, sizeof(parent.trace_id));
				parent.span_id[0] = 1;
			}
			const struct trace_context self = one(w, &parent);
			char text[TRACEPARENT_SIZE];

			traceparent_text(text, &self);
			assert_string_equal(&text[53], self.unsampled ? "00" : "01");
			assert_int_equal(traceparent_read(bytes_str(text)).unsampled,
					 self.unsampled);
			n += self.unsampled ? 0 : 1;
			/* A child of it is as it is. */
			assert_true(sampler.own || one(w, &self).unsampled == self.unsampled);
			if (w->done)
				answer(w, ERR_OK, 200);
		}
		assert_in_range(n, ranges[kind][0], ranges[kind][1]);
	}
	assert_int_equal(tracer_counts(w->tracer).dropped, 0);
	end(w);
}

static void test_sampling(void **state)
{
	static struct {
		const char *name, *arg;
		enum err err;
		size_t here[2], of_sampled[2], of_unsampled[2];
	} rows[] = {
		{NULL, NULL, ERR_OK, {1000, 1000}, {1000, 1000}, {0, 0}},
		{NULL, "0.1", ERR_OK, {1000, 1000}, {1000, 1000}, {0, 0}},
		{"always_on", NULL, ERR_OK, {1000, 1000}, {1000, 1000}, {1000, 1000}},
		{"always_off", NULL, ERR_OK, {0, 0}, {0, 0}, {0, 0}},
		{"traceidratio", "0.1", ERR_OK, {70, 130}, {70, 130}, {70, 130}},
		{"traceidratio", NULL, ERR_OK, {1000, 1000}, {1000, 1000}, {1000, 1000}},
		{"parentbased_always_off", NULL, ERR_OK, {0, 0}, {1000, 1000}, {0, 0}},
		{"parentbased_traceidratio", "0.5", ERR_OK, {440, 560}, {1000, 1000}, {0, 0}},
		{"parentbased_traceidratio", "0", ERR_OK, {0, 0}, {1000, 1000}, {0, 0}},
		{"parentbased_traceidratio",
		 "1.5",
		 ERR_CONFIG_VALUE,
		 {1000, 1000},
		 {1000, 1000},
		 {0, 0}},
		{"traceidratio", "nan", ERR_CONFIG_VALUE, {1000, 1000}, {1000, 1000}, {1000, 1000}},
		{"jaeger_remote", NULL, ERR_CONFIG_VALUE, {1000, 1000}, {1000, 1000}, {0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_note note = {0};
		struct trace_sampler s;

		assert_int_equal(trace_sampler_read(&s, rows[i].name, rows[i].arg, &note),
				 rows[i].err);
		assert_int_equal(rows[i].err != ERR_OK, strstr(note.text, "OTEL_TRACES_") != NULL);
		sampled(s, rows[i].here, rows[i].of_sampled, rows[i].of_unsampled);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context),  cmocka_unit_test(test_export),
		cmocka_unit_test(test_sampling), cmocka_unit_test(test_away),
		cmocka_unit_test(test_refused),  cmocka_unit_test(test_a_full_batch_does_not_wait),
		cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

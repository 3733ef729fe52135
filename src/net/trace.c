/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"

enum {
	HEADERS_MAX = 16,
	EXPORT_EVERY_MS = 2000,
	EXPORT_TIMEOUT_MS = 10000,
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 60000,
	REPLY_MAX = 64 << 10,
	BODY_MAX = 1 << 20,
};

struct finished {
	struct trace_span span;
	int64_t end_ms;
	bool failed;
	size_t attributes_n;
	struct {
		const char *key;
		char value[TRACE_VALUE_SIZE];
	} attributes[TRACE_ATTRIBUTES_MAX];
};

struct tracer {
	struct transport *transport;
	struct clock *clock;
	struct rng *rng;
	char *url, *service, *version, *instance;
	char *header_text; /* cut into the headers */
	struct http_header headers[1 + HEADERS_MAX];
	size_t headers_n;

	struct finished *queue; /* TRACE_QUEUE_MAX, a ring */
	size_t first, n;
	size_t on_way; /* of the first: in the request that runs; 0: none runs */
	struct http_ticket ticket;
	struct timer timer;
	int64_t retry_ms; /* 0: the last request went well */
	struct trace_sampler sampler;
	struct trace_counts counts;
};

/* ---- W3C Trace Context ---- */

static bool any_set(const uint8_t *p, size_t n)
{
	uint8_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= p[i];
	return all != 0;
}

bool trace_context_known(const struct trace_context *c)
{
	return any_set(c->trace_id, sizeof(c->trace_id)) && any_set(c->span_id, sizeof(c->span_id));
}

void traceparent_text(char ret_text[static TRACEPARENT_SIZE], const struct trace_context *c)
{
	char trace[33], span[17];

	hex_encode(trace, BYTES_OF(c->trace_id));
	hex_encode(span, BYTES_OF(c->span_id));
	(void)snprintf(ret_text, TRACEPARENT_SIZE, "00-%s-%s-0%d", trace, span,
		       c->unsampled ? 0 : 1);
}

struct trace_context traceparent_read(struct bytes text)
{
	static const struct trace_context nobody;
	struct trace_context c;
	uint8_t flags;

	if (text.n != TRACEPARENT_SIZE - 1 || memcmp(text.p, "00-", 3) != 0 || text.p[35] != '-' ||
	    text.p[52] != '-')
		return nobody;
	if (hex_decode_fixed(c.trace_id, sizeof(c.trace_id), bytes_sub(text, 3, 32)) != ERR_OK ||
	    hex_decode_fixed(c.span_id, sizeof(c.span_id), bytes_sub(text, 36, 16)) != ERR_OK ||
	    hex_decode_fixed(&flags, 1, bytes_sub(text, 53, 2)) != ERR_OK)
		return nobody;
	c.unsampled = (flags & 1) == 0;
	return trace_context_known(&c) ? c : nobody;
}

/* ---- JSON ---- */

static json_t *attribute_json(const char *key, const char *value)
{
	return json_pack("{s:s, s:{s:s}}", "key", key, "value", "stringValue", value);
}

static json_t *span_json(const struct finished *f)
{
	char trace[33], id[17], parent[17], start[32], end[32];
	json_t *attributes = json_array();

	for (size_t i = 0; i < f->attributes_n; i++)
		(void)json_array_append_new(
			attributes, attribute_json(f->attributes[i].key, f->attributes[i].value));
	hex_encode(trace, BYTES_OF(f->span.self.trace_id));
	hex_encode(id, BYTES_OF(f->span.self.span_id));
	parent[0] = '\0';
	if (trace_context_known(&f->span.parent))
		hex_encode(parent, BYTES_OF(f->span.parent.span_id));
	/* 64-bit numbers are texts in JSON of protocol buffers. */
	(void)snprintf(start, sizeof(start), "%" PRId64 "000000", f->span.start_ms);
	(void)snprintf(end, sizeof(end), "%" PRId64 "000000", f->end_ms);
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:o, s:{s:i}}", "traceId", trace,
			 "spanId", id, "parentSpanId", parent, "name", f->span.name, "kind", 1,
			 "startTimeUnixNano", start, "endTimeUnixNano", end, "attributes",
			 attributes, "status", "code", f->failed ? 2 : 1);
}

static json_t *batch_json(const struct tracer *t, size_t n)
{
	json_t *spans = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(spans,
					    span_json(&t->queue[(t->first + i) % TRACE_QUEUE_MAX]));
	return json_pack("{s:[{s:{s:[o,o,o]}, s:[{s:{s:s,s:s}, s:o}]}]}", "resourceSpans",
			 "resource", "attributes", attribute_json("service.name", t->service),
			 attribute_json("service.version", t->version),
			 attribute_json("service.instance.id", t->instance), "scopeSpans", "scope",
			 "name", "claviger", "version", t->version, "spans", spans);
}

/* ---- export ---- */

static void export_now(struct tracer *t);

static void on_timer(void *ctx)
{
	export_now(ctx);
}

static void export_in(struct tracer *t, int64_t ms)
{
	if (!t->timer.armed)
		clock_timer_set(t->clock, &t->timer, ms, on_timer, t);
}

static void queue_drop(struct tracer *t, size_t n)
{
	t->first = (t->first + n) % TRACE_QUEUE_MAX;
	t->n -= n;
}

static void export_failed(struct tracer *t)
{
	t->counts.failures++;
	t->retry_ms = t->retry_ms == 0 ? RETRY_FIRST_MS : t->retry_ms * 2;
	if (t->retry_ms > RETRY_MAX_MS)
		t->retry_ms = RETRY_MAX_MS;
	export_in(t, t->retry_ms);
}

static bool is_passing(const struct http_reply *r)
{
	return r->err != ERR_OK || r->status == 429 || r->status == 502 || r->status == 503 ||
	       r->status == 504;
}

static void on_exported(void *ctx, const struct http_reply *r)
{
	struct tracer *t = ctx;
	size_t n = t->on_way;
	bool good = r->err == ERR_OK && r->status >= 200 && r->status < 300;

	t->on_way = 0;
	if (is_passing(r)) {
		export_failed(t);
		return;
	}
	queue_drop(t, n);
	t->retry_ms = 0;
	if (good) {
		t->counts.exported += n;
	} else {
		t->counts.dropped += n;
		t->counts.failures++;
	}
	if (t->n > 0)
		export_in(t, t->n >= TRACE_BATCH_MAX ? 0 : EXPORT_EVERY_MS);
}

static enum err batch_send(struct tracer *t, size_t n)
{
	CLEANUP(json_free_ptr) json_t *all = batch_json(t, n);
	CLEANUP(buf_free) struct buf body = buf_make(BODY_MAX);
	struct http_request request = {
		.method = "POST",
		.url = t->url,
		.headers = t->headers,
		.headers_n = t->headers_n,
		.timeout_ms = EXPORT_TIMEOUT_MS,
		.body_max = REPLY_MAX,
	};

	if (!all)
		return ERR_NOMEM;
	TRY(json_print(&body, all));
	request.body = buf_view(&body);
	return transport_send(t->transport, &t->ticket, &request, on_exported, t);
}

static void export_now(struct tracer *t)
{
	size_t n = t->n < TRACE_BATCH_MAX ? t->n : TRACE_BATCH_MAX;

	if (n == 0 || t->on_way > 0)
		return;
	clock_timer_cancel(t->clock, &t->timer);
	if (batch_send(t, n) == ERR_OK)
		t->on_way = n;
	else
		export_failed(t);
}

/* ---- sampling ---- */

/* By the last 63 bits of the trace's id, so that whoever decides by the same ratio decides alike.
 */
static bool is_left_out(const struct trace_sampler *s, const struct trace_context *c)
{
	const double all = 9223372036854775808.0; /* 2^63 */
	uint64_t v = 0;

	for (size_t i = 8; i < sizeof(c->trace_id); i++)
		v = v << 8 | c->trace_id[i];
	return (double)(v >> 1) >= (1 - s->left_out) * all;
}

static bool ratio_read(double *ret_ratio, const char *arg)
{
	char *end;
	double v;

	if (!arg || !(*arg == '.' || (*arg >= '0' && *arg <= '9')))
		return false;
	v = strtod(arg, &end);
	if (*end != '\0' || !(v >= 0 && v <= 1))
		return false;
	*ret_ratio = v;
	return true;
}

enum err trace_sampler_read(struct trace_sampler *ret_sampler, const char *name, const char *arg,
			    struct err_note *note)
{
	static const struct {
		const char *name;
		bool own, by_ratio;
		double left_out;
	} rows[] = {
		{"always_on", true, false, 0},
		{"always_off", true, false, 1},
		{"traceidratio", true, true, 0},
		{"parentbased_always_on", false, false, 0},
		{"parentbased_always_off", false, false, 1},
		{"parentbased_traceidratio", false, true, 0},
	};
	double ratio = 1;

	*ret_sampler = (struct trace_sampler){0};
	for (size_t i = 0; name && i < ARRAY_LEN(rows); i++) {
		if (strcmp(name, rows[i].name) != 0)
			continue;
		*ret_sampler = (struct trace_sampler){rows[i].own, rows[i].left_out};
		if (!rows[i].by_ratio || !arg)
			return ERR_OK;
		if (!ratio_read(&ratio, arg))
			return err_say(note, ERR_CONFIG_VALUE,
				       "OTEL_TRACES_SAMPLER_ARG: expected a ratio from 0 to 1; all "
				       "traces are exported");
		ret_sampler->left_out = 1 - ratio;
		return ERR_OK;
	}
	return name ? err_say(note, ERR_CONFIG_VALUE,
			      "OTEL_TRACES_SAMPLER: expected always_on, always_off, traceidratio, "
			      "parentbased_always_on, parentbased_always_off or "
			      "parentbased_traceidratio; all traces are exported")
		    : ERR_OK;
}

/* ---- spans ---- */

void trace_begin(struct tracer *t, struct trace_span *ret_span, const char *name,
		 const struct trace_context *parent)
{
	struct trace_span s = {.name = name};

	*ret_span = (struct trace_span){0};
	if (!t)
		return;
	rng_fill(t->rng, s.self.span_id, sizeof(s.self.span_id));
	if (trace_context_known(parent)) {
		s.parent = *parent;
		memcpy(s.self.trace_id, parent->trace_id, sizeof(s.self.trace_id));
		s.self.unsampled = parent->unsampled;
	} else {
		rng_fill(t->rng, s.self.trace_id, sizeof(s.self.trace_id));
	}
	if (t->sampler.own || !trace_context_known(parent))
		s.self.unsampled = is_left_out(&t->sampler, &s.self);
	s.start_ms = clock_wall_ms(t->clock);
	*ret_span = s;
}

void trace_end(struct tracer *t, struct trace_span *span, bool failed,
	       const struct trace_attribute *attributes, size_t n)
{
	struct finished *f;

	if (!t || !span->name)
		return;
	if (span->self.unsampled) {
		*span = (struct trace_span){0};
		return;
	}
	if (t->n == TRACE_QUEUE_MAX) {
		t->counts.dropped++;
		*span = (struct trace_span){0};
		return;
	}
	f = &t->queue[(t->first + t->n++) % TRACE_QUEUE_MAX];
	*f = (struct finished){.span = *span, .end_ms = clock_wall_ms(t->clock), .failed = failed};
	for (size_t i = 0; i < n && i < TRACE_ATTRIBUTES_MAX; i++) {
		f->attributes[i].key = attributes[i].key;
		(void)snprintf(f->attributes[i].value, TRACE_VALUE_SIZE, "%s", attributes[i].value);
		f->attributes_n++;
	}
	*span = (struct trace_span){0};
	if (t->n >= TRACE_BATCH_MAX && t->retry_ms == 0)
		export_now(t);
	else
		export_in(t, EXPORT_EVERY_MS);
}

/* ---- life ---- */

void tracer_flush(struct tracer *t)
{
	if (t)
		export_now(t);
}

bool tracer_idle(const struct tracer *t)
{
	return !t || t->n == 0 || t->retry_ms > 0;
}

struct trace_counts tracer_counts(const struct tracer *t)
{
	static const struct trace_counts none;

	return t ? t->counts : none;
}

static void percent_decode(char *text)
{
	char *to = text;

	for (const char *c = text; *c; c++) {
		uint8_t byte;

		if (*c == '%' &&
		    hex_decode_fixed(&byte, 1, bytes_from(&c[1], strnlen(&c[1], 2))) == ERR_OK) {
			*to++ = (char)byte;
			c = &c[2];
		} else {
			*to++ = *c;
		}
	}
	*to = '\0';
}

static enum err headers_read(struct tracer *t, struct err_note *note)
{
	char *rest = t->header_text, *one;

	t->headers[t->headers_n++] = (struct http_header){"Content-Type", "application/json"};
	while (rest && (one = strsep(&rest, ","))) {
		char *value = strchr(one, '=');

		one = &one[strspn(one, " ")];
		if (*one == '\0')
			continue;
		if (!value || value == one || t->headers_n == ARRAY_LEN(t->headers))
			return err_say(note, ERR_CONFIG_VALUE,
				       "expected at most %d headers, name=value, with commas "
				       "between them",
				       HEADERS_MAX);
		*value++ = '\0';
		percent_decode(value);
		t->headers[t->headers_n++] = (struct http_header){one, value};
	}
	return ERR_OK;
}

enum err tracer_new(struct tracer **ret_tracer, struct transport *transport, struct clock *clock,
		    struct rng *rng, const struct tracer_options *options, struct err_note *note)
{
	struct tracer *t = calloc(1, sizeof(*t));
	enum err e = ERR_NOMEM;

	if (!t)
		return e;
	t->transport = transport;
	t->clock = clock;
	t->rng = rng;
	t->sampler = options->sampler;
	t->url = strdup(options->url);
	t->service = strdup(options->service);
	t->version = strdup(options->version);
	t->instance = strdup(options->instance);
	t->header_text = strdup(options->headers ? options->headers : "");
	t->queue = calloc(TRACE_QUEUE_MAX, sizeof(*t->queue));
	if (t->url && t->service && t->version && t->instance && t->header_text && t->queue)
		e = headers_read(t, note);
	if (e != ERR_OK) {
		tracer_free(t);
		return e;
	}
	*ret_tracer = t;
	return ERR_OK;
}

void tracer_free(struct tracer *t)
{
	if (!t)
		return;
	clock_timer_cancel(t->clock, &t->timer);
	if (t->on_way > 0)
		transport_cancel(t->transport, t->ticket);
	free(t->url);
	free(t->service);
	free(t->version);
	free(t->instance);
	if (t->header_text) /* may hold a key of the collector's */
		explicit_bzero(t->header_text, strlen(t->header_text));
	free(t->header_text);
	free(t->queue);
	free(t);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Traces: spans with W3C Trace Context, sent as OTLP/HTTP with JSON bodies (OpenTelemetry protocol
 * 1.x, /v1/traces).
 *
 * Nobody waits for a trace. A finished span is copied into a queue of TRACE_QUEUE_MAX; what finds
 * it full is dropped and counted. At most TRACE_BATCH_MAX spans go in one request, one request is
 * on its way at a time. A collector that is away or asks for patience (429, 502, 503, 504) is tried
 * again with the same spans, later and later; any other refusal drops them.
 *
 * Spans of a trace that is not sampled pass their context on and are otherwise nothing.
 *
 * Without a tracer (NULL) every function does nothing, and a span stays all-zero. Names, keys and
 * values are ours: no values of requests. Loop thread.
 */
#ifndef NET_TRACE_H
#define NET_TRACE_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/rng.h"
#include "net/transport.h"

/* Who a span is. All-zero: nobody. */
struct trace_context {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	bool unsampled; /* nobody exports it: the flag of W3C Trace Context, turned round */
};
bool trace_context_known(const struct trace_context *c);

/* The header `traceparent`, version 00. */
enum {
	TRACEPARENT_SIZE = 56 /* with its NUL */
};
void traceparent_text(char ret_text[static TRACEPARENT_SIZE], const struct trace_context *c);
/* A text that is none, or of another version, is nobody: a trace is never worth an error. */
struct trace_context traceparent_read(struct bytes text);

struct tracer;

/*
 * Which traces are exported, as OpenTelemetry has it. The decision is made once, where a trace
 * begins, from its id alone, and goes with the context through database and core.
 */
struct trace_sampler {
	bool own;        /* decides for spans of others' traces, too; else theirs counts */
	double left_out; /* of the traces that begin here, 0 to 1; all-zero exports all of them */
};
/*
 * OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG; NULL: not given. ERR_CONFIG_VALUE with a note
 * where a name or ratio is none: then ret_sampler is what counts without it, for a trace is never
 * worth an error.
 */
enum err trace_sampler_read(struct trace_sampler *ret_sampler, const char *name, const char *arg,
			    struct err_note *note) MUST_USE;

struct tracer_options {
	const char *url;     /* whole, with its path; copied as all else here */
	const char *headers; /* "name=value,name2=value2", percent-encoded, as
				OTEL_EXPORTER_OTLP_HEADERS has them; NULL: none */
	const char *service, *version, *instance;
	struct trace_sampler sampler;
};

/* ERR_CONFIG_VALUE with a note for headers that are none. */
enum err tracer_new(struct tracer **ret_tracer, struct transport *transport, struct clock *clock,
		    struct rng *rng, const struct tracer_options *options,
		    struct err_note *note) MUST_USE;
void tracer_free(struct tracer *t);

/* Send now what is there; idle when nothing is left, or the collector is away. */
void tracer_flush(struct tracer *t);
bool tracer_idle(const struct tracer *t);

struct trace_counts {
	uint64_t exported, dropped, failures;
};
struct trace_counts tracer_counts(const struct tracer *t);

/* ---- spans ---- */

/* A span that runs. All-zero: none. */
struct trace_span {
	struct trace_context self, parent;
	const char *name; /* a literal */
	int64_t start_ms; /* wall clock */
};

enum {
	TRACE_ATTRIBUTES_MAX = 4,
	TRACE_VALUE_SIZE = 80
};
struct trace_attribute {
	const char *key; /* a literal */
	const char *value;
};

/* `parent` nobody: a new trace begins. */
void trace_begin(struct tracer *t, struct trace_span *ret_span, const char *name,
		 const struct trace_context *parent);
/* Finishes it and makes it all-zero again. `failed`: with status ERROR. */
void trace_end(struct tracer *t, struct trace_span *span, bool failed,
	       const struct trace_attribute *attributes, size_t n);

#endif

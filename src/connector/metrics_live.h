/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Metrics that are read where they live, at the moment of a scrape: endpoints of the chains with
 * their breakers, and the process itself under the names that Prometheus' client libraries use.
 * Text format 0.0.4, appended. Loop thread.
 */
#ifndef CONNECTOR_METRICS_LIVE_H
#define CONNECTOR_METRICS_LIVE_H

#include "base/bytes.h"
#include "eth/provider.h"
#include "net/trace.h"

struct live_chain {
	const char *name; /* "gateway", "ethereum", "host" */
	const struct provider *provider;
};

/* The breaker of something that is no endpoint of a chain. */
struct live_breaker {
	const char *part; /* "aws_kms", "core", "bucket" */
	const char *name; /* which of them; NULL: there is one */
	enum breaker_state state;
	uint64_t opened;
};

/* `breakers` stand in the same families as those of the chains' endpoints. */
enum err chain_metrics_print(struct buf *out, const struct live_chain *chains, size_t n,
			     const struct live_breaker *breakers, size_t breakers_n) MUST_USE;

/* What cannot be read in /proc is left out. */
enum err process_metrics_print(struct buf *out, struct loop *loop) MUST_USE;

/* Nothing without a tracer. */
enum err trace_metrics_print(struct buf *out, const struct tracer *t) MUST_USE;

/* The value of a label, between its quotes. */
enum err metric_label_add(struct buf *out, const char *value) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Where traces go: the key otlp_endpoint, or the variables that OpenTelemetry names for it. */
#ifndef CONNECTOR_TRACING_H
#define CONNECTOR_TRACING_H

#include "connector/config.h"
#include "net/trace.h"

struct tracing_options {
	const struct connector_config *config;
	const char *const *env; /* as environ */
	const char *service;    /* service.name, unless service_name is configured */
	const char *version, *instance;
	const struct log *log; /* told of a sampler that is none; may be NULL */
};

/*
 * *ret_tracer is NULL where no place is named. The first of these counts: otlp_endpoint and
 * OTEL_EXPORTER_OTLP_ENDPOINT, to which /v1/traces is added, after
 * OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, which is taken as it is. OTEL_SDK_DISABLED=true: none.
 * Which traces: otlp_sampling_percent, else OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG, else
 * all. ERR_CONFIG_VALUE with a note.
 */
enum err tracing_open(struct tracer **ret_tracer, struct transport *transport, struct clock *clock,
		      struct rng *rng, const struct tracing_options *options,
		      struct err_note *note) MUST_USE;

#endif

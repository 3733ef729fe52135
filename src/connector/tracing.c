/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/tracing.h"

#include <strings.h>

#include "base/limits.h"
#include "connector/config_file.h"

/* Empty is not given, as OpenTelemetry has it. */
static const char *variable(const char *const *env, const char *name)
{
	const char *value = connector_env_get(env, name);

	return value && *value ? value : NULL;
}

static bool is_http(const char *url)
{
	return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

/* Appends the whole URL; nothing where none is named. */
static enum err url_find(struct buf *out, const struct tracing_options *o)
{
	const char *whole = variable(o->env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
	const char *base = o->config->otlp_endpoint;
	size_t n;

	if (!base)
		base = variable(o->env, "OTEL_EXPORTER_OTLP_ENDPOINT");
	if (o->config->otlp_endpoint)
		whole = NULL;
	if (whole)
		return buf_add_str(out, whole);
	if (!base)
		return ERR_OK;
	n = strlen(base);
	while (n > 0 && base[n - 1] == '/')
		n--;
	TRY(buf_add(out, bytes_from(base, n)));
	return buf_add_str(out, "/v1/traces");
}

static struct trace_sampler sampler_find(const struct tracing_options *o)
{
	struct trace_sampler s = {0};
	struct err_note note = {0};

	if (o->config->otlp_sampling_percent_given)
		s.left_out = 1 - (double)o->config->otlp_sampling_percent / 100;
	else if (trace_sampler_read(&s, variable(o->env, "OTEL_TRACES_SAMPLER"),
				    variable(o->env, "OTEL_TRACES_SAMPLER_ARG"), &note) != ERR_OK &&
		 o->log)
		LOG_WARN(o->log, "Traces", log_s("detail", note.text));
	return s;
}

enum err tracing_open(struct tracer **ret_tracer, struct transport *transport, struct clock *clock,
		      struct rng *rng, const struct tracing_options *options, struct err_note *note)
{
	CLEANUP(buf_free) struct buf url = buf_make(URL_SIZE_MAX + 32);
	const char *off = variable(options->env, "OTEL_SDK_DISABLED");
	const char *name = options->config->service_name;
	const char *headers = variable(options->env, "OTEL_EXPORTER_OTLP_TRACES_HEADERS");
	const char *text;

	*ret_tracer = NULL;
	if (off && strcasecmp(off, "true") == 0)
		return ERR_OK;
	if (url_find(&url, options) != ERR_OK)
		return err_say(note, ERR_CONFIG_VALUE, "the place for traces: the URL is too long");
	if (url.n == 0)
		return ERR_OK;
	TRY(buf_cstr(&url, &text));
	if (!is_http(text))
		return err_say(note, ERR_CONFIG_VALUE,
			       "the place for traces: expected http://… or https://… (OTLP/HTTP)");
	if (!name)
		name = variable(options->env, "OTEL_SERVICE_NAME");
	if (!headers)
		headers = variable(options->env, "OTEL_EXPORTER_OTLP_HEADERS");

	const struct tracer_options o = {
		.url = text,
		.headers = headers,
		.service = name ? name : options->service,
		.version = options->version,
		.instance = options->instance,
		.sampler = sampler_find(options),
	};
	enum err e = tracer_new(ret_tracer, transport, clock, rng, &o, note);

	return e == ERR_OK ? e : err_prefix(note, e, "OTEL_EXPORTER_OTLP_HEADERS");
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/monitoring.h"

#include "core/not_built.h"

enum {
	BODY_MAX = 256 << 10
};

static const char *const phases[] = {
	[CORE_STARTING] = "starting",
	[CORE_SERVING] = "serving",
	[CORE_STOPPING] = "stopping",
	[CORE_BROKEN] = "broken",
};
static const char json[] = "application/json";

static void reply_text(struct http_exchange *x, enum err built, int status, const char *type,
		       const struct buf *body)
{
	if (built == ERR_OK)
		http_exchange_reply(x, status, type, buf_view(body));
	else
		http_exchange_reply(x, 500, "text/plain", BYTES_NONE);
}

static void metrics_handle(void *ctx, struct http_exchange *x)
{
	const struct monitoring *m = ctx;
	CLEANUP(buf_free) struct buf body = buf_make(BODY_MAX);
	struct metrics_gauges gauges = core_service_gauges(m->service);
	struct client_port_state port = client_port_state(m->port);

	gauges.connections_refused = port.refused;
	gauges.tls_not_after_s = port.tls_not_after_s;

	enum err e = metrics_text(&body, core_service_metrics(m->service), &gauges, m->version);

	if (e == ERR_OK && core_service_peers(m->service))
		e = peer_net_metrics_print(&body, core_service_peers(m->service), "kms_");
	if (e == ERR_OK)
		e = loop_metrics_print(&body, m->loop, "kms");
	reply_text(x, e, 200, "text/plain; version=0.0.4", &body);
}

static void healthz_handle(void *ctx, struct http_exchange *x)
{
	static const char *const details[] = {
		[CORE_STARTING] = "starting",
		[CORE_SERVING] = "",
		[CORE_STOPPING] = "stopping",
		[CORE_BROKEN] = "the database could not be read",
	};
	const struct monitoring *m = ctx;
	CLEANUP(buf_free) struct buf body = buf_make(BODY_MAX);
	enum core_phase phase = core_service_phase(m->service);
	bool healthy = phase == CORE_SERVING;
	enum err e = buf_addf(&body, "{\"healthy\":%s,\"fhe_keys\":%zu,\"details\":\"%s\"}",
			      healthy ? "true" : "false", core_service_gauges(m->service).fhe_keys,
			      details[phase]);

	reply_text(x, e, healthy ? 200 : 503, json, &body);
}

static enum err status_print(struct buf *out, const struct core_service *service)
{
	const char *mode = core_service_peers(service) ? "threshold" : "centralised";

	TRY(buf_addf(out, "{\"mode\":\"%s\",\"phase\":\"%s\",\"fhe_keys\":%zu,\"not_built\":[",
		     mode, phases[core_service_phase(service)],
		     core_service_gauges(service).fhe_keys));
	if (core_service_peers(service)) {
		TRY(buf_add_str(out, "\""));
		TRY(not_built_print(out, "\",\""));
		TRY(buf_add_str(out, "\""));
	}
	return buf_add_str(out, "]}");
}

static void status_handle(void *ctx, struct http_exchange *x)
{
	const struct monitoring *m = ctx;
	CLEANUP(buf_free) struct buf body = buf_make(BODY_MAX);

	reply_text(x, status_print(&body, m->service), 200, json, &body);
}

static void liveness_handle(void *ctx, struct http_exchange *x)
{
	(void)ctx;
	http_exchange_reply(x, 200, json,
			    BYTES_LIT("{\"status_code\":\"200\",\"status\":\"alive\"}"));
}

static void version_handle(void *ctx, struct http_exchange *x)
{
	const struct monitoring *m = ctx;
	CLEANUP(buf_free) struct buf body = buf_make(BODY_MAX);

	reply_text(x, buf_addf(&body, "{\"name\":\"kms-server\",\"version\":\"%s\"}", m->version),
		   200, json, &body);
}

static const struct http_route routes[] = {
	{"/metrics", metrics_handle}, {"/healthz", healthz_handle}, {"/liveness", liveness_handle},
	{"/status", status_handle},   {"/version", version_handle},
};

enum err monitoring_init(struct monitoring *m, struct loop *loop, const char *listen,
			 const struct core_service *service, const struct client_port *port,
			 const char *version, struct err_note *note)
{
	*m = (struct monitoring){
		.loop = loop, .service = service, .port = port, .version = version};
	return http_server_new(&m->server, loop, listen, routes, ARRAY_LEN(routes), m, note);
}

void monitoring_free(struct monitoring *m)
{
	http_server_free(m->server);
	*m = (struct monitoring){0};
}

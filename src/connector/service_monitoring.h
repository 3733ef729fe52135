/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * /healthz, /liveness, /version, /metrics, /status on monitoring_endpoint. A health check asks
 * database, gateway, ethereum and cores at the same time (service_health.h); callers that come
 * meanwhile share its result.
 */
#ifndef CONNECTOR_SERVICE_MONITORING_H
#define CONNECTOR_SERVICE_MONITORING_H

#include "connector/service.h"
#include "net/http_server.h"

struct monitoring;

struct monitoring_options {
	const struct connector_env *env; /* copied */
	struct loop *loop;
	unsigned services;         /* that run in this process */
	struct provider *ethereum; /* NULL: none is configured, and none is missed */
	const char *name, *version, *build;
};

/* A taken port is ERR_CONFIG_VALUE with a note. */
enum err monitoring_start(struct monitoring **ret_monitoring, const struct monitoring_options *o,
			  struct err_note *note) MUST_USE;
/* Its cores and buckets are shown from now on; it must outlive the monitoring. */
void monitoring_watch(struct monitoring *m, const struct worker *worker);
unsigned monitoring_port(const struct monitoring *m);
void monitoring_stop(struct monitoring *m); /* NULL allowed */

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The monitoring port of a node: /metrics, /healthz, /liveness, /status,
 * /version. Loop thread. */
#ifndef CORE_MONITORING_H
#define CORE_MONITORING_H

#include "core/client_port.h"
#include "core/service.h"
#include "net/http_server.h"

struct monitoring {
	struct loop *loop;
	const struct core_service *service;
	const struct client_port *port;
	const char *version;
	struct http_server *server;
};

/* Listens when it returns; `m` must stay where it is until monitoring_free. Errors of
 * http_server_new. */
enum err monitoring_init(struct monitoring *m, struct loop *loop, const char *listen,
			 const struct core_service *service, const struct client_port *port,
			 const char *version, struct err_note *note) MUST_USE;
void monitoring_free(struct monitoring *m);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The port that clients call: a Unix socket, mutual TLS, or plain text on loopback where the
 * configuration asks for it by name. What is turned away is logged, bounded. Loop thread.
 */
#ifndef CORE_CLIENT_PORT_H
#define CORE_CLIENT_PORT_H

#include "core/config.h"
#include "core/service.h"

struct client_port;

/* Reads the certificates, so that a fault in them is said before any key is touched. Borrows
 * everything. ERR_NOMEM, errors of tls_new. */
enum err client_port_new(struct client_port **ret_port, struct loop *loop,
			 const struct core_config *config, const struct log *log,
			 struct err_note *note) MUST_USE;

/* Serves `service`, and listens when it returns. Errors of grpc_server_new. */
enum err client_port_listen(struct client_port *p, struct core_service *service,
			    struct err_note *note) MUST_USE;

/*
 * Reads the certificates again. A set with a fault changes nothing, and the log says which. Of a
 * good one every client is asked to prove itself anew; calls in progress end on their connections.
 */
void client_port_reload(struct client_port *p);

/* As grpc_server_drain. */
void client_port_drain(struct client_port *p, int64_t grace_ms, loop_fn *drained, void *ctx);
void client_port_free(struct client_port *p);

unsigned client_port_number(const struct client_port *p); /* 0 for a Unix socket */

/* For metrics. */
struct client_port_state {
	int64_t tls_not_after_s; /* when our certificate ends, Unix time; 0 without TLS */
	uint64_t refused;        /* connections turned away */
};
struct client_port_state client_port_state(const struct client_port *p);

#endif

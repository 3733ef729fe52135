/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One health check of everything that the services stand on. */
#ifndef CONNECTOR_SERVICE_HEALTH_H
#define CONNECTOR_SERVICE_HEALTH_H

#include "connector/service.h"

struct health;

struct health_report {
	bool database, gateway, ethereum, cores;
	struct bytes details; /* "; " between the errors; empty when all is well */
};
typedef void health_done_fn(void *ctx, const struct health_report *report);

/* `ethereum` may be NULL: counted as connected. `env` outlives the check. */
enum err health_new(struct health **ret_health, const struct connector_env *env,
		    struct provider *ethereum) MUST_USE;

/* `done` exactly once, later, after healthcheck_timeout at the latest. One at a time. */
void health_check(struct health *h, health_done_fn *done, void *ctx);
void health_free(struct health *h); /* no done is called any more */

#endif

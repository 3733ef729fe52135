/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * One health check: everything that the services stand on, that the endpoints serve the chains that
 * are configured, and whether the work moves. What a user can bring about alone (a request whose
 * permission never comes) makes nothing unhealthy: of those only the age is told.
 */
#ifndef CONNECTOR_SERVICE_HEALTH_H
#define CONNECTOR_SERVICE_HEALTH_H

#include "connector/service.h"

struct health;

struct health_report {
	bool database, gateway, ethereum, cores;
	bool progress; /* nothing that this process has to do stands still */
	bool hosts;    /* each host chain has an endpoint that answers: told, and decides nothing,
			  since the others' requests go on */
	int64_t oldest_unanswered_ms, oldest_sending_ms; /* ages; 0 = there is none */
	struct bytes details; /* "; " between the errors; empty when all is well */
};
typedef void health_done_fn(void *ctx, const struct health_report *report);

/* Every part is well. */
bool health_report_good(const struct health_report *r);

/* `ethereum` may be NULL: counted as connected. `services`: what runs in this process; others' work
 * is theirs to look after. `env` outlives the check. */
enum err health_new(struct health **ret_health, const struct connector_env *env,
		    struct provider *ethereum, unsigned services) MUST_USE;

/* `done` exactly once, later, after healthcheck_timeout at the latest. One at a time. */
void health_check(struct health *h, health_done_fn *done, void *ctx);
void health_free(struct health *h); /* no done is called any more */

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The chains of a process: one provider each, as the configuration names their endpoints. */
#ifndef CONNECTOR_SERVICE_PROVIDERS_H
#define CONNECTOR_SERVICE_PROVIDERS_H

#include "base/log.h"
#include "connector/config.h"
#include "eth/provider.h"

struct service_providers {
	struct provider *gateway;
	struct provider *ethereum; /* NULL: none is configured */
	struct provider *parent;   /* of the gateway; NULL: nothing asks it */
	struct provider **hosts;   /* one per host_chains, same order; in the arena */
	size_t hosts_n;
};

/*
 * No network is touched yet. What they say of their endpoints goes into `log`, which outlives them,
 * as all else here. After an error, too, *ret is to be closed.
 */
enum err service_providers_open(struct service_providers *ret,
				const struct connector_config *config, struct transport *transport,
				struct clock *clock, const struct log *log, struct arena *arena,
				struct err_note *note) MUST_USE;
void service_providers_close(struct service_providers *p);

#endif

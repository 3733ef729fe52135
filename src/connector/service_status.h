/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * /status: how far everything is, as JSON, from the database and from the memory of the process
 * that is asked; and the same as text for a person. No secrets and no requests in it: counts, ages,
 * places and the hosts of endpoints.
 */
#ifndef CONNECTOR_SERVICE_STATUS_H
#define CONNECTOR_SERVICE_STATUS_H

#include "base/json.h"
#include "connector/metrics_live.h"
#include "connector/service.h"

struct status_source {
	const char *name, *version, *build;
	unsigned services;
	bool store_shared;
	int64_t uptime_ms;
	int64_t now_ms; /* wall clock */
	const struct live_chain *chains;
	size_t chains_n;
	const struct worker *worker; /* NULL: none runs here */
	const struct signer *signer; /* NULL: no sender runs here */
	const struct connector_config *config;
};

/* The questions to the database; status_json reads their result. */
enum err status_add(struct store_batch *b, int64_t now_ms) MUST_USE;

/* The caller's; NULL when memory is out. Where the database has not answered its members are
 * missing and "database" says why. */
json_t *status_json(const struct status_source *s, const struct store_result *r);

/* `status` as status_json made it; what another version lacks is left out. */
enum err status_text(struct buf *out, const json_t *status) MUST_USE;

#endif

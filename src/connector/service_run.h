/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One process: configuration in, services on one loop, until a signal. */
#ifndef CONNECTOR_SERVICE_RUN_H
#define CONNECTOR_SERVICE_RUN_H

#include "connector/service.h"

struct service_options {
	unsigned services; /* SERVICE_… */
	const char *name;  /* of the service, in logs and /version */
	const char *version;
	const char *build;       /* of what source */
	const char *config_file; /* NULL: environment only */
	const char *const *env;  /* environ */
};

/*
 * Returns after SIGTERM or SIGINT with ERR_OK, else with an error and its note; the log has said it
 * already, unless it is ERR_CONFIG_….
 */
enum err service_run(const struct service_options *options, struct err_note *note) MUST_USE;

/*
 * The path in a database_url: "sqlite:PATH", also in sqlx's spelling "sqlite://PATH"; NULL stands
 * for the default. ERR_CONFIG_VALUE for what is not supported.
 */
enum err connector_database_path(const char **ret_path, const char *url,
				 struct err_note *note) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One process: configuration in, services on one loop, until a signal. */
#ifndef CONNECTOR_SERVICE_RUN_H
#define CONNECTOR_SERVICE_RUN_H

#include "connector/service.h"

struct service_options {
	unsigned services; /* SERVICE_… */
	const char *name;  /* of the service, in logs and /version, unless service_name is given */
	bool named;        /* by the operator: it is called so whatever the configuration says */
	const char *version;
	const char *build;       /* of what source */
	const char *config_file; /* a path; NULL: environment only */
	char **env;              /* environ: secrets in it are overwritten once they are read */
};

/*
 * Returns after SIGTERM or SIGINT with ERR_OK, else with an error and its note; the log has said it
 * already, unless it is ERR_CONFIG_….
 */
enum err service_run(const struct service_options *options, struct err_note *note) MUST_USE;

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the commands of kms-client share. */
#ifndef CMD_KMS_CLIENT_H
#define CMD_KMS_CLIENT_H

#include "base/err.h"

enum {
	CLIENT_OK = 0,
	CLIENT_FAILED = 1,
	CLIENT_BAD_USAGE = 2,
};

static const char client_program[] = "kms-client";

struct client_command {
	const char *name;
	const char *usage; /* after the program's name */
	const char *help;
	int (*run)(const struct client_command *self, int argc, char **argv);
};

/* Each says it on stderr and gives the exit code. `c` NULL: no command at all. */
int client_misused(const struct client_command *c);
int client_failed(const char *what, enum err e, const struct err_note *note);
int client_version(void);

/* ---- kms_client_ask.c: questions to a node ---- */

extern const char client_status_help[], client_materials_help[], client_health_help[];
int client_status(const struct client_command *self, int argc, char **argv);
int client_materials(const struct client_command *self, int argc, char **argv);
int client_health(const struct client_command *self, int argc, char **argv);

#endif

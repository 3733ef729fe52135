/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside kms-connector: its commands, and what they share. Each returns the program's exit code. */
#ifndef CMD_KMS_CONNECTOR_H
#define CMD_KMS_CONNECTOR_H

#include "base/bytes.h"

enum {
	OK = 0,
	FAILED = 1,
	BAD_USAGE = 2
};

enum {
	PATH_TEXT_MAX = 8192,
};

/* What a program name runs. The name that argv[0] ends with counts; the first row is the default.
 */
struct personality {
	const char *program;
	const char *service; /* default of --name */
	unsigned services;
	const char *what; /* it runs */
};
struct command {
	const char *name;
	const char *usage; /* after the program's name */
	const char *help;
	int (*run)(const struct personality *who, const struct command *self, int argc,
		   char **argv);
};

/* ---- kms_connector.c ---- */
int command_misused(const struct personality *who, const struct command *c);
int command_help(const struct personality *who, const struct command *c);
int command_version(const struct personality *who);
int command_failed(const struct personality *who, const struct err_note *note, enum err e);
int command_print(const struct buf *out);
const char *const *command_environment(void);

/* ---- kms_connector_look.c: what looks and changes nothing ---- */
int command_health(const struct personality *who, const struct command *self, int argc,
		   char **argv);
int command_status(const struct personality *who, const struct command *self, int argc,
		   char **argv);
int command_inspect(const struct personality *who, const struct command *self, int argc,
		    char **argv);
int command_audit(const struct personality *who, const struct command *self, int argc, char **argv);

/* ---- kms_connector_replay.c ---- */
int command_replay(const struct personality *who, const struct command *self, int argc,
		   char **argv);

#endif

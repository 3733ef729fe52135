/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Running the programs as an operator does. */
#ifndef TEST_CORE_SUPPORT_PROGRAM_H
#define TEST_CORE_SUPPORT_PROGRAM_H

#include <sys/types.h>

#include "support.h"

struct process {
	pid_t pid;
	int out; /* its stdout and stderr */
};

/* argv[0] is the name of the environment variable with the program's path. */
struct process process_start(const struct folder *dir, char *const argv[], char *const env[]);

/* Exit code, or 128 + signal; what it printed goes to `out`. */
int process_wait(struct process *p, char *out, size_t out_n);

void file_put(const struct folder *dir, const char *name, const char *text);

/* Read the log up to the line "Serving"; the port is in the line "Listening … port=N". */
unsigned port_of(struct process *p);

/* Plain text on any port of loopback; vaults in ./keys. */
extern const char server_config[];

#endif

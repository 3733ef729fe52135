/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A PostgreSQL server of the test's own: a new cluster in a temporary directory, a Unix socket and
 * no port, passwords asked, fsync on. It dies with the test. A missing server is a failure, never a
 * skip: apt install postgresql.
 */
#ifndef TESTS_UNIT_STORE_PG_SERVER_H
#define TESTS_UNIT_STORE_PG_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

enum {
	PG_SERVER_PATH_SIZE = 256
};

/* Something that is found nowhere else, with characters that a URL must encode. */
#define PG_SERVER_PASSWORD     "canary/4f1d9a:the-longer-the-more-is-left:c0ffee@77"
#define PG_SERVER_PASSWORD_URL "canary%2F4f1d9a%3Athe-longer-the-more-is-left%3Ac0ffee%4077"

struct pg_server {
	char bin[PG_SERVER_PATH_SIZE]; /* where postgres and initdb are */
	char dir[PG_SERVER_PATH_SIZE];
	char url[2 * PG_SERVER_PATH_SIZE];
	pid_t pid; /* of the postmaster; 0: not running */
};

/* Makes a cluster and starts it. Prints why and returns false on failure. Call it while the process
 * has one thread. */
bool pg_server_start(struct pg_server *s);

/* Start again after pg_server_kill. */
bool pg_server_run(struct pg_server *s);

/* "pg_ctl stop -m immediate": no checkpoint, no farewell. */
void pg_server_kill(struct pg_server *s);

/* Kills it and removes its directory. */
void pg_server_remove(struct pg_server *s);

/* SIGSTOP or SIGCONT to the postmaster and all its processes. */
void pg_server_signal_all(const struct pg_server *s, int signal);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: the password that libpq keeps in a connection.
 *
 * Why this exists: libpq holds it in the clear for as long as the connection lives, which is as
 * long as the service runs, in ordinary memory: unlocked, in every core dump. Once in the
 * connection, for PQreset, which we never call; once in the state of the login (SCRAM), which is
 * over. No function of libpq gives up either, and no other way in avoids them: a password file or a
 * service file is copied to the same places, and keys instead of the password (scram_client_key)
 * are known to version 18 only.
 *
 * So the two are looked for and overwritten. The layout of libpq's structures is not assumed, nor
 * is anything written that was not first read and found to be the password: where a version of
 * libpq keeps it elsewhere this does nothing, and tests say so (store: pg_secret, e2e: canary).
 */
#ifndef STORE_PG_FORGET_H
#define STORE_PG_FORGET_H

#include <libpq-fe.h>

#include "base/secret.h"

/*
 * Overwrites with zeros every text that is exactly `password`, ends with NUL, and to which a
 * pointer in the connection leads, at once or by one step in between. That may be the name of the
 * user or the database, where these are the same text: libpq needs neither after the login.
 *
 * To be called after the login, by the thread that owns the connection. Does nothing for a password
 * shorter than 8 bytes, which could be any text, or longer than 1024.
 */
void pg_forget(PGconn *connection, const struct secret *password);

#endif

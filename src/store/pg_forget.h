/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: the password that libpq keeps in a connection for as long as that lives, twice.
 * One copy is for PQreset, which we never call; the other stands in the state of the login (SCRAM),
 * which is over. No function of libpq gives them up.
 */
#ifndef STORE_PG_FORGET_H
#define STORE_PG_FORGET_H

#include <libpq-fe.h>

#include "base/secret.h"

/*
 * Overwrites every text that is exactly `password` and to which a pointer in the connection leads,
 * at once or by one step in between. To be called after the login, by the thread that owns the
 * connection. Does nothing for a password shorter than 8 bytes: it could be any text.
 */
void pg_forget(PGconn *connection, const struct secret *password);

#endif

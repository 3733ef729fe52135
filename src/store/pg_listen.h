/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: hearing what other processes commit. A connection and a thread of their own:
 * the store's connection is busy with transactions, in which nothing is heard.
 *
 * There is one channel, named as the schema; the topic is what is sent over it. The connection,
 * which waits and does nothing else, also shows that this process lives: it holds the lock of the
 * owner's name for as long as it lasts, and the server ends it with the process.
 */
#ifndef STORE_PG_LISTEN_H
#define STORE_PG_LISTEN_H

#include <stdatomic.h>

#include "store/pg_conn.h"
#include "store/queue.h"

struct pg_listener;

/*
 * Listens when it returns. What the backend *own_pid sends is our own and known already. `target`,
 * `store`, `owner` and `own_pid` outlive the listener; `owner` may be NULL.
 */
enum err pg_listener_start(struct pg_listener **ret_listener, struct pg_target *target,
			   struct store *store, const char *owner, const atomic_int *own_pid,
			   struct err_note *note) MUST_USE;

/* NULL is allowed. Waits at most as long as connecting may take. */
void pg_listener_stop(struct pg_listener *l);

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Housekeeping: removes what ended long ago, a little at a time, so that what is there stays fast.
 *
 * Operations that have ended go at gc_age, and the oldest of them where more than gc_rows_max are
 * there. Their identity stays, in a table of its own: a log that is read again, by a replay or
 * after a walk back, does not make a second operation of it. Nothing goes whose transaction is
 * open. Transactions that ended go with age too, but for each account's last COLLECTOR_NONCES_KEPT:
 * the sender compares the chain with those. Sealed audit records go at audit_age; the head
 * remembers the hash of the last one that went, so what is left can still be verified.
 */
#ifndef CONNECTOR_COLLECTOR_H
#define CONNECTOR_COLLECTOR_H

#include "connector/service.h"

enum {
	COLLECTOR_NONCES_KEPT = 4096, /* more than a sender opens again */
	COLLECTOR_AT_ONCE = 300,      /* operations in one batch */
};

struct collector;
enum err collector_start(struct collector **ret_collector,
			 const struct connector_env *env) MUST_USE;
void collector_stop(struct collector *c); /* NULL allowed */

#endif

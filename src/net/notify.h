/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a service tells the manager that started it, by the protocol of sd_notify(3): a datagram to
 * the socket that NOTIFY_SOCKET names. Under no such manager every call does nothing.
 *
 * While the loop turns, the watchdog (WATCHDOG_USEC, for WATCHDOG_PID) is told so twice in its
 * time: a loop that hangs is killed and started again. Nothing here ever waits or fails; what
 * cannot be sent is dropped. Loop thread.
 */
#ifndef NET_NOTIFY_H
#define NET_NOTIFY_H

#include "base/clock.h"

/* All-zero says nothing. It must stay where it is until notify_close. */
struct notify {
	struct clock *clock;
	int fd; /* connected, when `open` */
	bool open;
	int64_t watchdog_ms; /* 0: none */
	struct timer watchdog;
};

/* `env`: as environ; NULL: none. */
void notify_open(struct notify *ret, struct clock *clock, const char *const *env);
void notify_ready(struct notify *n, const char *status); /* also after a reload; one line */
void notify_reloading(struct notify *n);
void notify_stopping(struct notify *n);
/* The stop is not done yet and needs so much more time. */
void notify_extend(struct notify *n, int64_t time_ms);
void notify_close(struct notify *n);

#endif

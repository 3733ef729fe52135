/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the tests of net/ share: a loop with a guard against hanging, and a scripted TCP peer on a
 * thread. */
#ifndef TEST_NET_TESTING_H
#define TEST_NET_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "net/loop.h"

/* Runs until loop_stop; fails the test after guard_ms. */
void run_guarded(struct loop *l, int64_t guard_ms);
void run_for(struct loop *l, int64_t ms);

/*
 * A listening socket whose connections, one after the other, are given to `serve` on a thread of
 * its own. The thread ends when the peer is freed.
 */
struct peer;
typedef void peer_fn(void *ctx, int fd);
struct peer *peer_new(peer_fn *serve, void *ctx);
unsigned peer_port(const struct peer *p);
unsigned peer_connections(const struct peer *p);
void peer_free(struct peer *p);

/* Blocking helpers for `serve`; false when the connection is over. */
bool fd_write_all(int fd, struct bytes b);
bool fd_read_headers(int fd); /* up to and including the empty line */
void fd_wait_close(int fd);   /* reads until the other side closes */

int tcp_connect(unsigned port);

#endif

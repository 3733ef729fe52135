/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Sockets by name: connecting to "http(s)://host:port" or "unix:PATH", and listening on "ip:port"
 * or "unix:PATH". Descriptors are non-blocking, close-on-exec and, for TCP, without Nagle's delay.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "net/loop.h"

enum {
	DIAL_HOST_SIZE = 256,
	DIAL_PATH_SIZE = 108
};

struct dial_target {
	bool unix_socket;
	bool secure; /* https */
	char path[DIAL_PATH_SIZE];
	char host[DIAL_HOST_SIZE]; /* name or number, without brackets */
	unsigned port;
	char authority[DIAL_HOST_SIZE + 16]; /* as HTTP says it */
};

/* Errors: ERR_CONFIG_VALUE with a note. */
enum err dial_target_parse(struct dial_target *ret_target, const char *url,
			   struct err_note *note) MUST_USE;

struct dial;

/* fd >= 0: connected and now the callee's; fd < 0: `why` says it. */
typedef void dial_done_fn(void *ctx, int fd, const char *why);

/* Tries every address of the name in turn. `done` is called once, always later, unless cancelled.
 * ERR_NOMEM. */
enum err dial_start(struct dial **ret_dial, struct loop *loop, const struct dial_target *target,
		    dial_done_fn *done, void *ctx) MUST_USE;
void dial_cancel(struct dial *d);

struct listen_socket {
	int fd;
	unsigned port;             /* 0 for a Unix socket */
	char path[DIAL_PATH_SIZE]; /* "" for TCP */
	dev_t dev;
	ino_t ino;
};

/*
 * A Unix socket gets mode 0600 from its first moment; a file left by a dead process is replaced,
 * one on which somebody listens is not. Errors: ERR_CONFIG_VALUE with a note.
 */
enum err listen_socket_open(struct listen_socket *ret_socket, const char *listen,
			    struct err_note *note) MUST_USE;

/* Removes the file of a Unix socket if it is still ours. Does not close. */
void listen_socket_unlink(const struct listen_socket *s);

void socket_no_delay(int fd);

#endif

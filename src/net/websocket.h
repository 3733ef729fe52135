/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A WebSocket connection to a server (RFC 6455), on the loop. wss: TLS with the system's
 * authorities, the certificate's name is checked. No compression, no subprotocol, no reconnecting:
 * that is its owner's.
 */
#ifndef NET_WEBSOCKET_H
#define NET_WEBSOCKET_H

#include "base/bytes.h"
#include "net/loop.h"

struct websocket;

struct websocket_events {
	void (*opened)(void *ctx);
	void (*message)(void *ctx, struct bytes message); /* text or binary, whole; a view */
	/* Once, and nothing after it: could not connect, a rule was broken, silence, the end. */
	void (*closed)(void *ctx, enum err e, const char *why);
};

struct websocket_options {
	const char *url; /* ws://[user:password@]host[:port][/path]; wss:// */
	size_t message_max;
	int64_t open_timeout_ms; /* until it is opened */
	int64_t silence_ms;      /* nothing comes for so long: a ping; for as long again: the end */
};

/* Callbacks come later, on the loop thread. ERR_CONFIG_VALUE for a URL that is none, ERR_NOMEM. */
enum err websocket_open(struct websocket **ret_socket, struct loop *loop,
			const struct websocket_options *options,
			const struct websocket_events *events, void *ctx,
			struct err_note *note) MUST_USE;

/* A text message; also before it is opened. ERR_BUSY: too much waits to be sent. */
enum err websocket_send(struct websocket *w, struct bytes text) MUST_USE;

/* No callback comes any more. Allowed inside one. */
void websocket_free(struct websocket *w);

#endif

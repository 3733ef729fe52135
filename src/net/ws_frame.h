/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The WebSocket protocol, RFC 6455, as a client speaks it: opening handshake and frames. No
 * sockets: bytes in, events out.
 */
#ifndef NET_WS_FRAME_H
#define NET_WS_FRAME_H

#include "base/bytes.h"

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

enum {
	WS_NONCE_SIZE = 16,
	WS_KEY_SIZE = 25,     /* base64 of the nonce, and a NUL */
	WS_CONTROL_MAX = 125, /* payload of a control frame (section 5.5) */
	WS_HEAD_MAX = 8192,   /* the answer to the handshake */
};

/* ---- opening handshake (section 4) ---- */

/* "GET path HTTP/1.1 …" with the key; `basic`: "user:password" or NULL. */
enum err ws_handshake_add(struct buf *out, const char *authority, const char *path,
			  const char *basic, const char *key) MUST_USE;
void ws_key(char ret_key[WS_KEY_SIZE], const uint8_t nonce[WS_NONCE_SIZE]);

/*
 * Looks for a whole answer at the front of `in`. ERR_NOT_READY: not whole yet. ERR_MALFORMED,
 * ERR_TOO_BIG; ERR_REMOTE with a note: the server does not want to; ERR_MISMATCH: it answers
 * another handshake, or wants a protocol that we have not offered.
 */
enum err ws_handshake_read(size_t *ret_size, struct bytes in, const char *key,
			   struct err_note *note) MUST_USE;

/* ---- frames (section 5) ---- */

/* One unfragmented frame, masked. */
enum err ws_frame_add(struct buf *out, enum ws_opcode op, struct bytes payload,
		      const uint8_t mask[4]) MUST_USE;

struct ws_event {
	enum ws_opcode what;  /* never WS_CONTINUATION: messages come whole */
	struct bytes payload; /* until the next call */
};

/* What the server sends. All-zero but for the maximum is a valid beginning. */
struct ws_reader {
	size_t message_max;
	struct buf in;      /* not read yet */
	size_t at;          /* where in it */
	struct buf message; /* of fragments */
	bool open;          /* a message that is not whole yet */
	enum ws_opcode kind;
};
struct ws_reader ws_reader_make(size_t message_max);
void ws_reader_free(struct ws_reader *r);

enum err ws_reader_feed(struct ws_reader *r, struct bytes more) MUST_USE;

/*
 * The next message or control frame. ERR_NOT_READY: none is whole. ERR_MALFORMED: masked, reserved
 * bits or opcodes, a length longer than it need be, a fragmented or long control frame, fragments
 * out of order, text that is not UTF-8. ERR_TOO_BIG: a message beyond the maximum, before it is
 * held. After any error but ERR_NOT_READY the connection is worth nothing.
 */
enum err ws_reader_next(struct ws_reader *r, struct ws_event *ret_event) MUST_USE;

#endif

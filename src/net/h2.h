/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * One HTTP/2 connection: an nghttp2 session pumped over a bufferevent. Client and server stand on
 * it.
 *
 * The pump knows no sockets and no TLS: any connected bufferevent will do. It holds at most
 * H2_OUTPUT_MAX bytes (and one frame) that the peer has not taken; nghttp2 is asked for more only
 * as the peer reads.
 */
#ifndef NET_H2_H
#define NET_H2_H

#include <nghttp2/nghttp2.h>

#include "base/bytes.h"
#include "net/grpc_wire.h"
#include "net/loop.h"

struct bufferevent;

enum {
	H2_OUTPUT_MAX = 64 << 10,
	H2_STREAM_WINDOW = 1 << 20, /* the default of 64 KiB makes big messages crawl */
	H2_CONNECTION_WINDOW = 8 << 20,
};

/* What a side keeps of one call; the user data of every stream. Both sides embed it. */
struct h2_stream {
	int32_t id;
	struct buf out;             /* the body to send */
	size_t out_at;              /* how much of it is sent */
	const char *trailer_status; /* server: sent as grpc-status after the body; NULL: the body
				       ends the stream */
	size_t header_bytes;
	struct grpc_reader in;
};

void h2_stream_free(struct h2_stream *s);

/* Counts a header against GRPC_HEADER_BYTES_MAX, as HTTP/2 counts (32 bytes each on top). False
 * beyond. */
bool h2_stream_header_fits(struct h2_stream *s, struct bytes name, struct bytes value);

/* What makes a client or a server of a connection: one constant of each. */
struct h2_side {
	bool server;
	/* Adds the side's own callbacks. Their user data is the struct h2_io. */
	void (*callbacks_set)(nghttp2_session_callbacks *cb);
	/* Both are called from the loop with nothing of nghttp2 on the stack; the connection may be
	 * closed in them. */
	void (*received)(void *ctx);
	void (*lost)(void *ctx, const char *why);
};

struct h2_io {
	const struct h2_side *side;
	void *ctx; /* of the side */
	struct loop *loop;
	struct bufferevent *bev;
	nghttp2_session *session;
	int plain_fd; /* -1 when the bytes on the descriptor are not the bytes of HTTP/2 */
	bool receiving;
	bool failed;
	struct timer end; /* reports a failure that was met while sending */
};

/* The body of a request or reply; the source is the stream's struct h2_stream. */
nghttp2_data_provider h2_body_provider(void);

/*
 * Speaks HTTP/2 over `bev` (TLS), or over the connected socket `fd`, and takes it in every case:
 * with ERR_NOMEM it is closed. Side and context are set in `io` before, the rest of it is zero.
 * Sends SETTINGS at once. After lost() only h2_io_close may follow.
 */
enum err h2_io_start(struct h2_io *io, struct loop *loop, struct bufferevent *bev) MUST_USE;
enum err h2_io_start_plain(struct h2_io *io, struct loop *loop, int fd) MUST_USE;

/* Hands to the bufferevent what the session has to say and the limit allows. Harmless at any time.
 */
void h2_io_flush(struct h2_io *io);

/* Drops everything unsent. All-zero and twice are fine. */
void h2_io_close(struct h2_io *io);

#define H2_NV(name_lit, value_view)                                                                \
	((nghttp2_nv){.name = (uint8_t *)(uintptr_t)(name_lit),                                    \
		      .namelen = sizeof(name_lit) - 1,                                             \
		      .value = (uint8_t *)(uintptr_t)(value_view).p,                               \
		      .valuelen = (value_view).n})

#endif

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The gRPC part of "gRPC over HTTP2" that client and server share: the length-prefixed message, the
 * percent coding of grpc-message, the form of grpc-timeout.
 */
#ifndef NET_GRPC_WIRE_H
#define NET_GRPC_WIRE_H

#include "base/bytes.h"
#include "net/channel.h"

enum {
	GRPC_PREFIX_SIZE = 5,
	GRPC_TIMEOUT_TEXT_SIZE = 12
};

/* Collects exactly one message from pieces of a body. */
struct grpc_reader {
	uint8_t prefix[GRPC_PREFIX_SIZE];
	size_t prefix_n;
	size_t size_max; /* of the message, without prefix */
	struct buf body; /* its size_max is the announced length once the prefix is there */
};

static inline struct grpc_reader grpc_reader_make(size_t size_max)
{
	return (struct grpc_reader){.size_max = size_max};
}

/*
 * Memory grows with what arrived, never with what was announced. Errors: ERR_TOO_BIG,
 * ERR_UNSUPPORTED (compressed), ERR_MALFORMED (unknown flag, or bytes behind the message),
 * ERR_NOMEM.
 */
enum err grpc_reader_feed(struct grpc_reader *r, struct bytes piece) MUST_USE;

/* ERR_OK if the message is whole, ERR_TRUNCATED if not (also when nothing came at all). */
enum err grpc_reader_end(const struct grpc_reader *r) MUST_USE;

/* Nothing arrived: the message of a call which answers with a status only. */
static inline bool grpc_reader_empty(const struct grpc_reader *r)
{
	return r->prefix_n == 0;
}

void grpc_reader_free(struct grpc_reader *r);

/* Prefix and message, as DATA carries them; `out` is empty and gets its maximum here. ERR_NOMEM,
 * ERR_TOO_BIG. */
enum err grpc_message_pack(struct buf *out, struct bytes message) MUST_USE;

/* Percent coding of grpc-message; text that is not there is empty. */
enum err grpc_text_encode(struct buf *out, const char *text) MUST_USE;

/* Decodes; broken escapes stay as they are; what is not printable UTF-8 becomes '?'. */
enum err grpc_text_decode(struct buf *out, struct bytes text) MUST_USE;

/* "application/grpc", perhaps with "+proto" or parameters behind it. */
bool grpc_content_type(struct bytes value);

/* "250m"; times beyond eight digits of ms are said in seconds. */
void grpc_timeout_format(char out[GRPC_TIMEOUT_TEXT_SIZE], int64_t timeout_ms);

/* ERR_MALFORMED unless 1..8 digits and one of H M S m u n. Rounded up to ms. */
enum err grpc_timeout_parse(int64_t *ret_timeout_ms, struct bytes text) MUST_USE;

/* What an HTTP status means when no grpc-status came ("HTTP to gRPC Status Code Mapping"). */
enum grpc_status grpc_status_of_http(int http_status);

/* What a stream's end by RST_STREAM means (the table in "gRPC over HTTP2", "Errors"). */
enum grpc_status grpc_status_of_reset(uint32_t h2_error);

/* "7" -> PERMISSION_DENIED; anything else than 0..16 is UNKNOWN. */
enum grpc_status grpc_status_parse(struct bytes text);

#endif

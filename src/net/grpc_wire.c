/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/grpc_wire.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "base/limits.h"

static const char *const STATUS_NAMES[] = {
	[GRPC_OK] = "OK",
	[GRPC_CANCELLED] = "CANCELLED",
	[GRPC_UNKNOWN] = "UNKNOWN",
	[GRPC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
	[GRPC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
	[GRPC_NOT_FOUND] = "NOT_FOUND",
	[GRPC_ALREADY_EXISTS] = "ALREADY_EXISTS",
	[GRPC_PERMISSION_DENIED] = "PERMISSION_DENIED",
	[GRPC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
	[GRPC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
	[GRPC_ABORTED] = "ABORTED",
	[GRPC_OUT_OF_RANGE] = "OUT_OF_RANGE",
	[GRPC_UNIMPLEMENTED] = "UNIMPLEMENTED",
	[GRPC_INTERNAL] = "INTERNAL",
	[GRPC_UNAVAILABLE] = "UNAVAILABLE",
	[GRPC_DATA_LOSS] = "DATA_LOSS",
	[GRPC_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *grpc_status_name(enum grpc_status s)
{
	if ((size_t)s >= ARRAY_LEN(STATUS_NAMES))
		s = GRPC_UNKNOWN;
	return STATUS_NAMES[s];
}

/* ---- message ---- */

static enum err prefix_done(struct grpc_reader *r)
{
	struct reader in = reader_of(BYTES_OF(r->prefix));
	uint8_t flag = reader_u8(&in);
	uint32_t length = reader_u32be(&in);

	if (flag == 1)
		return ERR_UNSUPPORTED;
	if (flag != 0)
		return ERR_MALFORMED;
	if (length > r->size_max)
		return ERR_TOO_BIG;
	r->body = buf_make(length);
	return ERR_OK;
}

enum err grpc_reader_feed(struct grpc_reader *r, struct bytes piece)
{
	struct reader in = reader_of(piece);

	while (r->prefix_n < GRPC_PREFIX_SIZE && in.in.n > 0) {
		r->prefix[r->prefix_n++] = reader_u8(&in);
		if (r->prefix_n == GRPC_PREFIX_SIZE)
			TRY(prefix_done(r));
	}
	if (in.in.n == 0)
		return ERR_OK;
	if (in.in.n > r->body.size_max - r->body.n)
		return ERR_MALFORMED;
	return buf_add(&r->body, in.in);
}

enum err grpc_reader_end(const struct grpc_reader *r)
{
	if (r->prefix_n < GRPC_PREFIX_SIZE || r->body.n < r->body.size_max)
		return ERR_TRUNCATED;
	return ERR_OK;
}

void grpc_reader_free(struct grpc_reader *r)
{
	buf_free(&r->body);
	*r = grpc_reader_make(r->size_max);
}

enum err grpc_message_pack(struct buf *out, struct bytes message)
{
	if (message.n > GRPC_MESSAGE_MAX)
		return ERR_TOO_BIG;
	*out = buf_make(message.n + GRPC_PREFIX_SIZE);
	TRY(buf_reserve(out, message.n + GRPC_PREFIX_SIZE));
	TRY(buf_add_u8(out, 0));
	TRY(buf_add_u32be(out, (uint32_t)message.n));
	return buf_add(out, message);
}

/* ---- grpc-message ---- */

enum err grpc_text_encode(struct buf *out, const char *text)
{
	struct reader in = reader_of(bytes_str(text));

	while (in.in.n > 0) {
		uint8_t c = reader_u8(&in);

		if (c >= 0x20 && c <= 0x7e && c != '%')
			TRY(buf_add_u8(out, c));
		else
			TRY(buf_addf(out, "%%%02X", (unsigned)c));
	}
	return ERR_OK;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static enum err percent_decode(struct buf *out, struct bytes text)
{
	struct reader in = reader_of(text);

	while (in.in.n > 0) {
		struct bytes escape = bytes_sub(in.in, 0, 3);
		int high = escape.n == 3 && escape.p[0] == '%' ? hex_digit(escape.p[1]) : -1;
		int low = high >= 0 ? hex_digit(escape.p[2]) : -1;

		if (low >= 0) {
			TRY(buf_add_u8(out, (uint8_t)(high * 16 + low)));
			(void)reader_bytes(&in, 3);
		} else {
			TRY(buf_add_u8(out, reader_u8(&in)));
		}
	}
	return ERR_OK;
}

enum err grpc_text_decode(struct buf *out, struct bytes text)
{
	CLEANUP(buf_free) struct buf raw = buf_make(text.n);
	struct reader in;

	TRY(percent_decode(&raw, text));
	in = reader_of(buf_view(&raw));
	while (in.in.n > 0) {
		size_t step = bytes_utf8_step(in.in);
		struct bytes c = reader_bytes(&in, step > 0 ? step : 1);
		bool printable = step > 1 || (step == 1 && c.p[0] >= 0x20 && c.p[0] != 0x7f);

		/* U+0080..U+009F are control characters too. */
		if (step == 2 && c.p[0] == 0xc2 && c.p[1] < 0xa0)
			printable = false;
		TRY(buf_add(out, printable ? c : BYTES_LIT("?")));
	}
	return ERR_OK;
}

bool grpc_content_type(struct bytes value)
{
	const struct bytes plain = BYTES_LIT("application/grpc");

	if (!bytes_eq_var(bytes_sub(value, 0, plain.n), plain))
		return false;
	return value.n == plain.n || value.p[plain.n] == '+' || value.p[plain.n] == ';';
}

/* ---- grpc-timeout ---- */

void grpc_timeout_format(char out[GRPC_TIMEOUT_TEXT_SIZE], int64_t timeout_ms)
{
	int64_t s;

	if (timeout_ms < 0)
		timeout_ms = 0;
	s = timeout_ms / 1000;
	if (timeout_ms <= 99999999)
		snprintf(out, GRPC_TIMEOUT_TEXT_SIZE, "%dm", (int)timeout_ms);
	else
		snprintf(out, GRPC_TIMEOUT_TEXT_SIZE, "%dS", s > 99999999 ? 99999999 : (int)s);
}

enum err grpc_timeout_parse(int64_t *ret_timeout_ms, struct bytes text)
{
	struct reader in = reader_of(text);
	int64_t v = 0;

	if (text.n < 2 || text.n > 9)
		return ERR_MALFORMED;
	while (in.in.n > 1) {
		uint8_t c = reader_u8(&in);

		if (c < '0' || c > '9')
			return ERR_MALFORMED;
		v = v * 10 + (c - '0');
	}
	switch (reader_u8(&in)) {
	case 'H':
		v *= 3600000;
		break;
	case 'M':
		v *= 60000;
		break;
	case 'S':
		v *= 1000;
		break;
	case 'm':
		break;
	case 'u':
		v = (v + 999) / 1000;
		break;
	case 'n':
		v = (v + 999999) / 1000000;
		break;
	default:
		return ERR_MALFORMED;
	}
	*ret_timeout_ms = v;
	return ERR_OK;
}

/* ---- statuses ---- */

enum grpc_status grpc_status_of_http(int http_status)
{
	switch (http_status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

enum grpc_status grpc_status_of_reset(uint32_t h2_error)
{
	switch (h2_error) {
	case NGHTTP2_REFUSED_STREAM:
		return GRPC_UNAVAILABLE;
	case NGHTTP2_CANCEL:
		return GRPC_CANCELLED;
	case NGHTTP2_ENHANCE_YOUR_CALM:
		return GRPC_RESOURCE_EXHAUSTED;
	case NGHTTP2_INADEQUATE_SECURITY:
		return GRPC_PERMISSION_DENIED;
	default:
		return GRPC_INTERNAL;
	}
}

enum grpc_status grpc_status_parse(struct bytes text)
{
	struct reader in = reader_of(text);
	unsigned v = 0;

	if (text.n < 1 || text.n > 2)
		return GRPC_UNKNOWN;
	while (in.in.n > 0) {
		uint8_t c = reader_u8(&in);

		if (c < '0' || c > '9')
			return GRPC_UNKNOWN;
		v = v * 10 + (unsigned)(c - '0');
	}
	return v < ARRAY_LEN(STATUS_NAMES) ? (enum grpc_status)v : GRPC_UNKNOWN;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/ws_frame.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"

/* ---- handshake ---- */

void ws_key(char ret_key[WS_KEY_SIZE], const uint8_t nonce[WS_NONCE_SIZE])
{
	struct buf text CLEANUP(buf_free) = buf_make(WS_KEY_SIZE);

	CHECK(base64_add(&text, bytes_from(nonce, WS_NONCE_SIZE)) == ERR_OK &&
	      text.n == WS_KEY_SIZE - 1);
	memcpy(ret_key, text.p, text.n);
	ret_key[text.n] = '\0';
}

enum err ws_handshake_add(struct buf *out, const char *authority, const char *path,
			  const char *basic, const char *key)
{
	TRY(buf_addf(out,
		     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
		     "User-Agent: claviger\r\n",
		     path, authority, key));
	if (basic) {
		TRY(buf_add_str(out, "Authorization: Basic "));
		TRY(base64_add(out, bytes_str(basic)));
		TRY(buf_add_str(out, "\r\n"));
	}
	return buf_add_str(out, "\r\n");
}

/* Section 4.2.2, 5.4: base64 of the SHA-1 of the key and a fixed text. */
static bool accept_fits(struct bytes value, const char *key)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[WS_KEY_SIZE + sizeof(guid)];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct buf want CLEANUP(buf_free) = buf_make(64);

	memcpy(text, key, strlen(key));
	memcpy(&text[strlen(key)], guid, sizeof(guid) - 1);
	if (EVP_Digest(text, strlen(key) + sizeof(guid) - 1, digest, &n, EVP_sha1(), NULL) != 1 ||
	    base64_add(&want, bytes_from(digest, n)) != ERR_OK)
		return false;
	return bytes_eq_var(value, buf_view(&want));
}

static struct bytes trim(struct bytes b)
{
	while (b.n > 0 && (b.p[0] == ' ' || b.p[0] == '\t'))
		b = bytes_sub(b, 1, b.n - 1);
	while (b.n > 0 && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
		b.n--;
	return b;
}

static bool is_word(struct bytes b, const char *word)
{
	return b.n == strlen(word) && strncasecmp((const char *)b.p, word, b.n) == 0;
}

struct answer {
	bool upgrade, connection, accept;
	bool extension; /* or subprotocol: none was offered */
};

static enum err read_header(struct answer *a, struct bytes line, const char *key)
{
	const uint8_t *colon = memchr(line.p, ':', line.n);

	if (!colon || colon == line.p)
		return ERR_MALFORMED;
	size_t n = (size_t)(colon - line.p);
	struct bytes name = bytes_sub(line, 0, n);
	struct bytes value = trim(bytes_sub(line, n + 1, line.n - n - 1));

	if (is_word(name, "upgrade"))
		a->upgrade = is_word(value, "websocket");
	else if (is_word(name, "connection"))
		a->connection = is_word(value, "upgrade");
	else if (is_word(name, "sec-websocket-accept"))
		a->accept = accept_fits(value, key);
	else if (is_word(name, "sec-websocket-extensions") ||
		 is_word(name, "sec-websocket-protocol"))
		a->extension = true;
	return ERR_OK;
}

/* A line without its end; *in is what follows. */
static struct bytes take_line(struct bytes *in)
{
	const uint8_t *end = memmem(in->p, in->n, "\r\n", 2);
	size_t n = end ? (size_t)(end - in->p) : in->n;
	struct bytes line = bytes_sub(*in, 0, n);

	*in = bytes_sub(*in, n + 2, in->n - n - 2);
	return line;
}

enum err ws_handshake_read(size_t *ret_size, struct bytes in, const char *key,
			   struct err_note *note)
{
	const uint8_t *end = in.n > 0 ? memmem(in.p, in.n, "\r\n\r\n", 4) : NULL;
	struct answer a = {0};

	if (!end && in.n > WS_HEAD_MAX)
		return err_say(note, ERR_TOO_BIG, "the handshake's answer is too long");
	if (!end)
		return ERR_NOT_READY;
	size_t size = (size_t)(end - in.p) + 4;
	struct bytes head = bytes_sub(in, 0, size - 2);
	struct bytes line = take_line(&head);

	if (size > WS_HEAD_MAX)
		return err_say(note, ERR_TOO_BIG, "the handshake's answer is too long");
	if (line.n < 12 || memcmp(line.p, "HTTP/1.1 ", 9) != 0)
		return err_say(note, ERR_MALFORMED, "no HTTP/1.1 answer to the handshake");
	if (memcmp(&line.p[9], "101", 3) != 0)
		return err_say(note, ERR_REMOTE, "the server answers \"%.*s\" to the handshake",
			       (int)(line.n > 64 ? 64 : line.n), (const char *)line.p);
	while (head.n > 0)
		if (read_header(&a, take_line(&head), key) != ERR_OK)
			return err_say(note, ERR_MALFORMED, "a header that is none");
	if (!a.upgrade || !a.connection || !a.accept || a.extension)
		return err_say(note, ERR_MISMATCH, "the answer is not to our handshake");
	*ret_size = size;
	return ERR_OK;
}

/* ---- frames ---- */

enum {
	FIN = 0x80,
	RESERVED = 0x70,
	MASKED = 0x80,
	LENGTH_16 = 126,
	LENGTH_64 = 127,
};

enum err ws_frame_add(struct buf *out, enum ws_opcode op, struct bytes payload,
		      const uint8_t mask[4])
{
	size_t was = out->n;
	enum err e = buf_add_u8(out, (uint8_t)(FIN | op));

	if (payload.n < LENGTH_16) {
		e = e ? e : buf_add_u8(out, (uint8_t)(MASKED | payload.n));
	} else {
		int octets = payload.n <= UINT16_MAX ? 2 : 8;

		e = e ? e : buf_add_u8(out, MASKED | (octets == 2 ? LENGTH_16 : LENGTH_64));
		for (int i = octets - 1; i >= 0 && e == ERR_OK; i--)
			e = buf_add_u8(out, (uint8_t)((uint64_t)payload.n >> (8 * i)));
	}
	e = e ? e : buf_add(out, bytes_from(mask, 4));
	size_t at = out->n;
	e = e ? e : buf_add(out, payload);
	if (e != ERR_OK) {
		out->n = was;
		return e;
	}
	for (size_t i = 0; i < payload.n; i++)
		out->p[at + i] ^= mask[i % 4];
	return ERR_OK;
}

struct ws_reader ws_reader_make(size_t message_max)
{
	return (struct ws_reader){
		.message_max = message_max,
		.in = buf_make(message_max + WS_HEAD_MAX + (1 << 20)),
		.message = buf_make(message_max),
	};
}

void ws_reader_free(struct ws_reader *r)
{
	buf_free(&r->in);
	buf_free(&r->message);
	*r = (struct ws_reader){0};
}

enum err ws_reader_feed(struct ws_reader *r, struct bytes more)
{
	if (r->at > 0) {
		memmove(r->in.p, &r->in.p[r->at], r->in.n - r->at);
		r->in.n -= r->at;
		r->at = 0;
	}
	return buf_add(&r->in, more);
}

struct frame {
	bool fin;
	enum ws_opcode op;
	struct bytes payload;
	size_t size; /* header and payload */
};

/* A length must be written as short as can be. */
static enum err frame_length(uint64_t *ret_length, size_t *ret_header, struct bytes in)
{
	unsigned seven = in.p[1] & 0x7f;
	size_t octets = seven == LENGTH_16 ? 2 : seven == LENGTH_64 ? 8 : 0;
	uint64_t n = octets == 0 ? seven : 0;

	if (in.n < 2 + octets)
		return ERR_NOT_READY;
	for (size_t i = 0; i < octets; i++)
		n = n << 8 | in.p[2 + i];
	if ((octets == 2 && n < LENGTH_16) || (octets == 8 && (n <= UINT16_MAX || n > INT64_MAX)))
		return ERR_MALFORMED;
	*ret_length = n;
	*ret_header = 2 + octets;
	return ERR_OK;
}

static enum err frame_check(const struct ws_reader *r, uint8_t first, uint8_t second)
{
	bool fin = (first & FIN) != 0;

	if ((first & RESERVED) != 0 || (second & MASKED) != 0)
		return ERR_MALFORMED;
	switch (first & 0x0f) {
	case WS_CONTINUATION:
		return r->open ? ERR_OK : ERR_MALFORMED;
	case WS_TEXT:
	case WS_BINARY:
		return r->open ? ERR_MALFORMED : ERR_OK;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		return fin && (second & 0x7f) <= WS_CONTROL_MAX ? ERR_OK : ERR_MALFORMED;
	default:
		return ERR_MALFORMED;
	}
}

static enum err read_frame(const struct ws_reader *r, struct frame *ret_frame)
{
	struct bytes in = bytes_sub(buf_view(&r->in), r->at, r->in.n - r->at);
	uint64_t length;
	size_t header;

	if (in.n < 2)
		return ERR_NOT_READY;
	TRY(frame_check(r, in.p[0], in.p[1]));
	TRY(frame_length(&length, &header, in));
	if (length > r->message_max - (r->open ? r->message.n : 0))
		return ERR_TOO_BIG;
	if (in.n - header < length)
		return ERR_NOT_READY;
	*ret_frame = (struct frame){
		.fin = (in.p[0] & FIN) != 0,
		.op = (enum ws_opcode)(in.p[0] & 0x0f),
		.payload = bytes_sub(in, header, (size_t)length),
		.size = header + (size_t)length,
	};
	return ERR_OK;
}

static bool is_utf8(struct bytes b)
{
	while (b.n > 0) {
		size_t step = bytes_utf8_step(b);

		if (step == 0)
			return false;
		b = bytes_sub(b, step, b.n - step);
	}
	return true;
}

enum err ws_reader_next(struct ws_reader *r, struct ws_event *ret_event)
{
	struct frame f;

	for (;;) {
		TRY(read_frame(r, &f));
		r->at += f.size;
		if (f.op >= WS_CLOSE) {
			*ret_event = (struct ws_event){f.op, f.payload};
			return ERR_OK;
		}
		if (f.op != WS_CONTINUATION)
			r->kind = f.op;
		if (f.fin && f.op != WS_CONTINUATION)
			break; /* whole in one frame: no copy */
		if (f.op != WS_CONTINUATION)
			buf_clear(&r->message);
		r->open = true;
		TRY(buf_add(&r->message, f.payload));
		if (f.fin) {
			r->open = false;
			f.payload = buf_view(&r->message);
			break;
		}
	}
	if (r->kind == WS_TEXT && !is_utf8(f.payload))
		return ERR_MALFORMED;
	*ret_event = (struct ws_event){r->kind, f.payload};
	return ERR_OK;
}

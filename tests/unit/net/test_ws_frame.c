/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* WebSocket frames and handshake, with the examples of RFC 6455. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "net/ws_frame.h"

enum {
	MESSAGE_MAX = 70000
};

/* Section 1.3. */
static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char good[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
			   "connection: Upgrade\r\n"
			   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void test_handshake(void **state)
{
	struct buf out = buf_make(4096);
	char made[WS_KEY_SIZE];
	size_t n = 0;
	(void)state;

	ws_key(made, (const uint8_t *)"the sample nonce");
	assert_string_equal(made, key);
	assert_int_equal(ws_handshake_add(&out, "h:1", "/p?q", "user:pass", key), ERR_OK);
	assert_non_null(memmem(out.p, out.n, "GET /p?q HTTP/1.1\r\nHost: h:1\r\n", 30));
	assert_non_null(memmem(out.p, out.n, "Authorization: Basic dXNlcjpwYXNz\r\n", 35));
	buf_free(&out);
	for (size_t i = 0; i + 1 < sizeof(good) - 1; i++)
		assert_int_equal(ws_handshake_read(&n, bytes_from(good, i), key, NULL),
				 ERR_NOT_READY);
	assert_int_equal(ws_handshake_read(&n, bytes_str(good), key, NULL), ERR_OK);
	assert_int_equal(n, strlen(good));
}

static void test_bad_handshakes(void **state)
{
	static const struct {
		const char *find, *put;
		enum err err;
	} rows[] = {
		{"101", "200", ERR_REMOTE},
		{"101 S", "403 N", ERR_REMOTE},
		{"HTTP/1.1", "HTTP/1.0", ERR_MALFORMED},
		{"s3pP", "s3pQ", ERR_MISMATCH},
		{"WebSocket", "h2c      ", ERR_MISMATCH},
		{"connection: Upgrade", "connection: close  ", ERR_MISMATCH},
		{"connection", "connectiom", ERR_MISMATCH},
		{"connection: Upgrade", "no header at all...", ERR_MALFORMED},
	};
	char text[512];
	size_t n;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(text, good, sizeof(good));
		memcpy(strstr(text, rows[i].find), rows[i].put, strlen(rows[i].put));
		assert_int_equal(ws_handshake_read(&n, bytes_str(text), key, NULL), rows[i].err);
	}
	(void)snprintf(text, sizeof(text), "%.*sSec-WebSocket-Extensions: x\r\n\r\n",
		       (int)sizeof(good) - 3, good);
	assert_int_equal(ws_handshake_read(&n, bytes_str(text), key, NULL), ERR_MISMATCH);
	static uint8_t long_head[WS_HEAD_MAX + 1];
	assert_int_equal(ws_handshake_read(&n, BYTES_OF(long_head), key, NULL), ERR_TOO_BIG);
}

static void expect(struct ws_reader *r, enum ws_opcode what, const char *payload)
{
	struct ws_event e;

	assert_int_equal(ws_reader_next(r, &e), ERR_OK);
	assert_int_equal(e.what, what);
	assert_int_equal(e.payload.n, strlen(payload));
	assert_memory_equal(e.payload.p, payload, e.payload.n);
}

static enum err feed_hex(struct ws_reader *r, const char *hex)
{
	struct buf b CLEANUP(buf_free) = buf_make(1 << 17);

	assert_int_equal(hex_decode(&b, bytes_str(hex)), ERR_OK);
	return ws_reader_feed(r, buf_view(&b));
}

/* Section 5.7. */
static void test_examples(void **state)
{
	static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	static const uint8_t masked[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
					 0x7f, 0x9f, 0x4d, 0x51, 0x58};
	struct ws_reader r = ws_reader_make(MESSAGE_MAX);
	struct buf out = buf_make(1 << 17);
	struct ws_event e;
	(void)state;

	assert_int_equal(ws_frame_add(&out, WS_TEXT, BYTES_LIT("Hello"), mask), ERR_OK);
	assert_int_equal(out.n, sizeof(masked));
	assert_memory_equal(out.p, masked, sizeof(masked));
	assert_int_equal(feed_hex(&r, "0x810548656c6c6f"), ERR_OK);
	expect(&r, WS_TEXT, "Hello");
	/* Fragments, with a ping in between. */
	assert_int_equal(feed_hex(&r, "0x010348656c890548656c6c6f80026c6f8a00"), ERR_OK);
	expect(&r, WS_PING, "Hello");
	expect(&r, WS_TEXT, "Hello");
	expect(&r, WS_PONG, "");
	assert_int_equal(ws_reader_next(&r, &e), ERR_NOT_READY);
	ws_reader_free(&r);
	buf_free(&out);
}

/* Byte by byte, of each form of the length. */
static void test_lengths(void **state)
{
	static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, MESSAGE_MAX};
	static char text[MESSAGE_MAX + 1];
	struct ws_event e;
	(void)state;

	memset(text, 'x', MESSAGE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct ws_reader r = ws_reader_make(MESSAGE_MAX);
		struct buf b = buf_make(1 << 17);
		const uint8_t mask[4] = {0};

		/* A mask of zeros, taken out, makes it a server's. */
		assert_int_equal(ws_frame_add(&b, WS_TEXT, bytes_from(text, sizes[i]), mask),
				 ERR_OK);
		size_t head = b.n - sizes[i] - 4;
		b.p[1] &= 0x7f;
		memmove(&b.p[head], &b.p[head + 4], sizes[i]);
		b.n -= 4;
		for (size_t k = 0; k < b.n; k++) {
			assert_int_equal(ws_reader_next(&r, &e), ERR_NOT_READY);
			assert_int_equal(ws_reader_feed(&r, bytes_from(&b.p[k], 1)), ERR_OK);
		}
		assert_int_equal(ws_reader_next(&r, &e), ERR_OK);
		assert_int_equal(e.payload.n, sizes[i]);
		ws_reader_free(&r);
		buf_free(&b);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *hex;
		enum err err;
	} rows[] = {
		{"0x818537fa213d7f9f4d5158", ERR_MALFORMED}, /* masked by a server */
		{"0xc10548656c6c6f", ERR_MALFORMED},         /* reserved bit */
		{"0x830548656c6c6f", ERR_MALFORMED},         /* reserved opcode */
		{"0x8b00", ERR_MALFORMED},                   /* reserved control */
		{"0x0900", ERR_MALFORMED},                   /* fragmented ping */
		{"0x897e007e", ERR_MALFORMED},               /* long ping */
		{"0x8000", ERR_MALFORMED},                   /* continues nothing */
		{"0x01018101010181", ERR_MALFORMED},         /* a second message in the first */
		{"0x817e0005", ERR_MALFORMED},               /* length longer than need be */
		{"0x817f000000000000ffff", ERR_MALFORMED},   /* likewise */
		{"0x817fffffffffffffffff", ERR_MALFORMED},   /* negative */
		{"0x817f7fffffffffffffff", ERR_TOO_BIG},     /* announced only */
		{"0x817f0000000000011171", ERR_TOO_BIG},     /* one too many */
		{"0x8102c328", ERR_MALFORMED},               /* not UTF-8 */
	};
	struct ws_event e;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ws_reader r = ws_reader_make(MESSAGE_MAX);

		assert_int_equal(feed_hex(&r, rows[i].hex), ERR_OK);
		assert_int_equal(ws_reader_next(&r, &e), rows[i].err);
		ws_reader_free(&r);
	}
	/* Fragments that are too much together. */
	static uint8_t half[MESSAGE_MAX / 2 + 4] = {0x02, 0x7e, 0x88, 0xb8};
	struct ws_reader r = ws_reader_make(MESSAGE_MAX);
	assert_int_equal(ws_reader_feed(&r, BYTES_OF(half)), ERR_OK);
	half[0] = 0x00;
	assert_int_equal(ws_reader_feed(&r, BYTES_OF(half)), ERR_OK);
	assert_int_equal(ws_reader_feed(&r, BYTES_LIT("\x80\x01x")), ERR_OK);
	assert_int_equal(ws_reader_next(&r, &e), ERR_TOO_BIG);
	ws_reader_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake), cmocka_unit_test(test_bad_handshakes),
		cmocka_unit_test(test_examples),  cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

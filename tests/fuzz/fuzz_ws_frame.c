/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A WebSocket server that sends the input. However the bytes are cut into pieces, the same messages
 * come out, and the same error ends them; no message is longer than the maximum, and each is as the
 * frames that a second reader builds say.
 *
 * Input: u8: size of the pieces || the bytes. What begins with "HTTP" is read as a handshake's
 * answer.
 */
#include "fuzz.h"
#include "net/ws_frame.h"

enum {
	MESSAGE_MAX = 1000
};

struct outcome {
	size_t events, bytes;
	unsigned sum;
	enum err err;
};

static struct outcome read_all(struct bytes in, size_t piece)
{
	struct ws_reader r = ws_reader_make(MESSAGE_MAX);
	struct outcome o = {.err = ERR_NOT_READY};
	struct ws_event e;

	while (in.n > 0 && o.err == ERR_NOT_READY) {
		size_t n = in.n < piece ? in.n : piece;
		struct bytes copy = fuzz_copy(bytes_sub(in, 0, n));

		in = bytes_sub(in, n, in.n - n);
		FUZZ_OK(ws_reader_feed(&r, copy));
		fuzz_free(copy);
		while ((o.err = ws_reader_next(&r, &e)) == ERR_OK) {
			CHECK(e.payload.n <= MESSAGE_MAX && e.what != WS_CONTINUATION);
			CHECK(e.what < WS_CLOSE || e.payload.n <= WS_CONTROL_MAX);
			o.events++;
			o.bytes += e.payload.n;
			o.sum = o.sum * 31 + (unsigned)e.what;
			for (size_t i = 0; i < e.payload.n; i++)
				o.sum = o.sum * 31 + e.payload.p[i];
		}
	}
	ws_reader_free(&r);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n);
	size_t piece = (size_t)fuzz_u8(&in) + 1, size = 0;

	if (in.n > (1 << 20))
		return 0;
	if (in.n >= 4 && memcmp(in.p, "HTTP", 4) == 0) {
		struct bytes copy = fuzz_copy(in);
		enum err e = ws_handshake_read(&size, copy, "dGhlIHNhbXBsZSBub25jZQ==", NULL);

		CHECK(e != ERR_OK || (size <= in.n && size <= WS_HEAD_MAX));
		fuzz_free(copy);
		return 0;
	}

	struct outcome whole = read_all(in, in.n + 1), parts = read_all(in, piece);

	CHECK(whole.events == parts.events && whole.bytes == parts.bytes &&
	      whole.sum == parts.sum && whole.err == parts.err);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The small forms of gRPC. A body in pieces is a body at once; texts and timeouts that are made are
 * read again; percent coding agrees with a decoder of ten lines.
 *
 * Input: u8 size of the pieces || u8 message maximum / 16 || the bytes, taken for all of them.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "net/grpc_wire.h"

/* Flag, length, message. */
static enum err simple_verdict(struct bytes body, size_t size_max)
{
	size_t length = 0;

	if (body.n < 5)
		return ERR_OK;
	for (size_t i = 1; i < 5; i++)
		length = length << 8 | body.p[i];
	if (body.p[0] != 0)
		return body.p[0] == 1 ? ERR_UNSUPPORTED : ERR_MALFORMED;
	if (length > size_max)
		return ERR_TOO_BIG;
	return body.n - 5 > length ? ERR_MALFORMED : ERR_OK;
}

static void check_body(struct bytes body, size_t step, size_t size_max)
{
	struct grpc_reader whole = grpc_reader_make(size_max), pieces = whole;
	CLEANUP(buf_free) struct buf packed = {0};
	enum err at_once = grpc_reader_feed(&whole, body), e = ERR_OK;

	for (size_t at = 0; at < body.n && e == ERR_OK; at += step)
		e = grpc_reader_feed(&pieces,
				     bytes_sub(body, at, body.n - at < step ? body.n - at : step));
	CHECK(e == at_once && e == simple_verdict(body, size_max));
	if (e == ERR_OK) {
		e = grpc_reader_end(&whole);
		CHECK(e == grpc_reader_end(&pieces));
		CHECK(grpc_reader_empty(&whole) == (body.n == 0));
	}
	if (e == ERR_OK) {
		CHECK(bytes_eq_var(buf_view(&whole.body), bytes_sub(body, 5, body.n - 5)));
		CHECK(bytes_eq_var(buf_view(&whole.body), buf_view(&pieces.body)));
		CHECK(whole.body.n <= size_max);
		FUZZ_OK(grpc_message_pack(&packed, buf_view(&whole.body)));
		CHECK(bytes_eq_var(buf_view(&packed), body));
	}
	grpc_reader_free(&whole);
	grpc_reader_free(&pieces);
}

static bool hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Only for what decodes to plain ASCII. */
static bool simple_decode(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == '%' && i + 2 < text.n && hex(text.p[i + 1]) && hex(text.p[i + 2])) {
			char digits[3] = {(char)text.p[i + 1], (char)text.p[i + 2], 0};

			c = (uint8_t)strtoul(digits, NULL, 16);
			i += 2;
		}
		if (c >= 0x80)
			return false;
		FUZZ_OK(buf_add_u8(out, c < 0x20 || c == 0x7f ? '?' : c));
	}
	return true;
}

static void check_text(struct bytes text)
{
	CLEANUP(buf_free)
	struct buf out = buf_make(text.n), simple = buf_make(text.n),
		   coded = buf_make(3 * text.n + 1), back = buf_make(text.n + 1);

	FUZZ_OK(grpc_text_decode(&out, text));
	CHECK(!simple_decode(&simple, text) || bytes_eq_var(buf_view(&simple), buf_view(&out)));
	for (size_t i = 0, step; i < out.n; i += step) {
		step = bytes_utf8_step(bytes_sub(buf_view(&out), i, out.n - i));
		CHECK(step > 0 && out.p[i] >= 0x20 && out.p[i] != 0x7f);
	}

	/* What was made printable survives the way there and back. */
	char *s = fuzz_cstr(buf_view(&out));

	FUZZ_OK(grpc_text_encode(&coded, s));
	for (size_t i = 0; i < coded.n; i++)
		CHECK(coded.p[i] >= 0x20 && coded.p[i] < 0x7f);
	FUZZ_OK(grpc_text_decode(&back, buf_view(&coded)));
	CHECK(bytes_eq_var(buf_view(&back), buf_view(&out)));
	free(s);
}

static void check_timeout(struct bytes text)
{
	char out[GRPC_TIMEOUT_TEXT_SIZE];
	int64_t ms = -1, again;

	if (grpc_timeout_parse(&ms, text) != ERR_OK) {
		CHECK(ms == -1);
		return;
	}
	CHECK(text.n >= 2 && text.n <= 9 && strchr("HMSmun", text.p[text.n - 1]) && ms >= 0);
	grpc_timeout_format(out, ms);
	FUZZ_OK(grpc_timeout_parse(&again, bytes_str(out)));
	/* whole seconds above 99999999 ms; never longer than it was */
	CHECK(again <= ms && (again > ms - 1000 || ms > INT64_C(99999999) * 1000));
	CHECK(ms > 99999999 || again == ms);
}

static void check_status(struct bytes text)
{
	enum grpc_status s = grpc_status_parse(text);
	char *t = fuzz_cstr(text);

	CHECK(strcmp(grpc_status_name(s), "UNKNOWN") == 0 || strtol(t, NULL, 10) == (long)s);
	CHECK(!grpc_content_type(text) || strncmp(t, "application/grpc", 16) == 0);
	(void)grpc_status_of_http((int)strtol(t, NULL, 10) % 600);
	(void)grpc_status_of_reset((uint32_t)strtoul(t, NULL, 10) % 16);
	free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n < 4096 ? n : 4096);
	size_t step = (size_t)fuzz_u8(&in) + 1, size_max = (size_t)fuzz_u8(&in) * 16;
	struct bytes copy = fuzz_copy(in);

	check_body(copy, step, size_max);
	check_text(copy);
	check_timeout(copy);
	check_status(copy);
	fuzz_free(copy);
	return 0;
}

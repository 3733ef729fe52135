/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support_net.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop_internal.h"

enum {
	ROUNDS = 4,
	FRAME_MAX = 16384,
	OUT_MAX = 1 << 17
};

static const struct {
	const char *name, *value;
} headers[] = {
	{":method", "POST"},
	{":scheme", "http"},
	{":path", "/f.F/Echo"},
	{":authority", "x"},
	{"te", "trailers"},
	{"content-type", "application/grpc"},
	{":status", "200"},
	{"grpc-status", "0"},
	{":method", "GET"},
	{":path", "/f.F/Fail"},
	{":path", "/f.F/None"},
	{"content-type", "text/html"},
	{"content-type", "application/grpc+proto"},
	{"grpc-timeout", "1H"},
	{"grpc-timeout", "1n"},
	{"grpc-timeout", "x"},
	{"grpc-status", "7"},
	{"grpc-status", "x"},
	{"grpc-message", "a%20b%ff%0a"},
	{":status", "404"},
	{":status", "100"},
	{":status", "503"},
	{"x", "y"},
	{"content-length", "5"},
};

static void put_frame(struct buf *out, uint8_t type, uint8_t flags, uint8_t stream,
		      struct bytes payload)
{
	FUZZ_OK(buf_add_u8(out, (uint8_t)(payload.n >> 16)));
	FUZZ_OK(buf_add_u8(out, (uint8_t)(payload.n >> 8)));
	FUZZ_OK(buf_add_u8(out, (uint8_t)payload.n));
	FUZZ_OK(buf_add_u8(out, type));
	FUZZ_OK(buf_add_u8(out, flags));
	FUZZ_OK(buf_add_u32be(out, stream));
	FUZZ_OK(buf_add(out, payload));
}

/* HPACK, RFC 7541, 6.2.2: a literal without indexing and with a new name. 214 ("x") stands for a
 * long value. */
static void put_header(struct buf *out, uint8_t which)
{
	const char *name = headers[which % ARRAY_LEN(headers)].name;
	const char *value = headers[which % ARRAY_LEN(headers)].value;

	FUZZ_OK(buf_add_u8(out, 0));
	FUZZ_OK(buf_add_u8(out, (uint8_t)strlen(name)));
	FUZZ_OK(buf_add_str(out, name));
	if (which == 214) {
		FUZZ_OK(buf_add(out, BYTES_LIT("\x7f\x81\x7e"))); /* 127 + 1 + 126 * 128 */
		for (int i = 0; i < 127 + 1 + 126 * 128; i++)
			FUZZ_OK(buf_add_u8(out, 'a'));
		return;
	}
	FUZZ_OK(buf_add_u8(out, (uint8_t)strlen(value)));
	FUZZ_OK(buf_add_str(out, value));
}

static void put_headers(struct buf *out, struct bytes *in)
{
	CLEANUP(buf_free) struct buf block = buf_make(1 << 20);
	uint8_t flags = fuzz_u8(in), stream = fuzz_u8(in), n = fuzz_u8(in) % 32;

	for (uint8_t i = 0; i < n; i++)
		if (block.n < FRAME_MAX - 200)
			put_header(&block, fuzz_u8(in));
	put_frame(out, NGHTTP2_HEADERS, flags & 0x05, stream, buf_view(&block));
}

void fuzz_frames(struct buf *out, struct bytes in, bool client)
{
	if (client)
		FUZZ_OK(buf_add_str(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	put_frame(out, NGHTTP2_SETTINGS, 0, 0, BYTES_NONE);
	while (in.n > 0 && out->n < OUT_MAX) {
		uint8_t what = fuzz_u8(&in), flags, stream;

		if (what >= 0x80) {
			put_headers(out, &in);
		} else if (what >= 0x40) {
			FUZZ_OK(buf_add(out, fuzz_part(&in)));
		} else {
			flags = fuzz_u8(&in);
			stream = fuzz_u8(&in);
			put_frame(out, what, flags, stream, fuzz_part(&in));
		}
	}
}

struct loop *fuzz_loop(void)
{
	static struct loop *loop;

	if (!loop) {
		(void)signal(SIGPIPE, SIG_IGN);
		FUZZ_OK(loop_new(&loop));
	}
	return loop;
}

void fuzz_pump(struct loop *l)
{
	for (int i = 0; i < ROUNDS; i++)
		(void)event_base_loop(loop_base(l), EVLOOP_NONBLOCK);
}

int fuzz_listen(unsigned *ret_port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	CHECK(listen(fd, 16) == 0 && getsockname(fd, (struct sockaddr *)&sa, &n) == 0);
	*ret_port = ntohs(sa.sin_port);
	return fd;
}

void fuzz_write(int fd, struct bytes b)
{
	ssize_t n;

	while (b.n > 0 && (n = send(fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
		b = bytes_sub(b, (size_t)n, b.n - (size_t)n);
}

/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A connection to the gRPC server. What a handler gets when all arrives at once it also gets when
 * the bytes come in pieces; what is said back is whole frames, and no more than was asked for.
 *
 * Input: u8 size of the pieces || as fuzz_frames; 255: || bytes that need not be HTTP/2.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/keccak.h"
#include "net/grpc_server_internal.h"
#include "support_net.h"

enum {
	CALLS_MAX = 64,
	REQUEST_MAX = 4096
};

/* What the handlers saw in one run. */
static struct run {
	struct hash32 calls[CALLS_MAX]; /* without a deadline */
	size_t calls_n, echoed;
} run;

static void note_call(struct grpc_call *call, const char *name)
{
	struct keccak256 k;

	CHECK(grpc_call_request(call).n <= REQUEST_MAX);
	FUZZ_OK(grpc_reader_end(&call->stream.in));
	if (grpc_call_time_left_ms(call) != INT64_MAX || run.calls_n == CALLS_MAX)
		return;
	keccak256_init(&k);
	keccak256_add(&k, bytes_str(name));
	keccak256_add(&k, grpc_call_request(call));
	run.calls[run.calls_n++] = keccak256_final(&k);
}

static void on_echo(void *ctx, struct grpc_call *call)
{
	(void)ctx;
	note_call(call, "echo");
	run.echoed += grpc_call_request(call).n + 5;
	grpc_call_reply(call, grpc_call_request(call));
}

static void on_fail(void *ctx, struct grpc_call *call)
{
	(void)ctx;
	note_call(call, "fail");
	grpc_call_fail(call, GRPC_NOT_FOUND, "no \xc3\xa4%");
}

static struct grpc_server *server(void)
{
	static const struct grpc_method methods[] = {
		{"/f.F/Echo", on_echo, REQUEST_MAX},
		{"/f.F/Fail", on_fail, REQUEST_MAX},
	};
	static const struct grpc_server_options options = {
		.listen = "127.0.0.1:0", .methods = methods, .methods_n = ARRAY_LEN(methods)};
	static struct grpc_server *s;

	if (!s)
		FUZZ_OK(grpc_server_new(&s, fuzz_loop(), &options, NULL));
	return s;
}

static void collect(int fd, struct buf *out)
{
	uint8_t chunk[16384];
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		FUZZ_OK(buf_add(out, bytes_from(chunk, (size_t)n)));
}

/* RFC 9113, 4.1; nothing but what a server says. */
static void check_output(struct bytes b)
{
	struct reader r = reader_of(b);
	size_t data = 0;

	for (size_t i = 0; r.in.n > 0; i++) {
		size_t length = (size_t)reader_u8(&r) << 16;

		length |= (size_t)reader_u8(&r) << 8;
		length |= reader_u8(&r);

		uint8_t type = reader_u8(&r);

		(void)reader_u8(&r);
		(void)reader_u32be(&r);
		(void)reader_bytes(&r, length);
		CHECK(length <= 16384 && (i > 0 || type == NGHTTP2_SETTINGS));
		CHECK(type <= NGHTTP2_WINDOW_UPDATE && type != NGHTTP2_PUSH_PROMISE);
		data += type == NGHTTP2_DATA ? length : 0;
	}
	CHECK(r.err == ERR_OK && data <= run.echoed);
}

static void speak(struct bytes all, size_t step)
{
	CLEANUP(buf_free) struct buf out = buf_make(8 << 20);
	const struct sockaddr local = {.sa_family = AF_UNIX};
	struct grpc_server *s = server();
	int fd[2];

	run = (struct run){0};
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	grpc_conn_accept(s, fd[0], &local);
	for (size_t at = 0; at < all.n; at += step) {
		fuzz_write(fd[1], bytes_sub(all, at, all.n - at < step ? all.n - at : step));
		fuzz_pump(fuzz_loop());
		collect(fd[1], &out);
	}
	(void)shutdown(fd[1], SHUT_WR); /* perhaps it is closed from the other side */
	for (int i = 0; s->conns; i++) {
		CHECK(i < 10000);
		fuzz_pump(fuzz_loop());
		collect(fd[1], &out);
	}
	close(fd[1]);
	CHECK(s->in_flight == 0 && s->held_n == 0 && !s->orphans.first && !s->peers);
	check_output(buf_view(&out));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(buf_free) struct buf all = buf_make(1 << 20);
	struct bytes in = bytes_from(p, n < 2048 ? n : 2048);
	size_t step = (size_t)fuzz_u8(&in) + 1;

	if (step == 256)
		FUZZ_OK(buf_add(&all, in));
	else
		fuzz_frames(&all, in, true);
	if (all.n > 100000)
		return 0;
	speak(buf_view(&all), all.n);

	const struct run at_once = run;

	speak(buf_view(&all), step > all.n / 40 ? step : all.n / 40 + 1);
	/* An answer to the ping that ends a connection, unasked, ends it: in pieces sooner. */
	if (fuzz_holds(buf_view(&all), BYTES_LIT("drain\0\0\0")))
		return 0;
	for (size_t i = 0; i < at_once.calls_n && at_once.calls_n < CALLS_MAX; i++) {
		size_t k = 0;

		while (k < run.calls_n && !hash32_eq(at_once.calls[i], run.calls[k]))
			k++;
		CHECK(k < run.calls_n || run.calls_n == CALLS_MAX);
	}
	return 0;
}

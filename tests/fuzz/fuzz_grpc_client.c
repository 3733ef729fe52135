/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A server that answers two gRPC calls of ours with whatever it likes. Each call ends exactly once,
 * a failed one brings no message, text is printable; and what succeeds does so with the same
 * message when the bytes come in pieces.
 *
 * Input: u8 size of the pieces || as fuzz_frames. The calls are streams 1 and 3.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/keccak.h"
#include "net/channel.h"
#include "support_net.h"

enum {
	CALLS = 2,
	REPLY_MAX = 1000
};

struct outcome {
	unsigned calls;
	enum grpc_status status;
	struct hash32 message;
};

static void on_done(void *ctx, const struct rpc_reply *reply)
{
	struct outcome *o = ctx;
	struct bytes text = bytes_str(reply->text);

	CHECK(o->calls++ == 0 && reply->status <= GRPC_UNAUTHENTICATED);
	CHECK(reply->message.n <= REPLY_MAX);
	CHECK(reply->status == GRPC_OK || reply->message.n == 0);
	o->status = reply->status;
	o->message = keccak256(reply->message);
	for (size_t at = 0, step; at < text.n; at += step) {
		step = bytes_utf8_step(bytes_sub(text, at, text.n - at));
		CHECK(step > 0 && text.p[at] >= 0x20);
	}
}

static int accept_one(int listener, struct loop *loop)
{
	int fd = -1;

	for (int i = 0; fd < 0; i++) {
		CHECK(i < 100000);
		fuzz_pump(loop);
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	return fd;
}

/* Both requests have left: END_STREAM of the second one's body is on the wire. */
static void wait_requests(int fd, struct loop *loop)
{
	CLEANUP(buf_free) struct buf seen = buf_make(1 << 20);
	uint8_t chunk[4096];
	ssize_t n;

	for (int i = 0; !fuzz_holds(buf_view(&seen), BYTES_LIT("second")); i++) {
		CHECK(i < 100000);
		fuzz_pump(loop);
		while ((n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
			FUZZ_OK(buf_add(&seen, bytes_from(chunk, (size_t)n)));
	}
}

static void speak(struct outcome out[CALLS], int listener, const char *url, struct bytes all,
		  size_t step)
{
	static const char *const messages[CALLS] = {"first", "second"};
	struct loop *loop = fuzz_loop();
	struct rpc_ticket ticket;
	struct channel *channel;
	uint8_t chunk[4096];
	int fd;

	FUZZ_OK(channel_grpc_new(&channel, loop, url, NULL));
	for (size_t i = 0; i < CALLS; i++) {
		const struct rpc_call call = {"/f.F/Echo", bytes_str(messages[i]), 60000,
					      REPLY_MAX};

		FUZZ_OK(channel_call(channel, &ticket, &call, on_done, &out[i]));
	}
	fd = accept_one(listener, loop);
	wait_requests(fd, loop);
	for (size_t at = 0; at < all.n; at += step) {
		fuzz_write(fd, bytes_sub(all, at, all.n - at < step ? all.n - at : step));
		fuzz_pump(loop);
		while (recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT) > 0)
			;
	}
	(void)shutdown(fd, SHUT_WR); /* perhaps it is closed from the other side */
	for (int i = 0; out[0].calls + out[1].calls < CALLS; i++) {
		CHECK(i < 100000);
		fuzz_pump(loop);
	}
	channel_free(channel);
	close(fd);
	fuzz_pump(loop);
	CHECK(out[0].calls == 1 && out[1].calls == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static int listener = -1;
	static char url[64];
	CLEANUP(buf_free) struct buf all = buf_make(1 << 20);
	struct outcome at_once[CALLS] = {0}, pieces[CALLS] = {0};
	struct bytes in = bytes_from(p, n < 2048 ? n : 2048);
	size_t step = (size_t)fuzz_u8(&in) + 1;
	unsigned port;

	if (listener < 0) {
		listener = fuzz_listen(&port);
		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	}
	fuzz_frames(&all, in, false);
	if (all.n > 100000)
		return 0;
	speak(at_once, listener, url, buf_view(&all), all.n);
	speak(pieces, listener, url, buf_view(&all), step > all.n / 40 ? step : all.n / 40 + 1);
	/* Why a call failed may differ: what we object to ends a stream when that has been sent. */
	for (size_t i = 0; i < CALLS; i++)
		CHECK((at_once[i].status == GRPC_OK) == (pieces[i].status == GRPC_OK) &&
		      hash32_eq(at_once[i].message, pieces[i].message));
	return 0;
}
